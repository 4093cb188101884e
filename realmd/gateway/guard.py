"""The guard at all doors: who comes, whether he may, and what he has used up of his shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.interfaces import IReactorTime

from ..host.resources import memory_limit
from ..primitives.errors import Fault, Rejection
from ..primitives.figures import Figures
from ..protocol.classic import Ask
from ..runtime.realm import Answer, Realm, refusal
from ..settings.limits import Limits
from ..settings.server import Server
from ..world.caller import Caller
from ..world.commands import Command, Register
from .bans import Bans
from .budget import Account, Budget, Holder
from .certificates import Certificates
from .certificates import figures as tls_figures
from .crowd import Crowd
from .head import resolve
from .limits import FILE_COST, HEAVY_COST, RateLimited, RateLimits, Throttle, cost_of
from .offences import Offences
from .peers import UNIX, Peer, Peers, host_name, is_loopback, parse, plain
from .request import Request
from .turns import Turns
from .wrapping import ProxyHeaders, Tls

#: What takes much longer than other requests.
HEAVY: Final = frozenset((b"/metrics",))


class Misdirected(Fault):
    """A request for a name that is not the realm's (HTTP 421): perhaps DNS rebinding."""

    status = 421


def _public_name(server: Server) -> str | None:
    """The name in the realm's public address, if it has one."""
    return (urlsplit(server.public_url).hostname or "").removesuffix(".") or None


