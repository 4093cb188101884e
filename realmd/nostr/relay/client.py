"""One relay: a link to it that is made again and again, and what goes over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...host.reactor import IReactor
from ...identity.nostr_event import Event
from . import information
from .bounds import Bounds
from .health import Health
from .inbox import Inbox
from .limits import Limits
from .link import Ended, Link, LinkFactory, tls_cause
from .messages import (
    MOST_TEXT,
    Answered,
    Caught,
    Challenge,
    Closed,
    Filter,
    Message,
    Notice,
    Stored,
    auth_message,
)
from .pace import Pauses
from .publishing import Publishing
from .sending import ISigner, Outcome
from .subscriptions import Subscription, Subscriptions
from .work import Run

#: The kind of an answer to a challenge (NIP-42).
AUTH_KIND: Final = 22242
#: A relay's description is asked for again after (s).
DESCRIBED: Final = 3600.0


class Client(Service):
    """The relay at `url` (ws:// or wss://; ValueError for another).

    `reactor` connects and tells the time, `run` calls a function in a thread, `now` tells ms since
    the epoch, `trust` is what certificates are checked against (None: the system's).
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactor,
        url: str,
        *,
        signer: ISigner,
        run: Run,
        now: Callable[[], int],
        rng: Random,
        bounds: Bounds,
        trust: Any = None,
    ) -> None:
        self.url = url
        self.health = Health()
        self.limits = Limits()
        self._reactor = reactor
        self._signer = signer
        self._now = now
        self._bounds = bounds
        self._trust = trust
        self._endpoint = endpoint(reactor, url, trust)
        self._pauses = Pauses(rng, bounds.retry_first, bounds.retry_longest)
        self._publishing = Publishing(reactor, url, bounds, signer, run, now, rng, self.health)
        self._subscriptions = Subscriptions(reactor, url, bounds, now, rng)
        self._run = run
        self._inbox: Inbox | None = None
        self._link: Link | None = None
        #: Clock seconds of the newest link, of the newest description.
        self._linked = 0.0
        self._described: float | None = None
        self._queries: set[Deferred[list[Event]]] = set()
        self._auth_id = ""
        self._auth_timer: IDelayedCall | None = None
        self._challenges = 0
        self._ending = False
        self._work: Deferred[None] | None = None

    # -- what it is asked ----------------------------------------------------------------

    def publish(self, event: Event, fixed: bool = False) -> Deferred[Outcome]:
        """See `Publishing.submit`."""
        return self._publishing.submit(event, fixed)

    def subscribe(self, subscription: Subscription) -> None:
        self._subscriptions.add(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)

    def query(
        self, filters: Sequence[Filter], *, most: int = 1000, patience: float = 15.0
    ) -> Deferred[list[Event]]:
        """What the relay has stored, as it sends it; at most `most`.

        Fails with TimeoutError if it has not said within `patience` s that this is all: it may not
        be connected, or not willing.
        """
        found: list[Event] = []
        done: Deferred[list[Event]] = Deferred()

        def took(event: Event, _: str) -> None:
            found.append(event)
            if len(found) == most:
                finish(self.url)

        def finish(_: str) -> None:
            if not done.called:
                done.callback(found)

        def end(result: Any) -> Any:
            self._queries.discard(done)
            subscription.close()
            return result

        subscription = Subscription(filters, took, finish, remembered=most, cancel=self.unsubscribe)
        self.subscribe(subscription)
        self._queries.add(done)
        return done.addTimeout(patience, self._reactor).addBoth(end)

    # -- its life ------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._ending = False
        self._work = Deferred.fromCoroutine(self._keep_linked())
        self._work.addErrback(self._stopped)

    def stopService(self) -> Deferred[None] | None:
        """Say goodbye; events that wait are withdrawn, and queries cancelled."""
        super().stopService()
        self._ending = True
        for query in list(self._queries):
            query.cancel()
        self._publishing.close()
        working, self._work = self._work, None
        if working is None:
            return None
        done: Deferred[None] = Deferred()
        working.addBoth(lambda _: done.callback(None))
        working.cancel()
        return done

    def _stopped(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self.log.failure("relay client failed relay={relay}", failure=failure, relay=self.url)

    async def _keep_linked(self) -> None:
        while not self._ending:
            cause = await self._live()
            if self._ending:
                return
            # Not when it connects: a relay that answers and hangs up would be asked without end.
            if self.health.connected and self._reactor.seconds() - self._linked >= self._bounds.steady:
                self._pauses.reset()
            self._lost(cause)
            pause = self._pauses.next()
            self.log.warn(
                "relay connection failed relay={relay} cause={cause} retry_in={pause:.1f}",
                relay=self.url,
                cause=cause,
                pause=pause,
            )
            await deferLater(self._reactor, pause)

    async def _live(self) -> str:
        """One link, from its making to its end; the cause of that."""
        bounds = self._bounds
        factory = LinkFactory(self._reactor, self.url, bounds, self)
        try:
            # Cancelled, an endpoint fails in a way of its own, which says nothing of the time.
            connecting = self._endpoint.connect(factory)
            connecting.addTimeout(bounds.connecting, self._reactor, lambda *_: Failure(TimeoutError()))
            link: Link = await connecting  # type: ignore[assignment]
        except CancelledError:
            raise
        except Exception as error:  # DNS, TCP: an endpoint may fail with anything
            self.log.debug("relay unreachable relay={relay}", relay=self.url)
            return tls_cause(error)
        try:
            await link.when_open().addTimeout(bounds.connecting, self._reactor)
            self._link = link
            await self._describe()
            if self._ending:  # cancelled in there, which an HTTP request makes another failure of
                return "not needed any more"
            self._attach(link)
            return await link.when_ended()
        except TimeoutError:
            return "ETIMEDOUT: no handshake in time"
        except Ended as ended:
            return str(ended)
        finally:
            self._detach()
            await link.close(bounds.closing)

    async def _describe(self) -> None:
        """Learn the relay's limits, if it has not told them lately."""
        now = self._reactor.seconds()
        if self._described is None or now - self._described >= DESCRIBED:
            self.limits = await information.fetch(self._reactor, self.url, self._bounds, self._trust)
            self._described = now

    def _attach(self, link: Link) -> None:
        if not link.up:  # it was lost while the relay described itself
            return
        health = self.health
        health.reconnects += self._linked > 0
        health.connected, health.since = True, self._now()
        self._linked = self._reactor.seconds()
        self.log.info("relay connected relay={relay}", relay=self.url)
        self._publishing.attach(link, self.limits, health.authenticated)
        self._subscriptions.attach(link, self.limits, health.authenticated)

    def _detach(self) -> None:
        self._link = None
        self._challenges = 0
        self._end_auth()
        self.health.authenticated = False
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None
        self._publishing.detach()
        self._subscriptions.detach()

    def _lost(self, cause: str) -> None:
        health = self.health
        health.failures_in_a_row = self._pauses.failures + 1
        if health.connected or health.since is None:
            health.since = self._now()
        health.connected = False
        health.failures += 1
        health.cause = cause

    # -- what the link tells (link.Reader) -----------------------------------------------

    def message(self, link: Link, message: Message, size: int) -> None:
        if self._inbox is None:
            self._inbox = Inbox(self._reactor, self._run, self._wants, self._take, self._forged)
        self._inbox.put(message, size)

    def discarded(self, kind: str) -> None:
        self.health.discarded[kind] += 1

    def ping_took(self, seconds: float) -> None:
        self.health.latency = seconds

    def writable(self, link: Link) -> None:
        self._publishing.pump()

    def full(self) -> bool:
        return self._inbox is not None and self._inbox.waiting > self._bounds.unchecked_bytes

    # -- what the relay says -------------------------------------------------------------

    def _wants(self, stored: Stored) -> bool:
        fault = self._subscriptions.fault(stored)
        if fault:
            self.health.discarded[fault] += 1
        return not fault

    def _forged(self) -> None:
        self.health.discarded["forged"] += 1

    def _take(self, message: Message) -> None:
        match message:
            case Stored():
                self.health.received += 1
                self.health.last_event = self._now()
                self._subscriptions.event(message)
            case Answered(event_id=event_id) if event_id == self._auth_id and event_id:
                self._answer_to_auth(message)
            case Answered():
                self._publishing.answered(message)
            case Caught(subscription=name):
                self._subscriptions.caught(name)
            case Closed():
                self._subscriptions.closed(message)
            case Notice(text=text):
                self.health.notice = text[:MOST_TEXT]
                self.log.debug(
                    "relay notice relay={relay} text={text}", relay=self.url, text=text[:MOST_TEXT]
                )
            case Challenge(text=text):
                self._challenged(text)

    # -- NIP-42 --------------------------------------------------------------------------

    def _challenged(self, text: str) -> None:
        """Sign the challenge at once: a relay may hold back events rather than say that it wants this."""
        if self._challenges >= self._bounds.challenges or self._link is None:
            return
        self._challenges += 1
        tags = (("relay", self.url), ("challenge", text))
        draft = Event("", self._signer.pubkey, self._now() // 1000, AUTH_KIND, tags, "", "")
        try:
            signed = self._signer.sign(draft)
        except Exception:
            self.log.failure("relay login not signed relay={relay}", relay=self.url)
            return
        self._end_auth()
        self._auth_id = signed.id
        self._auth_timer = self._reactor.callLater(self._bounds.answer, self._end_auth)
        self._link.say(auth_message(signed))

    def _end_auth(self) -> None:
        self._auth_id = ""
        if self._auth_timer is not None and self._auth_timer.active():
            self._auth_timer.cancel()
        self._auth_timer = None

    def _answer_to_auth(self, answer: Answered) -> None:
        self._end_auth()
        self.health.authenticated = answer.accepted
        if not answer.accepted:
            self.log.warn(
                "relay login refused relay={relay} cause={cause}",
                relay=self.url,
                cause=answer.message[:MOST_TEXT],
            )
        self._publishing.authenticated(answer.accepted)
        self._subscriptions.authenticated(answer.accepted)


def endpoint(reactor: IReactor, url: str, trust: Any = None) -> IStreamClientEndpoint:
    """Where `url` leads; ValueError unless it is a ws:// or wss:// URL with a host and without a user."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(f"no relay URL: {url!r}")
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    plain = HostnameEndpoint(reactor, parts.hostname, port)
    if parts.scheme == "ws":
        return plain
    return wrapClientTLS(optionsForClientTLS(parts.hostname, trustRoot=trust), plain)
