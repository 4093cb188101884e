"""`twistd realmd`: the one place where the parts of the realm meet, in the order they need each other."""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from twisted.application.service import IService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from . import __version__
from .backup.record import NAME as BACKUP_RECORD
from .gateway import reports
from .gateway.bans import Bans
from .gateway.callers import Callers
from .gateway.certificates import CertificateError, Certificates
from .gateway.guard import Guard
from .gateway.http import Door, DoorFactory
from .gateway.page import Page
from .gateway.peers import UNIX
from .gateway.request import Request
from .gateway.turns import bound
from .gateway.websocket import Gateway
from .gateway.wire import Bounds
from .host import logs
from .host.clock import make_steady, milliseconds, time_of_day
from .host.descriptors import RESERVED_FILES, raise_file_limit
from .host.resources import resident_bytes
from .nostr import assembly as nostr
from .nostr import listening
from .operator.audit import FILE as AUDIT_FILE
from .operator.audit import Audit, Deed, Operator
from .operator.control import ControlSocket
from .operator.desk import Desk
from .operator.drain import Drain
from .ops.checks import Check, history_check, loop_check, storage_check, thinker_check, tick_check, work_check
from .ops.health import Health
from .ops.metrics import CONTENT_TYPE, Metrics
from .ops.monitoring import Monitoring
from .ops.status import EVERY, Status
from .ops.trial import try_out
from .options import Options
from .protocol.views import Room
from .runtime import systemd
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
from .settings.control import NAME as SOCKET_NAME
from .storage.asks import Asks
from .storage.engines import ENGINES
from .storage.interface import DAY_MS, Retention
from .storage.publications import Publications
from .storage.store import Store
from .world.atlas import Atlas
from .world.engine import World
from .world.limits import Limits
from .world.space import Grid

#: Who connects during a restart is let in by the next process.  So that nobody is refused, who was let
#: in just before by this one gets so long (s) to ask.
LAST_REQUESTS = 0.2


