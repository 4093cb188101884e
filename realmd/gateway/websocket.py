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
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..errors import Fault, Rejection
from ..protocol import classic, encode, views
from ..protocol.classic import Ask
from ..protocol.dialects import BATCH, CLASSIC, DIALECTS, WINDOW_BITS
from ..runtime.fanout import Fanout
from ..runtime.realm import Answer, Realm, refusal
from ..world import commands, queries
from ..world.commands import Command
from ..world.engine import Outcome
from ..world.queries import Query
from .outbox import Outbox

GOING_AWAY: Final = 1001
TRY_AGAIN_LATER: Final = 1013
#: Agents that one connection may speak for, and the cut of a player's name.
MAX_LINKS: Final = 64
PLAYER_NAME: Final = 32


class Bounds(Struct, frozen=True):
    """What one connection may use (bytes, s)."""

    message_bytes: int
    outbox_bytes: int
    outbox_patience: float
    compression: bool


class Deflate(PerMessageDeflateOfferAccept):
    """An accepted offer that says, even if it was not asked, that each message stands alone."""

    def get_extension_string(self) -> str:
        extension: str = super().get_extension_string()
        told = "server_no_context_takeover"
        return extension if told in extension else f"{extension}; {told}"


class Connection(WebSocketServerProtocol):
    """One WebSocket client; a `Viewer` for the fan-out."""

    logger = Logger(namespace="realmd.gateway.websocket")
    factory: Gateway
    transport: Any
    closeHandshakeTimeout: float
    _isMessageCompressed: bool
    cell = 0
    slot = 0
    follow: str | None = None
    dialect = CLASSIC
    #: Set when the handshake is done; Autobahn writes by itself until then.
    outbox: Outbox = None  # type: ignore[assignment]
    player: str | None = None
    _too_long = False
    _abort: IDelayedCall | None = None

    def onConnect(self, request: ConnectionRequest) -> str | None:
        followed = request.params.get("agent", [""])[0]
        self.follow = followed[:64] or None
        return BATCH if BATCH in request.protocols else None

    def onOpen(self) -> None:
        factory = self.factory
        deflate = self._perMessageCompress is not None
        self.dialect = DIALECTS[self.websocket_protocol_in_use == BATCH, deflate]
        self.agents: set[str] = set()
        self.outbox = Outbox(
            self.transport,
            factory.clock,
            factory.bounds.outbox_bytes,
            factory.bounds.outbox_patience,
            self._overflow,
            lambda: factory.fanout.refresh(self),
        )
        self.deliver = self.outbox.deliver  # type: ignore[method-assign]  # a call less a write
        factory.connections.add(self)
        self.tell("roomInfo", info=views.room_info(factory.realm.world, factory.realm.room))
        factory.fanout.join(self)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        factory = self.factory
        if self in factory.connections:
            factory.connections.discard(self)
            factory.dropped += self.outbox.dropped
            factory.fanout.leave(self)
            for agent_id in self.agents:
                factory.realm.intake.submit(commands.LinkClosed(agent_id=agent_id))

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        if self.closeHandshakeTimeoutCall is not None:  # Autobahn leaves this one
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        if self.outbox is not None:
            self.outbox.forget()
            del self.deliver
        # They hold us as their result: no cycle is left for the garbage collector.
        self.is_open = self.is_closed = None
        self.factory.lost()

    def deliver(self, whole: bytes, durable: bytes) -> None:
        """See `runtime.fanout.Viewer`."""
        self.outbox.deliver(whole, durable)

    def tell(self, kind: str, **fields: Any) -> None:
        """Send one message to this client alone."""
        frame = encode.message(kind, **fields)
        self.outbox.deliver(frame, frame)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Autobahn's own frames take their turn with ours."""
        if self.outbox is None:
            super().sendData(data, sync, chopsize)
        else:
            self.outbox.control(data)

    def _closeConnection(self, abort: bool = False) -> None:
        if self.outbox is not None:
            self.transport.unregisterProducer()  # else it would wait for more from us
        super()._closeConnection(abort)
        if not abort:  # a reader that takes nothing would keep it from closing
            self._abort = self.factory.clock.callLater(
                self.closeHandshakeTimeout, self.transport.abortConnection
            )

    # -- incoming ----------------------------------------------------------------------

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self.message_data_total_length > self.factory.bounds.message_bytes:
            self._pass_over()

    def onFrameData(self, payload: bytes) -> bool | None:
        going_on: bool | None = super().onFrameData(payload)
        return None if self._too_long else going_on

    def onMessageFrameData(self, payload: bytes) -> None:
        """Keep nothing of a message that is too long, however long it goes on, and no empty pieces."""
        if payload and not self._too_long:
            super().onMessageFrameData(payload)

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        """A message that was small on the wire is too long when inflated; Autobahn would hang up."""
        self._pass_over()

    def _pass_over(self) -> None:
        """Neither keep, inflate nor look at what is still to come of this message."""
        self._too_long = True
        self._isMessageCompressed = False
        self.utf8validateIncomingCurrentMessage = False
        self.message_data.clear()
        if self.frame_data:
            self.frame_data.clear()

    def onPing(self, payload: bytes) -> None:
        """Who pings and does not read gets no pong: it would wait where nothing bounds it."""
        if not self.outbox.behind:
            super().onPing(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN:
            return
        self.factory.messages += 1
        try:
            if self._too_long:
                self._too_long = False
                raise Fault(f"Message too large (limit {self.factory.bounds.message_bytes} bytes)")
            wish, mark = classic.decode_message(payload)
            if isinstance(wish, classic.Wish):
                self._grant(wish, mark)
            else:
                self._ask(wish, mark)
        except Fault as fault:
            self.factory.faults += 1
            self._wrong(str(fault), fault.mark)
        except Exception:
            self.logger.failure("message failed peer={peer}", peer=self.peer)
            self._wrong("internal_error", None)

    def _wrong(self, text: str, mark: str | int | None) -> None:
        if mark is not None:
            self.tell("ack", id=mark, ok=False, error=text)
        else:
            self.tell("error", message=text)

    def _ask(self, ask: Ask, mark: str | int | None) -> None:
        if isinstance(ask, Command) and (agent_id := getattr(ask, "agent_id", None)) is not None:
            self._speak_for(agent_id)

        if mark is None and isinstance(ask, Command):
            self.factory.realm.tell(ask, self._refused)
            return

        def reply(answer: Answer) -> None:
            if mark is not None:
                self.tell("ack", id=mark, **answer.fields)
            elif not answer.fields.get("ok"):
                self._refused(answer)

        self.factory.realm.serve(ask, reply)

    def _refused(self, answer: Answer) -> None:
        self.tell("error", message=answer.fields["error"])

    def _speak_for(self, agent_id: str) -> None:
        """While this socket is open, the agent counts as heard, and gets its private messages here."""
        if agent_id in self.agents or len(self.agents) >= MAX_LINKS:
            return
        if agent_id in self.factory.realm.world.atlas.inhabitants:  # only its mind speaks for it
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
                self._show("profiles", "profiles", queries.Profiles(), mark)
            case classic.RequestProfile(agent_id=agent_id):
                self._show("profile", "profile", queries.ProfileOf(agent_id=agent_id), mark)
            case classic.RequestRoomInfo():
                self._show("roomInfo", "info", queries.RoomInfo(), mark)
            case classic.PlayerJoin():
                self._player_join(wish)
            case _:
                self._play(wish, mark)

    def _show(self, kind: str, field: str, query: Query, mark: str | int | None) -> None:
        """Answer a classic request: what is asked for, in a message of its own kind."""

        def reply(answer: Answer) -> None:
            fields = {name: value for name, value in answer.fields.items() if name != "ok"}
            if not answer.fields["ok"]:
                self._wrong(fields["error"], mark)
            else:
                self.tell(kind, **{field: fields.get(field, fields)})

        self.factory.realm.serve(query, reply)

    def _player_join(self, wish: classic.PlayerJoin) -> None:
        if self.player is not None:
            raise Fault("already joined")
        if len(self.agents) >= MAX_LINKS:
            raise Fault(f"this connection speaks for {MAX_LINKS} agents already")
        player = f"human-{self.factory.rng.getrandbits(48):012x}"
        name = wish.name.strip()[:PLAYER_NAME] or "Visitor"

        def reply(outcome: Outcome) -> None:
            if isinstance(outcome, Rejection):
                self.player = None
                self.tell("error", message=refusal(outcome).fields["error"])
            else:
                self.tell("playerJoined", agentId=player)

        self.player = player
        join = commands.PlayerJoin(agent_id=player, name=name, color=wish.color)
        self._speak_for(player)
        self.factory.realm.intake.submit(join, reply)

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

    # -- ending ------------------------------------------------------------------------

    def _overflow(self, reason: str) -> None:
        self.factory.overflowed += 1
        self.logger.warn(
            "buffer overflow door=websocket peer={peer} reason={reason}", peer=self.peer, reason=reason
        )
        self.say_goodbye(TRY_AGAIN_LATER, reason)

    def say_goodbye(self, code: int, reason: str) -> None:
        """Start the closing handshake; `sendClose` leaves the codes below 3000 to Autobahn itself."""
        self.sendCloseFrame(code, reason.encode())

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        """Nothing follows a close frame, whoever began (RFC 6455, section 5.5.1)."""
        if self.state == self.STATE_OPEN:
            super().sendCloseFrame(code, reasonUtf8, isReply)
            self.outbox.stopProducing()
            self.factory.fanout.leave(self)


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
        lost: Callable[[], None],
    ) -> None:
        super().__init__(reactor=clock, server="realmd")
        self.realm = realm
        self.fanout = fanout
        self.clock = clock
        self.rng = rng
        self.bounds = bounds
        self.lost = lost
        self.connections: set[Connection] = set()
        self.messages = self.faults = self.overflowed = self.dropped = 0

    def _accept(self, offers: list[PerMessageDeflateOffer]) -> PerMessageDeflateOfferAccept | None:
        """permessage-deflate without context take-over, or nothing."""
        for offer in offers:
            if isinstance(offer, PerMessageDeflateOffer):
                # A window smaller than ours would have to be kept for this client alone.
                if 0 < offer.request_max_window_bits < WINDOW_BITS:
                    continue
                accepted = Deflate(offer, max_message_size=self.bounds.message_bytes)
                # The client's messages stand alone, too: one that is too long can be passed over.
                # It need not have offered that (RFC 7692, 7.1.1.2), though Autobahn thinks so.
                accepted.request_no_context_takeover = True
                return accepted
        return None

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
            perMessageCompressionAccept=self._accept if self.bounds.compression else lambda offers: None,
        )

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