class Guard:
    """Keeps the settings of [server] and [limits].

    `most` is how many connections there may be, `memory_mb` what the process may use; 0: as the machine says.
    """

    def __init__(
        self,
        server: Server,
        limits: Limits,
        most: int,
        clock: IReactorTime,
        certificates: Certificates | None = None,
        memory_mb: int = 0,
    ) -> None:
        self._server = server
        self._limits = limits
        self._clock = clock
        self._certificates = certificates
        public = _public_name(server)
        names = {*server.hosts, *((public,) if public else ())}
        #: None: any name is answered.
        self._names = None if "*" in names or not names else frozenset(name.lower() for name in names)
        self.peers = Peers(
            server.trusted_proxies, server.forwarded_header, names - {"*"}, server.cors_origins,
            locals_=not self._behind_unknown_proxy(),
        )  # fmt: skip
        self.rates = RateLimits(limits, clock)
        self.crowd = Crowd(limits, most, self.peers, self.rates, clock)
        self.turns = Turns(clock)
        self.budget = Budget.of(limits, server.outbox_bytes, memory_limit(memory_mb), clock)
        self.offences = Offences(clock)
        #: Who is kept out by name; None while nobody knows.
        self.bans: Bans | None = None
        self.misdirected = self.busy = 0
        #: Paths whose files cost next to nothing.
        self.files: frozenset[bytes] = frozenset()
        self._asked = 0
        self._proxy_headers: ProxyHeaders | None = None

    # -- a request ---------------------------------------------------------------------

    def admit(self, request: Request) -> None:
        """Find out who sends `request`, and charge it to him; raises a `Fault`."""
        address, hosts = request.getClientAddress(), request.requestHeaders.getRawHeaders(b"host", [])
        try:
            request.aim(*resolve(request.uri, hosts, request.clientproto))
        finally:  # who it is counts for a bad one, too
            request.peer = peer = self.peers.of(address, request.requestHeaders)
        if self.bans is not None:
            self.bans.admit(peer)
        if self._names is not None:
            self._check_host(request.getHeader(b"host"), self._names)
        cost = FILE_COST if request.path in self.files else cost_of(request.received)
        if request.path in HEAVY:
            cost = HEAVY_COST
        request.proxied = peer.address != plain(getattr(address, "host", UNIX))
        request.channel.account.belong(None if peer.local else peer.source)
        throttle = request.channel.throttle
        if (refused := throttle.admit(peer, "http", cost, request.proxied)) is not None:
            if throttle.flooding:
                request.channel.persistent = False
                request.setHeader(b"connection", b"close")
            raise RateLimited(refused)

    def _check_host(self, host: bytes | None, names: frozenset[str]) -> None:
        if host is None:  # HTTP/1.0; browsers always name one
            return
        name = host_name(host.decode("latin-1"))
        if name is None or not (name in names or is_loopback(name) or parse(name) is not None):
            self.misdirected += 1
            raise Misdirected("The realm has no such name; server.hosts lists those it answers to")

    def register(self, ask: Ask, peer: Peer, realm: Realm) -> None:
        """`RateLimited` if `ask` wants a new agentId and `peer` has had enough of them."""
        new = isinstance(ask, Register) and ask.agent_id not in realm.world.tables.profiles
        if new and (refused := self.rates.register(peer)) is not None:
            raise RateLimited(refused)

    def account(self, holder: Holder, peer: Peer) -> Account:
        """For a connection of `peer` that begins."""
        account = self.budget.open(holder)
        account.belong(None if peer.local else peer.source)
        return account

    def serve(
        self, realm: Realm, ask: Ask, reply: Callable[[Answer], None], caller: Caller, throttle: Throttle,
        account: Account,
    ) -> None:  # fmt: skip
        """`realm.serve`, for no more queries at once than one connection, one address and all may have.

        Many that waited for the same commit are answered a slice at a time.
        """
        if isinstance(ask, Command):
            realm.serve(ask, reply, caller)
            return
        many = throttle.asked >= self._limits.connection_queries or self._asked >= self._limits.queries
        if many or not account.pledge():
            self.busy += 1
            reply(refusal(Rejection("busy", "busy")))
            return

        def give(answer: Answer) -> None:
            throttle.asked -= 1
            self._asked -= 1
            account.redeem()
            reply(answer)

        def answered(answer: Answer) -> None:
            self.turns.do(lambda: give(answer))

        throttle.asked += 1
        self._asked += 1
        realm.serve(ask, answered, caller)

    # -- the listening side ------------------------------------------------------------

    def wrap(self, factory: Any) -> Any:
        """`factory` behind what was asked for: the PROXY header, then TLS."""
        if self._certificates is not None:
            factory = Tls(self._certificates, factory, self._clock)
        if self._server.proxy_protocol:
            factory = self._proxy_headers = ProxyHeaders(
                factory, self.peers, self.crowd, self._clock, self._server.handshake_timeout_s
            )
        return factory

    def warnings(self, *bound: str) -> Iterator[str]:
        """What somebody who starts the realm at the addresses `bound` should know."""
        server = self._server
        beyond = [address for address in bound if address != UNIX and not is_loopback(address)]
        if beyond and not server.tls_certificate and not server.trusted_proxies:
            yield (
                f"listening at {', '.join(beyond)} without TLS and without a proxy: what clients send, "
                "their tokens too, can be read on the way; "
                "set server.tls_certificate, or server.trusted_proxies"
            )
        if self._behind_unknown_proxy():
            yield (
                "server.public_url is elsewhere and server.trusted_proxies is empty: since strangers come "
                "by a proxy that the realm does not know, nobody counts as a program of this host"
            )
        if server.proxy_protocol and not server.trusted_proxies:
            yield "server.proxy_protocol is on and server.trusted_proxies is empty: nobody may send one"

    def _behind_unknown_proxy(self) -> bool:
        """Whether others must come by a proxy, of which the configuration says nothing."""
        server = self._server
        public = _public_name(server)
        elsewhere = public is not None and not is_loopback(public)
        return elsewhere and is_loopback(server.host) and not server.trusted_proxies

    def figures(self) -> Figures:
        """For the metrics."""
        headers = self._proxy_headers
        return [
            *self.crowd.figures(),
            *self.turns.figures(),
            *self.budget.figures(),
            *tls_figures(self._certificates),
            ("realmd_floods_total", "Connections that did not stop when refused.", lambda: self.rates.floods),
            ("realmd_shares_tracked", "Shares of addresses and networks kept.", self.rates.tracked),
            ("realmd_misdirected_total", "Requests for a name not the realm's.", lambda: self.misdirected),
            ("realmd_queries_waiting", "Queries that wait for an answer.", lambda: self._asked),
            ("realmd_queries_refused_total", "Queries beyond what may wait.", lambda: self.busy),
            (
                "realmd_proxy_headers_refused_total", "Connections of proxies without a good PROXY header.",
                lambda: headers.refused if headers else 0,
            ),
        ]  # fmt: skip

    def watch_each(self, watch: Callable[[str, str, str, Callable[[], dict[str, float]]], None]) -> None:
        """The metrics with labels."""
        self.crowd.watch_each(watch)
        self.budget.watch_each(watch)
        watch(
            "realmd_offences_total", "What no client should do.", "kind",
            lambda: {kind: float(n) for kind, n in self.offences.counts.items()},
        )  # fmt: skip
        watch(
            "realmd_rate_limited_total", "Requests and messages refused for coming too fast.", "limit",
            lambda: {limit: float(n) for limit, n in self.rates.refused.items()},
        )  # fmt: skip
