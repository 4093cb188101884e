"""The listening side of the doors: who gets in, and what becomes of connections when the realm stops."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web import http

from ..host.network import Losses
from ..primitives.figures import Figures
from .bans import Cut
from .channel import Channel
from .crowd import TURNED_AWAY, Reason
from .http import Door


class Full(Protocol):
    """Says why there is no place, and closes."""

    def __init__(self, reason: Reason) -> None:
        self._reason: Reason = reason

    def connectionMade(self) -> None:
        status, error = TURNED_AWAY[self._reason]
        code = "busy" if self._reason == "total" else "rate_limited"
        text = msgspec.json.encode({"ok": False, "error": error, "code": code, "retryAfter": 5})
        assert self.transport is not None
        self.transport.write(
            b"HTTP/1.1 %b\r\nConnection: close\r\nRetry-After: 5\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(text), text)
        )
        self.transport.loseConnection()


class DoorFactory(http.HTTPFactory):
    """The listening side, for as many connections as the door's guard lets in.

    A request must be complete within `request_timeout` s; a connection on which nothing
    comes for `idle` s is closed.
    """

    protocol = Channel  # type: ignore[assignment]  # the stubs know only its own
    noisy = False
    logger = Logger()

    def __init__(self, door: Door, reactor: IReactorTime, idle: float, request_timeout: float) -> None:
        super().__init__(timeout=idle, reactor=reactor)
        self.door = door
        self.request_timeout = request_timeout
        self.crowd = door.guard.crowd
        self.losses = Losses("http", reactor)
        #: Connections that are still HTTP.
        self.channels: set[Channel] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if self.door.guard.bans.cuts(addr):
            return Cut()
        if (reason := self.crowd.enter(addr)) is not None:
            return Full(reason)
        return super().buildProtocol(addr)

    @property
    def open(self) -> int:
        """Connections open, HTTP and WebSocket."""
        return self.crowd.open

    def startFactory(self) -> None:
        """No access log: /metrics counts, and a log line a request would fill the disk."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def log(self, request: http.Request) -> None:
        """See `startFactory`."""

    def opened(self, channel: Channel) -> None:
        self.channels.add(channel)
        self.crowd.waits(channel)

    def closed(self, address: IAddress) -> None:
        """A connection from `address` ended, as HTTP or as the WebSocket that it became."""
        self.crowd.leave(address)

    def close_all(self) -> None:
        """Close every HTTP connection once what was answered on it is sent."""
        for channel in list(self.channels):
            channel.finish()

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_request_timeouts_total", "Requests not complete in time.", lambda: self.losses.timeouts),
            ("realmd_http_resets_total", "HTTP connections reset.", lambda: self.losses.resets),
            ("realmd_http_requests_total", "HTTP requests.", lambda: self.door.requests),
            ("realmd_http_faults_total", "HTTP requests that were wrong.", lambda: self.door.faults),
        ]

    def late(self, channel: Channel) -> None:
        """A request was not complete in time."""
        self.losses.timed_out(channel.getPeer().host)
