"""The WebSocket door at /ws: viewers, agents and human players."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger

from ..host.clock import milliseconds
from ..host.network import Losses, Sparing
from ..primitives.errors import Fault
from ..primitives.figures import Figures
from ..protocol import classic, views
from ..protocol.classic import Ask
from ..protocol.dialects import BATCH, CLASSIC, DIALECTS
from ..runtime.fanout import Fanout
from ..runtime.realm import Answer, Realm
from ..settings.server import Server
from ..world import commands
from ..world.caller import Caller
from ..world.commands import Command
from .callers import Callers
from .deflate import accept_deflate
from .frames import Bounds
from .guard import Guard, Visitor
from .limits import RateLimited, Refusal
from .outbox import Outbox
from .wire import Arrival, Wire
from .wishes import MOST_LINKS, Wishes

GOING_AWAY: Final = 1001


class Connection(Wire):
    """One WebSocket client; a `Viewer` for the fan-out."""

    factory: Gateway
    cell = 0
    slot = 0
    follow: str | None = None
    dialect = CLASSIC
    player: str | None = None
    caller: Caller
    #: Which of the realm's WebSockets it is, since when (ms), and how many messages came.
    number = since = messages = 0
    #: What was given to be signed and has not been answered.
    challenge = ""
    _proxied = False
    _arrival: Arrival | None = None

    def arrive(self, arrival: Arrival) -> None:
        """Whose connection it was while it spoke HTTP."""
        self._arrival = arrival
        self.caller, self.client, self.throttle = arrival.caller, arrival.peer, arrival.throttle
        self._proxied = arrival.proxied

    def onConnect(self, request: ConnectionRequest) -> str | None:
        assert self._arrival is not None
        self.lane, self._arrival = self._arrival.lane, None
        self.lane.hand_over(self._dataReceived)
        followed = request.params.get("agent", [""])[0]
        self.follow = followed[:64] or None
        return BATCH if BATCH in request.protocols else None

    def onOpen(self) -> None:
        factory = self.factory
        deflate = self._perMessageCompress is not None
        self.account = factory.guard.account(self, self.client)
        self._visitor = Visitor("websocket", self.client, self.caller, self.throttle, self.account)
        self.dialect = DIALECTS[self.websocket_protocol_in_use == BATCH, deflate]
        self.agents: set[str] = set()
        self.outbox = Outbox(
            self.transport,
            factory.clock,
            factory.bounds.outbox_bytes,
            factory.bounds.outbox_patience,
            self.overflow,
            lambda: factory.fanout.refresh(self),
            self.account,
        )
        self.deliver = self.outbox.deliver  # type: ignore[method-assign]  # a call less a write
        if self.lane is not None:  # who does not read is answered no more: only news waits for it
            self.lane.ready = lambda: not self.outbox.loaded
            self.outbox.caught_up = self.lane.go_on
        factory.opened += 1
        self.number, self.since = factory.opened, milliseconds(factory.clock)
        factory.connections.add(self)
        factory.guard.crowd.watches(self)
        if self._proxied:
            factory.guard.crowd.hold(self.client)
        self.tell("roomInfo", info=views.room_info(factory.realm.world, factory.realm.room))
        factory.fanout.join(self)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        factory = self.factory
        if self in factory.connections:
            factory.connections.discard(self)
            factory.guard.crowd.watches_no_more(self)
            if self._proxied:
                factory.guard.crowd.release(self.client)
            factory.dropped += self.outbox.dropped
            factory.fanout.leave(self)
            for agent_id in self.agents:
                factory.realm.intake.submit(commands.LinkClosed(agent_id=agent_id))

    def left(self) -> None:
        self.factory.fanout.leave(self)

    def speaks(self) -> bool:
        return bool(self.agents or self.player is not None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN:
            return
        self.factory.messages += 1
        self.messages += 1
        if self.too_fast is not None:
            self._slow_down(self.too_fast, payload)
            return
        mark: str | int | None = None
        try:
            if self.too_long:
                self.too_long = False
                self.factory.faults += 1
                self.wrong(f"Message too large (limit {self.factory.bounds.message_bytes} bytes)", None)
                return
            wish, mark = classic.decode_message(payload)
            if (token := classic.token_in(payload)) is not None:
                self._show_token(token, mark)
            if isinstance(wish, classic.Wish):
                self.factory.wishes.grant(self, wish, mark)
            else:
                self.ask(wish, mark)
        except RateLimited as fault:
            self._limited(fault.seconds, str(fault), mark)
        except Fault as fault:
            self.factory.faults += 1
            self.factory.offences.fault(fault, "websocket", self.client.address)
            self.wrong(str(fault), fault.mark, fault.code)
        except Exception:
            self.factory.failed += 1
            self.logger.failure("message failed peer={peer}", peer=self.peer)
            self.wrong("internal_error", None)

    def _slow_down(self, refusal: Refusal, payload: bytes) -> None:
        """The message came too fast; a short one is asked for its `id`."""
        self.too_fast, self.too_long = None, False
        try:
            _, mark = classic.decode_message(payload)
        except Fault as fault:
            mark = fault.mark
        self._limited(refusal.seconds, refusal.text, mark)

    def _limited(self, seconds: int, text: str, mark: str | int | None) -> None:
        told = {"code": "rate_limited", "retryAfter": seconds}
        if mark is not None:
            self.tell("ack", id=mark, ok=False, error="rate_limited", reason=text, **told)
        else:
            self.tell("error", message=text, **told)

    def _show_token(self, token: str, mark: str | int | None) -> None:
        try:
            self.factory.show(self.caller, token)
        except Fault as fault:
            fault.mark = mark
            raise

    def wrong(self, text: str, mark: str | int | None, code: str = "") -> None:
        """Tell of a mistake."""
        told = {"code": code} if code else {}
        if mark is not None:
            self.tell("ack", id=mark, ok=False, error=text, **told)
        else:
            self.tell("error", message=text, **told)

    def ask(self, ask: Ask, mark: str | int | None) -> None:
        """Ask it of the realm, and acknowledge it by `mark`; without one, only a refusal is told."""
        agent_id: str | None = getattr(ask, "agent_id", None) if isinstance(ask, Command) else None

        def reply(answer: Answer) -> None:
            good = answer.fields.get("ok")
            if good and agent_id is not None:
                self.speak_for(agent_id)
            if mark is not None:
                self.tell("ack", id=mark, **answer.fields)
            elif not good:
                self.refused(answer)

        self.serve(ask, reply, quietly=mark is None and agent_id in self.agents)

    def serve(self, ask: Ask, reply: Callable[[Answer], None], *, quietly: bool = False) -> None:
        """See `Guard.serve`."""
        self.factory.guard.serve(ask, reply, self._visitor, quietly=quietly)

    def refused(self, answer: Answer) -> None:
        """Tell of a refusal where nothing can be acknowledged."""
        fields = answer.fields
        ends = {"reason": fields["reason"], "until": fields["until"]} if "until" in fields else {}
        self.tell("error", message=fields["error"], code=fields["code"], **ends)

    def speak_for(self, agent_id: str) -> None:
        """While this socket is open, the agent counts as heard, and gets its private messages here."""
        if agent_id in self.agents or len(self.agents) >= MOST_LINKS or self not in self.factory.connections:
            return
        self.agents.add(agent_id)
        self.factory.fanout.link(self, agent_id)
        self.factory.realm.intake.submit(commands.LinkOpened(agent_id=agent_id))

    def speak_no_more_for(self, agent_id: str) -> None:
        """From now on this socket is as any other to the agent."""
        if agent_id in self.agents and self in self.factory.connections:
            self.agents.discard(agent_id)
            self.factory.fanout.unlink(self, agent_id)
            self.factory.realm.intake.submit(commands.LinkClosed(agent_id=agent_id))


class Gateway(WebSocketServerFactory):
    """Makes a `Connection` for each WebSocket client.  Every limit Autobahn leaves open is set.

    `pong` is told how long (s) a client took to answer a ping.
    """

    protocol = Connection  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        realm: Realm,
        fanout: Fanout,
        callers: Callers,
        guard: Guard,
        server: Server,
        pong: Callable[[float], None],
        clock: IReactorTime,
        rng: random.Random,
    ) -> None:
        super().__init__(reactor=clock, server="realmd")
        self.realm = realm
        self.fanout = fanout
        self.guard = guard
        self.offences = guard.offences
        self.bounds = bounds = Bounds.of(server)
        self.clock = clock
        self.wishes = Wishes(fanout, callers, rng)
        self.show = callers.show
        self.connections: set[Connection] = set()
        self.messages = self.faults = self.failed = self.overflowed = self.dropped = self.opened = 0
        self.losses = Losses("websocket", clock)
        self.overflows = Sparing(Logger(namespace="realmd.gateway.websocket"), clock)
        self._pong = pong
        self.setProtocolOptions(
            versions=[13],
            openHandshakeTimeout=bounds.handshake,
            closeHandshakeTimeout=bounds.handshake,
            autoPingInterval=bounds.ping_interval,
            autoPingTimeout=bounds.ping_timeout,
            autoPingSize=12,
            tcpNoDelay=True,
            failByDrop=False,
            echoCloseCodeReason=False,
            serveFlashSocketPolicy=False,
            webStatus=False,
            perMessageCompressionAccept=self._accept,
        )
        self.options = {name: getattr(self, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}

    def welcome(self, arrival: Arrival, address: IAddress) -> Connection:
        """A connection for who arrives from `address` (of the transport); not connected yet."""
        connection: Any = self.buildProtocol(address)
        connection.arrive(arrival)
        return connection  # type: ignore[no-any-return]  # of a factory, its `protocol`

    def lost(self, address: IAddress) -> None:
        """See `wire.Site`, with the next one."""
        self.guard.crowd.leave(address)

    def on_pong(self, seconds: float) -> None:
        self._pong(seconds)

    def _accept(self, offers: list[PerMessageDeflateOffer]) -> PerMessageDeflateOfferAccept | None:
        return accept_deflate(offers, self.bounds.message_bytes) if self.bounds.compression else None

    def close_all(self) -> list[Deferred[Any]]:
        """Tell every client that the realm is going away; each Deferred fires when one is gone."""
        for connection in list(self.connections):
            connection.say_goodbye(GOING_AWAY, "the realm is stopping")
        return [connection.is_closed for connection in self.connections]

    def drop_all(self) -> None:
        """Hang up on those who did not answer."""
        for connection in list(self.connections):
            connection.dropConnection(abort=True)

    def deliveries_dropped(self) -> int:
        """Deliveries cut for slow readers, those gone included."""
        return self.dropped + sum(connection.outbox.dropped for connection in self.connections)

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_websocket_connections", "WebSocket clients.", lambda: len(self.connections)),
            ("realmd_websocket_messages_total", "WebSocket messages received.", lambda: self.messages),
            ("realmd_websocket_faults_total", "WebSocket messages that were wrong.", lambda: self.faults),
            ("realmd_websocket_timeouts_total", "Pings not answered.", lambda: self.losses.timeouts),
            ("realmd_websocket_resets_total", "WebSockets reset.", lambda: self.losses.resets),
            ("realmd_outbox_dropped_total", "Deliveries cut for slow readers.", self.deliveries_dropped),
            ("realmd_outbox_overflows_total", "Clients closed for being too slow.", lambda: self.overflowed),
        ]
