"""What is asked of the realm, as JSON: every command, query, wish and order there is, by introspection."""

from __future__ import annotations

from typing import Final, get_args

from realmd.protocol import control
from realmd.protocol.classic import Wish
from realmd.world.commands import COMMANDS
from realmd.world.queries import QUERIES

from .dice import Dice
from .json_text import OTHER, STRINGS, anything, members

ASKS: Final[dict[str, type]] = {**COMMANDS, **QUERIES}
WISHES: Final[dict[str, type]] = {str(cls.__struct_config__.tag): cls for cls in Wish.__subclasses__()}
ORDERS: Final[dict[str, type]] = {str(cls.__struct_config__.tag): cls for cls in get_args(control.ORDERS)}
#: Orders that end the realm, or take from everybody what the witnesses are promised.
NEVER: Final = frozenset({"drain"})
#: Networks of the fuzz alone (RFC 5737, RFC 3849), for bans; the rest is no network.
NETWORKS: Final = (
    b'"203.0.113.7"', b'"203.0.113.0/24"', b'"2001:db8::/48"', b'"300.1.1.1"', b'"x"', b'"/"', b'""',
)  # fmt: skip
#: What stands where a token does.
TOKENS: Final = (
    b'""', b'"realm1.x.y"', b'"realm1.."', b'"realm2.e30.e30"', b"null", b"7", b'"' + b"x" * 3000 + b'"',
    b'"\\ud800"',
)  # fmt: skip
MARKS: Final = (
    b"1", b'"m"', b"null", b"[]", b"true", b"1.5", b"9" * 70, b'"' + b"x" * 64 + b'"', b'"\\u0000"', b"-1",
)  # fmt: skip


def args(dice: Dice, name: str) -> bytes:
    """The arguments of a command or query."""
    found = members(dice, ASKS[name])
    if dice.one_in(20):
        found.append(b'"token":%b' % dice.choice(TOKENS))
    return b"{%b}" % b",".join(found)


def body(dice: Dice) -> bytes:
    """A body of POST /ipc."""
    name = dice.choice(sorted(ASKS))
    command = dice.choice(STRINGS) if dice.odd() else b'"%b"' % name.encode()
    parts = [b'"command":%b' % command, b'"args":%b' % (anything(dice) if dice.odd() else args(dice, name))]
    if dice.one_in(20):
        parts.append(b'"token":%b' % dice.choice(TOKENS))
    if dice.odd():
        parts.append(dice.choice(parts))
    dice.shuffle(parts)
    return worn(dice, b"{%b}" % b",".join(parts))


def message(dice: Dice) -> bytes:
    """A message of a WebSocket."""
    name = dice.choice(sorted(ASKS if dice.one_in(2) else WISHES))
    kind = dice.choice(STRINGS) if dice.odd() else b'"%b"' % name.encode()
    parts = [b'"type":%b' % kind, *members(dice, ASKS.get(name) or WISHES[name])]
    if not dice.one_in(3):
        parts.append(b'"id":%b' % (dice.choice(MARKS) if dice.one_in(3) else b"%d" % dice.randrange(10**6)))
    if dice.one_in(20):
        parts.append(b'"token":%b' % dice.choice(TOKENS))
    if dice.odd():
        dice.shuffle(parts)
    return worn(dice, b"{%b}" % b",".join(parts))


def order(dice: Dice) -> bytes:
    """A line of the control socket.  What would end the realm is in a version that it does not speak."""
    name = dice.choice(sorted(ORDERS))
    parts = [
        b'"network":%b' % dice.choice(NETWORKS) if part.startswith(b'"network"') else part
        for part in members(dice, ORDERS[name])
        if not part.startswith((b'"v"', b'"connection"'))  # a connection's number may be a witness's
    ]
    version = b"2" if name in NEVER else dice.choice((b"0", b"null", b'"1"')) if dice.odd() else b"1"
    parts = [b'"v":%b' % version, b'"command":"%b"' % name.encode(), *parts]
    line = b"{%b}" % b",".join(parts)
    whole = name in NEVER or b'"network"' in line  # "/24" damaged is "/2", which is everybody
    return (line if whole else worn(dice, line)).replace(b"\n", b" ") + b"\n"


def worn(dice: Dice, text: bytes) -> bytes:
    """`text`, now and then damaged, or something else."""
    if dice.odd(0.5):
        return dice.damage(text)
    return dice.choice(OTHER) if dice.odd(0.2) else text
