"""The dragon: does the rounds of the zones, welcomes newcomers, remembers the last minutes."""

from __future__ import annotations

from random import Random

from msgspec import Struct, field

from ..commands import Command, WorldChat, WorldWalk
from ..events import Join
from . import phrases, speech
from .bearing import PATIENCE, SECOND, Bearing
from .chronicle import Chronicle
from .talk import HOUR, Talk, newcomers, say
from .view import View

#: Span (s) of a stay in each zone, and how far from its centre (world units) the dragon stays.
STAY, ASIDE = (20, 40), 9.0


class Memory(Struct):
    """What the dragon remembers; `next_zone` indexes the round."""

    talk: Talk = field(default_factory=Talk)
    chronicle: Chronicle = field(default_factory=Chronicle)
    bearing: Bearing = field(default_factory=Bearing)
    next_zone: int = -1
    walking: bool = False


def think(view: View, memory: Memory, now: int, rng: Random) -> list[Command]:
    """Guests first, then the rounds."""
    memory.chronicle.listen(view, now)
    said = [
        *_welcome(view, memory, now, rng),
        *speech.answers(view, memory.talk, now, rng, phrases.DRAGON, memory.chronicle.tell),
    ]
    return [*said, *memory.bearing.show(view, now, "talk")] if said else _rounds(view, memory, now, rng)


def _welcome(view: View, memory: Memory, now: int, rng: Random) -> list[WorldChat]:
    joined = [
        (heard.event.agent_id, heard.words)
        for heard in view.heard
        if type(heard.event) is Join and not heard.trusted
    ]
    who = newcomers(memory.talk, joined, now, again=HOUR)
    return [say(view, memory.talk, rng.choice(phrases.WELCOMES).format(who=who))] if who else []


def _rounds(view: View, memory: Memory, now: int, rng: Random) -> list[Command]:
    bearing = memory.bearing
    if relaxed := bearing.relax(view, now):
        return relaxed
    if memory.walking:
        return _arrive(view, memory, now, rng)
    if now < bearing.until or not view.zones:
        return []
    if memory.next_zone < 0:
        memory.next_zone = rng.randrange(len(view.zones))
    place = view.zones[memory.next_zone % len(view.zones)]
    memory.walking = True
    bearing.begin(now, PATIENCE)
    x, z = place.x + rng.uniform(-ASIDE, ASIDE), place.z + rng.uniform(-ASIDE, ASIDE)
    return [WorldWalk(agent_id=view.me.agent_id, x=round(x, 2), z=round(z, 2))]


def _arrive(view: View, memory: Memory, now: int, rng: Random) -> list[Command]:
    """On the way; once there, look around and stay; where there was no way, try another spot."""
    bearing = memory.bearing
    if bearing.unsettled(now) or bearing.under_way(view, now):
        return []
    memory.walking = False
    if bearing.refused(view):
        bearing.until = now
        return []
    memory.next_zone += 1
    bearing.until = now + rng.randint(*STAY) * SECOND
    return bearing.show(view, now, "spin")
