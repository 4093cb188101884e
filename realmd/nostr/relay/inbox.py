"""What a link received, in order, until signatures are checked: few at once, many in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...identity.errors import BadEvent
from ...identity.nostr_event import Event, check
from .messages import Message, Stored
from .work import Run

#: Events checked where the realm's ticks run (about 0.1 ms each); more go to a thread together.
FEW: Final = 4
#: Messages handled in one go, and what one costs beyond its bytes.
AT_ONCE: Final = 64
OVERHEAD: Final = 1024


def unfounded(events: Sequence[Event]) -> set[int]:
    """Which of `events`, by index, do not have their id or are not signed by their pubkey."""
    bad = set()
    for index, event in enumerate(events):
        try:
            check(event)
        except BadEvent:
            bad.add(index)
    return bad


class Inbox:
    """Hands each message to `deliver` in the order of arrival, but events only when they are genuine.

    `wanted` is asked before an event is checked; `forged` is told of each one that is not genuine.
    `waiting` is the bytes held: whoever fills it stops when that is enough.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        run: Run,
        wanted: Callable[[Stored], bool],
        deliver: Callable[[Message], None],
        forged: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._run = run
        self._wanted = wanted
        self._deliver = deliver
        self._forged = forged
        self._queue: deque[tuple[Message, int]] = deque()
        self._turn: IDelayedCall | None = None
        self._checking = False
        self._closed = False
        self.waiting = 0

    def put(self, message: Message, size: int) -> None:
        """Take a message of `size` bytes."""
        self._queue.append((message, size + OVERHEAD))
        self.waiting += size + OVERHEAD
        self._soon()

    def close(self) -> None:
        """Forget what waits, and deliver nothing more."""
        self._closed = True
        self._queue.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _soon(self) -> None:
        # Not at once: what arrived together is checked together.
        if self._turn is None and not self._checking and self._queue:
            self._turn = self._clock.callLater(0, self._work)

    def _work(self) -> None:
        self._turn = None
        batch: list[Message] = []
        size = 0
        while self._queue and len(batch) < AT_ONCE:
            message, bytes_held = self._queue.popleft()
            size += bytes_held
            if not isinstance(message, Stored) or self._wanted(message):
                batch.append(message)
        events = [message.event for message in batch if isinstance(message, Stored)]
        if len(events) <= FEW:
            self._hand_out(batch, unfounded(events), size)
            return
        self._checking = True
        self._run(unfounded, events).addCallbacks(
            lambda bad: self._hand_out(batch, bad, size), lambda failure: self._unchecked(failure, size)
        ).addErrback(lambda failure: self.log.failure("relay message failed", failure=failure))

    def _hand_out(self, batch: Sequence[Message], bad: set[int], size: int) -> None:
        self._checking = False
        self.waiting -= size
        index = 0
        for message in batch:
            if self._closed:
                return
            genuine = True
            if isinstance(message, Stored):
                genuine = index not in bad
                index += 1
            if genuine:
                self._deliver(message)
            else:
                self._forged()
        self._soon()

    def _unchecked(self, failure: Failure, size: int) -> None:
        """No thread was to be had: what was not checked is not delivered."""
        if not self._closed:
            self.log.failure("relay events could not be checked", failure=failure)
        self._checking = False
        self.waiting -= size
        self._soon()
