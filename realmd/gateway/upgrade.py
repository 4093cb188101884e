"""From HTTP to WebSocket: the connection of a request changes hands.

Autobahn's own `WebSocketResource` does the same, but brings along all of twisted.web's server, its
templates and Perspective Broker, for 1.4 MB of memory that nothing here uses.
"""

from __future__ import annotations

from twisted.protocols.policies import ProtocolWrapper

from ..primitives.errors import REFUSALS, Fault
from .request import Request
from .websocket import Gateway
from .wire import Arrival


class Closing(Fault):
    """A WebSocket that is to be opened while the realm empties (HTTP 503)."""

    status = 503

    def __init__(self) -> None:
        super().__init__(REFUSALS["draining"], code="draining")


def upgrade(request: Request, gateway: Gateway, arrival: Arrival) -> None:
    """Give the connection on which `request` came, which has no body, to a new `Connection` of `gateway`."""
    head = request.head
    protocol = gateway.welcome(arrival, request.line.address)
    transport = request.line.hand_over()
    if isinstance(transport, ProtocolWrapper):  # TLS, or the header of a proxy
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
    transport.resumeProducing()  # which the channel had stopped while the request is answered
    # Autobahn reads the handshake itself.  Not its Origin: which sites may come is the door's to say, and has
    # been said; Autobahn has a list of its own, which knows nothing of `cors_origins`.
    lines = [b"%b %b HTTP/1.1" % (head.method, head.target)]
    lines += (
        b"%b: %b" % (name, b",".join(values)) for name, values in head.headers.items() if name != b"origin"
    )
    protocol.dataReceived(b"\r\n".join((*lines, b"", b"")))
