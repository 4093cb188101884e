"""Events on their way to one relay: paced, retried, and settled by what the relay answers."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...identity.nostr_event import Event
from ...primitives.bucket import Bucket, Rate
from . import work
from .bounds import PREFIXES, Answer, Bounds, prefix
from .health import Health
from .limits import Limits
from .messages import Answered, event_message
from .pace import Pauses
from .sending import Channel, ISigner, Outcome, Sending, address_of, expires
from .work import Run


class Publishing:
    """The events that one relay is to have.  `now` tells ms since the epoch.

    At most `bounds.queued` are held, whatever their state.  Ephemeral ones go out at once or not at
    all.  Others go in the order of submission, except those that are retried.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        url: str,
        bounds: Bounds,
        signer: ISigner,
        run: Run,
        now: Callable[[], int],
        rng: Random,
        health: Health,
    ) -> None:
        self._clock = clock
        self._url = url
        self._bounds = bounds
        self._signer = signer
        self._run = run
        self._now = now
        self._rng = rng
        self._health = health
        self._all: dict[str, Sending] = {}
        self._addresses: dict[tuple[int, str, str], Sending] = {}
        #: A heap: what is retried keeps its place.
        self._queue: list[Sending] = []
        self._number = 0
        self._closed = False
        self._flying: dict[str, Sending] = {}
        self._unauthenticated: list[Sending] = []
        self._channel: Channel | None = None
        self._limits = Limits()
        self._authenticated = False
        self._window = bounds.window
        self._rate = Rate(bounds.rate, bounds.burst)
        self._bucket = Bucket(self._rate, clock.seconds())
        self._slower = Pauses(rng, bounds.pause_first, bounds.pause_longest)
        self._paused_until = 0.0
        self._pump_call: IDelayedCall | None = None

    # -- for the client ------------------------------------------------------------------

    def submit(self, event: Event, fixed: bool = False) -> Deferred[Outcome]:
        """Send a signed event; fires once with what became of it.  Cancelling withdraws it.

        `fixed`: its id is referred to elsewhere, so no proof of work may change it.
        """
        done: Deferred[Outcome] = Deferred(lambda _: self._settle(sending, "withdrawn", told=False))
        bounds = self._bounds
        self._number += 1
        pauses = Pauses(self._rng, bounds.pause_first, bounds.pause_longest)
        sending = Sending(self._number, event, fixed, done, pauses)
        if self._closed:
            self._refuse(sending, "withdrawn")
            return done
        if event.id in self._all:
            self._refuse(sending, "pending")
            return done
        if not sending.ephemeral:
            self._supersede(event)
        if len(self._all) >= bounds.queued:
            self._refuse(sending, "full")
            return done
        self._all[sending.key] = sending
        if sending.ephemeral:
            self._send_now(sending)
        else:
            if (address := address_of(event)) is not None:
                self._addresses[address] = sending
            self._again(sending)
            self.pump()
        self._count()
        return done

    def attach(self, channel: Channel, limits: Limits, authenticated: bool = False) -> None:
        """The relay is connected; begin, one by one if the last link was lost with events unanswered."""
        self._channel = channel
        self._limits = limits
        self._authenticated = authenticated
        self._closed = False
        self.pump()

    def detach(self) -> None:
        """The link is gone.  Events that were not answered are sent again, each a few times only.

        The relay may have hung up because of one of them; sent one by one, it will be known.
        """
        self._channel = None
        if self._pump_call is not None:
            self._pump_call.cancel()
            self._pump_call = None
        flying, self._flying = list(self._flying.values()), {}
        waiting, self._unauthenticated = self._unauthenticated, []
        if any(not sending.ephemeral for sending in flying):
            self._window = 1
        for sending in flying + waiting:
            self._stop_timer(sending)
            if sending.ephemeral:
                self._settle(sending, "offline")
            elif sending in waiting or self._may_retry(sending, "unanswered"):
                self._again(sending)

    def answered(self, answer: Answered) -> None:
        """An OK came from the relay."""
        sending = self._flying.pop(answer.event_id, None)
        if sending is None:
            self._health.discarded["unmatched"] += 1
            return
        self._stop_timer(sending)
        if self._health.latency is None:
            self._health.latency = self._clock.seconds() - sending.sent
        word = prefix(answer.message)
        if answer.accepted or PREFIXES.get(word) is Answer.SUCCESS:
            self._window = min(self._bounds.window, self._window + 1)
            self._slower.reset()
            self._settle(sending, "", answer.message)
        else:
            self._refused(sending, word, answer.message)
        self.pump()

    def authenticated(self, accepted: bool) -> None:
        """The relay took our answer to its challenge, or did not."""
        self._authenticated = accepted
        waiting, self._unauthenticated = self._unauthenticated, []
        for sending in waiting:
            self._stop_timer(sending)
            if accepted:
                self._again(sending)
            else:
                self._settle(sending, "auth-required")
        self.pump()

    def close(self) -> None:
        """Withdraw everything, and take nothing more."""
        self._closed = True
        self.detach()
        for sending in list(self._all.values()):
            self._settle(sending, "withdrawn")

    # -- sending -------------------------------------------------------------------------

    def pump(self) -> None:
        """Send what may be sent now, and come back when more may."""
        while self._channel is not None and not self._channel.behind and self._queue:
            flying = sum(not sending.ephemeral for sending in self._flying.values())
            if flying >= self._window:
                return
            wait = max(self._paused_until - self._clock.seconds(), 0.0)
            wait = wait or self._take(self._bounds.ephemeral_reserve)
            if wait:
                self._come_back(wait)
                return
            self._send(heapq.heappop(self._queue))
        self._count()

    def _take(self, reserve: float = 0.0) -> float:
        """One event may go out now, or in so long (s); `reserve` may go out after it."""
        return self._bucket.take(self._rate, 1.0, self._clock.seconds(), reserve)

    def _come_back(self, wait: float) -> None:
        if self._pump_call is not None:
            self._pump_call.cancel()

        def back() -> None:
            self._pump_call = None
            self.pump()

        self._pump_call = self._clock.callLater(wait, back)

    def _send_now(self, sending: Sending) -> None:
        """An ephemeral event: on its way at once, or not at all."""
        flying = sum(each.ephemeral for each in self._flying.values())
        paused = self._paused_until > self._clock.seconds()
        if self._channel is None:
            self._settle(sending, "offline")
        elif self._channel.behind or paused or flying >= self._bounds.ephemeral_window or self._take():
            self._settle(sending, "congested")
        else:
            self._send(sending)

    def _send(self, sending: Sending) -> None:
        assert self._channel is not None
        event, seconds = sending.event, self._now() // 1000
        ends = expires(event)
        if ends is not None and ends <= seconds:
            self._settle(sending, "expired")
            return
        if (reason := self._limits.refusal(event, seconds)) is not None:
            self._settle(sending, reason)
            return
        if work.difficulty(event.id) < self._limits.min_pow_difficulty:
            self._work(sending, self._limits.min_pow_difficulty, "")
            return
        sending.tries += 1
        sending.sent = self._clock.seconds()
        sending.authenticated = self._authenticated
        self._flying[event.id] = sending
        sending.timer = self._clock.callLater(self._bounds.answer, self._unanswered, sending)
        self._channel.say(event_message(event))

    # -- what came of it -----------------------------------------------------------------

    def _unanswered(self, sending: Sending) -> None:
        sending.timer = None
        self._flying.pop(sending.event.id, None)
        if sending.ephemeral:
            self._settle(sending, "unanswered")
        elif self._may_retry(sending, "unanswered"):
            self._again(sending)
        self.pump()

    def _refused(self, sending: Sending, word: str, message: str) -> None:
        action = PREFIXES.get(word, Answer.LATER)
        if action is Answer.SLOW_DOWN and self._paused_until <= self._clock.seconds():
            self._paused_until = self._clock.seconds() + self._slower.next()
        if action is Answer.LOG_IN:
            self._log_in(sending, message)
        elif action is Answer.WORK:
            self._work(sending, max(work.demanded(message), self._limits.min_pow_difficulty), message)
        elif action is Answer.GIVE_UP or sending.ephemeral:
            self._settle(sending, word, message)
        elif self._may_retry(sending, word, message):
            if action is Answer.SLOW_DOWN:
                self._again(sending)
            else:
                self._sleep(sending)

    def _log_in(self, sending: Sending, message: str) -> None:
        if sending.ephemeral:
            self._settle(sending, "auth-required", message)
        elif not self._may_retry(sending, "auth-required", message):
            return
        elif sending.authenticated:
            self._sleep(sending)  # it wants more than that, or has forgotten
        elif self._authenticated:
            self._again(sending)
        else:
            self._unauthenticated.append(sending)
            sending.timer = self._clock.callLater(self._bounds.answer, self._no_login, sending)

    def _no_login(self, sending: Sending) -> None:
        """It asked for authentication, and sent no challenge or did not answer ours."""
        sending.timer = None
        self._unauthenticated.remove(sending)
        self._sleep(sending)

    def _work(self, sending: Sending, bits: int, message: str) -> None:
        """Find the nonce that it wants, unless that is too hard, or may not be."""
        event = sending.event
        done_already = work.difficulty(event.id)
        others = event.pubkey != self._signer.pubkey
        if sending.fixed or others or not done_already < bits <= self._bounds.work_bits or sending.ephemeral:
            self._settle(sending, "pow", message)
            return
        mining = Deferred.fromCoroutine(
            work.mine(event, bits, self._bounds.work_patience, self._clock, self._run, self._rng)
        )

        def found(draft: Event) -> None:
            sending.mining = None
            sending.event = self._signer.sign(draft)
            self._again(sending)
            self.pump()

        def failed(failure: Failure) -> None:
            if sending.mining is not None:  # else it was withdrawn
                sending.mining = None
                self.log.warn(
                    "relay proof of work failed relay={relay} cause={cause}",
                    relay=self._url,
                    cause=repr(failure.value),
                )
                self._settle(sending, "pow", message)

        sending.mining = mining.addCallback(found).addErrback(failed)

    def _may_retry(self, sending: Sending, reason: str, message: str = "") -> bool:
        if sending.tries < self._bounds.tries:
            return True
        self._settle(sending, reason, message)
        return False

    def _again(self, sending: Sending) -> None:
        heapq.heappush(self._queue, sending)

    def _sleep(self, sending: Sending) -> None:
        def wake() -> None:
            sending.timer = None
            self._again(sending)
            self.pump()

        sending.timer = self._clock.callLater(sending.pauses.next(), wake)

    # -- the end of a sending ------------------------------------------------------------

    def _supersede(self, event: Event) -> None:
        """An older version that still waits need not be sent any more."""
        address = address_of(event)
        older = self._addresses.get(address) if address is not None else None
        if older is None or older.event.id in self._flying:
            return
        if older.event.created_at <= event.created_at:
            self._settle(older, "superseded")

    def _settle(self, sending: Sending, reason: str, message: str = "", told: bool = True) -> None:
        if self._all.pop(sending.key, None) is None:
            return
        self._stop_timer(sending)
        mining, sending.mining = sending.mining, None
        if mining is not None:
            mining.cancel()
        self._flying.pop(sending.event.id, None)
        if sending in self._queue:
            self._queue.remove(sending)
            heapq.heapify(self._queue)
        if sending in self._unauthenticated:
            self._unauthenticated.remove(sending)
        address = address_of(sending.event)
        if address is not None and self._addresses.get(address) is sending:
            del self._addresses[address]
        self._count()
        if not told:
            return
        if reason:
            self._refuse(sending, reason, message)
        else:
            self._health.accepted += 1
            sending.done.callback(Outcome(self._url, sending.event, True, message=message))

    def _refuse(self, sending: Sending, reason: str, message: str = "") -> None:
        self._health.refused[reason] += 1
        sending.done.callback(Outcome(self._url, sending.event, False, reason, message))

    def _stop_timer(self, sending: Sending) -> None:
        if sending.timer is not None and sending.timer.active():
            sending.timer.cancel()
        sending.timer = None

    def _count(self) -> None:
        self._health.queued = len(self._all)
