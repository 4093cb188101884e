"""What systemd and the daemon tell each other: readiness, signs of life, and sockets handed over.

sd_notify(3) is a datagram to the address in $NOTIFY_SOCKET; sd_listen_fds(3) is two
variables and file descriptors from 3 on.  Without systemd nothing of this does anything.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, MutableMapping
from itertools import count
from typing import Final

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from ..host.reactor import IReactor
from .daemon import Stage
from .periodic import Periodic

#: How often (s) the status is told where no watchdog is wanted.
STATUS_EVERY: Final = 10.0


class Notifier:
    """Tells systemd how the daemon is; says nothing where nobody listens.

    A message that cannot be sent is logged and forgotten: the service manager restarting
    must not end the realm.
    """

    log = Logger()

    def __init__(
        self, status: Callable[[], str] = lambda: "", address: str = "", watchdog_us: int = 0
    ) -> None:
        """`status` makes the line that `systemctl status` shows."""
        self._status = status
        self._address = "\0" + address[1:] if address.startswith("@") else address
        #: Within how many seconds systemd wants a sign of life; 0: it does not.
        self.watchdog = watchdog_us / 1_000_000
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    @classmethod
    def of(cls, environ: MutableMapping[str, str], status: Callable[[], str]) -> Notifier:
        """As the variables tell, which are taken out: no child is to speak for the daemon."""
        address = environ.pop("NOTIFY_SOCKET", "")
        wanted = environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", str(os.getpid()))
        ours = process == str(os.getpid()) and wanted.isdecimal()
        return cls(status, address, int(wanted) if ours else 0)

    @property
    def listened_to(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._socket is not None

    def stage(self, clock: IReactorTime) -> Stage:
        """To begin last and end first: `ready`, signs of life meanwhile, `stopping`."""
        stage = Stage("systemd", self.ready, self.stopping)
        self.heartbeat(clock).setServiceParent(stage)
        return stage

    def ready(self) -> None:
        """It serves: `systemctl start` returns now."""
        self._tell(f"READY=1\nSTATUS={self._status()}")

    def reload(self, work: Callable[[], None] | None) -> None:
        """What SIGHUP does: `work`, which reads again what can be read again, or nothing."""
        self._tell("RELOADING=1")
        if work is not None:
            work()
        self.ready()

    def stopping(self) -> None:
        self._tell("STOPPING=1\nSTATUS=stopping")

    def heartbeat(self, clock: IReactorTime) -> Periodic:
        """The sign of life, at half of the time that systemd waits for it, with the status.

        It comes from the reactor: when that hangs, it stays away, and systemd aborts the
        process and starts it again.
        """

        def alive(count: int) -> None:
            self._tell(f"WATCHDOG=1\nSTATUS={self._status()}")

        return Periodic("watchdog", self.watchdog / 2 or STATUS_EVERY, alive, clock)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, state: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(state.encode(errors="replace"), self._address)
        except OSError as error:
            self.log.warn("systemd not told state={state}: {error}", state=state.split("\n")[0], error=error)


def adopted(reactor: IReactor, factory: ServerFactory) -> list[IListeningPort]:
    """Serve `factory` on each listening TCP socket that systemd hands over; raises OSError if one is none.

    systemd keeps them open while the daemon restarts, so that clients wait meanwhile
    instead of being refused.
    """
    ports: list[IListeningPort] = []
    for descriptor in inherited(reactor):
        with socket.socket(fileno=descriptor) as handed:  # closed: the reactor has one of its own
            if not handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise OSError(f"file descriptor {descriptor} from systemd does not listen")
            handed.setblocking(False)
            ports.append(reactor.adoptStreamPort(descriptor, handed.family, factory))
    return ports


def inherited(reactor: IReactor) -> Iterator[int]:
    """The descriptors that systemd opened for this process.

    Twisted took the variables out of the environment when its endpoints were imported, so
    only its endpoint strings can tell.
    """
    for index in count():
        try:
            endpoint = serverFromString(reactor, f"systemd:domain=INET:index={index}")
        except IndexError:
            return
        yield endpoint.fileno
