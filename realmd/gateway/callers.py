"""From what a client shows (a token, a signed event) to the `Caller` that the world is told of."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from twisted.internet.interfaces import IReactorTime

from ..host.clock import milliseconds
from ..identity import bech32, nostr_event, proof
from ..identity.errors import NotProven
from ..identity.replays import LIFE, Replays
from ..primitives.errors import Fault, Unproven
from ..protocol.classic import token_in
from ..runtime.credentials import Credentials
from ..world.caller import Caller
from .head import Head
from .peers import Peer
from .request import Request

#: Agents whose tokens one connection may show.
MOST_TOKENS: Final = 64


class Callers:
    """Checks tokens and Nostr proofs.  `url()` is the realm's public address."""

    def __init__(self, credentials: Credentials, url: Callable[[], str], clock: IReactorTime) -> None:
        self._credentials = credentials
        self._url = url
        self._clock = clock
        self._replays = Replays()
        # Those that the process before may have taken are not taken again (dated in whole seconds).
        since = milliseconds(clock) // 1000 * 1000
        self._replays.forget(since - LIFE, since - 1)

    def of(self, request: Request) -> Caller:
        """Who sends `request`: by its peer, its Authorization header, and the token in its body.

        The header is a Bearer token (RFC 6750) or a Nostr event (NIP-98); other schemes are passed
        over, they may be a proxy's.  Raises `Unproven`, and `Fault` for a body that is no JSON.
        """
        peer = request.peer
        caller = Caller(local=peer.local, address=peer.address)
        if not peer.local:
            caller.source, caller.network = peer.source, peer.network
        if (header := request.head.get(b"authorization")) is not None:
            self._authorize(caller, header, request)
        if (token := token_in(request.body)) is not None:
            self.show(caller, token)
        return caller

    def _authorize(self, caller: Caller, header: bytes, request: Request) -> None:
        scheme = header.partition(b" ")[0].lower()
        text = header.decode("latin-1").strip()
        if scheme == b"bearer":
            self.show(caller, text[len("bearer") :].strip())
        elif scheme == b"nostr":
            prove(caller, self._proven(text, request.head, request.body, request.peer))

    def _proven(self, header: str, head: Head, body: bytes, peer: Peer) -> str:
        """The key (hex) that signed this request.  Only what proves it is remembered."""
        url, method = self._url() + head.target.decode("latin-1"), head.method.decode("latin-1")
        with _told():
            shown = proof.check_http(header, url, method, body, milliseconds(self._clock))
            passed = int(self._clock.seconds() * 1000)
            self._replays.admit(shown, passed, peer.source, peer.network)
        return shown.pubkey

    def show(self, caller: Caller, token: str) -> None:
        """`caller` shows a token."""
        with _told():
            statement = self._credentials.read(token)
        if statement.agent_id not in caller.serials and len(caller.serials) >= MOST_TOKENS:
            raise Fault(f"this connection has shown {MOST_TOKENS} tokens already")
        caller.remember(statement.agent_id, statement.serial)

    def challenge(self) -> dict[str, str]:
        """What a connection is to sign, once (NIP-42)."""
        return {"challenge": secrets.token_hex(32), "relay": self.websocket_url()}

    def answer(self, caller: Caller, challenge: str, event: dict[str, Any]) -> None:
        """`caller` answers the challenge with a signed event of kind 22242."""
        with _told():
            signed = nostr_event.decode(msgspec.json.encode(event))
            shown = proof.check_challenge(signed, challenge, self.websocket_url(), milliseconds(self._clock))
        prove(caller, shown.pubkey)

    def websocket_url(self) -> str:
        return "ws" + self._url().removeprefix("http") + "/ws"


def prove(caller: Caller, pubkey: str) -> None:
    """`caller` holds the key `pubkey` (hex)."""
    caller.pubkey = pubkey
    caller.npub = bech32.encode("npub", bytes.fromhex(pubkey))


@contextmanager
def _told() -> Iterator[None]:
    """What proves nothing is told to who showed it, with its code."""
    try:
        yield
    except NotProven as error:
        raise Unproven(str(error), code=error.code) from None
