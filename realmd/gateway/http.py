"""The HTTP door: /ipc, /api, /health, /metrics, the page, and the way to /ws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from autobahn.twisted.resource import WebSocketResource
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web import http

from ..errors import Fault
from ..figures import Figures
from ..ops.network import Losses
from ..protocol.classic import Ask, decode_ask, decode_ipc
from ..runtime.realm import Answer, Realm
from ..world import queries
from .callers import Callers
from .request import JSON, Channel, Request
from .websocket import Gateway

Handler = Callable[[Request], None]
METHODS: Final = b"GET, POST, OPTIONS"


class Door:
    """Answers every HTTP request.

    `pages` maps a path to a handler of its own: the page, /health, /metrics.
    """

    log = Logger()

    def __init__(
        self,
        realm: Realm,
        gateway: Gateway,
        callers: Callers,
        pages: dict[bytes, Handler],
        body_bytes: int,
        origins: tuple[str, ...],
        not_found: Handler,
    ) -> None:
        self.body_bytes = body_bytes
        self.requests = self.faults = self.failed = 0
        self._realm = realm
        self.gateway = gateway
        self._websocket = WebSocketResource(gateway)
        self._callers = callers
        self._origins = frozenset(origin.encode() for origin in origins)
        self._not_found = not_found
        self._get: dict[bytes, Handler] = {
            b"/api/room": lambda r: self._ask(r, queries.RoomInfo()),
            b"/api/invite": lambda r: self._ask(r, queries.RoomInvite()),
            b"/api/events": self._events,
            b"/api/world": lambda r: self._ask(r, queries.WorldMap()),
            b"/api/workstations": lambda r: self._ask(r, queries.Workstations()),
            b"/api/moltbook/feed": lambda r: self._ask(r, queries.MoltbookList()),
            b"/api/clawhub/skills": lambda r: self._ask(r, queries.ClawhubList()),
            b"/api/clawhub/installed": lambda r: self._ask(r, queries.ClawhubInstalled()),
            b"/ws": self._upgrade,
            **pages,
        }
        self._post: dict[bytes, Handler] = {
            b"/ipc": self._ipc,
            b"/": self._ipc,
            b"/api/clawhub/skills": lambda r: self._rest(r, "clawhub-publish", 201),
            b"/api/clawhub/install": lambda r: self._rest(r, "clawhub-install", 200),
            b"/api/clawhub/uninstall": lambda r: self._rest(r, "clawhub-uninstall", 200),
        }

    def handle(self, request: Request) -> None:
        """Answer `request`, whatever it is."""
        self.requests += 1
        try:
            if request.method == b"OPTIONS":
                request.send(b"", JSON, 204)
            elif request.method == b"POST":
                self._post.get(request.path, self._unknown)(request)
            elif request.method in (b"GET", b"HEAD"):
                self._get.get(request.path, self._not_found)(request)
            else:
                request.setHeader(b"allow", METHODS)
                request.answer({"error": "Method not allowed"}, 405)
        except Fault as fault:
            self.faults += 1
            code = {"code": fault.code} if fault.code else {}
            request.answer({"error": str(fault), **code}, fault.status)
        except Exception:
            self.failed += 1
            self.log.failure("request failed path={path}", path=request.path.decode("ascii", "replace"))
            request.answer({"error": "internal_error"}, 500)

    def headers(self, request: http.Request | None) -> Iterable[tuple[bytes, bytes]]:
        """The headers of every answer: who may read it from a page of another site (CORS).

        `request` is None where not even its first line could be read.
        """
        if b"*" in self._origins:
            yield b"access-control-allow-origin", b"*"
        else:
            yield b"vary", b"Origin"
            if request is not None and (origin := request.getHeader(b"origin")) in self._origins:
                yield b"access-control-allow-origin", origin
        if request is not None and request.method == b"OPTIONS":
            yield b"access-control-allow-methods", METHODS
            yield b"access-control-allow-headers", b"Content-Type, Authorization"
            yield b"access-control-max-age", b"86400"
        yield b"x-content-type-options", b"nosniff"

    # -- handlers ----------------------------------------------------------------------

    def _ipc(self, request: Request) -> None:
        body = request.body()
        self._ask(request, decode_ipc(body), body)

    def _ask(self, request: Request, ask: Ask, body: bytes = b"") -> None:
        def reply(answer: Answer) -> None:
            if answer.fault:
                self.faults += 1
                request.answer({"error": answer.fields["error"]}, 400)
            else:
                code = answer.fields.get("code")
                request.answer(answer.fields, UNPROVEN.get(code, 200) if isinstance(code, str) else 200)

        self._realm.serve(ask, reply, self._callers.of(request, body))

    def _rest(self, request: Request, command: str, status: int) -> None:
        """A REST call: the arguments are the body; an unknown skill is 404."""

        def reply(answer: Answer) -> None:
            good = answer.fields.get("ok")
            request.answer(answer.fields, status if good else _STATUS.get(answer.fields["code"], 409))

        body = request.body() or b"{}"
        self._realm.serve(decode_ask(command, body), reply, self._callers.of(request, body))

    def _events(self, request: Request) -> None:
        given = {
            key.decode("ascii", "replace"): values[0].decode("ascii", "replace")
            for key, values in parse_qs(request.uri.partition(b"?")[2]).items()
        }
        try:
            query = msgspec.convert(
                {key: given[key] for key in ("since", "after", "limit") if key in given},
                queries.RoomEvents,
                strict=False,
            )
        except msgspec.ValidationError as error:
            raise Fault(str(error)) from None
        if not (math.isfinite(query.since) and math.isfinite(query.limit)):
            raise Fault("since and limit must be finite numbers")
        self._ask(request, query)

    def _upgrade(self, request: Request) -> None:
        """Hand the connection over to the WebSocket door."""
        if (request.getHeader(b"upgrade") or b"").lower() != b"websocket":
            request.setHeader(b"upgrade", b"websocket")
            request.answer({"error": "This is a WebSocket; use ws:// or wss://"}, 426)
            return
        if not self._may_upgrade(request):
            request.answer({"error": "Pages of this origin may not talk to the realm"}, 403)
            return
        self.gateway.arriving = self._callers.of(request)
        channel = request.channel
        channel.leave()
        channel.transport.unregisterProducer()
        self._websocket.render(request)
        channel.requests.clear()  # the two hold each other

    def _may_upgrade(self, request: Request) -> bool:
        """Browsers apply no CORS to WebSockets: pages of other sites are kept out here."""
        origin = request.getHeader(b"origin")
        own = origin is None or origin.partition(b"://")[2] == request.getHeader(b"host")
        return own or b"*" in self._origins or origin in self._origins

    def _unknown(self, request: Request) -> None:
        request.answer({"error": "Not found"}, 404)


#: Refusal → status of an /ipc answer; 200 for any other, as ever.
UNPROVEN: Final = {"token_required": 401, "token_revoked": 401, "not_yours": 403, "banned": 403}
#: Refusal → status of a REST answer; 409 for any other.
_STATUS: Final = {
    "not_found": 404,
    "not_installed": 404,
    "rate_limited": 429,
    "busy": 503,
    "shutting_down": 503,
    "storage_unavailable": 503,
    **UNPROVEN,
}


class DoorFactory(http.HTTPFactory):
    """The listening side: at most `max_connections` at once, WebSockets included.

    A request must be complete within `request_timeout` s; a connection on which nothing
    comes for `idle` s is closed.
    """

    protocol = Channel  # type: ignore[assignment]  # the stubs know only its own
    noisy = False
    logger = Logger()

    def __init__(
        self, door: Door, reactor: IReactorTime, idle: float, request_timeout: float, max_connections: int
    ) -> None:
        super().__init__(timeout=idle, reactor=reactor)
        self.door = door
        self.request_timeout = request_timeout
        self.max_connections = max_connections
        self.open = self.turned_away = 0
        self.losses = Losses("http", reactor)
        #: Connections that are still HTTP.
        self.channels: set[Channel] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if self.open >= self.max_connections:
            self.turned_away += 1
            if self.turned_away % 1000 == 1:
                self.logger.warn(
                    "connection limit reached limit={limit} turned_away={n}",
                    limit=self.max_connections,
                    n=self.turned_away,
                )
            return Full()
        return super().buildProtocol(addr)

    def startFactory(self) -> None:
        """No access log: /metrics counts, and a log line a request would fill the disk."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def log(self, request: http.Request) -> None:
        """See `startFactory`."""

    def opened(self, channel: Channel) -> None:
        self.open += 1
        self.channels.add(channel)

    def closed(self) -> None:
        """A connection ended, as HTTP or as the WebSocket that it became."""
        self.open -= 1

    def close_all(self) -> None:
        """Close every HTTP connection once what was answered on it is sent."""
        for channel in list(self.channels):
            channel.loseConnection()

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_connections", "Connections open, HTTP and WebSocket.", lambda: self.open),
            ("realmd_connections_refused_total", "Connections turned away.", lambda: self.turned_away),
            ("realmd_request_timeouts_total", "Requests not complete in time.", lambda: self.losses.timeouts),
            ("realmd_http_resets_total", "HTTP connections reset.", lambda: self.losses.resets),
            ("realmd_http_requests_total", "HTTP requests.", lambda: self.door.requests),
            ("realmd_http_faults_total", "HTTP requests that were wrong.", lambda: self.door.faults),
        ]

    def late(self, channel: Channel) -> None:
        """A request was not complete in time."""
        self.losses.timed_out(channel.getPeer().host)


class Full(Protocol):
    """Says that the house is full, and closes."""

    def connectionMade(self) -> None:
        text = b'{"error":"Too many connections"}'
        assert self.transport is not None
        self.transport.write(
            b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        )
        self.transport.loseConnection()
