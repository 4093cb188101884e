"""`twistd realmd`: the one place where the parts of the realm meet, in the order they need each other."""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from . import __version__
from .gateway.callers import Callers
from .gateway.feed import Feed
from .gateway.http import Door, DoorFactory
from .gateway.page import Page
from .gateway.peers import Peers
from .gateway.websocket import Bounds, Gateway
from .ops import logs
from .ops.checks import Check, loop_check, storage_check, thinker_check, tick_check, work_check
from .ops.files import RESERVED_FILES, raise_file_limit
from .ops.health import Health
from .ops.metrics import Metrics, resident_bytes
from .ops.monitoring import Monitoring
from .ops.status import EVERY, Status
from .options import Options
from .protocol.views import Room
from .runtime.catalogue import Catalogue
from .runtime.credentials import FILE as KEYS_FILE
from .runtime.credentials import Credentials, Lifetimes
from .runtime.daemon import Daemon, Stage
from .runtime.fanout import Fanout
from .runtime.history import History, Line
from .runtime.intake import Intake
from .runtime.journal import Committed, Journal
from .runtime.periodic import Periodic
from .runtime.realm import Realm
from .runtime.thinker import MindThreads, Spans, Thinker
from .runtime.ticker import Ticker
from .settings import Config
from .storage.engines import ENGINES
from .storage.interface import Retention
from .storage.store import Store
from .world.atlas import Atlas
from .world.engine import Limits, World
from .world.space import Grid

DAY_MS = 86_400_000


def makeService(options: Options, reactor: Any = None) -> IService:
    """The realm as one service, ready to start."""
    if reactor is None:
        from twisted.internet import reactor
    config = options.settings
    observer = logs.observer(config.log.format, config.log.level, sys.stderr)
    return build(config, options.atlas, reactor, observer)


