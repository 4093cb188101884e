"""The control socket: a Unix socket on which operators ask, each known by what the kernel says of it."""

from __future__ import annotations

import pwd
import shutil
import socket
import stat
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from ..host.reactor import IReactor
from ..primitives.errors import Fault
from ..protocol.control import LONGEST_LINE, Order, answer, decode, refusal
from .audit import Operator
from .desk import Desk

#: Connections at once, and how long (s) one may say nothing.
MOST: Final = 16
IDLE: Final = 300.0
MODE: Final = 0o660
#: Groups that may use the socket where the configuration names none; the first there is.
GROUPS: Final = ("realmd", "realm-server")
#: What SO_PEERCRED gives: process, user, group (unix(7)).
_CREDENTIALS: Final = struct.Struct("3i")


class InUse(Exception):
    """There is something at the socket's path that may not be taken away."""


class Control(LineOnlyReceiver, TimeoutMixin):
    """One operator's connection: a line asks, a line answers, and then the next one may come."""

    delimiter = b"\n"
    MAX_LENGTH = LONGEST_LINE
    log = Logger()
    factory: ControlSocket
    transport: Any
    who: Operator
    _busy = False

    def connectionMade(self) -> None:
        self.who = credentials(self.transport.socket)
        self.factory.connections.add(self)
        self.setTimeout(IDLE)
        self.log.info(
            "operator connected user={user} uid={uid} pid={pid}",
            user=self.who.user,
            uid=self.who.uid,
            pid=self.who.pid,
        )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.setTimeout(None)
        self.factory.connections.discard(self)

    def callLater(self, delay: float, function: Callable[[], None]) -> Any:
        return self.factory.clock.callLater(delay, function)

    def lineReceived(self, line: bytes) -> None:
        if self._busy:
            self.transport.write(refusal("busy", "one order after another: wait for the answer"))
            return
        try:
            order = decode(line)
        except Fault as fault:
            self.transport.write(refusal(fault.code, str(fault)))
            return
        self._busy = True
        self.setTimeout(None)
        self.factory.serve(order, self)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.transport.write(refusal("too_long", f"a line has at most {LONGEST_LINE} bytes"))
        self.transport.loseConnection()

    def reply(self, line: bytes) -> None:
        """Answer the order, and take the next; nobody may be there any more."""
        self._busy = False
        if self in self.factory.connections:
            self.transport.write(line)
            self.setTimeout(IDLE)


class ControlSocket(ServerFactory):
    """Listens at `path`, for the daemon's own user and `group`.

    `link` is where `realmctl` looks for it, if that is elsewhere.
    """

    protocol = Control  # type: ignore[assignment]
    noisy = False
    log = Logger()

    def __init__(self, desk: Desk, reactor: IReactor, path: Path, link: Path, group: str) -> None:
        self.clock = reactor
        self.connections: set[Control] = set()
        self._desk = desk
        self._path = path
        self._link = link
        self._group = group
        self._port: IListeningPort | None = None
        self._running: set[Deferred[None]] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return super().buildProtocol(addr) if len(self.connections) < MOST else Full()

    def open(self) -> None:
        """Listen.  Without its socket the realm runs on, and says so."""
        try:
            for place in {self._path, self._link}:
                clear(place)
            self._port = self.clock.listenUNIX(str(self._path), self, mode=MODE)
            self._admit_group()
            if self._link != self._path:
                self._link.symlink_to(self._path)
        except Exception as error:
            self.log.error("no control socket path={path}: {error}", path=str(self._path), error=error)

    async def close(self) -> None:
        """Hear nobody any more, end what is under way."""
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
            if self._link != self._path:
                self._link.unlink(missing_ok=True)
        running = list(self._running)
        for work in running:
            work.cancel()
        await DeferredList(running, consumeErrors=True)
        for connection in list(self.connections):
            connection.transport.loseConnection()

    def serve(self, order: Order, connection: Control) -> None:
        """Do what was ordered, and answer."""
        work = Deferred.fromCoroutine(self._serve(order, connection))
        self._running.add(work)
        work.addBoth(lambda _: self._running.discard(work))

    async def _serve(self, order: Order, connection: Control) -> None:
        try:
            line = answer(await self._desk.do(order, connection.who))
        except Fault as fault:
            line = refusal(fault.code, str(fault))
        except CancelledError:
            line = refusal("shutting_down", "the realm is stopping")
        except Exception:
            self.log.failure("an order failed")
            line = refusal("internal_error", "the realm made a mistake over this; it is logged")
        connection.reply(line)

    def _admit_group(self) -> None:
        names: Sequence[str] = (self._group,) if self._group else GROUPS
        for name in names:
            try:
                shutil.chown(self._path, group=name)
                return
            except LookupError:
                if self._group:
                    self.log.warn("no such group={group}; see control.group", group=name)
            except OSError as error:
                self.log.warn("control socket not given to group={group}: {error}", group=name, error=error)
                return


class Full(LineOnlyReceiver):
    """Says that there are too many operators at once."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(refusal("busy", f"at most {MOST} operators at once"))
        self.transport.loseConnection()


def credentials(line: socket.socket) -> Operator:
    """Who is at the other end of a Unix socket."""
    raw = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Operator(uid, user, pid)


def clear(path: Path) -> None:
    """Take away a socket, or a link to one, that a daemon which was killed has left; raises `InUse`."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
        raise InUse("something else than a socket is there")
    with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError, FileNotFoundError):
        probe.settimeout(1.0)
        probe.connect(str(path))
        raise InUse("another daemon listens there")
    path.unlink()
