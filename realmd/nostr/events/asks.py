"""Commands by relay: what an agent that reaches only a relay asks of the realm, and what it is answered.

    20043   ["p", <realm>] ["d", <room id>]
            {"cmd": <command>, "args": {…}, "nonce": <1 to 64 characters, new each time>,
             "wrap": <kind of gift wrap that private answers are to come in; may be left out>}
    20043   ["e", <id of the ask>] ["p", <agent>]
            the JSON that the same command is answered with over HTTP

`cmd` and `args` are those of the classic protocol; who asks is who signed.  What only two should
read goes the same way as a rumor in an ephemeral gift wrap (kind 21059, NIP-59): the command if its
words are private, the answer if it is.  Relays do not keep either.  Whoever has a library that opens no
others gets stored wraps (kind 1059).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ...primitives.errors import Fault
from ...protocol.classic import Ask, decode_ask
from ...world.commands import AgentMessage, AgentRequest, AgentRespond, Register, TokenRotate
from ...world.queries import AgentConversation, AgentInbox, Login
from .draft import Draft, Published, Unreadable, content, encode, expect, only, size

KIND: Final = 20043
#: How far (ms) the time of a command may be from now, either way.
WINDOW: Final = 60_000
#: What may only be asked in a gift wrap, and is answered in one.
PRIVATE: Final = (AgentMessage, AgentRequest, AgentRespond, AgentInbox, AgentConversation)
#: What may be asked for all to read, but is answered with a token, so in a gift wrap.
SECRET_ANSWERS: Final = (Register, Login, TokenRotate)


class Asked(Struct, frozen=True):
    """A command by relay.

    `id` (hex) is what it is answered and remembered by, until `until` (ms since the epoch) when it would
    be stale; `pubkey` (hex) who signed it; `private` whether it came in a gift wrap; `wrap` the kind of
    gift wrap it asks for, None for that of the ask.
    """

    id: str
    pubkey: str
    name: str
    ask: Ask
    nonce: str
    private: bool
    until: int
    wrap: int | None = None

    @property
    def answer_privately(self) -> bool:
        """Whether the answer is for a gift wrap."""
        return self.private or isinstance(self.ask, SECRET_ANSWERS)


class _Content(Struct):
    cmd: Annotated[str, Meta(min_length=1, max_length=64)]
    nonce: Annotated[str, Meta(min_length=1, max_length=64)]
    args: Raw = Raw(b"{}")
    token: Raw | UnsetType = UNSET
    wrap: Literal[1059, 21059] | None = None


class _Secret(Struct):
    """A JSON object that may hold a token."""

    token: Raw | UnsetType = UNSET


_content: Final = msgspec.json.Decoder(_Content)
_secret: Final = msgspec.json.Decoder(_Secret)


def read_ask(event: Published, realm: str, room_id: str, now: int, *, private: bool = False) -> Asked:
    """The command in `event`, which is signed, or with `private` was in a gift wrap; `now` in ms.

    Raises `Unreadable` for what is not meant for this realm (pubkey, hex) and room, or not fresh: that
    is not answered; and `Fault` for a command that is wrong in itself: its text is the answer.  Whoever
    obeys it makes sure that the id was not there before: fresh is not new.
    """
    expect(event, KIND)
    if only(event, "p") != realm or only(event, "d") != room_id:
        raise Unreadable("room")
    created = event.created_at * 1000
    if created < now - WINDOW:
        raise Unreadable("stale")
    if created > now + WINDOW:
        raise Unreadable("early")
    try:
        found: _Content = content(event, _content)
    except Unreadable:
        raise Fault(
            'the content must be {"cmd": …, "args": {…}, "nonce": …}, and "wrap", if any, 1059 or 21059'
        ) from None
    args = bytes(found.args)
    if args == b"null":
        args = b"{}"
    ask = decode_ask(found.cmd, args)
    shown = found.token is not UNSET or _secret.decode(args).token is not UNSET
    if not private and (shown or isinstance(ask, PRIVATE)):
        raise Fault(f"{found.cmd} with what you sent must go in a gift wrap (NIP-59)")
    return Asked(event.id, event.pubkey, found.cmd, ask, found.nonce, private, created + WINDOW, found.wrap)


def answer(
    event_id: str, agent: str, body: bytes, created_at: int, max_bytes: int, *, private: bool
) -> Draft:
    """The answer `body` (JSON) to the ask of that id by `agent` (pubkey, hex).

    With `private` it is for a gift wrap, whose most is `identity.gift_wrap.MOST_RUMOR`; without, ValueError
    if a token is in it.  Instead of what gets larger than `max_bytes`, the agent is told so.
    """
    if not private and _secret.decode(body).token is not UNSET:
        raise ValueError("a token is answered in a gift wrap")
    tags = (("e", event_id), ("p", agent))
    draft = Draft(KIND, created_at, tags, body.decode())
    if size(draft) <= max_bytes:
        return draft
    text = f"The answer has {len(body)} bytes, more than a relay would take; ask for less, or over HTTP."
    return Draft(KIND, created_at, tags, encode({"error": text}).decode())


def told(agent: str, room_id: str, body: bytes, created_at: int) -> Draft:
    """The private event `body` (JSON) for its receiver `agent` (pubkey, hex); only for a gift wrap."""
    text = b'{"type":"private","message":%b}' % body
    return Draft(KIND, created_at, (("p", agent), ("d", room_id)), text.decode())
