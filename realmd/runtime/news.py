"""What one flush tells: each event encoded once, each area rendered once a dialect."""

from __future__ import annotations

from ..protocol.dialects import Dialect, Item
from ..world.space import Grid


class News:
    """The committed events for everyone, and the positions and actions of each grid cell."""

    def __init__(self, grid: Grid, public: list[Item], local: dict[int, list[Item]]) -> None:
        self._grid = grid
        self._public = public
        self._local = local
        self._public_parts: dict[Dialect, bytes] = {}
        self._local_parts: dict[Dialect, dict[int, bytes]] = {}

    def __bool__(self) -> bool:
        return bool(self._public or self._local)

    def durable(self, dialect: Dialect) -> bytes:
        """What even a slow reader must get."""
        return dialect.whole([self._public_part(dialect)]) if self._public else b""

    def around(self, cell: int, dialect: Dialect, own: bytes | None = None) -> bytes:
        """Everything for who looks at `cell`; `own` replaces the part that is for everyone."""
        parts = [self._public_part(dialect) if own is None else own]
        if self._local:
            local = self._local_parts.get(dialect)
            if local is None:
                local = {c: dialect.part(items) for c, items in self._local.items()}
                self._local_parts[dialect] = local
            parts += [local[c] for c in self._grid.near(cell) if c in local]
        return dialect.whole(parts)

    def _public_part(self, dialect: Dialect) -> bytes:
        part = self._public_parts.get(dialect)
        if part is None:
            part = self._public_parts[dialect] = dialect.part(self._public)
        return part
