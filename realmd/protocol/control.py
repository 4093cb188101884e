"""The operator's protocol: a line of JSON asks, a line of JSON answers, one after another.

    {"v":1,"command":"ban","network":"203.0.113.0/24","reason":"spam","until":1790000000000}
    {"v":1,"ok":true,"sanction":{…},"departed":["ann"],"closed":3}
    {"v":1,"ok":false,"code":"not_found","error":"…"}

`v` is the version of the protocol.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from ..identity.bech32 import BadBech32, pubkey_of
from ..primitives.errors import Fault
from ..primitives.ids import AgentId

VERSION: Final = 1
#: Bytes of the longest line that is read.
LONGEST_LINE: Final = 16_384
#: Sanctions in one answer.
PAGE: Final = 1000

Reason = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z")]
Stamp = Annotated[int, Meta(ge=0, le=2**53)]


class Order(Struct, frozen=True, kw_only=True, tag_field="command", forbid_unknown_fields=True):
    """Base of what an operator may ask."""

    v: int


class Aimed(Order, frozen=True, kw_only=True):
    """Base of what is about one target: an agent, a pubkey (npub or hex), or an address or network."""

    agent: AgentId | None = None
    pubkey: Annotated[str, Meta(max_length=70)] | None = None
    network: Annotated[str, Meta(max_length=64)] | None = None


class Who(Order, frozen=True, tag="who"):
    """Agents in the world and connections."""


class Status(Order, frozen=True, tag="status"):
    """The realm in a few numbers."""


class Kick(Order, frozen=True, kw_only=True, tag="kick"):
    """Send an agent out, and close its connections; or close one connection, by its number."""

    agent: AgentId | None = None
    connection: int | None = None
    reason: Reason = ""


class Mute(Aimed, frozen=True, kw_only=True, tag="mute"):
    """Let nobody hear an agent; `until` in ms since the epoch, 0 without end."""

    reason: Reason = ""
    until: Stamp = 0


class Ban(Aimed, frozen=True, kw_only=True, tag="ban"):
    """Refuse everything to somebody; `until` in ms since the epoch, 0 without end."""

    reason: Reason = ""
    until: Stamp = 0


class Unmute(Aimed, frozen=True, tag="unmute"):
    """End a mute."""


class Unban(Aimed, frozen=True, tag="unban"):
    """End a ban."""


class ListSanctions(Order, frozen=True, kw_only=True, tag="sanctions"):
    """The sanctions in force, `PAGE` at a time, those with an id after `after`."""

    after: str = ""


class Say(Order, frozen=True, kw_only=True, tag="say"):
    """Say something to everyone."""

    text: Annotated[str, Meta(min_length=1, max_length=4000)]


class Uninstall(Order, frozen=True, kw_only=True, tag="uninstall"):
    """Take a plugin out of the room; with `unpublish`, out of the catalogue, too."""

    plugin: AgentId
    unpublish: bool = False


class Revoke(Order, frozen=True, kw_only=True, tag="revoke"):
    """Take an agent's tokens back (and its keys), or all agents from their owner, a pubkey."""

    agent: AgentId | None = None
    pubkey: Annotated[str, Meta(max_length=70)] | None = None
    keys: bool = False


class Token(Order, frozen=True, kw_only=True, tag="token"):
    """A fresh token for an agent whose holder lost it."""

    agent: AgentId


class RotateKeys(Order, frozen=True, tag="keys-rotate"):
    """Let a new key sign tokens from now on."""


class AlertTest(Order, frozen=True, tag="alert-test"):
    """Send a test alert in every configured way; the answer tells of each, in `sinks`."""


class Drain(Order, frozen=True, kw_only=True, tag="drain"):
    """Let nobody in any more, and answer when all are gone or `seconds` have passed; `stop` then.

    `undo` lets them in again.
    """

    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    reason: Reason = ""
    stop: bool = False
    undo: bool = False


ORDERS: Final = (
    Who | Status | Kick | Mute | Ban | Unmute | Unban | ListSanctions | Say | Uninstall | Revoke
    | Token | RotateKeys | AlertTest | Drain
)  # fmt: skip
_decoder: Final = msgspec.json.Decoder(ORDERS)


class _Head(Struct):
    v: int = 0


_head: Final = msgspec.json.Decoder(_Head)


def decode(line: bytes) -> Any:
    """One of `ORDERS`, its pubkey in lower-case hex; raises `Fault`, with a code, for anything else."""
    try:
        if _head.decode(line).v != VERSION:
            raise Fault(f"this daemon speaks version {VERSION} of the control protocol", code="version")
        order = _decoder.decode(line)
        if getattr(order, "pubkey", None) is not None:
            order = replace(order, pubkey=pubkey_of(order.pubkey))
    except BadBech32 as error:
        raise Fault(f"not a pubkey: {error}", code="malformed") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Fault(str(error) or "nested too deeply", code="malformed") from None
    return order


def answer(fields: dict[str, Any]) -> bytes:
    """The line of an answer that is good."""
    return msgspec.json.encode({"v": VERSION, "ok": True, **fields}) + b"\n"


def refusal(code: str, error: str) -> bytes:
    """The line of an answer that is none."""
    return msgspec.json.encode({"v": VERSION, "ok": False, "code": code, "error": error}) + b"\n"
