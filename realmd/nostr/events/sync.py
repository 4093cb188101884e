"""Where everybody is: all positions in one ephemeral event (kind 20042), and a snapshot for late joiners.

    20042   ["e", <channel>] ["d", <room id>]
            {"v": 1, "t": ms, "seq": n, "p": [[id, x, y, z, rotation, action], …]}
    30078   ["d", "openclaw-world:<room id>:snapshot"] ["expiration", s]        (NIP-40)
            the same, each row with the agent's name and colour at its end

`t` is when the agents were there, and orders the syncs; `seq` is the realm's last durable event by
then.  What is larger than a relay takes is split: each part says "part": [i, n], and the d tags of
a snapshot's parts from the second on end in `:2`, `:3`, …  Parts with the same `t` belong together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ...primitives.ids import AgentId
from ...protocol.views import Room
from ...world.model import Body, Profile
from .draft import (
    LEAST_BYTES,
    MOST_CONTENT,
    Draft,
    Published,
    Unreadable,
    content,
    encode,
    expect,
    number,
    only,
    packs,
    size,
)
from .stamps import Stamps

KIND: Final = 20042
SNAPSHOT: Final = 30078
#: Parts that one sync can have.
MOST_PARTS: Final = 256

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Label = Annotated[str, Meta(max_length=64)]


class Placed(Struct, frozen=True, array_like=True, gc=False):
    """An agent's row: where it is (world units), which way it faces (radians), what it does."""

    agent_id: AgentId
    x: float
    y: float
    z: float
    rotation: float
    action: Label


class Shown(Placed, frozen=True, array_like=True, gc=False):
    """An agent's row in a snapshot."""

    name: Label = ""
    color: Label = ""


class Places(Struct, frozen=True):
    """One part of a sync or snapshot: `part` of `parts`, `t` in ms since the epoch."""

    room_id: str
    t: int
    seq: int
    part: int
    parts: int
    rows: tuple[Shown, ...]


class _Content(Struct):
    v: Literal[1]
    t: Count
    seq: Count
    p: list[Raw]
    part: tuple[Count, Count] | UnsetType = UNSET


class _Read(_Content):
    p: Annotated[list[Shown], Meta(max_length=4096)]  # type: ignore[assignment]


_read: Final = msgspec.json.Decoder(_Read)


def sync(room: Room, bodies: Iterable[Body], now: int, seq: int, max_bytes: int) -> list[Draft]:
    """All `bodies` at `now` (ms), the realm's last event being `seq`: one draft, if it is not too large.

    `max_bytes` is what relays take of an event's JSON, at least `LEAST_BYTES`; else ValueError.
    """
    channel = (("e", room.channel_id),) if room.channel_id else ()
    draft = Draft(KIND, now // 1000, (*channel, ("d", room.room_id)))
    return [
        msgspec.structs.replace(draft, content=text)
        for text in _parts(draft, [_row(body) for body in bodies], now, seq, max_bytes)
    ]


def snapshot(
    room: Room,
    agents: Iterable[tuple[Body, Profile]],
    now: int,
    seq: int,
    max_bytes: int,
    *,
    life: int,
    stamps: Stamps,
) -> list[Draft]:
    """All `agents` at `now` (ms) for whoever comes within `life` (s); as `sync` else."""
    rows = [_row(body, profile) for body, profile in agents]
    widest = Draft(SNAPSHOT, now // 1000, _tags(room.room_id, MOST_PARTS, now // 1000 + life))
    drafts = []
    for part, text in enumerate(_parts(widest, rows, now, seq, max_bytes), 1):
        stamp = stamps.next(snapshot_tag(room.room_id, part), now // 1000)
        drafts.append(Draft(SNAPSHOT, stamp, _tags(room.room_id, part, stamp + life), text))
    return drafts


def snapshot_tag(room_id: str, part: int = 1) -> str:
    """The `d` tag of a part of the room's snapshot."""
    return f"openclaw-world:{room_id}:snapshot" + (f":{part}" if part > 1 else "")


def read_sync(event: Published, author: str, room_id: str) -> Places:
    """A sync of `author` (pubkey, hex) for that room; raises `Unreadable`."""
    expect(event, KIND, author)
    if only(event, "d") != room_id:
        raise Unreadable("room")
    return _places(event, room_id)


def read_snapshot(event: Published, author: str, room_id: str, now: int) -> Places:
    """A snapshot of `author` (pubkey, hex) that has not expired at `now` (ms); raises `Unreadable`."""
    expect(event, SNAPSHOT, author)
    if number(event, "expiration") * 1000 <= now:
        raise Unreadable("stale")
    places = _places(event, room_id)
    if only(event, "d") != snapshot_tag(room_id, places.part):
        raise Unreadable("room")
    return places


def _places(event: Published, room_id: str) -> Places:
    found: _Read = content(event, _read)
    part, parts = (1, 1) if found.part is UNSET else found.part
    if not 1 <= part <= parts <= MOST_PARTS:
        raise Unreadable("content")
    return Places(room_id, found.t, found.seq, part, parts, tuple(found.p))


def _tags(room_id: str, part: int, expiration: int) -> tuple[tuple[str, ...], ...]:
    return (("d", snapshot_tag(room_id, part)), ("expiration", str(expiration)))


def _row(body: Body, profile: Profile | None = None) -> str:
    # A hundredth of a unit and of a radian is finer than anybody sees.
    x, y, z, turn = (round(value, 2) for value in (body.x, body.y, body.z, body.rotation))
    if profile is None:
        return encode(Placed(body.agent_id, x, y, z, turn, body.action)).decode()
    return encode(Shown(body.agent_id, x, y, z, turn, body.action, profile.name, profile.color)).decode()


def _parts(draft: Draft, rows: list[str], now: int, seq: int, max_bytes: int) -> list[str]:
    """The contents of the drafts that `draft`, without content, is split into."""
    if max_bytes < LEAST_BYTES:
        raise ValueError(f"relays that take less than {LEAST_BYTES} bytes are of no use")
    empty = _content(now, seq, [], MOST_PARTS, MOST_PARTS)
    widest = msgspec.structs.replace(draft, content=empty)
    groups = list(packs(rows, min(max_bytes - size(widest), MOST_CONTENT - len(empty))))
    if len(groups) > MOST_PARTS:
        raise ValueError(f"{len(rows)} agents do not fit {MOST_PARTS} events of {max_bytes} bytes")
    return [_content(now, seq, group, part, len(groups)) for part, group in enumerate(groups, 1)]


def _content(now: int, seq: int, rows: list[str], part: int, parts: int) -> str:
    raws = [Raw(row.encode()) for row in rows]
    return encode(_Content(1, now, seq, raws, (part, parts) if parts > 1 else UNSET)).decode()
