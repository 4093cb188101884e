"""Mails by SMTP, for where sendmail cannot work: in the unit's sandbox it gets no other group's rights."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.mail.smtp import SMTPClientError, SMTPSenderFactory
from twisted.python.failure import Failure

from ..host.network import NotTaken
from ..host.reactor import IReactor
from .alerts import Notice
from .sinks import MAIL_PATIENCE, written


class Smtp:
    """Hands a mail to the mail server at HOST:PORT, in plain SMTP (RFC 5321): one on this machine."""

    name = "email"

    def __init__(self, reactor: IReactor, server: str, to: str, room: str) -> None:
        host, _, port = server.rpartition(":")
        self._reactor = reactor
        self._server = server
        self._place = host.strip("[]"), int(port)
        self._to = to
        self._room = room

    async def send(self, notices: Sequence[Notice]) -> None:
        sender = f"realm-server@{socket.gethostname()}"
        mail = BytesIO(written(notices, self._to, self._room, sender))
        done: Deferred[Any] = Deferred()
        factory = SMTPSenderFactory(sender, self._to, mail, done, retries=0, timeout=MAIL_PATIENCE)
        factory.noisy = False
        connector = self._reactor.connectTCP(*self._place, factory)
        done.addTimeout(MAIL_PATIENCE, self._reactor, _too_late)
        try:
            await done
        except SMTPClientError as error:
            raise NotTaken(f"the mail server {self._server} did not take it: {_said(error)}") from error
        finally:
            connector.disconnect()


def _said(error: SMTPClientError) -> str:
    """The server's own words, of the address first, or why there are none."""
    answers: Any = error.addresses or ()
    words = next((told for _, code, told in answers if code >= 400), error.resp)
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split())


def _too_late(result: object, timeout: float) -> Failure:
    return Failure(NotTaken(f"the mail server did not take it within {timeout:g} s"))
