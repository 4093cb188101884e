"""A kobold: takes shifts where its skills are wanted, strolls, rests, and likes company."""

from __future__ import annotations

from random import Random

from msgspec import Struct, field

from ..commands import (
    Command,
    GoToWorkstation,
    WorkFinish,
    WorkStart,
    WorkstationLeave,
    WorldChat,
    WorldEmote,
    WorldWalk,
)
from ..events import Work
from ..model import Claim
from . import phrases, speech
from .bearing import PATIENCE, SECOND, SETTLE, Bearing
from .talk import HOUR, Talk, newcomers, say
from .view import View

#: How near a visitor is greeted (world units), and how far from a zone's centre one strolls.
NEAR, STROLL = 6.0, 9.0
#: Spans (s) of a rest, of a shift, and between two shifts.
REST, SHIFT, BREAK = (10, 30), (45, 80), (120, 200)
#: Chance, each thought, of a gesture while resting or working.
GESTURE = 1 / 20


class Memory(Struct):
    """What a kobold remembers; `plan` is wake, rest, stroll, commute, work or leave."""

    talk: Talk = field(default_factory=Talk)
    bearing: Bearing = field(default_factory=Bearing)
    plan: str = "wake"
    next_shift: int = 0
    worked: bool = False
    last_note: str = ""

    def begin(self, plan: str, now: int, lasting: int) -> None:
        """Follow `plan` from now on, for at most `lasting` ms."""
        self.plan = plan
        self.bearing.begin(now, lasting)


def think(view: View, memory: Memory, now: int, rng: Random) -> list[Command]:
    """Company first, then the daily round."""
    if memory.plan == "wake":
        memory.begin("rest", now, rng.randint(1, 12) * SECOND)
        memory.next_shift = now + rng.randint(0, 60) * SECOND
    said = [*_report(view, memory, rng), *_answers(view, memory, now, rng), *_greet(view, memory, now, rng)]
    if said:
        return [*said, *memory.bearing.show(view, now, "talk")]
    return _round(view, memory, now, rng)


def _report(view: View, memory: Memory, rng: Random) -> list[WorldChat]:
    """Tell of work once the world has recorded it."""
    told = []
    for heard in view.heard:
        event = heard.event
        if isinstance(event, Work) and event.phase == "finished" and event.agent_id == view.me.agent_id:
            station = view.station(event.workstation_id)
            name = station.name if station else event.workstation_id
            note = heard.words.quoted(300) or "All done."
            memory.last_note = f"My last shift was at {name}: {note}"
            told.append(say(view, memory.talk, rng.choice(phrases.REPORTS).format(station=name, note=note)))
    return told


def _answers(view: View, memory: Memory, now: int, rng: Random) -> list[WorldChat]:
    news = memory.last_note or "I have finished no shift yet since I woke, so I have no news."
    return speech.answers(view, memory.talk, now, rng, phrases.KOBOLD, lambda _: news)


def _greet(view: View, memory: Memory, now: int, rng: Random) -> list[WorldChat]:
    near = [(n.agent_id, n.name) for n in view.neighbours if n.distance <= NEAR and not n.inhabitant]
    who = newcomers(memory.talk, near, now, again=HOUR)
    if not who:
        return []
    text = rng.choice(phrases.GREETINGS).format(who=who, me=view.profile.name, zone=speech.zone(view.zone))
    return [say(view, memory.talk, text)]


def _round(view: View, memory: Memory, now: int, rng: Random) -> list[Command]:
    bearing = memory.bearing
    if relaxed := bearing.relax(view, now):
        return relaxed
    if memory.plan != "rest" and bearing.unsettled(now):
        return []
    if view.claim is not None:
        return _work(view, view.claim, memory, now, rng)
    if memory.plan != "rest":
        if bearing.under_way(view, now):
            return []
        _rest(memory, now, rng, refused=memory.plan in ("stroll", "commute") and bearing.refused(view))
    if now < bearing.until:
        return _idle(view, memory, now, rng)
    return _set_out(view, memory, now, rng)


def _rest(memory: Memory, now: int, rng: Random, refused: bool = False) -> None:
    """Rest after a walk or a shift; after a walk that the world refused (one has not moved), shortly."""
    memory.begin("rest", now, SETTLE if refused else rng.randint(*REST) * SECOND)
    memory.worked = False  # whatever was worked on is over, even if the station was lost


def _work(view: View, claim: Claim, memory: Memory, now: int, rng: Random) -> list[Command]:
    """One step of a shift: start, go on, finish, give the station back."""
    me = view.me.agent_id
    if memory.worked and not claim.working_since:
        memory.next_shift = now + rng.randint(*BREAK) * SECOND
        memory.begin("leave", now, SETTLE)
        return [WorkstationLeave(agent_id=me)]
    if not claim.working_since:
        memory.begin("work", now, rng.randint(*SHIFT) * SECOND)
        return [WorkStart(agent_id=me)]
    if memory.plan != "work":
        memory.begin("work", now, rng.randint(*SHIFT) * SECOND)
    if now >= memory.bearing.until:
        memory.worked = True
        memory.begin("work", now, 0)
        return [WorkFinish(agent_id=me, note=_note(view, claim, rng))]
    return memory.bearing.show(view, now, "pinch") if rng.random() < GESTURE else []


def _note(view: View, claim: Claim, rng: Random) -> str:
    station = view.station(claim.workstation_id)
    skill = station.skill if station and station.skill in phrases.NOTES else ""
    return rng.choice(phrases.NOTES[skill]).format(
        a=rng.randint(2, 9),
        b=rng.randint(10, 60),
        c=rng.randint(100, 900),
        pick=rng.choice(phrases.THINGS.get(skill, ("the work",))),
    )


def _idle(view: View, memory: Memory, now: int, rng: Random) -> list[Command]:
    if memory.bearing.shown_until or rng.random() >= GESTURE:
        return []
    if rng.random() < 0.1:
        return [WorldEmote(agent_id=view.me.agent_id, emote=rng.choice(phrases.FEELINGS))]
    return memory.bearing.show(view, now, rng.choice(phrases.GESTURES))


def _set_out(view: View, memory: Memory, now: int, rng: Random) -> list[Command]:
    """Off to a free station that wants one's skill, when it is time; else on a stroll."""
    me = view.me.agent_id
    fitting = [s for s in view.stations if s.holder is None and view.profile.can(s.skill)]
    if now >= memory.next_shift and fitting:
        memory.begin("commute", now, PATIENCE)
        return [GoToWorkstation(agent_id=me, workstation_id=rng.choice(fitting).id)]
    if not view.zones:
        _rest(memory, now, rng)
        return []
    memory.begin("stroll", now, PATIENCE)
    place = rng.choice(view.zones)
    x, z = place.x + rng.uniform(-STROLL, STROLL), place.z + rng.uniform(-STROLL, STROLL)
    return [WorldWalk(agent_id=me, x=round(x, 2), z=round(z, 2))]
