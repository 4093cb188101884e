"""From the store into memory: what a daemon that starts takes up."""

from __future__ import annotations

from twisted.logger import Logger

from ..storage.interface import IStore
from ..world.engine import World
from .history import History, Line

#: The newest public events that are kept at hand.
RECENT = 1000

log = Logger(namespace="realmd")


async def load(store: IStore, world: World, history: History, now: int) -> str:
    """Open the store, and take up what it holds at `now` (ms).  The realm's epoch; raises `StorageError`."""
    loaded = await store.open()
    world.tables.load(loaded.rows, loaded.seq)
    world.begin(now)
    history.preload([Line.of(body) for body in await store.history(0, 0, RECENT)])
    if shortened := world.tables.shortened:
        log.warn(
            "profiles cut to what one may hold n={n} agents={agents}",
            n=len(shortened),
            agents=", ".join(shortened[:20]),
        )
    log.info(
        "state loaded seq={seq} profiles={n} present={p}",
        seq=loaded.seq,
        n=len(world.tables.profiles),
        p=len(world.tables.bodies),
    )
    return loaded.epoch
