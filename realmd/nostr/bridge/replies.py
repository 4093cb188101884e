"""What is said to single agents: answers and private news, each by the relay that their asks came by.

Relays take few events a second, and an ephemeral one at once or not at all.  So what they do not
take now waits here a while, each agent in a queue of its own and all of them in turn: one that asks
a lot does not keep others from their answers.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...identity.errors import NotProven
from ...identity.gift_wrap import EPHEMERAL, STORED, wrap
from ...identity.keys import Entropy
from ...identity.nostr_event import Event
from ...primitives.figures import Figures
from ..events.draft import Draft
from ..relay.pool import Pool
from ..relay.sending import Outcome
from ..relay.work import Run
from .key import Key

#: How long (s) something waits, and how long a relay is left alone that did not take it.
PATIENCE: Final = 60.0
PAUSE: Final = 1.0
#: What waits for one agent at one relay; in all at one relay.  Beyond it, what comes is dropped.
MOST_EACH: Final = 16
MOST: Final = 256
#: Stored wraps that a relay may keep unanswered.
MOST_FLYING: Final = 16
#: Reasons of outcomes (see docs/nostr.rst) that may pass within `PATIENCE`.
PASSING: Final = frozenset({"congested", "offline", "rate-limited", "auth-required", "error"})


class Reply(Struct, frozen=True):
    """Something for the holder of `pubkey` (hex), to be put in a gift wrap of the kind `wrap`, if any."""

    pubkey: str
    draft: Draft
    wrap: int | None
    #: Clock seconds.
    until: float


class _Line:
    """What waits for one relay: by pubkey, who is next first."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[str, deque[Reply]] = OrderedDict()
        self.count = self.flying = 0
        self.rest = 0.0
        self.busy = False

    def put(self, reply: Reply, again: bool = False) -> bool:
        """Take it in, unless there is too much; with `again` it goes before all others."""
        queue = self.waiting.setdefault(reply.pubkey, deque())
        if again:
            queue.appendleft(reply)
            self.waiting.move_to_end(reply.pubkey, last=False)
        elif len(queue) >= MOST_EACH or self.count >= MOST:
            if not queue:
                del self.waiting[reply.pubkey]
            return False
        else:
            queue.append(reply)
        self.count += 1
        return True

    def take(self) -> Reply:
        """The next, of the agent whose turn it is."""
        pubkey, queue = next(iter(self.waiting.items()))
        reply = queue.popleft()
        self.count -= 1
        self.waiting.move_to_end(pubkey)
        if not queue:
            del self.waiting[pubkey]
        return reply


class Replies:
    """Signs, wraps and sends.

    `run` calls a function in a thread, `wall` tells ms since the epoch; `rng` and `entropy` as for `wrap`.
    """

    log = Logger()

    def __init__(
        self,
        relays: Pool,
        key: Key,
        run: Run,
        clock: IReactorTime,
        wall: Callable[[], int],
        entropy: Entropy,
        rng: Random,
    ) -> None:
        #: By what became of them.
        self.counts: Counter[str] = Counter()
        self._relays = relays
        self._key = key
        self._run = run
        self._clock = clock
        self._wall = wall
        self._entropy = entropy
        self._rng = rng
        self._lines: dict[str, _Line] = {}
        self._closed = False

    def __len__(self) -> int:
        return sum(line.count for line in self._lines.values())

    def put(self, relay: str, pubkey: str, draft: Draft, wrap: int | None) -> None:
        """Say `draft` to the holder of `pubkey` at `relay` (URL), in a gift wrap of that kind, if any."""
        if self._closed:
            return
        line = self._lines.setdefault(relay, _Line())
        if line.put(Reply(pubkey, draft, wrap, self._clock.seconds() + PATIENCE)):
            self._pump(relay, line)
        else:
            self.counts["dropped"] += 1

    def work(self, count: int = 1) -> None:
        """Try again what relays did not take."""
        for relay, line in self._lines.items():
            self._pump(relay, line)

    def close(self) -> None:
        """Say nothing more."""
        self._closed = True
        self._lines.clear()

    def figures(self) -> Figures:
        """For the metrics."""
        return [("realmd_nostr_replies_waiting", "Answers and news by relay that wait.", lambda: len(self))]

    # -- inside ------------------------------------------------------------------------

    def _pump(self, relay: str, line: _Line) -> None:
        if not line.busy and line.waiting and self._clock.seconds() >= line.rest:
            line.busy = True
            Deferred.fromCoroutine(self._drain(relay, line)).addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        if not self._closed:
            self.log.failure("replies by relay failed", failure=failure)

    async def _drain(self, relay: str, line: _Line) -> None:
        """Send what waits, one after the other, until the relay has enough."""
        try:
            while line.waiting and not self._closed:
                reply = line.take()
                if reply.until < self._clock.seconds():
                    self.counts["late"] += 1
                    continue
                full = reply.wrap == STORED and line.flying >= MOST_FLYING
                reason = "congested" if full else await self._send(relay, line, reply)
                if reason in PASSING:
                    line.put(reply, again=True)
                    line.rest = self._clock.seconds() + PAUSE
                    return
                self.counts[reason or "sent"] += 1
        finally:
            line.busy = False

    async def _send(self, relay: str, line: _Line, reply: Reply) -> str:
        """Why the relay did not take it; empty if it did, or will in its own time."""
        try:
            event = await self._made(reply)
        except NotProven as error:  # a pubkey that is no point of the curve, or too long a text
            self.log.warn("reply by relay not made cause={cause}", cause=str(error))
            return "unmade"
        sending: Deferred[Outcome] = self._relays.clients[relay].publish(event)
        if reply.wrap == STORED:
            line.flying += 1

            def landed(outcome: Outcome) -> None:
                line.flying -= 1
                self.counts[outcome.reason or "sent"] += 1

            sending.addCallback(landed).addErrback(self._failed)
            return "handed"
        return (await sending).reason

    async def _made(self, reply: Reply) -> Event:
        if reply.wrap is None:
            return self._key.sign(reply.draft)
        wrapping = partial(
            wrap, reply.draft, self._key.secret, reply.pubkey, self._wall() // 1000,
            entropy=self._entropy, rng=self._rng, ephemeral=reply.wrap == EPHEMERAL,
        )  # fmt: skip
        event: Event = await self._run(wrapping)
        return event
