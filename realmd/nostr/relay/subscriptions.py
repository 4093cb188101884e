"""What is asked of relays: subscriptions over all of them, and the place each has on one link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ...identity.gift_wrap import STORED as GIFT_WRAP
from ...identity.nostr_event import Event
from .bounds import PREFIXES, Answer, Bounds, prefix
from .limits import Limits
from .messages import Closed, Filter, Stored, close_message, matches, request_message
from .pace import Pauses
from .sending import Channel

#: Told of each event and the URL of the relay that had it first.
OnEvent = Callable[[Event, str], object]
#: Told of a relay's URL.
OnRelay = Callable[[str], object]


class Subscription:
    """Events that any of `filters` matches, each told once though several relays send it.

    Once means: among the newest `remembered` ids.  `on_stored(relay)` is told when a relay has sent
    all it had stored.  What these callbacks raise is logged, and changes nothing.
    """

    log = Logger()

    def __init__(
        self,
        filters: Sequence[Filter],
        on_event: OnEvent,
        on_stored: OnRelay | None = None,
        *,
        remembered: int,
        cancel: Callable[[Subscription], None],
    ) -> None:
        self.filters = tuple(filters)
        self._on_event = on_event
        self._on_stored = on_stored
        self._remembered = remembered
        self._cancel = cancel
        self._seen: dict[bytes, None] = {}

    def close(self) -> None:
        """End it at every relay."""
        self._cancel(self)

    def asks_for(self, event: Event) -> bool:
        """Whether one of the filters matches; says nothing of whether it is genuine."""
        return any(matches(filter, event) for filter in self.filters)

    def knows(self, event: Event) -> bool:
        """Whether an event of this id was told already."""
        return bytes.fromhex(event.id) in self._seen

    def event(self, event: Event, relay: str) -> None:
        """A genuine event came from `relay`."""
        mark = bytes.fromhex(event.id)
        if mark in self._seen:
            return
        self._seen[mark] = None
        if len(self._seen) > self._remembered:
            del self._seen[next(iter(self._seen))]
        try:
            self._on_event(event, relay)
        except Exception:
            self.log.failure("relay event failed relay={relay} kind={kind}", relay=relay, kind=event.kind)

    def stored(self, relay: str) -> None:
        """All that `relay` had stored was sent."""
        if self._on_stored is None:
            return
        try:
            self._on_stored(relay)
        except Exception:
            self.log.failure("relay subscription failed relay={relay}", relay=relay)


class _Place:
    """A subscription on one relay.  `newest`: created_at (s) up to which nothing can be missing, or None."""

    def __init__(self, name: str, subscription: Subscription, pauses: Pauses) -> None:
        self.name = name
        self.subscription = subscription
        self.pauses = pauses
        self.newest: int | None = None
        #: Newest so far of the stored events, which may come newest first: counts when all are here.
        self.coming: int | None = None
        self.open = self.caught = self.refused = self.unauthenticated = False
        self.opened = 0.0
        self.timer: IDelayedCall | None = None

    def sleep(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None
        self.open = self.caught = False


class Subscriptions:
    """The subscriptions of one relay, renewed on each link.  `now` tells ms since the epoch."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, url: str, bounds: Bounds, now: Callable[[], int], rng: Random
    ) -> None:
        self._clock = clock
        self._url = url
        self._bounds = bounds
        self._now = now
        self._rng = rng
        self._places: dict[str, _Place] = {}
        self._number = 0
        self._channel: Channel | None = None
        self._limits = Limits()
        self._authenticated = False

    # -- for the client ------------------------------------------------------------------

    def add(self, subscription: Subscription) -> None:
        """Ask for it, now and on each link to come."""
        self._number += 1
        name = f"realm-{self._number}"
        pauses = Pauses(self._rng, self._bounds.pause_first, self._bounds.pause_longest)
        self._places[name] = _Place(name, subscription, pauses)
        self._open_more()

    def remove(self, subscription: Subscription) -> None:
        for place in list(self._places.values()):
            if place.subscription is subscription:
                del self._places[place.name]
                if place.open and self._channel is not None:
                    self._channel.say(close_message(place.name))
                place.sleep()
        self._open_more()

    def attach(self, channel: Channel, limits: Limits, authenticated: bool = False) -> None:
        """The relay is connected: ask for everything."""
        self._channel = channel
        self._limits = limits
        self._authenticated = authenticated
        for place in self._places.values():
            place.refused = place.unauthenticated = False
        self._open_more()

    def detach(self) -> None:
        """The link is gone."""
        self._channel = None
        for place in self._places.values():
            place.sleep()
            place.coming = None

    def authenticated(self, accepted: bool) -> None:
        """Ask again for what was refused to strangers."""
        self._authenticated = accepted
        for place in self._places.values():
            place.refused = place.refused or (place.unauthenticated and not accepted)
            place.unauthenticated = False
        self._open_more()

    # -- what the relay says -------------------------------------------------------------

    def fault(self, stored: Stored) -> str:
        """Why the event is not worth the check of its signature: ``unasked``, ``known`` or nothing."""
        place = self._places.get(stored.subscription)
        if place is None or not place.open or not place.subscription.asks_for(stored.event):
            return "unasked"
        if not place.subscription.knows(stored.event):
            return ""
        # Another relay was first, but this one is as far.
        self._advance(place, stored.event)
        return "known"

    def event(self, stored: Stored) -> None:
        """A genuine event came."""
        place = self._places.get(stored.subscription)
        if place is None or not place.open:
            return
        self._advance(place, stored.event)
        place.subscription.event(stored.event, self._url)

    def _advance(self, place: _Place, event: Event) -> None:
        # An event from the future must not hide what comes until then.
        at = min(event.created_at, self._now() // 1000)
        if place.caught:
            place.newest = max(at, place.newest or 0)
        else:
            place.coming = max(at, place.coming or 0)

    def caught(self, name: str) -> None:
        """EOSE."""
        place = self._places.get(name)
        if place is None or not place.open or place.caught:
            return
        place.caught = True
        if place.coming is not None:
            place.newest = max(place.coming, place.newest or 0)
            place.coming = None
        place.subscription.stored(self._url)

    def closed(self, closed: Closed) -> None:
        """The relay ended a subscription: ask again later, unless its words make that useless."""
        place = self._places.get(closed.subscription)
        if place is None or not place.open:
            return
        place.sleep()
        if self._clock.seconds() - place.opened >= self._bounds.steady:
            place.pauses.reset()
        word = prefix(closed.message)
        action = PREFIXES.get(word, Answer.LATER)
        if action is Answer.LOG_IN and not self._authenticated:
            place.unauthenticated = True
        elif action in (Answer.GIVE_UP, Answer.WORK):
            place.refused = True
            self.log.warn(
                "relay subscription refused relay={relay} reason={reason}", relay=self._url, reason=word
            )
        else:
            place.timer = self._clock.callLater(place.pauses.next(), self._open_more_after, place)
        self._open_more()

    # -- asking --------------------------------------------------------------------------

    def _open_more_after(self, place: _Place) -> None:
        place.timer = None
        self._open_more()

    def _open_more(self) -> None:
        """Ask for what is not open yet, as far as the relay lets us; the rest waits its turn."""
        if self._channel is None:
            return
        most = self._limits.max_subscriptions or self._bounds.subscriptions
        room = min(most, self._bounds.subscriptions)
        room -= sum(place.open for place in self._places.values())
        for place in self._places.values():
            waits = place.refused or place.unauthenticated or place.timer is not None
            if room > 0 and not place.open and not waits:
                room -= 1
                place.open, place.opened = True, self._clock.seconds()
                self._channel.say(request_message(place.name, self._renewed(place)))

    def _renewed(self, place: _Place) -> list[Filter]:
        """The filters, reaching back no further than a little before what is known."""
        filters = []
        for filter in place.subscription.filters:
            # Gift wraps are dated back at random (NIP-59): a newer one may have an older date.
            if place.newest is not None and GIFT_WRAP not in filter.get("kinds", ()):
                since = max(0, place.newest - self._bounds.overlap)
                filter = {**filter, "since": max(since, filter.get("since", 0))}
            filters.append(self._limits.trim(filter))
        return filters
