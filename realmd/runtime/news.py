"""What one flush tells: each event encoded once, each area rendered once a dialect."""

from __future__ import annotations

from ..protocol.dialects import Dialect, Item
from ..world.space import Grid
from .snapshots import Effort


class News:
    """The committed events for everyone, and the positions and actions of each grid cell."""

    def __init__(self, grid: Grid, public: list[Item], local: dict[int, list[Item]], effort: Effort) -> None:
        self._grid = grid
        self._effort = effort
        self._public = public
        self._local = local
        self._durable: dict[Dialect, bytes] = {}
        self._around: dict[tuple[int, Dialect], bytes] = {}
        self._public_parts: dict[Dialect, bytes] = {}
        self._local_parts: dict[Dialect, dict[int, bytes]] = {}

    def __bool__(self) -> bool:
        return bool(self._public or self._local)

    def durable(self, dialect: Dialect) -> bytes:
        """What even a slow reader must get."""
        durable = self._durable.get(dialect)
        if durable is None:
            durable = self.of(self._public_part(dialect), dialect) if self._public else b""
            self._durable[dialect] = durable
        return durable

    def around(self, cell: int, dialect: Dialect, own: bytes | None = None) -> bytes:
        """Everything for who looks at `cell`; `own` replaces the part that is for everyone."""
        if own is not None:
            return self._render(cell, dialect, own)
        whole = self._around.get((cell, dialect))
        if whole is None:
            whole = self._around[cell, dialect] = self._render(cell, dialect, self._public_part(dialect))
        return whole

    def _render(self, cell: int, dialect: Dialect, public: bytes) -> bytes:
        parts = [public]
        if self._local:
            local = self._local_parts.get(dialect)
            if local is None:
                local = {c: dialect.part(items) for c, items in self._local.items()}
                self._local_parts[dialect] = local
            parts += [local[c] for c in self._grid.near(cell) if c in local]
        return self._whole(parts, dialect)

    def of(self, part: bytes, dialect: Dialect) -> bytes:
        """What is written for one `part`."""
        return self._whole([part], dialect)

    def _whole(self, parts: list[bytes], dialect: Dialect) -> bytes:
        return self._effort.dialect(dialect, sum(map(len, parts))).whole(parts)

    def _public_part(self, dialect: Dialect) -> bytes:
        part = self._public_parts.get(dialect)
        if part is None:
            part = self._public_parts[dialect] = dialect.part(self._public)
        return part
