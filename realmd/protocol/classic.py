"""The classic protocol, incoming: bytes of HTTP bodies and WebSocket messages → what they ask.

Every function either returns a validated struct or raises `Fault` with the sentence that
the sender gets.  Unknown fields are ignored, as the old server did.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import replace

from ..identity.bech32 import BadBech32, pubkey_of
from ..primitives.errors import Fault
from ..primitives.ids import AgentId
from ..world.commands import COMMANDS, Action, Command, Register
from ..world.model import AnyColour
from ..world.queries import QUERIES, Cursor, Profiles, Query
from ..world.text import colours
from .leniency import Lenient, decode

Ask = Command | Query

_ASKS: Final = {name: Lenient(struct) for name, struct in {**COMMANDS, **QUERIES}.items()}
_NUMBERS: Final = ("x", "y", "z", "rotation")
#: What msgspec raises for bytes that are no JSON, or not UTF-8 inside a string, or nested without end.
_BROKEN: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
#: Levels of lists and objects in what agents send one another: all that reads it must manage.
MOST_LEVELS: Final = 64


class _Envelope(Struct):
    command: str
    args: Raw = Raw(b"{}")


_envelope: Final = msgspec.json.Decoder(_Envelope)


def decode_ipc(body: bytes) -> Ask:
    """An HTTP body ``{"command": name, "args": {...}}`` → the command or query."""
    try:
        envelope: _Envelope = decode(_envelope, body)
    except msgspec.ValidationError as error:
        raise Fault("command required" if "command" in str(error) else _text(error)) from None
    except _BROKEN as error:
        raise Fault(_malformed(error)) from None
    args = bytes(envelope.args)
    return decode_ask(envelope.command, b"{}" if args == b"null" else args)


def decode_ask(name: str, args: bytes) -> Ask:
    """The JSON object `args` of the command or query called `name`."""
    decoder = _ASKS.get(name)
    if decoder is None:
        raise Fault(f"Unknown command: {name[:64]}")
    try:
        ask: Ask = decoder.decode(args)
    except msgspec.ValidationError as error:
        raise Fault(_explain(name, error)) from None
    except _BROKEN as error:
        raise Fault(_malformed(error)) from None
    if _too_deep(getattr(ask, "payload", None)) or _too_deep(getattr(ask, "response", None)):
        raise Fault(_malformed(RecursionError()))
    if not isinstance(ask, Register):
        return ask
    _check_colour(ask.color)
    ask = _with_key(ask)
    # A WebSocket message has the command's name there.
    return replace(ask, type=UNSET) if ask.type == name else ask


def _check_colour(given: str | UnsetType) -> None:
    """`Fault` for a colour that is none; an empty one was not given."""
    if isinstance(given, str) and given.strip() and colours.hexadecimal(given) is None:
        raise Fault("color: no colour of CSS, like `#e67e22`, `red` or `hsl(17, 77%, 56%)`")


def _with_key(ask: Register) -> Register:
    """The same with its pubkey as it is written here; what is none was not given, as the old server took any.

    So there is one spelling of a key behind this, and nothing else in its place.
    """
    if not isinstance(ask.pubkey, str) or not ask.pubkey:
        return ask
    try:
        return replace(ask, pubkey=pubkey_of(ask.pubkey))
    except BadBech32:
        return replace(ask, pubkey=UNSET)


def _too_deep(value: Any) -> bool:
    """Whether `value` has more than `MOST_LEVELS` levels; found without recursion."""
    level = [value]
    for _ in range(MOST_LEVELS):
        inside = [part for part in level if isinstance(part, list | dict)]
        if not inside:
            return False
        level = [x for part in inside for x in (part.values() if isinstance(part, dict) else part)]
    return any(isinstance(part, list | dict) for part in level)


def _malformed(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "Invalid JSON: nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "Invalid JSON: not UTF-8"
    return f"Invalid JSON: {error}"


def _text(error: msgspec.ValidationError) -> str:
    """msgspec's own words, with the path in front: ``name: expected `str`, got `int```."""
    words, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    if "matching regex" in words:  # a pattern tells nobody anything
        words = "contains a character that may not be there, or has the wrong form"
    return f"{path}: {words[:1].lower()}{words[1:]}" if path else words


def _explain(name: str, error: msgspec.ValidationError) -> str:
    """The sentence for a wrong argument; old clients look for some of these words."""
    text = _text(error)
    if "agentId`" in text or text.startswith("agentId:"):
        return "agentId and text required" if name == "world-chat" else f"agentId required ({text})"
    if name == "world-chat" and ("`text`" in text or text.startswith("text:")):
        return f"agentId and text required ({text})"
    if text.partition(":")[0] in _NUMBERS:
        return f"x, y, z and rotation must be finite numbers ({text})"
    return text


