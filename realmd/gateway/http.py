"""The HTTP door: /ipc, /api, /health, /metrics, the page, and the way to /ws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from twisted.logger import Logger

from ..primitives.errors import Fault
from ..protocol.classic import Ask, decode_ask, decode_ipc
from ..runtime.realm import Answer, Realm
from ..world import queries
from .bans import Barred
from .callers import Callers
from .crowd import TURNED_AWAY
from .guard import Guard, Visitor
from .head import BadHost, Head, asks_for_websocket, may_look_in
from .limits import RateLimited
from .policy import every_answer
from .request import JSON, Handler, Request
from .upgrade import Closing, upgrade
from .websocket import Gateway
from .wire import Arrival

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
        self.longest_answer = guard.budget.connection
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
            b"/api/a2a/inbox": self._listed(queries.AgentInbox, received=True),
            b"/api/a2a/conversation": self._conversation,
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
            if request.head.method == b"OPTIONS":
                request.send(b"", JSON, 204)
            elif request.head.method == b"POST":
                self._post.get(request.path, self._unknown)(request)
            elif request.head.method in (b"GET", b"HEAD"):
                self._get.get(request.path, self._missing)(request)
            else:
                request.header(b"allow", METHODS)
                request.answer({"error": "Method not allowed"}, 405)
        except RateLimited as refusal:
            request.header(b"retry-after", b"%d" % refusal.seconds)
            answer = {"ok": False, "error": str(refusal), "code": refusal.code, "retryAfter": refusal.seconds}
            request.answer(answer, refusal.status)
        except Barred as ban:
            request.line.close_after()
            request.answer(ban.fields, ban.status)
        except Fault as fault:
            self.faults += 1
            self.guard.offences.fault(fault, "http", request.peer.address)
            if isinstance(fault, BadHost):
                request.line.close_after()
                request.header(b"connection", b"close")
            code = {"code": fault.code} if fault.code else {}
            request.answer({**wrong(request, str(fault), fault.status), **code}, fault.status)
        except Exception:
            self.failed += 1
            self.log.failure("request failed path={path}", path=request.path.decode("ascii", "replace"))
            request.answer({"error": "internal_error"}, 500)

    def headers(self, head: Head | None, secure: bool) -> Iterable[tuple[bytes, bytes]]:
        """The headers of every answer: who may read it from a page of another site (CORS).

        `head` is None where not even a first line could be read; `secure`: it came through our own TLS.
        """
        if b"*" in self._origins:
            yield b"access-control-allow-origin", b"*"
        else:
            yield b"vary", b"Origin"
            if head is not None and (origin := head.get(b"origin")) in self._origins:
                yield b"access-control-allow-origin", origin
        if head is not None and head.method == b"OPTIONS":
            yield b"access-control-allow-methods", METHODS
            yield b"access-control-allow-headers", b"Content-Type, Authorization"
            yield b"access-control-max-age", b"86400"
        yield from every_answer(secure)

    # -- handlers ----------------------------------------------------------------------

    def _ipc(self, request: Request) -> None:
        self._ask(request, decode_ipc(request.body))

    def _ask(self, request: Request, ask: Ask) -> None:
        def reply(answer: Answer) -> None:
            if answer.fault:
                self.faults += 1
                request.answer(wrong(request, answer.fields["error"], 400), 400)
            else:
                code = answer.fields.get("code")
                if code in PASSING:
                    request.header(b"retry-after", b"1")
                request.answer(answer.fields, UNPROVEN.get(code, 200) if isinstance(code, str) else 200)

        self._serve(request, ask, reply)

    def _serve(self, request: Request, ask: Ask, reply: Callable[[Answer], None]) -> None:
        caller, line = self._callers.of(request), request.line
        line.agent = bool(caller.local or caller.serials or caller.pubkey)
        self.guard.serve(ask, reply, Visitor("http", request.peer, caller, line.throttle, line.account))

    def _rest(self, request: Request, command: str, status: int) -> None:
        """A REST call: the arguments are the body; an unknown skill is 404."""

        def reply(answer: Answer) -> None:
            good = answer.fields.get("ok")
            request.answer(answer.fields, status if good else _STATUS.get(answer.fields["code"], 409))

        self._serve(request, decode_ask(command, request.body or b"{}"), reply)

    def _conversation(self, request: Request) -> None:
        """Between `agent1` and `agent2`, for who speaks for either."""
        asked = parse_qs(request.head.target.partition(b"?")[2])
        one, other = (asked.get(name, [b""])[0].decode("utf-8", "replace") for name in (b"agent1", b"agent2"))
        if not (one and other):
            raise Fault("agent1 and agent2 required")
        serials = self._callers.of(request).serials
        if other in serials and one not in serials:
            one, other = other, one
        self._listed(queries.AgentConversation, agentId=one, toAgentId=other)(request)

    def _listed(self, kind: type[queries.Query], **fixed: Any) -> Handler:
        """A query whose arguments are in the address."""

        def handle(request: Request) -> None:
            try:
                asked = parse_qs(request.head.target.partition(b"?")[2])
            except ValueError:
                raise Fault("since, after and limit must be numbers, in ASCII") from None
            given = {
                key.decode("ascii", "replace"): values[0].decode("utf-8", "replace")
                for key, values in asked.items()
            }
            named = {key: given[key] for key in kind.__struct_encode_fields__ if key in given} | fixed
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
        if not asks_for_websocket(request.head.get(b"upgrade"), request.head.version):
            request.header(b"upgrade", b"websocket")
            request.answer({"error": "This is a WebSocket; use ws:// or wss://, over HTTP/1.1"}, 426)
            return
        if request.body:  # to some proxies that would be frames already
            raise Fault("The handshake of a WebSocket has no body")
        if self._realm.world.draining:
            request.header(b"retry-after", b"30")
            raise Closing
        if not self._may_upgrade(request):
            self.guard.offences.note("origin", "websocket", request.peer.address)
            request.answer({"error": "Pages of this origin may not talk to the realm"}, 403)
            return
        caller = self._callers.of(request)
        if request.proxied and (full := self.guard.crowd.full(request.peer)) is not None:
            request.header(b"retry-after", b"5")
            request.answer({"error": TURNED_AWAY[full][1], "code": "rate_limited"}, 429)
            return
        line = request.line
        upgrade(
            request, self.gateway, Arrival(caller, request.peer, line.throttle, request.proxied, line.lane)
        )

    def _may_upgrade(self, request: Request) -> bool:
        """Browsers apply no CORS to WebSockets: pages of other sites are kept out here."""
        origins = request.head.all(b"origin")
        return may_look_in(origins, request.head.get(b"host"), self._origins)

    def _missing(self, request: Request) -> None:
        self.guard.offences.note("path", "http", request.peer.address)
        self._not_found(request)

    def _unknown(self, request: Request) -> None:
        self.guard.offences.note("path", "http", request.peer.address)
        request.answer({"error": "Not found"}, 404)


def wrong(request: Request, text: str, status: int) -> dict[str, Any]:
    """What is said of a request that is wrong in itself, as old clients know it.

    Over REST with `ok`; of a command in the words of JavaScript, in which an error says that it is one.
    """
    if request.path.startswith((b"/api/clawhub/", b"/api/a2a/")):
        return {"ok": False, "error": text}
    command = request.head.method == b"POST" and request.path in (b"/ipc", b"/")
    return {"error": f"Error: {text}" if command and status == 400 else text}


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
