"""What was taken by relay is remembered across restarts, and not for ever."""

from __future__ import annotations

import pytest_twisted

from realmd.storage.asks import Asks
from realmd.storage.store import Store


@pytest_twisted.ensureDeferred
async def test_what_was_taken_is_known_after_a_restart(store: Store) -> None:
    """Until it is stale; and the newest is known even then, so that a clock set back is noticed."""
    asks = Asks(store)
    await asks.take({"a": 1000, "b": 2000}, 500)
    await asks.take({"b": 2000, "c": 3000}, 1500)
    await store.close()
    await store.open()
    assert await asks.load() == {"b": 2000, "c": 3000}
    await asks.take({"d": 9000}, 8000)
    assert await asks.load() == {"d": 9000}