def build(config: Config, atlas: Atlas, reactor: Any, observer: Any = None) -> Daemon:
    """Make every part, each from those before it, and the stages in which they live."""
    log = Logger()
    seed = config.world.seed or random.SystemRandom().getrandbits(63)
    tick = config.world.tick_ms / 1000
    metrics = Metrics()

    # The world and its clockwork.
    world = World(atlas, limits(config), random.Random(seed))
    store = Store(ENGINES[config.storage.engine], str(config.storage.database), reactor)
    history = History(store)
    intake = Intake(config.world.intake_limit)
    grid = Grid(atlas.half)
    fanout = Fanout(world, grid, slots=max(1, round(config.storage.snapshot_interval_s / tick)))
    threads = MindThreads(reactor, 2)
    thinker = Thinker(
        reactor, world, intake.submit, threads.run, now=lambda: int(reactor.seconds() * 1000),
        seed=seed, spans=spans(config),
    )  # fmt: skip

    def publish(committed: list[Committed]) -> None:
        history.add(one.entry for one in committed)
        fanout.publish(committed)
        thinker.hear(one.event for one in committed)

    journal = Journal(world, store, reactor, publish, config.storage.commit_timeout_s)
    journal.on_commit = metrics.commit
    fanout.journal = journal
    ticker = Ticker(world, intake, journal, fanout, reactor, metrics)
    ticking = Periodic("tick", tick, ticker.tick, reactor)
    retention = Retention(
        events_age=config.storage.events_days * DAY_MS,
        messages_age=config.storage.messages_days * DAY_MS,
        max_bytes=config.storage.max_mb * 1_048_576,
    )
    pruning = Periodic(
        "prune", 600.0, lambda _: store.prune(int(reactor.seconds() * 1000), retention), reactor
    )
    catalogue = Catalogue(config.plugins.folder, intake)
    scanning = Periodic("catalogue", config.plugins.rescan_s, catalogue.scan, reactor, now=True)
    loop = Periodic("loop", 0.5, lambda _: None, reactor)

    # The doors.
    port: list[IListeningPort] = []
    room = Room(
        config.room.id, config.room.name, config.room.description, config.server.url(), config.room.relays
    )

    def wall() -> int:
        return int(reactor.seconds() * 1000)

    credentials = Credentials(
        config.storage.state / KEYS_FILE,
        Lifetimes(config.auth.token_days * DAY_MS, config.auth.key_days * DAY_MS),
        os.urandom, wall,
    )  # fmt: skip
    realm = Realm(
        world, room, intake, journal, store, history, catalogue.plugins, config.server.port, credentials
    )
    callers = Callers(
        Peers(origins=config.server.cors_origins), credentials, lambda: realm.room.public_url, wall
    )
    gateway = Gateway(
        realm, fanout, reactor, random.Random(seed ^ 0x5EED),
        Bounds(
            config.server.message_bytes, config.server.outbox_bytes, config.server.outbox_patience_s,
            config.server.compression,
        ),
        lambda: factory.closed(), callers,
    )  # fmt: skip
    gateway.limit(
        config.server.handshake_timeout_s, config.server.ping_interval_s, config.server.ping_timeout_s
    )
    gateway.on_pong = metrics.ping
    monitoring = Monitoring(config, metrics, reactor)
    checks: dict[str, Callable[[], Check]] = {
        "tick": lambda: tick_check(ticking.lag, tick, reactor.seconds() - ticking.last),
        "storage": lambda: storage_check(journal),
        "thinker": lambda: thinker_check(thinker),
        "loop": lambda: loop_check(loop.lag),
        "alerts": monitoring.watch.check,
        "backup": monitoring.backups.check,
        "work": lambda: work_check(
            str(work.name) for work in (*clockwork, *chores) if isinstance(work, Periodic) and work.failing
        ),
    }
    health = Health(world, lambda: len(gateway.connections), checks, metrics, reactor)
    status = Status(metrics, health, lambda: len(config.room.relays), reactor)
    page = Page(Path(__file__).parent / "web")
    door = Door(
        realm, gateway, callers,
        {**health.pages(), **status.pages(), **page.pages(), **Feed(config.board.upstream, reactor).pages()},
        config.server.body_bytes, config.server.cors_origins, page.missing,
    )  # fmt: skip
    files = raise_file_limit()
    factory = DoorFactory(
        door, reactor, config.server.idle_timeout_s, config.server.handshake_timeout_s,
        min(config.server.max_connections, max(files - RESERVED_FILES, 16)),
    )  # fmt: skip

    # The stages: started in this order, stopped in reverse.
    async def open_store() -> None:
        config.storage.state.mkdir(mode=0o750, parents=True, exist_ok=True)
        credentials.open()
        loaded = await store.open()
        now = int(reactor.seconds() * 1000)
        world.tables.load(loaded.rows, loaded.seq)
        world.begin(now)
        lines = [Line.of(body) for body in await store.history(0, 0, 1000)]
        history.preload(lines)
        log.info("state loaded seq={seq} profiles={n} present={p}",
                 seq=loaded.seq, n=len(world.tables.profiles), p=len(world.tables.bodies))  # fmt: skip

    async def settle() -> None:
        """The last tick: what was accepted is done, made durable and answered."""
        try:
            ticker.tick()
        finally:
            await journal.flush()
            fanout.flush()

    async def farewell() -> None:
        closed = gateway.close_all()
        factory.close_all()
        await DeferredList(closed, consumeErrors=True).addTimeout(1.0, reactor, lambda *_: None)
        gateway.drop_all()

    def listen() -> None:
        port.append(
            reactor.listenTCP(config.server.port, factory, backlog=1024, interface=config.server.host)
        )
        realm.room = realm.room_at(config.server.url(port[0].getHost().port))  # type: ignore[attr-defined]
        settle_memory()
        health.ready = True
        if config.auth.mode == "open":
            log.warn("auth mode is open: anybody who can reach this port may speak for every agent")
        announce(log, realm.room.public_url)

    async def close_doors() -> None:
        health.ready = False
        intake.close()
        if port:
            await maybeDeferred(port[0].stopListening)

    daemon = Daemon(reactor, observer)
    clockwork = Stage("clockwork", stop=lambda: Deferred.fromCoroutine(settle()))
    for service in (
        ticking,
        Periodic("snapshot", config.storage.snapshot_interval_s, journal.snapshot, reactor),
        Periodic("probe", 1.0, journal.probe, reactor),
        Periodic("status", EVERY, status.sample, reactor),
        loop,
    ):  # fmt: skip
        service.setServiceParent(clockwork)
    chores = Stage("chores")  # apart: what takes long there must not hold up the last tick
    scanning.setServiceParent(chores)
    pruning.setServiceParent(chores)
    Periodic("keys", 3600.0, lambda _: credentials.refresh(), reactor).setServiceParent(chores)
    for guard in monitoring.services:
        guard.setServiceParent(chores)
    minds = Stage("minds")
    threads.setServiceParent(minds)
    thinker.setServiceParent(minds)
    for stage in (
        Stage("storage", lambda: Deferred.fromCoroutine(open_store()), store.close),
        Stage("clients", stop=lambda: Deferred.fromCoroutine(farewell())),
        clockwork,
        chores,
        minds,
        Stage("doors", listen, lambda: Deferred.fromCoroutine(close_doors())),
    ):
        stage.setServiceParent(daemon)
    for part in (factory, gateway, intake, journal):
        metrics.watch_all(part.figures())
    watch(metrics, world, ticking, loop, thinker)
    metrics.watch_each(
        "realmd_message_errors_total", "Messages that went wrong.", "kind",
        lambda: {
            "malformed": gateway.faults + door.faults,
            "busy": intake.refused,
            "storage": metrics.refused("storage_unavailable"),
            "internal": gateway.failed + door.failed + metrics.refused("internal_error"),
        },
    )  # fmt: skip
    return daemon


