"""Chance that comes again: every case is made of the fuzz's seed and its own number, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence

#: How much of a case is wrong: nothing, a little, much.
WILD = (0.0, 0.0, 0.02, 0.1, 0.4)


class Dice(random.Random):
    """The dice of one case."""

    def __init__(self, seed: int, number: int) -> None:
        super().__init__(f"{seed}/{number}")
        self.wild = self.choice(WILD)

    def odd(self, times: float = 1.0) -> bool:
        """Whether to do something wrong here."""
        return self.random() < self.wild * times

    def maybe(self, right: bytes, wrong: Sequence[bytes], times: float = 1.0) -> bytes:
        """`right`, or if something is to be wrong here one of the others."""
        return self.choice(wrong) if self.odd(times) else right

    def one_in(self, count: int) -> bool:
        return self.random() * count < 1

    def cut(self, data: bytes, most: int = 4) -> tuple[bytes, ...]:
        """`data` in as many as `most` pieces."""
        if self.one_in(2):
            return (data,)
        places = sorted(self.randrange(len(data) + 1) for _ in range(self.randrange(1, most)))
        return tuple(data[a:b] for a, b in zip((0, *places), (*places, len(data)), strict=True) if a < b)

    def damage(self, data: bytes) -> bytes:
        """`data` with some bytes changed, gone, doubled or put in."""
        found = bytearray(data)
        for _ in range(self.randrange(1, 4)):
            at = self.randrange(len(found) + 1)
            end = at + self.randrange(1, 9)
            match self.randrange(4):
                case 0:
                    found[at:end] = b""
                case 1:
                    found[at:at] = found[at:end]
                case 2:
                    found[at:at] = self.randbytes(self.randrange(1, 5))
                case _ if at < len(found):
                    found[at] ^= 1 << self.randrange(8)
        return bytes(found)
