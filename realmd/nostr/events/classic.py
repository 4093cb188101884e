"""Rooms as the old bridge shows them: a channel (kind 40), its messages (42), a discovery entry (30078).

The old readers understand what is made here, and what they write is read here.  Positions are
not published as messages: `sync` says where everybody is.

An old server publishes again, under its own key, whatever it reads in the channel of agents that it
knows: the same content without our tags.  So what tells a realm's message from a command is in the
content: only realms number events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ...primitives.errors import Fault
from ...protocol.classic import Ask, decode_ask
from ...protocol.views import Room
from .draft import MOST_CONTENT, Draft, Published, Unreadable, content, encode, expect, size, values

CHANNEL: Final = 40
MESSAGE: Final = 42
DISCOVERY: Final = 30078
#: The `d` tag of every discovery entry.
DISCOVERY_TAG: Final = "openclaw-world"
#: Seconds between two discovery entries, and after which readers drop one.
DISCOVERY_EVERY: Final = 300
DISCOVERY_LIFE: Final = 900
#: How far back (s) a subscription to a channel's messages asks.
MESSAGES_SINCE: Final = 300
#: How much earlier (ms) the time in a message may be than that of its event: the rest are repetitions.
LATE: Final = 60_000
#: Times below it (of the year 2001) are no ms since the epoch.
MILLISECONDS: Final = 10**12
#: The durable events that the old readers know, by their `worldType`.
SPOKEN: Final = frozenset({"join", "leave", "profile", "chat", "emote"})

#: `worldType` of an outsider's message → the command it asks for; the fields have the same names.
_COMMANDS: Final = {
    "join": "register",
    "profile": "register",
    "leave": "world-leave",
    "chat": "world-chat",
    "emote": "world-emote",
    "action": "world-action",
    "position": "world-move",
}


class _Channel(Struct):
    name: str
    about: str = ""
    picture: str = ""


class _Head(Struct, rename="camel"):
    world_type: str
    timestamp: Any = None
    seq: Raw | UnsetType = UNSET


class _Discovery(Struct, frozen=True, rename="camel"):
    """The content of a discovery entry; the old readers know the first five fields."""

    room_id: str
    name: str
    agents: int
    max_agents: int
    nostr_channel_id: str | None
    description: str
    url: str
    relays: tuple[str, ...]


_channel: Final = msgspec.json.Decoder(_Channel)
_head: Final = msgspec.json.Decoder(_Head)


def channel(room: Room, created_at: int) -> Draft:
    """The channel (NIP-28) of `room`; its id is that of this event."""
    return Draft(CHANNEL, created_at, (), encode(_Channel(_name(room.room_id), room.description)).decode())


def find_channel(events: Iterable[Published], room_id: str, authors: Sequence[str]) -> str | None:
    """The id of the room's channel: the oldest by the first of `authors` (pubkeys, hex) who has made one.

    Anybody can make a channel of that name; nobody but `authors` is believed.
    """
    found: list[tuple[int, int, str]] = []
    for event in events:
        if event.kind != CHANNEL or event.pubkey not in authors:
            continue
        try:
            made: _Channel = content(event, _channel)
        except Unreadable:
            continue
        if made.name == _name(room_id):
            found.append((authors.index(event.pubkey), event.created_at, event.id))
    return min(found)[2] if found else None


def message(
    room: Room, kind: str, body: bytes, created_at: int, max_bytes: int, by: str = ""
) -> Draft | None:
    """The public event `body` (JSON, of that `worldType`) as a message of the room's channel.

    `by` is who is behind it if no agent is: it has a tag, so that who reads only tags knows it, too.
    None if old readers do not know events of that kind, the room has no channel, or it gets larger
    than `max_bytes`: the log keeps those.
    """
    if kind not in SPOKEN or not room.channel_id:
        return None
    relay = room.relays[0] if room.relays else ""
    marks = (("by", by),) if by else ()
    draft = Draft(MESSAGE, created_at, (("e", room.channel_id, relay, "root"), *marks), body.decode())
    return draft if len(draft.content) <= MOST_CONTENT and size(draft) <= max_bytes else None


def read_message(event: Published, channel_id: str) -> Ask:
    """What an outsider's message in the channel asks of the world, as a command.

    Raises `Unreadable`, or `Fault` if it is a message of a known kind with a field wrong.  Unreadable
    ("mirror"), whoever signed it, for what a realm told (it has a `seq`) and for what happened long
    before the event.  Who may speak for the agent it names is for the caller to say.
    """
    expect(event, MESSAGE)
    if channel_id not in [value[0] for value in values(event, "e") if value]:
        raise Unreadable("room")
    head: _Head = content(event, _head)
    if head.seq is not UNSET or _is_late(head.timestamp, event.created_at * 1000):
        raise Unreadable("mirror")
    command = _COMMANDS.get(head.world_type)
    if command is None:
        raise Unreadable("content")
    try:
        return decode_ask(command, event.content.encode())
    except UnicodeEncodeError:
        raise Fault("Invalid JSON: not UTF-8") from None


def _is_late(stamp: Any, published: int) -> bool:
    """Whether a time in ms (what is written in seconds or by no clock at all says nothing) is long past."""
    return isinstance(stamp, int | float) and MILLISECONDS <= stamp < published - LATE


def discovery(room: Room, agents: int, max_agents: int, created_at: int) -> Draft:
    """The entry by which other realms find `room`, with its seats taken and seats in all."""
    entry = _Discovery(
        room_id=room.room_id,
        name=room.name,
        agents=agents,
        max_agents=max_agents,
        nostr_channel_id=room.channel_id,
        description=room.description,
        url=room.public_url,
        relays=room.relays,
    )
    return Draft(DISCOVERY, created_at, (("d", DISCOVERY_TAG),), encode(entry).decode())


def _name(room_id: str) -> str:
    return f"openclaw-world-{room_id}"
