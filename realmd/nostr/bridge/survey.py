"""What relays know of the realm already, asked before anything is published that must not be there twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from twisted.internet.defer import DeferredList

from ...identity.nostr_event import Event
from ..events import classic, log, presence
from ..events.draft import Published, values
from ..relay.messages import Filter
from ..relay.pool import Pool

#: How long (s) a relay may take to tell all.
PATIENCE: Final = 10.0
#: Replaceable and addressable kinds, of which the time of the newest is learned.
DATED: Final = (presence.METADATA, presence.RELAYS, presence.ROOM, classic.DISCOVERY)


class Survey(Struct, frozen=True):
    """What relays told: how many did, the room's channel, the newest time of each name, if there is a log."""

    answered: int
    channel: Event | None
    stamps: dict[str, int]
    has_log: bool


def stamp_name(event: Published) -> str:
    """By what the times of events must rise: the `d` tag, or the kind if that has none."""
    found = values(event, "d")
    return found[0][0] if found and found[0] else str(event.kind)


async def survey(relays: Pool, room_id: str, pubkey: str) -> Survey:
    """Ask every relay for what `pubkey` (hex) has published of the room; raises nothing."""
    own: Filter = {"authors": [pubkey]}
    filters = [
        {**own, "kinds": [classic.CHANNEL], "limit": 100},
        {**own, "kinds": [log.KIND], "#d": [log.log_tag(room_id)], "limit": 1},
        {**own, "kinds": list(DATED), "limit": 200},
    ]
    asked = [client.query(filters, patience=PATIENCE) for client in relays.clients.values()]
    heard = [events for well, events in await DeferredList(asked, consumeErrors=True) if well]
    return _summary(len(heard), [event for events in heard for event in events], room_id, pubkey)


def _summary(answered: int, found: Sequence[Event], room_id: str, pubkey: str) -> Survey:
    channel = classic.find_channel(found, room_id, [pubkey])
    dated = [event for event in found if event.kind != classic.CHANNEL]
    stamps: dict[str, int] = {}
    for event in dated:
        name = stamp_name(event)
        stamps[name] = max(event.created_at, stamps.get(name, 0))
    return Survey(
        answered,
        next((event for event in found if event.id == channel), None),
        stamps,
        any(event.kind == log.KIND or stamp_name(event) == log.checkpoint_tag(room_id) for event in dated),
    )
