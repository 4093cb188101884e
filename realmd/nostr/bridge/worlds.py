"""Other realms, as they announce themselves on the relays of this one: what the Worlds Portal shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from ...identity import bech32
from ...identity.nostr_event import Event
from ...primitives.figures import Figures
from ..events.classic import DISCOVERY, DISCOVERY_LIFE, DISCOVERY_TAG
from ..events.draft import Unreadable
from ..events.presence import ROOM, TOPIC, WorldListing, Worlds
from ..relay.pool import Pool

#: Announcements that one relay is asked for at a time; there may be two for each realm.
MOST_ASKED: Final = 500


class Portal:
    """Listens for announcements, and lists the realms behind those that are fresh.

    Relays check signatures and drop doubles before they hand an event over; `wall` tells ms since
    the epoch, `own` the pubkey (hex) of this realm, whose rooms are not listed.
    """

    def __init__(self, relays: Pool, own: Callable[[], str], wall: Callable[[], int]) -> None:
        self.worlds = Worlds()
        #: Announcements that were not taken, by why.
        self.passed_over: Counter[str] = Counter()
        self._relays = relays
        self._own = own
        self._wall = wall
        self._subscription: Any = None

    def open(self) -> None:
        """Ask every relay for announcements, those not yet stale and those to come."""
        since = self._wall() // 1000 - DISCOVERY_LIFE
        self._subscription = self._relays.subscribe(
            [
                {"kinds": [DISCOVERY], "#d": [DISCOVERY_TAG], "since": since, "limit": MOST_ASKED},
                {"kinds": [ROOM], "#t": [TOPIC], "since": since, "limit": MOST_ASKED},
            ],
            self._announced,
        )

    def close(self) -> None:
        """Listen no more."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()

    def listings(self) -> list[dict[str, Any]]:
        """What `worlds-list` answers, the newest first."""
        return [listing(world) for world in self.worlds.fresh(self._wall() // 1000, without=(self._own(),))]

    def figures(self) -> Figures:
        """For the metrics."""
        return [("realmd_nostr_worlds", "Other realms remembered.", lambda: len(self.worlds))]

    def _announced(self, event: Event, relay: str) -> None:
        if event.pubkey == self._own():
            return
        try:
            self.worlds.add(event, self._wall() // 1000)
        except Unreadable as error:
            self.passed_over[error.code] += 1


def listing(world: WorldListing) -> dict[str, Any]:
    """A realm as clients are told of it; `agents` and `maxAgents` are null if it does not say."""
    return {
        "id": world.id,
        "name": world.name,
        "description": world.description,
        "pubkey": world.pubkey,
        "npub": bech32.encode("npub", bytes.fromhex(world.pubkey)),
        "url": world.url,
        "publicUrl": world.url,
        "relays": world.relays,
        "agents": world.agents,
        "maxAgents": world.seats,
        "seenAt": world.seen,
    }
