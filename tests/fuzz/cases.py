"""One connection to one door, as it is made of a seed and a number."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from ..attacks.wire import proxy_header
from . import asks, frames, requests
from .dice import Dice

DoorName = Literal["http", "websocket", "control", "proxy"]
#: How often each door is tried.
DOORS: Final[tuple[DoorName, ...]] = ("http",) * 10 + ("websocket",) * 8 + ("control",) * 2 + ("proxy",)
#: PROXY headers, version 1; after them comes a request.
V1: Final = (
    b"PROXY TCP4 198.18.0.1 127.0.0.1 1 80\r\n", b"PROXY TCP6 2001:db8::1 ::1 1 80\r\n", b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN x y z\r\n", b"PROXY TCP4 1.2.3.4 127.0.0.1 1 80", b"PROXY TCP4 a b c d\r\n", b"PROXY\r\n",
    b"PROXY \r\n", b"PROXY TCP4 198.18.0.1 127.0.0.1 x y\r\n", b"PROXY TCP4 \xff 127.0.0.1 1 80\r\n",
    b"PROXY TCP4 999.1.1.1 127.0.0.1 1 80\r\n", b"PROXY TCP4 198.18.0.1 127.0.0.1 99999 -1\r\n",
    b"PROXY TCP4 " + b"1" * 200 + b"\r\n", b"PROXY TCP6 ::1%eth0 ::1 1 80\r\n",
    b"PROXY TCP6 ::ffff:198.18.0.1 ::1 1 80\r\n", b"", b"proxy tcp4 198.18.0.1 127.0.0.1 1 80\r\n", b"\r\n",
)  # fmt: skip
SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"


class Case(NamedTuple):
    """`pieces` go to `door`, one after another, from this host or by a proxy from `address`.

    `answers`: how many HTTP answers must come, if that is certain.
    """

    seed: int
    number: int
    door: DoorName
    address: str | None
    pieces: tuple[bytes, ...]
    answers: int | None = None

    def __str__(self) -> str:
        where = f"door {self.door}, address {self.address}"
        return f"case {self.number} of seed {self.seed}, {where}:\n{self.pieces!r}"


def make(seed: int, number: int) -> Case:
    """Always the same for the same two numbers."""
    dice = Dice(seed, number)
    door = dice.choice(DOORS)
    if door == "control":
        lines = b"".join(asks.order(dice) for _ in range(dice.choice((1, 1, 2, 5))))
        if dice.odd(0.3):
            lines = dice.choice(
                (dice.randbytes(500), b"x" * 20_000 + b"\n", b"\n" * 500, lines[:-1], b"\x00\n")
            )
        return Case(seed, number, door, None, dice.cut(lines))
    address = f"198.18.{dice.randrange(200)}.{dice.randrange(1, 250)}" if dice.one_in(4) else None
    if door == "proxy":
        return Case(seed, number, door, "?", dice.cut(header(dice) + requests.get(dice) + requests.LAST))
    whole, answers = (requests if door == "http" else frames).stream(dice)
    if address is not None:
        whole = proxy_header(address) + whole
    return Case(seed, number, door, address, dice.cut(whole), answers if address is None else None)


def header(dice: Dice) -> bytes:
    """A PROXY header of either version."""
    if dice.one_in(2):
        return dice.damage(dice.choice(V1)) if dice.odd() else dice.choice(V1)
    family = dice.choice((0x11, 0x21, 0x12, 0x31, 0x00, 0xFF, 0x1F))
    size = {0x11: 12, 0x21: 36, 0x12: 12, 0x31: 216}.get(family, 0)
    told = dice.choice((0, 11, 2033, 65_535)) if dice.odd() else size
    command = dice.choice((0x20, 0x22, 0x10, 0xFF)) if dice.odd() else 0x21
    made = (
        SIGNATURE
        + bytes((command, family))
        + told.to_bytes(2, "big")
        + bytes((198, 18))
        + dice.randbytes(max(size - 2, 0))
    )
    return dice.damage(made) if dice.odd(0.3) else made
