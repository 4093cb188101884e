"""From a line that names a mind to its answer: topic, facts, phrase."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

from ..commands import WorldChat
from ..model import BIO_CUT
from . import phrases
from .talk import Talk, listed, questions, say, who, without_name
from .untrusted import plain
from .view import View

_TOPICS = tuple((name, re.compile(pattern)) for name, pattern in phrases.TOPICS)
#: Others told by name when asked who is here.
TOLD = 6


def topic_of(text: str) -> str:
    """The topic of a line (without the name it addresses), "" when none is known."""
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return next((name for name, pattern in _TOPICS if pattern.search(text)), "")


def answers(
    view: View,
    talk: Talk,
    now: int,
    rng: Random,
    voice: Mapping[str, tuple[str, ...]],
    news: Callable[[int], str],
) -> list[WorldChat]:
    """One answer to each line that addresses this mind and that it may still answer.

    `voice` maps topics to templates, `news(now)` is what it tells when asked what happened.
    """
    said: list[WorldChat] = []
    for heard, last in questions(view, talk, now):
        topic = topic_of(without_name(heard.words.raw, view.profile))
        told = news(now) if topic == "news" else ""
        text = rng.choice(voice[topic]).format(who=who(view, heard), news=told, **facts(view, now))
        said.append(say(view, talk, " ".join(text.split()) + (phrases.ENOUGH if last else "")))
    return said


def facts(view: View, now: int) -> dict[str, str]:
    """What a mind can truthfully tell of itself and its surroundings."""
    return {
        "me": view.profile.name,
        "bio": plain(view.profile.bio, BIO_CUT // 4),
        "skills": listed(view.profile.capabilities) or "none in particular",
        "zone": zone(view.zone),
        "doing": doing(view, now),
        "here": here(view),
        "free": free(view),
    }


def zone(name: str) -> str:
    """A zone's name as it stands in a sentence."""
    return f"the {name.removeprefix('The ')} zone" if name else "the open"


def doing(view: View, now: int) -> str:
    """What the mind's body does, as it goes after "I'm"."""
    walk, claim = view.me.walk, view.claim
    if claim is not None:
        station = view.station(claim.workstation_id)
        name = station.name if station else claim.workstation_id
        if not claim.working_since:
            return f"standing at {name}, not working yet"
        trade = f" ({station.skill})" if station else ""
        return f"working at {name}{trade}, {since(now - claim.working_since)}"
    if walk is None:
        return "taking a break"
    station = view.station(walk.workstation_id)
    if station is not None:
        return f"walking to {station.name} in {zone(station.zone)}"
    if walk.target_agent_id is not None:
        there = (n.name.named("someone") for n in view.neighbours if n.agent_id == walk.target_agent_id)
        return f"walking over to {next(there, 'someone')}"
    return f"walking to {zone(view.bound_for)}" if view.bound_for != view.zone else "strolling about"


def since(ms: int) -> str:
    """A duration in words."""
    minutes = ms // 60_000
    if minutes < 1:
        return "just begun" if ms < 20_000 else "for less than a minute"
    return f"for {minutes} minute{'s' if minutes > 1 else ''} now"


def here(view: View) -> str:
    if not view.neighbours:
        return "nobody but myself"
    told = [f"{n.name.named('someone')} ({n.zone})" for n in view.neighbours[:TOLD]]
    return listed(told, max(0, view.present - 1 - len(told)))


def free(view: View) -> str:
    """A sentence on the free workstations, "" when there are none at all."""
    stations = [s for s in view.stations if s.holder is None]
    if not stations:
        return "Every workstation is taken just now." if view.stations else ""
    told = [f"{s.name} ({s.skill})" for s in stations[:3]]
    return f"Free now: {listed(told, len(stations) - len(told))}."
