"""Mails by SMTP, to a mail server that listens."""

from __future__ import annotations

import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import succeed
from twisted.internet.protocol import Factory
from twisted.mail.interfaces import IMessageDelivery, IMessageSMTP
from twisted.mail.smtp import SMTP, SMTPBadRcpt, User
from zope.interface import implementer

from realmd.host.network import NotTaken, cause_of
from realmd.ops import smtp
from realmd.ops.smtp import Smtp
from tests.realm import reactor

from .test_sinks import DISK, OVER


@implementer(IMessageDelivery)
class Office:
    """Takes mail for one address."""

    def __init__(self) -> None:
        self.senders: list[str] = []
        self.mails: list[bytes] = []

    def receivedHeader(self, *_: object) -> bytes:
        return b"Received: here"

    def validateFrom(self, helo: object, origin: Any) -> Any:
        self.senders.append(str(origin))
        return origin

    def validateTo(self, user: User) -> Any:
        if str(user) != "o@example.org":
            raise SMTPBadRcpt(user)
        return lambda: Letter(self)


@implementer(IMessageSMTP)
class Letter:
    def __init__(self, office: Office) -> None:
        self._office = office
        self._lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(line)

    def eomReceived(self) -> Any:
        self._office.mails.append(b"\n".join(self._lines))
        return succeed(None)

    def connectionLost(self) -> None:
        self._lines.clear()


@asynccontextmanager
async def office_at(protocol: type[SMTP] = SMTP) -> AsyncIterator[tuple[Office, str]]:
    """A mail server, and where it listens."""
    office, factory = Office(), Factory()
    factory.buildProtocol = lambda _: protocol(office)  # type: ignore[method-assign,assignment]
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    try:
        yield office, f"127.0.0.1:{port.getHost().port}"
    finally:
        await port.stopListening()


class Silent(SMTP):
    def connectionMade(self) -> None:
        """Says nothing, not even that it is there."""

    def timeoutConnection(self) -> None:
        """And has time."""


@pytest_twisted.ensureDeferred
async def test_a_mail_server_gets_the_alerts() -> None:
    """One mail for all that gathered, from the realm, to the operator."""
    async with office_at() as (office, server):
        await Smtp(reactor, server, "o@example.org", "Fo\r\nBcc: x@y").send([DISK, OVER])
    mail = email.message_from_bytes(office.mails[0], policy=email.policy.default)
    assert office.senders == [mail["From"]]
    assert mail["From"].startswith("realm-server@")
    assert (mail["To"], mail["Bcc"]) == ("o@example.org", None)
    assert mail.get_content().count("critical: the disk is full") == 1


@pytest_twisted.ensureDeferred
async def test_a_mail_server_that_does_not_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words are passed on; one that is away or says nothing is a failure too."""
    async with office_at() as (office, server):
        with pytest.raises(NotTaken) as caught:
            await Smtp(reactor, server, "nobody@example.org", "R").send([DISK])
        assert cause_of(caught.value) == (
            f"the mail server {server} did not take it: Cannot receive for specified address"
        )
        assert office.mails == []
    with pytest.raises(NotTaken, match="refused"):
        await Smtp(reactor, server, "o@example.org", "R").send([DISK])
    monkeypatch.setattr(smtp, "MAIL_PATIENCE", 0.1)
    async with office_at(Silent) as (_, server):
        with pytest.raises(NotTaken):
            await Smtp(reactor, server, "o@example.org", "R").send([DISK])
