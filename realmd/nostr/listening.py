"""What reads relays put together: commands of agents that are elsewhere, and other realms."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import SystemRandom
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from ..host.clock import milliseconds
from ..host.reactor import IReactor
from ..ops.metrics import Metrics
from ..primitives.bucket import Rate, Table
from ..runtime.daemon import Stage
from ..runtime.periodic import Periodic
from ..runtime.realm import Realm
from ..settings import Config
from ..storage.asks import IAsks
from .assembly import Links
from .bridge.bridge import Bridge
from .bridge.inlet import Shares
from .bridge.remote import Remote, Serve
from .bridge.worlds import Portal

#: Commands by relay: of one key, of all known agents (as of all strangers), and gift wraps opened.
KEY_RATE: Final = Rate(1.0, 30.0)
ALL_RATE: Final = Rate(20.0, 100.0)
WRAPS_RATE: Final = Rate(20.0, 200.0)
#: How often (s) answers that a relay did not take are offered again.
EVERY: Final = 0.5


class Listening:
    """The two readers of the relays of `bridge`; without relays they hear nothing."""

    def __init__(self, remote: Remote, portal: Portal, enabled: bool) -> None:
        self.remote = remote
        self.portal = portal
        self.enabled = enabled

    async def open(self) -> None:
        """Ask relays.  Raises `StorageError`."""
        self.portal.open()
        await self.remote.open()

    def close(self) -> None:
        self.remote.close()
        self.portal.close()


def portal(links: Links, reactor: IReactor) -> Portal:
    """What knows of other realms, not opened."""
    return Portal(links.pool, lambda: links.key.pubkey, lambda: milliseconds(reactor))


def listening(
    config: Config,
    realm: Realm,
    serve: Serve,
    bridge: Bridge,
    portal: Portal,
    store: IAsks,
    reactor: IReactor,
) -> Listening:
    """What listens to the relays of `bridge`, not started; commands are done by `serve`."""

    def wall() -> int:
        return milliseconds(reactor)

    def run(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *args)

    limits = config.limits
    shares = Shares(
        keys=Table(KEY_RATE, limits.tracked),
        all=Table(ALL_RATE, 2),
        wraps=Table(WRAPS_RATE, 1),
    )
    remote = Remote(
        realm, serve, bridge.pool, bridge.key, store, shares, bridge.echoes, bridge.voice.max_bytes,
        run, reactor, wall, os.urandom, SystemRandom(),
    )  # fmt: skip
    return Listening(remote, portal, bridge.enabled)


def stage(made: Listening, reactor: IReactor) -> Stage:
    """Its part of the daemon's life: after the doors are open, and before they close."""
    if not made.enabled:
        return Stage("listening")
    stage = Stage("listening", lambda: Deferred.fromCoroutine(made.open()), made.close)
    Periodic("relay-remote", EVERY, made.remote.work, reactor).setServiceParent(stage)
    return stage


def watch(made: Listening, metrics: Metrics) -> None:
    """What it is asked for at each scrape of /metrics; reasons are closed lists."""
    metrics.watch_all(made.remote.figures())
    metrics.watch_all(made.portal.figures())
    metrics.watch_each(
        "realmd_nostr_asks_refused_total", "Commands by relay that were not taken.", "reason",
        lambda: {reason: float(n) for reason, n in made.remote.inlet.passed_over.items()},
    )  # fmt: skip
    metrics.watch_each(
        "realmd_nostr_replies_total", "Answers and news by relay.", "outcome",
        lambda: {outcome: float(n) for outcome, n in made.remote.replies.counts.items()},
    )  # fmt: skip
    metrics.watch_each(
        "realmd_nostr_worlds_refused_total", "Announcements that were not taken.", "reason",
        lambda: {reason: float(n) for reason, n in made.portal.passed_over.items()},
    )  # fmt: skip
