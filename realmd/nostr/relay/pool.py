"""All relays of the realm: published to, subscribed to, none of them trusted, none of them waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...host.reactor import IReactor
from ...identity.nostr_event import Event
from .bounds import Bounds
from .messages import Filter
from .sending import ISigner, Outcome
from .subscriptions import OnEvent, OnRelay, Subscription
from .work import Run

if TYPE_CHECKING:
    from .client import Client

OnOutcome = Callable[[Outcome], object]


class Figure(Struct, frozen=True):
    """A metric: its name, what it says, the one label its series have, and their values now."""

    name: str
    text: str
    label: str
    values: Callable[[], dict[str, float]]


class Pool(MultiService):
    """A `Client` for each of `urls`; one that is dead or hostile keeps no other from its work.

    Arguments as for `Client`.  ValueError for a URL that is none, or is there twice.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactor,
        urls: Sequence[str],
        *,
        signer: ISigner,
        run: Run,
        now: Callable[[], int],
        rng: Random,
        bounds: Bounds | None = None,
        trust: Any = None,
    ) -> None:
        super().__init__()
        self._bounds = bounds or Bounds()
        self._subscriptions: set[Subscription] = set()
        self.clients: dict[str, Client] = {}
        if urls:
            # Here, at the start, for those who have relays: with Twisted's HTTP client it takes a megabyte.
            from .client import Client
        for url in urls:
            if url in self.clients:
                raise ValueError(f"relay named twice: {url!r}")
            client = Client(
                reactor, url, signer=signer, run=run, now=now, rng=rng, bounds=self._bounds, trust=trust
            )
            client.setServiceParent(self)
            self.clients[url] = client

    def publish(
        self, event: Event, on_outcome: OnOutcome | None = None, *, fixed: bool = False
    ) -> Deferred[list[Outcome]]:
        """Send a signed event to every relay.

        `on_outcome` is told of each relay once, as it is known; what it raises is logged.  The
        Deferred fires with all of them, in the order of `clients`, when the last is known: with a
        relay that is away, when it is back.  Cancelling it withdraws the event where it still waits.
        For `fixed` see `Publishing.submit`.
        """
        outcomes: dict[str, Outcome] = {}
        sendings: list[Deferred[Outcome]] = []

        def withdraw(_: object) -> None:
            for sending in sendings:
                sending.cancel()

        whole: Deferred[list[Outcome]] = Deferred(withdraw)

        def known(outcome: Outcome) -> None:
            outcomes[outcome.relay] = outcome
            if on_outcome is not None:
                try:
                    on_outcome(outcome)
                except Exception:
                    self.log.failure("relay outcome failed relay={relay}", relay=outcome.relay)
            if len(outcomes) == len(self.clients) and not whole.called:
                whole.callback([outcomes[url] for url in self.clients])

        def failed(failure: Failure) -> None:
            if failure.check(CancelledError) is None:
                self.log.failure("relay publishing failed", failure=failure)

        for client in list(self.clients.values()):
            sending = client.publish(event, fixed)
            sendings.append(sending)
            sending.addCallback(known).addErrback(failed)
        if not self.clients:
            whole.callback([])
        return whole

    def subscribe(
        self, filters: Sequence[Filter], on_event: OnEvent, on_stored: OnRelay | None = None
    ) -> Subscription:
        """Ask every relay for the events that any of `filters` matches, until `Subscription.close`.

        `on_event(event, relay)` is told of each genuine event once, on the reactor's thread.
        ValueError if there is no filter, or more filters or subscriptions than `Bounds` has.
        """
        if not 1 <= len(filters) <= self._bounds.filters:
            raise ValueError(f"1 to {self._bounds.filters} filters, not {len(filters)}")
        if len(self._subscriptions) >= self._bounds.subscriptions:
            raise ValueError(f"more than {self._bounds.subscriptions} subscriptions")
        subscription = Subscription(
            filters, on_event, on_stored, remembered=self._bounds.remembered, cancel=self._unsubscribe
        )
        self._subscriptions.add(subscription)
        for client in self.clients.values():
            client.subscribe(subscription)
        return subscription

    def _unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        for client in self.clients.values():
            client.unsubscribe(subscription)

    def connected(self) -> list[str]:
        """The URLs of the relays that are connected."""
        return [url for url, client in self.clients.items() if client.health.connected]

    def work_wanted(self) -> int:
        """Most leading zero bits (NIP-13) that a relay is known to ask for and we are willing to find.

        An event whose id is referred to by others is best signed with that much work in it.
        """
        wanted = [client.limits.min_pow_difficulty for client in self.clients.values()]
        return max((bits for bits in wanted if bits <= self._bounds.work_bits), default=0)

    def figures(self) -> list[Figure]:
        """What is to be measured; relays are few and reasons a closed list, so labels are bounded."""
        clients = self.clients

        def each(value: Callable[[Client], float | None]) -> Callable[[], dict[str, float]]:
            return lambda: {
                url: found for url, client in clients.items() if (found := value(client)) is not None
            }

        def total(counter: str) -> Callable[[], dict[str, float]]:
            def values() -> dict[str, float]:
                found: dict[str, float] = {}
                for client in clients.values():
                    for name, count in getattr(client.health, counter).items():
                        found[name] = found.get(name, 0.0) + count
                return found

            return values

        return [
            Figure("realmd_relay_connected", "1 while the relay is connected.", "relay",
                   each(lambda client: client.health.connected)),
            Figure("realmd_relay_accepted_total", "Events that the relay took.", "relay",
                   each(lambda client: client.health.accepted)),
            Figure("realmd_relay_refused_total", "Events that relays did not take.", "reason",
                   total("refused")),
            Figure("realmd_relay_latency_seconds", "Round trip to the relay.", "relay",
                   each(lambda client: client.health.latency)),
            Figure("realmd_relay_failures_total", "Links lost or never made.", "relay",
                   each(lambda client: client.health.failures)),
            Figure("realmd_relay_received_total", "New genuine events from the relay.", "relay",
                   each(lambda client: client.health.received)),
            Figure("realmd_relay_discarded_total", "What relays sent in vain.", "reason",
                   total("discarded")),
            Figure("realmd_relay_queued", "Events that wait for the relay.", "relay",
                   each(lambda client: client.health.queued)),
        ]  # fmt: skip
