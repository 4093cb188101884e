"""The WebSocket door at /ws: viewers, agents and human players."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionRequest
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger

from ..host.clock import milliseconds
from ..host.network import Losses, Sparing
from ..primitives.errors import Fault, Rejection
from ..primitives.figures import Figures
from ..protocol import classic, views
from ..protocol.classic import Ask
from ..protocol.dialects import BATCH, CLASSIC, DIALECTS
from ..runtime.fanout import Fanout
from ..runtime.realm import Answer, Realm, refusal
from ..world import commands, queries
from ..world.caller import Caller
from ..world.commands import Command
from ..world.engine import Outcome
from ..world.queries import Query
from .callers import Callers
from .guard import Guard
from .limits import HEAVY_COST, RateLimited, Refusal, Throttle
from .outbox import Outbox
from .peers import Peer
from .turns import Lane
from .wire import Bounds, Wire, accept_deflate

GOING_AWAY: Final = 1001
#: Agents that one connection may speak for, and the cut of a player's name.
MAX_LINKS: Final = 64
PLAYER_NAME: Final = 32


class Arrival(Struct, frozen=True):
    """Whose handshake is under way; `proxied`: his connection was not counted as his."""

    caller: Caller
    peer: Peer
    throttle: Throttle
    proxied: bool
    lane: Lane


class Connection(Wire):
    """One WebSocket client; a `Viewer` for the fan-out."""

    cell = 0
    slot = 0
    follow: str | None = None
    dialect = CLASSIC
    player: str | None = None
    caller: Caller
    #: Which of the realm's WebSockets it is, since when (ms), and how many messages came.
    number = since = messages = 0
    #: What was given to be signed and has not been answered.
    _challenge = ""

    def onConnect(self, request: ConnectionRequest) -> str | None:
        arrival = self.factory.arriving
        assert arrival is not None
        self.caller, self.client, self.throttle = arrival.caller, arrival.peer, arrival.throttle
        self._proxied = arrival.proxied
        self.lane = arrival.lane
        self.lane.hand_over(self._dataReceived)
        followed = request.params.get("agent", [""])[0]
        self.follow = followed[:64] or None
        return BATCH if BATCH in request.protocols else None

    def onOpen(self) -> None:
        factory = self.factory
        deflate = self._perMessageCompress is not None
        self.account = factory.guard.account(self, self.client)
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
                self._wrong(f"Message too large (limit {self.factory.bounds.message_bytes} bytes)", None)
                return
            wish, mark = classic.decode_message(payload)
            if (token := classic.token_in(payload)) is not None:
                self._show_token(token, mark)
            if isinstance(wish, classic.Wish):
                self._grant(wish, mark)
            else:
                self._ask(wish, mark)
        except RateLimited as fault:
            self._limited(fault.seconds, str(fault), mark)
        except Fault as fault:
            self.factory.faults += 1
            self.factory.guard.offences.fault(fault, "websocket", self.client.address)
            self._wrong(str(fault), fault.mark, fault.code)
        except Exception:
            self.factory.failed += 1
            self.logger.failure("message failed peer={peer}", peer=self.peer)
            self._wrong("internal_error", None)

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
            self.factory.callers.show(self.caller, token)
        except Fault as fault:
            fault.mark = mark
            raise

    def _wrong(self, text: str, mark: str | int | None, code: str = "") -> None:
        told = {"code": code} if code else {}
        if mark is not None:
            self.tell("ack", id=mark, ok=False, error=text, **told)
        else:
            self.tell("error", message=text, **told)

    def _ask(self, ask: Ask, mark: str | int | None) -> None:
        agent_id: str | None = getattr(ask, "agent_id", None) if isinstance(ask, Command) else None
        if mark is None and isinstance(ask, Command) and agent_id in self.agents:
            self.factory.realm.tell(ask, self._refused, self.caller)
            return

        def reply(answer: Answer) -> None:
            good = answer.fields.get("ok")
            self.factory.guard.offences.refused(answer.fields.get("code"), "websocket", self.client.address)
            if good and agent_id is not None:
                self._speak_for(agent_id)
            if mark is not None:
                self.tell("ack", id=mark, **answer.fields)
            elif not good:
                self._refused(answer)

        self._serve(ask, reply)

    def _serve(self, ask: Ask, reply: Callable[[Answer], None]) -> None:
        guard, realm = self.factory.guard, self.factory.realm
        guard.register(ask, self.client, realm)
        guard.serve(realm, ask, reply, self.caller, self.throttle, self.account)

    def _refused(self, answer: Answer) -> None:
        fields = answer.fields
        ends = {"reason": fields["reason"], "until": fields["until"]} if "until" in fields else {}
        self.tell("error", message=fields["error"], code=fields["code"], **ends)

    def _speak_for(self, agent_id: str) -> None:
        """While this socket is open, the agent counts as heard, and gets its private messages here."""
        if agent_id in self.agents or len(self.agents) >= MAX_LINKS or self not in self.factory.connections:
            return
        self.agents.add(agent_id)
        self.factory.fanout.link(self, agent_id)
        self.factory.realm.intake.submit(commands.LinkOpened(agent_id=agent_id))

    # -- what a client wishes for itself -------------------------------------------------

    def _grant(self, wish: classic.Wish, mark: str | int | None) -> None:
        fanout = self.factory.fanout
        match wish:
            case classic.Viewport(x=x, z=z):
                if self.follow is None:
                    fanout.look(self, x, z)
            case classic.Follow(agent_id=agent_id):
                fanout.follow(self, agent_id)
            case classic.Subscribe():
                fanout.refresh(self)
            case classic.RequestProfiles():
                self._show("profiles", "profiles", wish.query(), mark)
            case classic.RequestProfile(agent_id=agent_id):
                self._show("profile", "profile", queries.ProfileOf(agent_id=agent_id), mark)
            case classic.RequestRoomInfo():
                self._show("roomInfo", "info", queries.RoomInfo(), mark)
            case classic.Challenge():
                given = self.factory.callers.challenge()
                self._challenge = given["challenge"]
                self.tell("challenge", **given)
            case classic.Authenticate(event=event):
                self._authenticate(event, mark)
            case classic.PlayerJoin():
                self._player_join(wish)
            case _:
                self._play(wish, mark)

    def _authenticate(self, event: dict[str, Any], mark: str | int | None) -> None:
        challenge, self._challenge = self._challenge, ""
        try:
            self.factory.callers.answer(self.caller, challenge, event)
        except Fault as fault:
            fault.mark = mark
            raise
        shown = {"pubkey": self.caller.pubkey, "npub": self.caller.npub}
        if mark is not None:
            self.tell("ack", id=mark, ok=True, **shown)
        else:
            self.tell("authenticated", **shown)

    def _show(self, kind: str, field: str, query: Query, mark: str | int | None) -> None:
        """Answer a classic request: what is asked for, in a message of its own kind."""

        def reply(answer: Answer) -> None:
            fields = {name: value for name, value in answer.fields.items() if name != "ok"}
            if not answer.fields["ok"]:
                self._wrong(fields["error"], mark)
            else:
                more = {"next": fields["next"]} if "next" in fields else {}
                self.tell(kind, **{field: fields.get(field, fields)}, **more)

        self._serve(query, reply)

    def _player_join(self, wish: classic.PlayerJoin) -> None:
        if self.player is not None:
            raise Fault("already joined")
        if len(self.agents) >= MAX_LINKS:
            raise Fault(f"this connection speaks for {MAX_LINKS} agents already")
        # Each is a new agentId, with a share of its own in the world.
        if (refused := self.throttle.admit(self.client, "websocket", HEAVY_COST)) is not None:
            raise RateLimited(refused)
        player = f"human-{self.factory.rng.getrandbits(48):012x}"
        name = wish.name.strip()[:PLAYER_NAME] or "Visitor"

        def reply(outcome: Outcome) -> None:
            if isinstance(outcome, Rejection):
                self.player = None
                self._refused(refusal(outcome))
            else:
                self.tell("playerJoined", agentId=player)

        self.player = player
        join = commands.PlayerJoin(agent_id=player, name=name, color=wish.color)
        self._speak_for(player)
        self.factory.realm.intake.submit(join, reply, self.caller)

    def _play(self, wish: classic.Wish, mark: str | int | None) -> None:
        if self.player is None:
            raise Fault("playerJoin first")
        me = self.player
        match wish:
            case classic.PlayerMove(x=x, z=z, rotation=rotation):
                self._ask(commands.WorldMove(agent_id=me, x=x, z=z, rotation=rotation), mark)
            case classic.PlayerChat(text=text):
                self._ask(commands.WorldChat(agent_id=me, text=text), mark)
            case classic.PlayerAction(action=action):
                self._ask(commands.WorldAction(agent_id=me, action=action), mark)
            case classic.PlayerLeave():
                self.player = None
                self._ask(commands.WorldLeave(agent_id=me), mark)


class Gateway(WebSocketServerFactory):
    """Makes a `Connection` for each WebSocket client.  Every limit Autobahn leaves open is set."""

    protocol = Connection  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        realm: Realm,
        fanout: Fanout,
        clock: IReactorTime,
        rng: random.Random,
        bounds: Bounds,
        lost: Callable[[IAddress], None],
        callers: Callers,
        guard: Guard,
    ) -> None:
        super().__init__(reactor=clock, server="realmd")
        self.realm = realm
        self.fanout = fanout
        self.clock = clock
        self.rng = rng
        self.bounds = bounds
        self.lost = lost
        self.callers = callers
        #: Whose handshake is under way.
        self.arriving: Arrival | None = None
        self.guard = guard
        self.connections: set[Connection] = set()
        self.messages = self.faults = self.failed = self.overflowed = self.dropped = self.opened = 0
        self.losses = Losses("websocket", clock)
        self.overflows = Sparing(Logger(namespace="realmd.gateway.websocket"), clock)
        #: Called with how long (s) a client took to answer a ping.
        self.on_pong: Callable[[float], None] = lambda seconds: None

    def _accept(self, offers: list[PerMessageDeflateOffer]) -> PerMessageDeflateOfferAccept | None:
        return accept_deflate(offers, self.bounds.message_bytes) if self.bounds.compression else None

    def limit(self, handshake: float, ping_interval: float, ping_timeout: float) -> None:
        """Set the time-outs (s) and what they bound."""
        self.setProtocolOptions(
            versions=[13],
            openHandshakeTimeout=handshake,
            closeHandshakeTimeout=handshake,
            autoPingInterval=ping_interval,
            autoPingTimeout=ping_timeout,
            autoPingSize=12,
            tcpNoDelay=True,
            failByDrop=False,
            echoCloseCodeReason=False,
            serveFlashSocketPolicy=False,
            webStatus=False,
            perMessageCompressionAccept=self._accept,
        )
        self.options = {name: getattr(self, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}

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
