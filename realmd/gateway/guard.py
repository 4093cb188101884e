"""The guard at all doors: who comes, whether he may, and what he has used up of his shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from ..host.resources import memory_limit
from ..primitives.errors import Fault, Rejection
from ..primitives.figures import Figures
from ..protocol.classic import Ask
from ..runtime.realm import Answer, Realm, refusal
from ..settings import Config
from ..world.caller import Caller
from ..world.commands import Command, PlayerJoin, Register
from .account import GONE, Account, Holder
from .bans import Bans
from .budget import Budget
from .certificates import Certificates
from .certificates import figures as tls_figures
from .crowd import Crowd
from .exposure import names_of
from .limits import FILE_COST, HEAVY_COST, RateLimited, RateLimits, Refusal, Throttle, cost_of
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


class Visitor(Struct, eq=False):
    """On whose behalf somebody asks, by which door, and what is left of his shares."""

    door: str
    peer: Peer
    caller: Caller
    throttle: Throttle
    account: Account


class Guard:
    """The one way in to `realm`.  Keeps what `config` says under [server] and [limits].

    `files` are paths that cost next to nothing, `most` is how many connections there may be.
    """

    def __init__(
        self,
        realm: Realm,
        config: Config,
        peers: Peers,
        bans: Bans,
        files: frozenset[bytes],
        most: int,
        certificates: Certificates | None,
        clock: IReactorTime,
    ) -> None:
        server, limits = config.server, config.limits
        self._realm = realm
        self._server = server
        self._limits = limits
        self._clock = clock
        self._certificates = certificates
        names = names_of(server)
        #: None: any name is answered.
        self._names = None if "*" in names or not names else frozenset(name.lower() for name in names)
        self._files = files
        self.peers = peers
        self.bans = bans
        self.rates = RateLimits(limits, clock)
        self.crowd = Crowd(limits, most, peers, self.rates, clock)
        self.turns = Turns(clock)
        self.budget = Budget.of(limits, server.outbox_bytes, memory_limit(config.alerts.memory_mb), clock)
        self.offences = Offences(clock)
        self.misdirected = self.busy = 0
        self._asked = 0
        self._proxy_headers: ProxyHeaders | None = None

    # -- a request ---------------------------------------------------------------------

    def admit(self, request: Request) -> None:
        """Find out who sends `request`, and charge it to him; raises a `Fault`."""
        head, line = request.head, request.line
        try:
            head.aim()
        finally:  # who it is counts for a bad one, too
            request.peer = peer = self.peers.of(line.address, head.headers)
        self.bans.admit(peer)
        if self._names is not None:
            self._check_host(head.get(b"host"), self._names)
        cost = FILE_COST if head.path in self._files else cost_of(len(request.body))
        if head.path in HEAVY:
            cost = HEAVY_COST
        request.proxied = peer.address != plain(getattr(line.address, "host", UNIX))
        line.account.belong(None if peer.local else peer.source)
        if (refused := line.throttle.admit(peer, "http", cost, request.proxied)) is not None:
            if line.throttle.flooding:
                line.close_after()
                request.header(b"connection", b"close")
            raise RateLimited(refused)

    def _check_host(self, host: bytes | None, names: frozenset[str]) -> None:
        if host is None:  # HTTP/1.0; browsers always name one
            return
        name = host_name(host.decode("latin-1"))
        if name is None or not (name in names or is_loopback(name) or parse(name) is not None):
            self.misdirected += 1
            raise Misdirected("The realm has no such name; server.hosts lists those it answers to")

    def account(self, holder: Holder, peer: Peer) -> Account:
        """For a connection of `peer` that begins."""
        account = self.budget.open(holder)
        account.belong(None if peer.local else peer.source)
        return account

    # -- what is asked ------------------------------------------------------------------

    def serve(self, ask: Ask, reply: Callable[[Answer], None], by: Visitor, *, quietly: bool = False) -> None:
        """Do or answer `ask` of the realm, within the shares of who asks; what no client should do is noted.

        `reply` is called once; of a command, if `quietly`, only when it is refused.  Queries are answered for
        no more at once than one connection, one address and all may have, and many that waited for the same
        commit a slice at a time.  Raises `RateLimited` for a newcomer that is one too many.
        """
        self._let_in(ask, by)

        def told(answer: Answer) -> None:
            self.offences.refused(answer.fields.get("code"), by.door, by.peer.address)
            reply(answer)

        if isinstance(ask, Command):
            (self._realm.tell if quietly else self._realm.serve)(ask, told, by.caller)
            return
        throttle, account = by.throttle, by.account
        many = throttle.asked >= self._limits.connection_queries or self._asked >= self._limits.queries
        if many or not account.pledge():
            self.busy += 1
            told(refusal(Rejection("busy", "busy")))
            return

        def give(answer: Answer) -> None:
            throttle.asked -= 1
            self._asked -= 1
            account.redeem()
            told(answer)

        throttle.asked += 1
        self._asked += 1
        self._realm.serve(ask, lambda answer: self.turns.do(lambda: give(answer)), by.caller)

    def serve_relayed(self, ask: Ask, reply: Callable[[Answer], None], caller: Caller) -> None:
        """`serve` for who is at no door of ours, but sends signed commands: his key counts as an address."""
        account = self.budget.open(GONE)

        def answered(answer: Answer) -> None:
            account.close()
            reply(answer)

        peer = Peer(caller.source, caller.network)
        try:
            self.serve(ask, answered, Visitor("relay", peer, caller, self.rates.throttle(), account))
        except RateLimited as refused:
            answered(refusal(Rejection("rate_limited", str(refused))))

    def _let_in(self, ask: Ask, by: Visitor) -> None:
        """Whoever asks for a new agentId takes it of his shares."""
        refused: Refusal | None = None
        if isinstance(ask, PlayerJoin):  # each is one, with a share of its own in the world
            refused = by.throttle.admit(by.peer, by.door, HEAVY_COST)
        elif isinstance(ask, Register) and ask.agent_id not in self._realm.world.tables.profiles:
            refused = self.rates.register(by.peer)
        if refused is not None:
            raise RateLimited(refused)

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
