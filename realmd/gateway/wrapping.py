"""What stands between a socket and the HTTP door when asked for: the PROXY header, then TLS."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

from ..host.network import Sparing
from .certificates import Certificates
from .crowd import Crowd
from .peers import UNIX, Peers, Relayed, parse, plain

#: Bytes of the longest header of version 1; of version 2's fixed part, which tells the length
#: of the rest; and of the longest rest that is waited for.
V1_MOST: Final = 107
V2_HEAD: Final = 16
V2_MOST: Final = 2048
#: Connections that may wait for their header however full the house is; some files are kept back for them.
FEW: Final = 16


class ProxyHeader(ProtocolWrapper):
    """Waits for the PROXY header (version 1 or 2); what comes then is for the wrapped protocol.

    That is made only when the header is there, for the address that it tells.
    """

    factory: ProxyHeaders
    wrappedProtocol: Any
    transport: Any
    _deadline: IDelayedCall | None = None

    def __init__(self, factory: ProxyHeaders) -> None:
        super().__init__(factory, None)  # type: ignore[arg-type]
        self._header = b""
        self._told: Relayed | None = None

    def makeConnection(self, transport: Any) -> None:
        self.factory.waiting += 1
        self._deadline = self.factory.clock.callLater(self.factory.patience, self._wrong, "late")
        directlyProvides(self, providedBy(transport))  # else nobody knows that it can be paused
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)

    def dataReceived(self, data: bytes) -> None:
        if self.wrappedProtocol is not None:
            self.wrappedProtocol.dataReceived(data)
        elif self._deadline is not None:
            self._header += data
            try:
                self._read()
            except (InvalidProxyHeader, ValueError):
                self._wrong("malformed")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._settle()
        self.factory.unregisterProtocol(self)
        if self.wrappedProtocol is not None:
            wrapped, self.wrappedProtocol = self.wrappedProtocol, None
            wrapped.connectionLost(reason)

    def getPeer(self) -> IAddress:
        address: IAddress = self._told or self.transport.getPeer()  # type: ignore[assignment]
        return address

    def _read(self) -> None:
        header = self._header
        if header.startswith(V2Parser.PREFIX[: len(header)]):
            if len(header) < V2_HEAD:
                return
            size = V2_HEAD + int.from_bytes(header[14:16], "big")
            if size > V2_MOST:
                raise ValueError("too long")
            if len(header) < size:
                return
            info = V2Parser.parse(header[:size])
        else:
            line, end, _ = header.partition(b"\r\n")
            if not header.startswith(V1Parser.PROXYSTR[: len(header)]) or len(line) > V1_MOST - 2:
                raise ValueError("no header")
            if not end:
                return
            size = len(line) + 2
            info = V1Parser.parse(line if line.count(b" ") > 1 else line + b" ")  # it needs one after UNKNOWN
        told = getattr(info.source, "host", None)
        if told is None:  # the proxy speaks for itself (LOCAL, UNKNOWN)
            told = getattr(self.transport.getPeer(), "host", UNIX)
        host = plain(told.decode("ascii") if isinstance(told, bytes) else str(told))
        if host != UNIX and parse(host) is None:
            raise ValueError("no address")
        self._begin(Relayed(host, getattr(info.source, "port", 0)), header[size:])

    def _begin(self, told: Relayed, rest: bytes) -> None:
        self._settle()
        self._header = b""
        self._told = told
        self.wrappedProtocol = self.factory.wrappedFactory.buildProtocol(told)
        if self.wrappedProtocol is None:
            self.transport.abortConnection()
            return
        self.wrappedProtocol.makeConnection(self)
        if rest:
            self.wrappedProtocol.dataReceived(rest)

    def _wrong(self, why: str) -> None:
        self._settle()
        self.factory.refuse(self.transport.getPeer(), why)
        self.transport.abortConnection()

    def _settle(self) -> None:
        if self._deadline is not None:
            self.factory.waiting -= 1
            if self._deadline.active():
                self._deadline.cancel()
            self._deadline = None


class ProxyHeaders(WrappingFactory):
    """Expects the PROXY header from the proxies among `peers`, within `patience` s; from nobody else.

    The protocol's description forbids to guess: who is no proxy is read as it is, and a header
    of theirs is a malformed request.
    """

    noisy = False
    _log = Logger(namespace="realmd.gateway")

    def __init__(
        self, factory: Any, peers: Peers, crowd: Crowd, clock: IReactorTime, patience: float
    ) -> None:
        super().__init__(factory)
        self.clock = clock
        self.patience = patience
        self.waiting = self.refused = 0
        self._peers = peers
        self._crowd = crowd
        self._say = Sparing(self._log, clock)

    def buildProtocol(self, addr: Any) -> Any:
        if not self._peers.trusts(plain(getattr(addr, "host", UNIX))):
            return self.wrappedFactory.buildProtocol(addr)
        # In a full house it is for the crowd to say who gives way, once it is known who comes.
        if self.waiting >= max(FEW, self._crowd.most - self._crowd.open):
            return None
        return ProxyHeader(self)

    def refuse(self, address: Any, why: str) -> None:
        """A proxy sent no header, or none that can be read."""
        self.refused += 1
        self._say.info("PROXY header {why} proxy={proxy}", why=why, proxy=getattr(address, "host", UNIX))


class Tls(TLSMemoryBIOFactory):
    """TLS in front of `factory`.  Who is turned away is so without a handshake, which would cost more."""

    noisy = False

    def __init__(self, certificates: Certificates, factory: Any, clock: IReactorTime) -> None:
        super().__init__(certificates, False, factory, clock)

    def buildProtocol(self, addr: Any) -> Any:
        inner = self.wrappedFactory.buildProtocol(addr)
        if inner is None or not hasattr(inner, "give_way"):
            return None
        return self.protocol(self, inner)
