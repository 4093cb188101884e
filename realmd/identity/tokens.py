"""Realm tokens: signed statements of who an agent is, checked without a look-up.

    realm1.<base64url(payload)>.<base64url(signature)>

The payload is the `Statement` as compact JSON, its fields in the order of the struct; the
Ed25519 signature is over everything before the last dot.  base64url has no padding (RFC 4648).
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..primitives.ids import AgentId
from .errors import UNREADABLE, BadToken
from .keys import Key, KeyRing, Milliseconds

PREFIX = "realm1"
MOST_CHARACTERS = 1024
#: How far (ms) the clock of the node that issued a token may be ahead of the one that reads it.
SKEW = 60_000
REMEMBERED = 4096


class Statement(Struct, frozen=True, rename="camel", gc=False):
    """What a token says: who holds `agent_id`, from `issued` until before `expires` (ms since the epoch).

    `serial` grows with each token of an agent, so that those below a number can be revoked.
    """

    key_id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$", max_length=16)]
    agent_id: AgentId
    issued: Milliseconds
    expires: Milliseconds
    serial: Annotated[int, Meta(ge=0, le=2**53 - 1)]

    def __post_init__(self) -> None:
        if self.issued >= self.expires:
            raise ValueError("a token expires after it was issued")


_decoder = msgspec.json.Decoder(Statement)


def sign(statement: Statement, key: Key) -> str:
    """The token of `statement`, which must name `key`; ValueError if no token could say that."""
    if statement.key_id != key.id:
        raise ValueError("a statement names the key that signs it")
    payload = msgspec.json.encode(statement)
    try:
        _decoder.decode(payload)
    except UNREADABLE as error:
        raise ValueError(f"no token can say that: {error}") from None
    signed = f"{PREFIX}.{_to_base64(payload)}"
    return f"{signed}.{_to_base64(key.sign(signed.encode()))}"


def verify(token: str, keys: KeyRing, now: int) -> Statement:
    """What `token` says at `now` (ms); raises `BadToken`.

    There is one spelling of each token: base64, JSON and signature are accepted only as `sign` writes them.
    """
    signed, statement, signature = _read(token)
    key = keys.verifying(statement.key_id, now)
    if key is None:
        raise BadToken("unknown_key")
    if not key.verify(signature, signed):
        raise BadToken("bad_signature")
    _check_time(statement, now)
    return statement


class Verifier:
    """`verify` that remembers the `most` tokens used last: seeing one again costs a hash and a look-up.

    Only tokens that the realm signed are remembered, so nobody can crowd them out with forgeries; and
    only under their SHA-256, so that no token is kept and look-ups tell no one how near a guess was.
    Assign `keys` after a rotation.  Not for several threads.
    """

    def __init__(self, keys: KeyRing, most: int = REMEMBERED) -> None:
        self.keys = keys
        self._most = most
        self._verified: OrderedDict[bytes, Statement] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verified)

    def verify(self, token: str, now: int) -> Statement:
        """As the function; time and key are checked each time."""
        mark = hashlib.sha256(_bounded(token)).digest()
        statement = self._verified.get(mark)
        if statement is None:
            statement = self._verified[mark] = verify(token, self.keys, now)
            if len(self._verified) > self._most:
                self._verified.popitem(last=False)
            return statement
        self._verified.move_to_end(mark)
        if self.keys.verifying(statement.key_id, now) is None:
            raise BadToken("unknown_key")
        _check_time(statement, now)
        return statement


def _bounded(token: str) -> bytes:
    if len(token) > MOST_CHARACTERS or not token.isascii():
        raise BadToken("malformed")
    return token.encode("ascii")


def _read(token: str) -> tuple[bytes, Statement, bytes]:
    """The bytes signed, what they say and the signature; none of it trusted yet."""
    signed, _, signature = _bounded(token).rpartition(b".")
    prefix, _, payload = signed.partition(b".")
    if prefix != PREFIX.encode():
        raise BadToken("malformed")
    data = _from_base64(payload)
    try:
        statement = _decoder.decode(data)
    except UNREADABLE:
        raise BadToken("malformed") from None
    # Also refuses fields that a statement does not have.
    if msgspec.json.encode(statement) != data:
        raise BadToken("malformed")
    return signed, statement, _from_base64(signature)


def _check_time(statement: Statement, now: int) -> None:
    if now >= statement.expires:
        raise BadToken("expired")
    if now < statement.issued - SKEW:
        raise BadToken("not_yet")


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_base64(text: bytes) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raise BadToken("malformed") from None
    # The decoder skips what it does not know and ignores spare bits; a token has neither.
    if _to_base64(data).encode() != text:
        raise BadToken("malformed")
    return data
