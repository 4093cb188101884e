"""The ports on which all doors are: opened, told of, and closed in order."""

from __future__ import annotations

import gc
from collections.abc import Callable

from msgspec.structs import replace
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .. import __version__
from ..host.reactor import IReactor
from ..settings.server import Server
from .exposure import warnings
from .factory import DoorFactory
from .guard import Guard
from .http import Door
from .peers import UNIX
from .turns import bound
from .websocket import Gateway

#: Who connects during a restart is let in by the next process.  So that nobody is refused, who was let
#: in just before by this one gets so long (s) to ask.
LAST_REQUESTS = 0.2
#: How long (s) clients may take to answer our goodbye.
GOODBYES = 1.0

#: Gives the ports that a service manager has opened for us, now with this factory.
Adopt = Callable[[IReactor, ServerFactory], list[IListeningPort]]


class Doors:
    """`opened` is told the port once all is open, `closing` that nobody is to come in any more."""

    log = Logger(namespace="realmd")

    def __init__(
        self,
        door: Door,
        gateway: Gateway,
        guard: Guard,
        server: Server,
        adopt: Adopt,
        opened: Callable[[int], None],
        closing: Callable[[], None],
        reactor: IReactor,
    ) -> None:
        self.door = door
        self.factory = DoorFactory(door, reactor, server.idle_timeout_s, server.handshake_timeout_s)
        self._gateway = gateway
        self._guard = guard
        self._server = server
        self._adopt = adopt
        self._opened = opened
        self._closing = closing
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._handed_over = False
        #: Where the realm is for who is on this machine, whatever its public address is.
        self.address = ""

    def open(self) -> None:
        """Listen: on what was handed over, else where the configuration says."""
        server, listener = self._server, self._guard.wrap(self.factory)
        self._ports = self._adopt(self._reactor, listener)
        self._handed_over = bool(self._ports)
        if not self._ports:
            self._ports.append(
                self._reactor.listenTCP(server.port, listener, backlog=1024, interface=server.host)
            )
        hosts = [port.getHost() for port in self._ports]
        for port in self._ports:
            bound(port)
        for warning in warnings(server, *(getattr(host, "host", UNIX) for host in hosts)):
            self.log.warn("{warning}", warning=warning)
        settle_memory()
        number: int = hosts[0].port  # type: ignore[attr-defined]
        self.address = replace(server, public_url="").url(number)
        self._opened(number)
        announce(self.log, server.url(number))

    async def close(self) -> None:
        """Listen no more."""
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        if self._handed_over:
            await deferLater(self._reactor, LAST_REQUESTS)
        self._closing()

    async def farewell(self) -> None:
        """Show everybody out: WebSockets are told, requests answered."""
        closed = self._gateway.close_all()
        self.factory.close_all()
        await DeferredList(closed, consumeErrors=True).addTimeout(GOODBYES, self._reactor, lambda *_: None)
        self._gateway.drop_all()


def settle_memory() -> None:
    """What start-up made stays for good: spare the garbage collector from looking at it again.

    The rest makes few cycles, so full collections may be rare; each stops the world.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def announce(log: Logger, url: str) -> None:
    """What somebody who just started a realm wants to know."""
    log.info("realmd {version} is ready", version=__version__)
    log.info("look at it: {url}/   health: {url}/health   metrics: {url}/metrics", url=url)
    join = '{"command":"register","args":{"agentId":"me","name":"Me"}}'
    log.info("join it: curl -s {url}/ipc -d '{join}'", url=url, join=join)
