"""The HTTP door: /ipc, /api, /health, /metrics, the page, and the way to /ws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web import http

from ..host.network import Losses
from ..primitives.errors import Fault
from ..primitives.figures import Figures
from ..protocol.classic import Ask, decode_ask, decode_ipc
from ..runtime.realm import Answer, Realm
from ..world import queries
from .bans import Barred, Cut
from .callers import Callers
from .crowd import Reason
from .guard import Guard
from .head import BadHost, asks_for_websocket, may_look_in
from .limits import RateLimited
from .policy import every_answer
from .request import JSON, Channel, Request
from .upgrade import Closing, upgrade
from .websocket import Arrival, Gateway

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
        guard: Guard,
        pages: dict[bytes, Handler],
        body_bytes: int,
        origins: tuple[str, ...],
        not_found: Handler,
    ) -> None:
        self.body_bytes = body_bytes
        self.requests = self.faults = self.failed = 0
        self._realm = realm
        self.gateway = gateway
        self._callers = callers
        self.guard = guard
        self._origins = frozenset(origin.encode() for origin in origins)
        self._not_found = not_found
        self._get: dict[bytes, Handler] = {
            b"/api/room": lambda r: self._ask(r, queries.RoomInfo()),
            b"/api/invite": lambda r: self._ask(r, queries.RoomInvite()),
            b"/api/events": self._listed(queries.RoomEvents),
            b"/api/worlds": lambda r: self._ask(r, queries.WorldsList()),
            b"/api/world": lambda r: self._ask(r, queries.WorldMap()),
            b"/api/workstations": lambda r: self._ask(r, queries.Workstations()),
            b"/api/moltbook/feed": self._listed(queries.MoltbookList),
            b"/api/clawhub/skills": self._listed(queries.ClawhubList),
            b"/api/clawhub/installed": self._listed(queries.ClawhubInstalled),
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
            self.guard.admit(request)
            if request.method == b"OPTIONS":
                request.send(b"", JSON, 204)
            elif request.method == b"POST":
                self._post.get(request.path, self._unknown)(request)
            elif request.method in (b"GET", b"HEAD"):
                self._get.get(request.path, self._missing)(request)
            else:
                request.setHeader(b"allow", METHODS)
                request.answer({"error": "Method not allowed"}, 405)
        except RateLimited as refusal:
            request.setHeader(b"retry-after", b"%d" % refusal.seconds)
            answer = {"ok": False, "error": str(refusal), "code": refusal.code, "retryAfter": refusal.seconds}
            request.answer(answer, refusal.status)
        except Barred as ban:
            request.channel.persistent = False
            request.answer(ban.fields, ban.status)
        except Fault as fault:
            self.faults += 1
            self.guard.offences.fault(fault, "http", request.peer.address)
            if isinstance(fault, BadHost):
                request.channel.persistent = False
                request.setHeader(b"connection", b"close")
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
        yield from every_answer(request)

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
                self.guard.offences.refused(code, "http", request.peer.address)
                if code in PASSING:
                    request.setHeader(b"retry-after", b"1")
                request.answer(answer.fields, UNPROVEN.get(code, 200) if isinstance(code, str) else 200)

        self._serve(request, ask, reply, body)

    def _serve(self, request: Request, ask: Ask, reply: Callable[[Answer], None], body: bytes) -> None:
        caller = self._callers.of(request, body)
        self.guard.register(ask, request.peer, self._realm)
        channel = request.channel
        channel.agent = bool(caller.local or caller.serials or caller.pubkey)
        self.guard.serve(self._realm, ask, reply, caller, channel.throttle, channel.account)

    def _rest(self, request: Request, command: str, status: int) -> None:
        """A REST call: the arguments are the body; an unknown skill is 404."""

        def reply(answer: Answer) -> None:
            good = answer.fields.get("ok")
            self.guard.offences.refused(answer.fields.get("code"), "http", request.peer.address)
            request.answer(answer.fields, status if good else _STATUS.get(answer.fields["code"], 409))

        body = request.body() or b"{}"
        self._serve(request, decode_ask(command, body), reply, body)

    def _listed(self, kind: type[queries.Query]) -> Handler:
        """A query whose arguments are in the address."""

        def handle(request: Request) -> None:
            try:
                asked = parse_qs(request.uri.partition(b"?")[2])
            except ValueError:
                raise Fault("since, after and limit must be numbers, in ASCII") from None
            given = {
                key.decode("ascii", "replace"): values[0].decode("utf-8", "replace")
                for key, values in asked.items()
            }
            named = {key: given[key] for key in kind.__struct_encode_fields__ if key in given}
            try:
                query = msgspec.convert(named, kind, strict=False)
            except msgspec.ValidationError as error:
                raise Fault(str(error)) from None
            fields = (getattr(query, name) for name in query.__struct_fields__)
            if not all(math.isfinite(field) for field in fields if isinstance(field, float)):
                raise Fault("since and limit must be finite numbers")
            self._ask(request, query)

        return handle

    def _upgrade(self, request: Request) -> None:
        """Hand the connection over to the WebSocket door."""
        if not asks_for_websocket(request.getHeader(b"upgrade"), request.clientproto):
            request.setHeader(b"upgrade", b"websocket")
            request.answer({"error": "This is a WebSocket; use ws:// or wss://, over HTTP/1.1"}, 426)
            return
        if request.received:  # to some proxies that would be frames already
            raise Fault("The handshake of a WebSocket has no body")
        if self._realm.world.draining:
            request.setHeader(b"retry-after", b"30")
            raise Closing
        if not self._may_upgrade(request):
            self.guard.offences.note("origin", "websocket", request.peer.address)
            request.answer({"error": "Pages of this origin may not talk to the realm"}, 403)
            return
        caller = self._callers.of(request)
        channel = request.channel
        if request.proxied and (full := self.guard.crowd.full(request.peer)) is not None:
            request.setHeader(b"retry-after", b"5")
            request.answer({"error": TURNED_AWAY[full][1], "code": "rate_limited"}, 429)
            return
        self.gateway.arriving = Arrival(caller, request.peer, channel.throttle, request.proxied, channel.lane)
        channel.leave()
        channel.lane.unread(channel.clearLineBuffer())  # frames that came with the handshake
        channel.transport.unregisterProducer()
        upgrade(request, self.gateway)
        channel.requests.clear()  # the two hold each other

    def _may_upgrade(self, request: Request) -> bool:
        """Browsers apply no CORS to WebSockets: pages of other sites are kept out here."""
        origins = request.requestHeaders.getRawHeaders(b"origin", [])
        return may_look_in(origins, request.getHeader(b"host"), self._origins)

    def _missing(self, request: Request) -> None:
        self.guard.offences.note("path", "http", request.peer.address)
        self._not_found(request)

    def _unknown(self, request: Request) -> None:
        self.guard.offences.note("path", "http", request.peer.address)
        request.answer({"error": "Not found"}, 404)


#: Refusals that pass by themselves.
PASSING: Final = frozenset({"rate_limited", "busy", "storage_unavailable"})
#: Refusal → status of an /ipc answer; 200 for any other, as ever.
UNPROVEN: Final = {"token_required": 401, "token_revoked": 401, "not_yours": 403, "banned": 403}
#: Refusal → status of a REST answer; 409 for any other.
_STATUS: Final = {
    "not_found": 404,
    "not_installed": 404,
    "plugin_taken": 403,
    "not_installer": 403,
    "rate_limited": 429,
    "busy": 503,
    "shutting_down": 503,
    "storage_unavailable": 503,
    **UNPROVEN,
}


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
        if (bans := self.door.guard.bans) is not None and bans.cuts(addr):
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


#: What is said to whom there is no place for.
TURNED_AWAY: Final[dict[Reason, tuple[bytes, str]]] = {
    "total": (b"503 Service Unavailable", "Too many connections"),
    "address": (b"429 Too Many Requests", "Too many connections from this address"),
    "network": (b"429 Too Many Requests", "Too many connections from this network"),
    "rate": (b"429 Too Many Requests", "Too many requests from this address or network"),
}


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
