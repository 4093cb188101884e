"""One HTTP POST to a service of the operator's: bounded in time and in what is read of the answer."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from .. import __version__
from ..host.network import NotTaken
from ..host.reactor import IReactor

#: How long (s) all of it may take.
PATIENCE: Final = 10.0


async def post(
    reactor: IReactor,
    url: str,
    body: bytes,
    content_type: str,
    headers: dict[str, str],
    agent: IAgent | None = None,
) -> None:
    """POST `body`; raises `NotTaken`, or what the network raises, unless the answer is 2xx."""
    agent = agent or Agent(reactor, connectTimeout=PATIENCE)
    sent = Headers({"content-type": [content_type], "user-agent": [f"realmd/{__version__}"]})
    for name, value in headers.items():
        sent.setRawHeaders(name, [value])

    async def ask() -> None:
        answering = agent.request(b"POST", url.encode(), sent, FileBodyProducer(BytesIO(body)))
        response: IResponse = await answering
        passed_over = _Nothing()
        response.deliverBody(passed_over)
        passed_over.hang_up()
        if not 200 <= response.code < 300:
            raise NotTaken(f"it answered {response.code}")

    asking = Deferred.fromCoroutine(ask())
    await asking.addTimeout(PATIENCE, reactor, _too_late)


def _too_late(result: object, timeout: float) -> Failure:
    return Failure(NotTaken(f"ETIMEDOUT: no answer within {timeout:g} s"))


class _Nothing(Protocol):
    """Wants nothing of a body."""

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """That was wanted."""
