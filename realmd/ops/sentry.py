"""Sentry by DSN: what fails is sent as an event, by the envelope API, without another library.

The envelope is that of develop.sentry.dev/sdk/data-model/envelopes, protocol version 7.  No local
variables are sent, and what looks like a secret is masked.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import __version__
from ..host.clock import time_of_day
from ..host.network import cause_of
from ..host.reactor import IReactor
from ..primitives.masking import scrub
from .post import post

#: How often (s) one event is sent; how many wait; how long (s) the same fault is not sent again.
EVERY: Final = 5.0
MOST_WAITING: Final = 20
AGAIN_AFTER: Final = 300.0
MOST_KNOWN: Final = 200
MOST_TEXT: Final = 2000
MOST_FRAMES: Final = 50
_LEVELS: Final = {"error": "error", "critical": "fatal"}


class BadDsn(ValueError):
    """Not what a DSN looks like; the text never shows it."""


class Dsn(Struct, frozen=True):
    """Where events go, and the public key they go with."""

    address: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Dsn:
        """``https://KEY@HOST/PROJECT``, the path before PROJECT being kept."""
        parts = urlsplit(text)
        path, _, project = parts.path.rpartition("/")
        if parts.scheme not in ("http", "https") or not (parts.username and parts.hostname and project):
            raise BadDsn("alerts.sentry_dsn must be like https://KEY@HOST/PROJECT")
        host = parts.netloc.rpartition("@")[2]
        return cls(f"{parts.scheme}://{host}{path}/api/{project}/envelope/", parts.username)


@implementer(ILogObserver)
class Sentry:
    """An observer of the log that keeps what is an error, and sends one event a call of `send`."""

    log = Logger()

    def __init__(
        self, dsn: Dsn, reactor: IReactor, room: str, clock: IReactorTime, event_id: Callable[[], str]
    ) -> None:
        self.sent = self.dropped = 0
        self._dsn = dsn
        self._reactor = reactor
        self._room = room
        self._clock = clock
        self._event_id = event_id
        self._waiting: deque[dict[str, Any]] = deque()  # other threads append: a deque may be shared
        self._known: dict[str, float] = {}

    def __call__(self, event: LogEvent) -> None:
        level = getattr(event.get("log_level"), "name", "")
        if level not in _LEVELS or event.get("log_namespace") == self.log.namespace:
            return
        now = self._clock.seconds()
        failure = event.get("log_failure")
        kind = type(failure.value).__name__ if isinstance(failure, Failure) else ""
        fingerprint = f"{event.get('log_namespace')} {event.get('log_format')} {kind}"
        if now - self._known.get(fingerprint, -AGAIN_AFTER) < AGAIN_AFTER:
            return
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[fingerprint] = now
        self._waiting.append(self._made(event, level, failure, time_of_day(self._clock)))

    def _made(self, event: LogEvent, level: str, failure: Failure | None, now: float) -> dict[str, Any]:
        made: dict[str, Any] = {
            "event_id": self._event_id(),
            "timestamp": now,
            "platform": "python",
            "level": _LEVELS[level],
            "logger": str(event.get("log_namespace", "")),
            "release": f"realmd@{__version__}",
            "tags": {"room": self._room},
            "logentry": {"formatted": scrub(formatEvent(event))[:MOST_TEXT]},
        }
        if isinstance(failure, Failure):
            made["exception"] = {"values": [_exception(failure)]}
        return made

    def send(self, count: int = 1) -> Deferred[None] | None:
        """Send the oldest event that waits; one that is not taken is given up."""
        return Deferred.fromCoroutine(self._send(self._waiting.popleft())) if self._waiting else None

    async def _send(self, event: dict[str, Any]) -> None:
        body = msgspec.json.encode(event)
        at = datetime.fromtimestamp(time_of_day(self._clock), UTC).isoformat()
        head = msgspec.json.encode({"event_id": event["event_id"], "sent_at": at})
        item = msgspec.json.encode({"type": "event", "length": len(body)})
        auth = f"Sentry sentry_version=7, sentry_client=realmd/{__version__}, sentry_key={self._dsn.key}"
        try:
            await post(
                self._reactor,
                self._dsn.address,
                b"\n".join((head, item, body, b"")),
                "application/x-sentry-envelope",
                {"x-sentry-auth": auth},
            )
            self.sent += 1
        except Exception as error:
            self.dropped += 1
            self.log.warn("alert not sent sink={sink} cause={cause}", sink="sentry", cause=cause_of(error))


def _exception(failure: Failure) -> dict[str, Any]:
    """Type, text and frames, the innermost last."""
    found = traceback.extract_tb(failure.getTracebackObject())[-MOST_FRAMES:]
    frames = [
        {
            "filename": frame.filename,
            "function": frame.name,
            "lineno": frame.lineno,
            "context_line": frame.line,
            "in_app": "realmd" in frame.filename,
        }
        for frame in found
    ]
    return {
        "type": type(failure.value).__name__,
        "value": scrub(failure.getErrorMessage())[:MOST_TEXT],
        "stacktrace": {"frames": frames},
    }
