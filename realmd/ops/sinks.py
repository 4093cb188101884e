"""Ways to tell the operator: a webhook, a mail through sendmail, a Nostr message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from email.message import EmailMessage
from typing import Final, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ..host.network import NotTaken
from ..host.reactor import IReactor
from .alerts import Notice

#: How long (s) sendmail may take to put a mail into its queue, and what is kept of what it says.
MAIL_PATIENCE: Final = 30.0
MOST_COMPLAINT: Final = 500

#: Sends one text to the operator over Nostr.
SendNostr = Callable[[str], Awaitable[None]]


class Sink(Protocol):
    """One way to tell the operator; `send` raises when it could not."""

    name: str

    async def send(self, notices: Sequence[Notice]) -> None: ...


def lines(room: str, notices: Sequence[Notice]) -> str:
    """The notices as text, one a line."""
    return "\n".join(f"[{room}] {notice.text()}" for notice in notices)


class Webhook:
    """POSTs ``{"text": …, "room": …, "url": …, "alerts": […]}``, which chat services show as it is."""

    name = "webhook"

    def __init__(self, reactor: IReactor, address: str, room: str, realm_url: str) -> None:
        # Not at the top: it loads Twisted's HTTP client, which a realm without a webhook has no use for.
        from .post import post

        self._post = post
        self._reactor = reactor
        self._address = address
        self._room = room
        self._realm_url = realm_url

    async def send(self, notices: Sequence[Notice]) -> None:
        body = {
            "text": lines(self._room, notices),
            "room": self._room,
            "url": self._realm_url,
            "alerts": list(notices),
        }
        await self._post(self._reactor, self._address, msgspec.json.encode(body), "application/json", {})


class Mail:
    """Hands a mail to `program`, which takes what sendmail(8) takes.  No shell is involved."""

    name = "email"

    def __init__(self, reactor: IReactor, program: str, to: str, room: str) -> None:
        self._reactor = reactor
        self._program = program
        self._to = to
        self._room = room

    async def send(self, notices: Sequence[Notice]) -> None:
        run = _Sendmail(self._program, written(notices, self._to, self._room))
        words = [self._program, "-i", "--", self._to]
        try:
            self._reactor.spawnProcess(run, self._program, words, env={"PATH": "/usr/sbin:/usr/bin:/bin"})
        except OSError as error:
            raise NotTaken(f"{self._program} cannot be run: {error.strerror}") from None
        run.done.addTimeout(MAIL_PATIENCE, self._reactor, _sendmail_hangs)
        await run.done


def written(notices: Sequence[Notice], to: str, room: str, sender: str = "") -> bytes:
    """The mail: headers cannot be broken out of, whatever the room is called."""
    mail = EmailMessage()
    first = notices[0]
    more = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    mail["Subject"] = " ".join(f"[{room}] {first.state}: {first.name}{more}".split())
    if sender:
        mail["From"] = sender
    mail["To"] = to
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answer is wanted
    mail.set_content(lines(room, notices) + "\n")
    return mail.as_bytes()


class _Sendmail(ProcessProtocol):
    """Gives the mail to the process; `done` fires when that ended with 0."""

    def __init__(self, program: str, mail: bytes) -> None:
        self._program = program
        self._mail = mail
        self._said = b""
        self.done: Deferred[None] = Deferred(lambda _: self._end())

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._mail)
        self.transport.closeStdin()

    def errReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[-MOST_COMPLAINT:]

    def processEnded(self, reason: Failure) -> None:
        if self.done.called:
            return
        if reason.check(ProcessDone):
            self.done.callback(None)
        else:
            status = reason.value.exitCode  # type: ignore[union-attr]
            how = f"signal {reason.value.signal}" if status is None else f"status {status}"  # type: ignore[union-attr]
            said = " ".join(self._said.decode("utf-8", "replace").split())
            self.done.errback(NotTaken(f"{self._program} ended with {how}{f': {said}' if said else ''}"))

    def _end(self) -> None:
        if self.transport is not None and self.transport.pid:
            self.transport.signalProcess("KILL")


def _sendmail_hangs(result: object, timeout: float) -> Failure:
    return Failure(NotTaken(f"sendmail did not end within {timeout:g} s"))


class Nostr:
    """A direct message to the operator, by a callable that the relay side provides."""

    name = "nostr"

    def __init__(self, send: SendNostr, room: str) -> None:
        self._send = send
        self._room = room

    async def send(self, notices: Sequence[Notice]) -> None:
        await self._send(lines(self._room, notices))
