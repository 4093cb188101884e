"""What a part counts, as /metrics shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

#: Name, meaning, and what to ask at each scrape; a name that ends with `_total` is a counter.
Figures = Iterable[tuple[str, str, Callable[[], float]]]
