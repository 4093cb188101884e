"""Hearing one's name, and knowing when to keep quiet.

What others say is matched and at most quoted, shortened and stripped; nothing in it is
ever obeyed.  An answer must pass three gates, so that no two talkers can go on for ever:
inhabitants are never answered; a line that repeats the mind's own words is an echo; and
every partner has a small allowance of answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct, field

from ..commands import WorldChat
from ..events import Chat
from ..model import OPERATOR, TEXT_CUT, Profile
from .untrusted import Untrusted
from .view import Heard, View

T = TypeVar("T")

MINUTE = 60_000
HOUR = 60 * MINUTE
#: Answers to one partner in any minute and in any hour; to all together in any minute.
PER_MINUTE, PER_HOUR, PER_MINUTE_ALL = 4, 60, 30
#: Answers in one thought, well below the 20 commands that an agent may send in a second.
PER_THOUGHT = 6
#: Partners and greeted agents remembered (the oldest are forgotten), own lines remembered.
PARTNERS, GREETED, LINES = 128, 256, 8
#: Between two greetings of one mind, however many come (ms); names told in one line.
GREETING_PAUSE, NAMES_TOLD = 15_000, 5


class Talk(Struct):
    """What a mind remembers of its conversations; times in ms, lists oldest first."""

    answered: dict[str, list[int]] = field(default_factory=dict)
    answered_all: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    greeted: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    greeting_at: int | None = None


def listed(names: Iterable[str], others: int = 0) -> str:
    """Names joined for a sentence; `others` are counted at the end."""
    parts = list(names)
    if others:
        parts.append(f"{others} more")
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


@lru_cache(maxsize=64)
def _name_pattern(profile_name: str, agent_id: str) -> re.Pattern[str]:
    words = {profile_name, agent_id}
    first = profile_name.split()[0] if profile_name.split() else ""
    if len(first) > 2 and first.lower() != "the":
        words.add(first)
    return re.compile(
        rf"(?<!\w)(?:{'|'.join(re.escape(w) for w in sorted(words, key=len, reverse=True) if w)})(?!\w)",
        re.IGNORECASE,
    )


def names(text: str, profile: Profile) -> bool:
    """Whether `text` holds the agent's name (or its first word, or its id) as a word."""
    return _name_pattern(profile.name, profile.agent_id).search(text) is not None


def without_name(text: str, profile: Profile) -> str:
    return " ".join(_name_pattern(profile.name, profile.agent_id).sub(" ", text).split())


def who(view: View, heard: Heard) -> str:
    """What somebody who was heard is called in a sentence."""
    if heard.operator:
        return OPERATOR
    return view.names.get(heard.event.agent_id, Untrusted(heard.event.agent_id)).named("stranger")


def say(view: View, talk: Talk, text: str) -> WorldChat:
    """The command that says `text`; the line is remembered, to know its echo."""
    text = text[:TEXT_CUT]
    talk.said.append(text.casefold())
    del talk.said[:-LINES]
    return WorldChat(agent_id=view.me.agent_id, text=text)


def questions(view: View, talk: Talk, now: int) -> list[tuple[Heard, bool]]:
    """The lines to answer now, and for each whether it is the last answer its speaker gets for a while."""
    found: list[tuple[Heard, bool]] = []
    for heard in view.heard:
        if len(found) == PER_THOUGHT:
            break
        if isinstance(heard.event, Chat) and _is_question(heard, view, talk):
            left = _allowance(talk, heard.event.agent_id, now)
            if left:
                found.append((heard, left == 1))
    return found


def _is_question(heard: Heard, view: View, talk: Talk) -> bool:
    if heard.trusted or heard.event.agent_id == view.me.agent_id:
        return False
    line = heard.words.raw.casefold()
    return names(heard.words.raw, view.profile) and not any(said in line for said in talk.said)


def _allowance(talk: Talk, partner: str, now: int) -> int:
    """How many answers are left for `partner`; takes one if there are any."""
    times = [t for t in talk.answered.pop(partner, ()) if t > now - HOUR]
    everyone = [t for t in talk.answered_all if t > now - MINUTE]
    recent = sum(t > now - MINUTE for t in times)
    left = max(0, min(PER_MINUTE - recent, PER_HOUR - len(times), PER_MINUTE_ALL - len(everyone)))
    if left:
        times.append(now)
        everyone.append(now)
    talk.answered_all = everyone
    _remember(talk.answered, partner, times, PARTNERS)
    return left


def newcomers(talk: Talk, met: Iterable[tuple[str, Untrusted]], now: int, again: int) -> str:
    """Whom to greet now, as one phrase ("" for nobody).

    `met` are (agent_id, name) of those met since the last call.  Each is greeted once in
    `again` ms; those who come while a greeting is fresh wait for the next and share it.
    """
    for agent_id, name in met:
        greeted = talk.greeted.get(agent_id)
        if (greeted is None or now - greeted >= again) and len(talk.waiting) < PARTNERS:
            talk.greeted.pop(agent_id, None)
            _remember(talk.greeted, agent_id, now, GREETED)
            talk.waiting[agent_id] = name.named("stranger")
    if not talk.waiting or (talk.greeting_at is not None and now - talk.greeting_at < GREETING_PAUSE):
        return ""
    waiting = list(talk.waiting.values())
    talk.waiting.clear()
    talk.greeting_at = now
    return listed(waiting[:NAMES_TOLD], max(0, len(waiting) - NAMES_TOLD))


def _remember(table: dict[str, T], key: str, value: T, limit: int) -> None:
    table[key] = value
    while len(table) > limit:
        del table[next(iter(table))]