def makeService(options: Options, reactor: Any = None) -> IService:
    """The realm as one service, ready to start."""
    if reactor is None:
        from twisted.internet import reactor
    make_steady(reactor)
    config = options.settings
    observer = logs.observer(config.log.format, config.log.level, sys.stderr)
    try:
        return build(config, options.atlas, reactor, observer)
    except (CertificateError, nostr.RelayError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def build(config: Config, atlas: Atlas, reactor: Any, observer: Any = None) -> Daemon:
    """Make every part, each from those before it, and the stages in which they live."""
    log = Logger()
    seed = config.world.seed or random.SystemRandom().getrandbits(63)
    tick = config.world.tick_ms / 1000
    metrics = Metrics()

    # The world and its clockwork.
    world = World(atlas, limits(config), random.Random(seed))
    state = config.storage.state
    past = (config.backup.folder(state) / BACKUP_RECORD, state / KEYS_FILE)
    store = Store(ENGINES[config.storage.engine], str(config.storage.database), reactor, beside=past)
    history = History(store)
    intake = Intake(config.world.intake_limit)
    grid = Grid(atlas.half)
    fanout = Fanout(world, grid, slots=max(1, round(config.storage.snapshot_interval_s / tick)))
    threads = MindThreads(reactor, 2)
    thinker = Thinker(
        reactor, world, intake.submit, threads.run, now=lambda: milliseconds(reactor),
        seed=seed, spans=Spans.of(config.think),
    )  # fmt: skip

    def publish(committed: list[Committed]) -> None:
        history.add(one.entry for one in committed)
        fanout.publish(committed)
        bridge.hear(committed)
        ears.remote.publish(committed)
        thinker.hear(one.event for one in committed)

    journal = Journal(world, store, reactor, publish, config.storage.commit_timeout_s)
    journal.on_commit = metrics.commit
    fanout.journal = journal
    ticker = Ticker(world, intake, journal, fanout, reactor, metrics)
    ticking = Periodic("tick", tick, ticker.tick, reactor)
    pruning = Periodic(
        "prune", 600.0, lambda _: store.prune(milliseconds(reactor), Retention.of(config.storage)), reactor
    )
    catalogue = Catalogue(config.plugins.folder, intake)
    scanning = Periodic("catalogue", config.plugins.rescan_s, catalogue.scan, reactor, now=True)
    loop = Periodic("loop", 0.5, lambda _: None, reactor)

    # The doors.
    port: list[IListeningPort] = []
    handed_over: list[IListeningPort] = []
    room = Room(
        config.room.id, config.room.name, config.room.description, config.server.url(), config.room.relays
    )

    credentials = Credentials(
        config.storage.state / KEYS_FILE, Lifetimes.of(config.auth), os.urandom, lambda: milliseconds(reactor)
    )
    realm = Realm(
        world, room, intake, journal, store, history, catalogue.plugins, config.server.port, credentials
    )
    bridge = nostr.bridge(
        config, realm, journal, Publications(store), reactor, random.Random(seed ^ 0x57A12), os.environ
    )
    ears = listening.listening(config, realm, bridge, Asks(store), reactor)
    certificates = Certificates.of(config.server, reactor)
    places = min(config.server.max_connections, max(raise_file_limit() - RESERVED_FILES, 16))
    guard = Guard(config.server, config.limits, places, reactor, certificates, config.alerts.memory_mb)
    guard.bans = Bans(world, guard.peers, reactor)
    callers = Callers(credentials, lambda: realm.room.public_url, reactor)
    gateway = Gateway(
        realm, fanout, reactor, random.Random(seed ^ 0x5EED),
        Bounds.of(config.server), guard.crowd.leave, callers, guard,
    )  # fmt: skip
    gateway.limit(
        config.server.handshake_timeout_s, config.server.ping_interval_s, config.server.ping_timeout_s
    )
    gateway.on_pong = metrics.ping
    monitoring = Monitoring(config, metrics, reactor, nostr.messenger(bridge, config.alerts.operator_npub))
    checks: dict[str, Callable[[], Check]] = {
        "tick": lambda: tick_check(ticking.lag, tick, reactor.seconds() - ticking.last),
        "storage": lambda: storage_check(journal),
        "history": lambda: history_check(store),
        "thinker": lambda: thinker_check(thinker),
        "loop": lambda: loop_check(loop.lag),
        "alerts": monitoring.watch.check,
        "backup": monitoring.backups.check,
        "work": lambda: work_check(
            str(work.name)
            for work in (*clockwork, *chores, *bridge)
            if isinstance(work, Periodic) and work.failing
        ),
        **nostr.checks(bridge),
    }
    health = Health(world, lambda: len(gateway.connections), checks, reactor)
    status = Status(metrics, health, lambda: len(bridge.pool.connected()), reactor)
    page = Page(Path(__file__).parent / "web")
    guard.files = frozenset(page.pages())
    door = Door(
        realm, gateway, callers, guard,
        {**reports.pages(health.report, status.report, status.badge, metrics.render, CONTENT_TYPE),
         **page.pages(), **feed(config.board.upstream, reactor), **nostr.pages(bridge, config.nostr.nip05)},
        config.server.body_bytes, config.server.cors_origins, page.missing,
    )  # fmt: skip
    factory = DoorFactory(door, reactor, config.server.idle_timeout_s, config.server.handshake_timeout_s)
    listener = guard.wrap(factory)

    # The operator.
    def welcome(newcomers: bool) -> None:
        health.ready = newcomers

    audit = Audit(state / AUDIT_FILE)

    async def note(who: Operator, deed: Deed) -> None:
        now = time_of_day(reactor)
        await deferToThreadPool(reactor, reactor.getThreadPool(), audit.write, now, who, deed)

    trial = nostr.messenger(bridge, config.alerts.operator_npub, wait=True)
    desk = Desk(
        realm, gateway, lambda: factory.open, credentials, Drain(world, gateway, reactor, welcome), note,
        lambda: daemon.end("drained"), lambda: try_out(config, reactor, trial), reactor,
    )  # fmt: skip
    control = ControlSocket(
        desk, reactor, config.control.place(state), state / SOCKET_NAME, config.control.group
    )

    # The stages: started in this order, stopped in reverse.
    async def open_store() -> None:
        config.storage.state.mkdir(mode=0o750, parents=True, exist_ok=True)
        credentials.open()
        bridge.open_key()
        loaded = await store.open()
        now = milliseconds(reactor)
        realm.room = replace(realm.room, epoch=loaded.epoch)
        world.tables.load(loaded.rows, loaded.seq)
        world.begin(now)
        lines = [Line.of(body) for body in await store.history(0, 0, 1000)]
        history.preload(lines)
        if shortened := world.tables.shortened:
            log.warn("profiles cut to what one may hold n={n} agents={agents}",
                     n=len(shortened), agents=", ".join(shortened[:20]))  # fmt: skip
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
        handed_over.extend(systemd.adopted(reactor, listener))
        port.extend(
            handed_over
            or [reactor.listenTCP(config.server.port, listener, backlog=1024, interface=config.server.host)]
        )
        for one in port:
            bound(one)
        for warning in guard.warnings(*(getattr(one.getHost(), "host", UNIX) for one in port)):
            log.warn("{warning}", warning=warning)
        realm.room = realm.room_at(config.server.url(port[0].getHost().port))  # type: ignore[attr-defined]
        bridge.ready()
        settle_memory()
        health.ready = True
        if config.auth.mode == "open":
            log.warn("auth mode is open: anybody who can reach this port may speak for every agent")
        announce(log, realm.room.public_url)

    async def close_doors() -> None:
        for one in port:
            await maybeDeferred(one.stopListening)
        if handed_over:
            await deferLater(reactor, LAST_REQUESTS)
        health.ready = False
        intake.close()

    def summary() -> str:
        """For `systemctl status`."""
        return f"{len(world.tables.bodies)} present, {len(gateway.connections)} watching"

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
    for watching in monitoring.services:
        watching.setServiceParent(chores)
    Periodic("crowd", 1.0, guard.crowd.look, reactor).setServiceParent(chores)
    if certificates is not None:
        Periodic("certificate", 60.0, certificates.look, reactor).setServiceParent(chores)
    service_manager = systemd.Notifier.of(os.environ, summary)
    if certificates is not None or service_manager.listened_to:
        daemon.on_hangup = lambda: service_manager.reload(certificates.reload if certificates else None)
    minds = Stage("minds")
    threads.setServiceParent(minds)
    thinker.setServiceParent(minds)
    for stage in (
        Stage("storage", lambda: Deferred.fromCoroutine(open_store()), store.close),
        *nostr.stages(bridge, lambda: world.tables.seq),
        Stage("clients", stop=lambda: Deferred.fromCoroutine(farewell())),
        clockwork,
        chores,
        minds,
        Stage("doors", listen, lambda: Deferred.fromCoroutine(close_doors())),
        listening.stage(ears, reactor),
        Stage("control", control.open, lambda: Deferred.fromCoroutine(control.close())),
        service_manager.stage(reactor),
    ):
        stage.setServiceParent(daemon)
    for part in (store, factory, gateway, intake, journal, guard, guard.bans):
        metrics.watch_all(part.figures())
    guard.watch_each(metrics.watch_each)
    nostr.watch(bridge, metrics)
    listening.watch(ears, metrics)
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


def feed(upstream: str, reactor: Any) -> dict[bytes, Callable[[Request], None]]:
    """The pages of the board's upstream, if there is one."""
    if not upstream:
        return {}
    # Not at the top: it loads Twisted's HTTP client.
    from .gateway.feed import Feed

    return Feed(upstream, reactor).pages()


def settle_memory() -> None:
    """What start-up made stays for good: spare the garbage collector from looking at it again.

    The rest makes few cycles, so full collections may be rare; each stops the world.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def limits(config: Config) -> Limits:
    """What the world allows."""
    return Limits(
        max_agents=config.room.max_agents,
        address_seats_percent=config.limits.address_seats_percent,
        network_seats_percent=config.limits.network_seats_percent,
        walk_speed=config.world.walk_speed,
        commands_per_second=config.world.commands_per_second,
        doze_after=int(config.presence.doze_after_s * 1000),
        leave_after=int(config.presence.leave_after_s * 1000),
        board_posts=config.storage.board_posts,
        request_age=config.storage.messages_days * DAY_MS,
        auth=config.auth.mode,
        blocked_words=config.chat.blocked_words,
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