class _Token(Struct):
    token: str | None = None


class _Tokens(_Token):
    args: _Token | None = None


_tokens: Final = msgspec.json.Decoder(_Tokens)


def token_in(payload: bytes) -> str | None:
    """The token that came with a command, beside or among its arguments."""
    if b'"token"' not in payload:
        return None
    try:
        found: _Tokens = decode(_tokens, payload)
    except msgspec.ValidationError as error:
        raise Fault(_text(error)) from None
    except _BROKEN as error:
        raise Fault(_malformed(error)) from None
    return found.token or (found.args.token if found.args is not None else None)


# -- WebSocket messages --------------------------------------------------------------------


class Wish(Struct, frozen=True, rename="camel", tag_field="type"):
    """Base of what a WebSocket client wishes for itself, rather than asks of the world."""


class Subscribe(Wish, frozen=True, tag="subscribe"):
    """A fresh full snapshot."""


class RequestProfiles(Wish, frozen=True, tag="requestProfiles"):
    """The profiles of who is in the world; with `limit` or `after` those of everyone, as by `profiles`."""

    limit: float | UnsetType = UNSET
    after: Cursor | UnsetType = UNSET

    def query(self) -> Profiles:
        """What it asks of the world."""
        if self.limit is UNSET and self.after is UNSET:
            return Profiles(present=True)
        return Profiles(limit=Profiles().limit if self.limit is UNSET else self.limit, after=self.after or "")


class RequestProfile(Wish, frozen=True, tag="requestProfile"):
    """One profile."""

    agent_id: AgentId


class RequestRoomInfo(Wish, frozen=True, tag="requestRoomInfo"):
    """The room's info."""


class Viewport(Wish, frozen=True, tag="viewport"):
    """Look at this point from now on."""

    x: float
    z: float


class Follow(Wish, frozen=True, tag="follow"):
    """Look where this agent is from now on."""

    agent_id: AgentId | None = None


class PlayerJoin(Wish, frozen=True, tag="playerJoin"):
    """A human wants an avatar (name cut at 32)."""

    name: str = "Visitor"
    color: AnyColour | UnsetType = UNSET


class PlayerMove(Wish, frozen=True, tag="playerMove"):
    """The human's avatar stands here now."""

    x: float
    z: float
    rotation: float = 0.0


class PlayerChat(Wish, frozen=True, tag="playerChat"):
    """The human says something."""

    text: Annotated[str, Meta(min_length=1)]


class PlayerAction(Wish, frozen=True, tag="playerAction"):
    """The human shows an action."""

    action: Action = "idle"


class PlayerLeave(Wish, frozen=True, tag="playerLeave"):
    """The human takes its avatar out of the world."""


class Challenge(Wish, frozen=True, tag="challenge"):
    """Something to sign with a Nostr key."""


class Authenticate(Wish, frozen=True, tag="auth"):
    """The challenge, signed: an event of kind 22242 (NIP-42)."""

    event: dict[str, Any]


WISHES: Final = {
    str(cls.__struct_config__.tag): Lenient(cls)
    for cls in (
        Subscribe, RequestProfiles, RequestProfile, RequestRoomInfo, Viewport, Follow,
        PlayerJoin, PlayerMove, PlayerChat, PlayerAction, PlayerLeave,
        Challenge, Authenticate,
    )
}  # fmt: skip


class _Head(Struct):
    type: str
    id: Any = None


_head: Final = msgspec.json.Decoder(_Head)


def decode_message(payload: bytes) -> tuple[Wish | Ask, str | int | None]:
    """A WebSocket text message → what it asks, and the ``id`` to acknowledge it by."""
    try:
        head: _Head = decode(_head, payload)
    except msgspec.ValidationError as error:
        raise Fault("type required" if "type" in str(error) else _text(error)) from None
    except _BROKEN as error:
        raise Fault(_malformed(error)) from None
    mark = head.id if isinstance(head.id, (str, int)) and len(str(head.id)) <= 64 else None
    wish = WISHES.get(head.type)
    try:
        if wish is None:
            return decode_ask(head.type, payload), mark
        wished: Wish = wish.decode(payload)
        if isinstance(wished, PlayerJoin):
            _check_colour(wished.color)
        return wished, mark
    except msgspec.ValidationError as error:
        raise Fault(_explain(head.type, error), mark) from None
    except _BROKEN as error:
        raise Fault(_malformed(error), mark) from None
    except Fault as fault:
        raise Fault(str(fault), mark) from None