def settle_memory() -> None:
    """What start-up made stays for good: spare the garbage collector from looking at it again.

    The rest makes few cycles, so full collections may be rare; each stops the world.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def limits(config: Config) -> Limits:
    return Limits(
        max_agents=config.room.max_agents,
        walk_speed=config.world.walk_speed,
        commands_per_second=config.world.commands_per_second,
        doze_after=int(config.presence.doze_after_s * 1000),
        leave_after=int(config.presence.leave_after_s * 1000),
        board_posts=config.storage.board_posts,
        request_age=config.storage.messages_days * DAY_MS,
        auth=config.auth.mode,
        blocked_words=config.chat.blocked_words,
    )


def spans(config: Config) -> Spans:
    return Spans(
        interval=config.think.interval_ms / 1000,
        budget=config.think.budget_ms / 1000,
        respawn_after=config.think.respawn_after_s,
        respawn_max=config.think.respawn_max_s,
    )


def announce(log: Logger, url: str) -> None:
    """What somebody who just started a realm wants to know."""
    log.info("realmd {version} is ready", version=__version__)
    log.info("look at it: {url}/   health: {url}/health   metrics: {url}/metrics", url=url)
    join = '{"command":"register","args":{"agentId":"me","name":"Me"}}'
    log.info("join it: curl -s {url}/ipc -d '{join}'", url=url, join=join)


def watch(metrics: Metrics, world: World, ticking: Periodic, loop: Periodic, thinker: Thinker) -> None:
    """What the world and its clocks are asked for at each scrape of /metrics."""
    minds = [*world.atlas.inhabitants]
    metrics.watch_all(
        (
            ("realmd_agents_present", "Agents in the world.", lambda: len(world.tables.bodies)),
            ("realmd_agents_known", "Agents that ever registered.", lambda: len(world.tables.profiles)),
            ("realmd_seats_taken", "Seats taken.", world.seats_taken),
            ("realmd_seats", "Seats in all.", lambda: world.limits.max_agents),
            ("realmd_tick_lag_seconds", "How late the last tick began.", lambda: ticking.lag),
            ("realmd_ticks_missed_total", "Ticks merged into a later one.", lambda: ticking.missed),
            ("realmd_tick_failures_total", "Ticks that raised.", lambda: ticking.failures),
            ("realmd_loop_delay_seconds", "Delay of the event loop.", lambda: loop.lag),
            ("realmd_memory_resident_bytes", "Resident memory.", resident_bytes),
        )
    )
    for key in ("thoughts", "failures", "overruns", "respawns"):
        metrics.watch_each(
            f"realmd_mind_{key}_total", f"{key.capitalize()} of each mind.", "agent",
            lambda key=key: {m: float(getattr(thinker.inhabitants[m], key)) for m in minds},  # type: ignore[misc]
        )  # fmt: skip


__all__ = ["Options", "build", "makeService"]
