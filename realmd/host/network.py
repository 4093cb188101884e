"""What the network does wrong, by the names that operators grep for; and lines that fill no disk."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final

from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

#: Twisted's exceptions that stand for an error of the system, whose number they may not carry.
_NAMES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (error.ConnectionRefusedError, "ECONNREFUSED"),
    (error.TCPTimedOutError, "ETIMEDOUT"),
    (error.TimeoutError, "ETIMEDOUT"),
    (DeferredTimeout, "ETIMEDOUT"),
    (TimeoutError, "ETIMEDOUT"),
    (error.NoRouteError, "EHOSTUNREACH"),
    (error.ConnectionLost, "ECONNRESET"),
)


class NotTaken(Exception):
    """The other side did not take what was sent; the text says why, and is all there is to say."""


def name_of(fault: BaseException | Failure) -> str:
    """The system's name for what went wrong, else that of the exception; it shows nothing else."""
    value = _value(fault)
    name = next((name for kind, name in _NAMES if isinstance(value, kind)), None)
    number = getattr(value, "osError", None) or getattr(value, "errno", None)
    name = errno.errorcode.get(number, name) if isinstance(number, int) else name
    return name or type(value).__name__


def cause_of(fault: BaseException | Failure) -> str:
    """What went wrong in a few words, for the operator."""
    value, name = _value(fault), name_of(fault)
    if isinstance(value, CancelledError):
        return "cancelled"
    text = " ".join(str(value).split())
    if isinstance(value, NotTaken):
        return text
    return name if name.isupper() or not text else f"{name}: {text}"


def _value(fault: BaseException | Failure) -> BaseException:
    value = fault.value if isinstance(fault, Failure) else fault
    assert value is not None
    reasons = getattr(value, "reasons", None)  # of twisted.web's ResponseFailed, RequestNotSent, …
    return _value(reasons[0]) if reasons and isinstance(reasons[0], Failure) else value


class Sparing:
    """Lines that clients can cause: at most `most` in `window` seconds, then one that counts the rest.

    Anybody could fill a disk with a line a connection.
    """

    def __init__(self, log: Logger, clock: IReactorTime, most: int = 20, window: float = 60.0) -> None:
        self._log = log
        self._clock = clock
        self._most = most
        self._window = window
        self._begun = 0.0
        self._said = self._kept_back = 0

    def info(self, format: str, **fields: Any) -> None:
        self._say(self._log.info, format, fields)

    def warn(self, format: str, **fields: Any) -> None:
        self._say(self._log.warn, format, fields)

    def _say(self, say: Callable[..., None], format: str, fields: dict[str, Any]) -> None:
        now = self._clock.seconds()
        if not self._begun <= now < self._begun + self._window:
            if self._kept_back:
                self._log.info("lines kept back n={n}", n=self._kept_back)
            self._begun, self._said, self._kept_back = now, 0, 0
        if self._said < self._most:
            self._said += 1
            say(format, **fields)
        else:
            self._kept_back += 1


class Losses:
    """Connections of one door that ended as none should, counted and told."""

    def __init__(self, door: str, clock: IReactorTime) -> None:
        self.resets = self.timeouts = 0
        self._door = door
        self._say = Sparing(Logger(namespace=f"realmd.gateway.{door}"), clock)

    def ended(self, reason: Failure | None, peer: str) -> None:
        """A connection is gone: reset by the other side, in order, or cut off by us."""
        if (
            reason is not None
            and reason.check(error.ConnectionLost)
            and not reason.check(error.ConnectionAborted)
        ):
            self.resets += 1
            self._say.info(f"ECONNRESET door={self._door} peer={{peer}}", peer=peer)

    def timed_out(self, peer: str) -> None:
        """A connection was given up, since nothing came in time."""
        self.timeouts += 1
        self._say.info(f"connection timeout door={self._door} peer={{peer}}", peer=peer)
