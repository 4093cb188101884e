"""A place for a realm in each engine, and stores that are closed whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from realmd.storage import schema
from realmd.storage.engines import ENGINES
from realmd.storage.store import Store

#: Engine → a location of its own for each test.  Another engine: one row here.
LOCATIONS: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda directory: str(directory / "var" / "realm.sqlite")
}


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    """The name of a row of `ENGINES`: every row must keep the contract."""
    return str(request.param)


@pytest.fixture
def location(engine: str, tmp_path: Path) -> str:
    """Where nothing is yet."""
    return LOCATIONS[engine](tmp_path)


@pytest_twisted.async_yield_fixture
async def stores() -> AsyncIterator[list[Store]]:
    """Every store made in the test."""
    made: list[Store] = []
    yield made
    for store in made:
        await store.close()


@pytest.fixture
def make(engine: str, location: str, stores: list[Store]) -> Callable[..., Store]:
    """Make a store at `location`, not yet open."""

    def make(directory: Path = schema.DIRECTORY, location: str = location) -> Store:
        stores.append(Store(ENGINES[engine], location, reactor, directory))
        return stores[-1]

    return make


@pytest_twisted.async_yield_fixture
async def store(make: Callable[..., Store]) -> AsyncIterator[Store]:
    """An open store of an empty realm."""
    opened = make()
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def on_connection(store: Store) -> Callable[[str], Any]:
    """Run a statement on the store's own connection."""
    return lambda sql: store._run(lambda cursor: cursor.execute(sql).fetchall())
