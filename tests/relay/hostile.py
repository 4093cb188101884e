"""Relays of our own that behave badly, each in its way; and one that behaves, to compare."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor as _reactor
from twisted.internet.protocol import Factory, Protocol

reactor: Any = _reactor
#: Told of a connection and one message of the client, decoded.
Answering = Callable[["Line", list[Any]], None]


class Raw(Protocol):
    """A server that is none: writes the factory's bytes when something comes, and hangs up if they say so."""

    def connectionMade(self) -> None:
        self.factory.connections += 1  # type: ignore[union-attr]
        self.factory.lines.add(self)  # type: ignore[union-attr]
        if self.factory.text == b"":  # type: ignore[union-attr]
            self.transport.loseConnection()  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        text = self.factory.text  # type: ignore[union-attr]
        if text is not None:
            self.transport.write(text)  # type: ignore[union-attr]
            if not self.factory.stays:  # type: ignore[union-attr]
                self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.lines.discard(self)  # type: ignore[union-attr]


class Line(WebSocketServerProtocol):
    """One client of a relay of ours."""

    factory: Relay

    def dataReceived(self, data: bytes) -> None:
        if b"application/nostr+json" in data:  # NIP-11
            body = json.dumps(self.factory.document).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            self.transport.write(head + body)  # type: ignore[union-attr]
            self.transport.loseConnection()  # type: ignore[union-attr]
        else:
            super().dataReceived(data)

    def onOpen(self) -> None:
        self.factory.connections += 1
        self.factory.lines.add(self)
        self.factory.opened(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        message = json.loads(payload)
        self.factory.heard.append(message)
        self.factory.answer(self, message)

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.lines.discard(self)
        super().connectionLost(reason)

    def say(self, *message: Any) -> None:
        """Send one message of the protocol."""
        if self.state == self.STATE_OPEN:
            self.sendMessage(json.dumps(message).encode())

    def blurt(self, payload: bytes, binary: bool = False) -> None:
        """Send anything."""
        self.sendMessage(payload, isBinary=binary)


class Relay(WebSocketServerFactory):
    """A relay that answers with `answer`; `heard` is what clients said, `document` its NIP-11."""

    protocol = Line  # type: ignore[assignment]
    noisy = False

    def __init__(self, answer: Answering, opened: Callable[[Line], None], document: Any) -> None:
        super().__init__(reactor=reactor)
        self.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        self.answer = answer
        self.opened = opened
        self.document = document
        self.heard: list[list[Any]] = []
        self.lines: set[Any] = set()
        self.connections = 0
        self.url = ""

    def said(self, kind: str) -> list[list[Any]]:
        """The messages of one kind that clients sent."""
        return [message for message in self.heard if message[0] == kind]


def behave(line: Line, message: list[Any]) -> None:
    """Take every event, and store none."""
    match message:
        case ["EVENT", event]:
            line.say("OK", event["id"], True, "")
        case ["REQ", name, *_]:
            line.say("EOSE", name)


@asynccontextmanager
async def relay(
    answer: Answering = behave,
    opened: Callable[[Line], None] = lambda line: None,
    document: Any = None,
    tls: Any = None,
    port: int = 0,
) -> AsyncIterator[Relay]:
    """A relay of ours on 127.0.0.1 until the block ends; over TLS with a context factory."""
    factory = Relay(answer, opened, document or {})
    if tls is None:
        listening = reactor.listenTCP(port, factory, interface="127.0.0.1")
    else:
        listening = reactor.listenSSL(port, factory, tls, interface="127.0.0.1")
    factory.url = f"{'ws' if tls is None else 'wss'}://127.0.0.1:{listening.getHost().port}"
    try:
        yield factory
    finally:
        for line in list(factory.lines):
            line.transport.abortConnection()
        await listening.stopListening()


@asynccontextmanager
async def raw(text: bytes | None, stays: bool = False) -> AsyncIterator[Any]:
    """A server that answers anything with `text`: None, nothing ever; b"", hangs up at once."""
    factory: Any = Factory.forProtocol(Raw)
    factory.noisy, factory.text, factory.stays = False, text, stays
    factory.connections, factory.lines = 0, set()
    listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
    factory.url = f"ws://127.0.0.1:{listening.getHost().port}"
    try:
        yield factory
    finally:
        for line in list(factory.lines):
            line.transport.abortConnection()
        await listening.stopListening()
