"""`twistd realmd`: the one place where the parts of the realm meet, in the order they need each other.

Each function below builds one storey from those under it, and returns what it made, complete; `build` calls
them from the ground up, and puts what is to be run into stages.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, Logger

from .backup.record import NAME as BACKUP_RECORD
from .gateway import exposure, reports
from .gateway.bans import Bans
from .gateway.callers import Callers
from .gateway.certificates import CertificateError, Certificates
from .gateway.guard import Guard
from .gateway.http import Door
from .gateway.listening import Doors
from .gateway.page import Page
from .gateway.websocket import Gateway
from .host import logs
from .host.clock import make_steady, milliseconds
from .host.descriptors import RESERVED_FILES, raise_file_limit
from .host.reactor import IReactor
from .nostr import assembly as nostr
from .nostr import listening
from .nostr.bridge.bridge import Bridge
from .nostr.bridge.worlds import Portal
from .operator.audit import FILE as AUDIT_FILE
from .operator.audit import Audit
from .operator.control import ControlSocket
from .operator.desk import Desk
from .operator.drain import Drain
from .ops import checks
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
from .runtime.figures import figures
from .runtime.history import History
from .runtime.intake import Intake
from .runtime.journal import Journal
from .runtime.loading import load
from .runtime.periodic import Periodic
from .runtime.realm import Realm
from .runtime.terms import limits
from .runtime.thinker import MindThreads, Spans, Thinker
from .runtime.ticker import Ticker
from .settings import Config
from .settings.control import NAME as SOCKET_NAME
from .storage.asks import Asks
from .storage.engines import ENGINES
from .storage.interface import Retention
from .storage.publications import Publications
from .storage.store import Store
from .world.atlas import Atlas
from .world.engine import World
from .world.space import Grid

log = Logger()


def makeService(options: Options, reactor: Any = None) -> IService:
    """The realm as one service, ready to start."""
    if reactor is None:
        from twisted.internet import reactor
    config = options.settings
    observer = logs.observer(config.log.format, config.log.level, sys.stderr)
    try:
        return build(config, options.atlas, make_steady(reactor), observer)
    except (CertificateError, nostr.RelayError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def build(config: Config, atlas: Atlas, reactor: IReactor, observer: ILogObserver | None = None) -> Daemon:
    """Every part, and the stages in which they live: started in this order, stopped in reverse."""
    seed = config.world.seed or random.SystemRandom().getrandbits(63)
    ground = Ground(config, reactor, Metrics(), seed, [])
    core = clockwork(ground, atlas)
    front = front_desk(ground, core)
    sockets = websockets(ground, core, front)
    watch = monitoring(ground, core, front, sockets)
    doors = http(ground, front, sockets, watch)
    here, watching = core.world.tables.bodies, sockets.gateway.connections
    notifier = systemd.Notifier.of(os.environ, lambda: f"{len(here)} present, {len(watching)} watching")
    reload = sockets.certificates.reload if sockets.certificates else None
    hangup = (lambda: notifier.reload(reload)) if reload or notifier.listened_to else None
    daemon = Daemon(reactor, observer, hangup)
    control = operators_desk(ground, core, front, sockets, watch, doors, daemon)
    for stage in (
        Stage("storage", lambda: Deferred.fromCoroutine(open_store(ground, core, front)), core.store.close),
        *nostr.stages(front.bridge, lambda: core.world.tables.seq),
        Stage("clients", stop=lambda: Deferred.fromCoroutine(doors.farewell())),
        turning(ground, core, watch),
        chores(ground, core, front, sockets, watch),
        Stage.of("minds", core.threads, core.thinker),
        Stage("doors", doors.open, lambda: Deferred.fromCoroutine(doors.close())),
        listening.stage(sockets.ears, reactor),
        Stage("control", control.open, lambda: Deferred.fromCoroutine(control.close())),
        notifier.stage(reactor),
    ):
        stage.setServiceParent(daemon)
    count(ground.metrics, core, front, sockets, doors)
    return daemon


class Ground(NamedTuple):
    """What every storey stands on; `works` is all periodic work there is."""

    config: Config
    reactor: IReactor
    metrics: Metrics
    seed: int
    works: list[Periodic]

    def now(self) -> int:
        """The time of day (ms)."""
        return milliseconds(self.reactor)

    def dice(self, salt: int = 0) -> random.Random:
        """Dice of their own for each who throws any: what one does changes nothing for the others."""
        return random.Random(self.seed ^ salt)

    def every(self, seconds: float, name: str, work: Callable[[int], Any], now: bool = False) -> Periodic:
        """Supervised periodic work, to be put into a stage."""
        periodic = Periodic(name, seconds, work, self.reactor, now)
        self.works.append(periodic)
        return periodic


class Core(NamedTuple):
    """The world and its clockwork."""

    world: World
    store: Store
    history: History
    intake: Intake
    journal: Journal
    fanout: Fanout
    ticker: Ticker
    ticking: Periodic
    loop: Periodic
    threads: MindThreads
    thinker: Thinker
    catalogue: Catalogue


def clockwork(ground: Ground, atlas: Atlas) -> Core:
    """What turns without anybody connected."""
    config, reactor = ground.config, ground.reactor
    tick = config.world.tick_ms / 1000
    world = World(atlas, limits(config), ground.dice())
    state = config.storage.state
    past = (config.backup.folder(state) / BACKUP_RECORD, state / KEYS_FILE)
    store = Store(ENGINES[config.storage.engine], str(config.storage.database), reactor, beside=past)
    history = History(store)
    intake = Intake(config.world.intake_limit)
    journal = Journal(world, store, reactor, config.storage.commit_timeout_s, ground.metrics.commit)
    slots = max(1, round(config.storage.snapshot_interval_s / tick))
    fanout = Fanout(world, Grid(atlas.half), journal, slots)
    ticker = Ticker(world, intake, journal, fanout, reactor, ground.metrics)
    threads = MindThreads(reactor, 2)
    thinker = Thinker(
        reactor, world, intake.submit, threads.run, now=ground.now, seed=ground.seed,
        spans=Spans.of(config.think),
    )  # fmt: skip
    journal.listen(lambda committed: history.add(one.entry for one in committed))
    journal.listen(fanout.publish)
    journal.listen(lambda committed: thinker.hear(one.event for one in committed))
    return Core(
        world, store, history, intake, journal, fanout, ticker,
        ground.every(tick, "tick", ticker.tick), ground.every(0.5, "loop", lambda _: None),
        threads, thinker, Catalogue(config.plugins.folder, intake),
    )  # fmt: skip


class Front(NamedTuple):
    """What all doors ask, and the realm on relays."""

    realm: Realm
    credentials: Credentials
    portal: Portal
    bridge: Bridge


def front_desk(ground: Ground, core: Core) -> Front:
    """The realm as it answers, whatever the wire."""
    config, reactor = ground.config, ground.reactor
    keys, lifetimes = config.storage.state / KEYS_FILE, Lifetimes.of(config.auth)
    credentials = Credentials(keys, lifetimes, os.urandom, ground.now)
    links = nostr.links(config, reactor, ground.dice(0x57A12), os.environ)
    portal = listening.portal(links, reactor)
    given = config.room
    room = Room(given.id, given.name, given.description, config.server.url(), given.relays)
    realm = Realm(
        core.world, room, core.intake, core.journal, core.store, core.history, core.catalogue.plugins,
        config.server.port, credentials, portal.listings,
    )  # fmt: skip
    bridge = nostr.bridge(config, realm, core.journal, Publications(core.store), links, reactor)
    core.journal.listen(bridge.hear)
    return Front(realm, credentials, portal, bridge)


class Sockets(NamedTuple):
    """The guard before all doors, the WebSocket door, and who listens to relays."""

    certificates: Certificates | None
    page: Page
    bans: Bans
    guard: Guard
    callers: Callers
    gateway: Gateway
    ears: listening.Listening


def websockets(ground: Ground, core: Core, front: Front) -> Sockets:
    """Who may come in, and those who stay."""
    config, reactor = ground.config, ground.reactor
    server = config.server
    certificates = Certificates.of(server, reactor)
    page = Page(Path(__file__).parent / "web")
    places = min(server.max_connections, max(raise_file_limit() - RESERVED_FILES, 16))
    peers = exposure.peers_of(server)
    bans = Bans(core.world, peers, reactor)
    files = frozenset(page.pages())
    guard = Guard(front.realm, config, peers, bans, files, places, certificates, reactor)
    callers = Callers(front.credentials, lambda: front.realm.room.public_url, reactor)
    gateway = Gateway(
        front.realm, core.fanout, callers, guard, server, ground.metrics.ping, reactor, ground.dice(0x5EED)
    )
    store, relayed = Asks(core.store), guard.serve_relayed
    ears = listening.listening(config, front.realm, relayed, front.bridge, front.portal, store, reactor)
    core.journal.listen(ears.remote.publish)
    return Sockets(certificates, page, bans, guard, callers, gateway, ears)


class Watch(NamedTuple):
    """What looks after the realm from inside."""

    monitoring: Monitoring
    health: Health
    status: Status


def monitoring(ground: Ground, core: Core, front: Front, sockets: Sockets) -> Watch:
    """Health, alerts and figures."""
    config, reactor, bridge, ticking = ground.config, ground.reactor, front.bridge, core.ticking
    messenger = nostr.messenger(bridge, config.alerts.operator_npub)
    looking = Monitoring(config, ground.metrics, reactor, core.world.peopled, messenger)
    asked = {
        **checks.clockwork(ticking, core.loop, core.journal, core.store, core.thinker, reactor),
        "alerts": looking.watch.check,
        "backup": looking.backups.check,
        "work": lambda: checks.work_check(ground.works, looking.services, bridge),
        **nostr.checks(bridge),
    }
    watching = sockets.gateway.connections
    health = Health(core.world, lambda: len(watching), asked, config.room.id, ticking, reactor)
    status = Status(ground.metrics, health, lambda: len(bridge.pool.connected()), reactor)
    return Watch(looking, health, status)


def http(ground: Ground, front: Front, sockets: Sockets, watch: Watch) -> Doors:
    """The HTTP door, and the ports on which all doors are."""
    config, reactor, bridge = ground.config, ground.reactor, front.bridge
    server, health, status = config.server, watch.health, watch.status
    pages = {
        **reports.pages(health.report, status.report, status.badge, ground.metrics.render, CONTENT_TYPE),
        **sockets.page.pages(),
        **reports.elsewhere(config.board.upstream, config.plugins.upstream, reactor),
        **nostr.pages(bridge, config.nostr.nip05),
    }
    door = Door(
        front.realm, sockets.gateway, sockets.callers, sockets.guard, pages, server.body_bytes,
        server.cors_origins, sockets.page.missing,
    )  # fmt: skip

    def opened(port: int) -> None:
        front.realm.learn(public_url=server.url(port))
        bridge.ready()
        health.welcome(True)
        if config.auth.mode == "open":
            log.warn("auth mode is open: anybody who can reach this port may speak for every agent")

    def closing() -> None:
        health.welcome(False)
        front.realm.intake.close()

    return Doors(door, sockets.gateway, sockets.guard, server, systemd.adopted, opened, closing, reactor)


def operators_desk(
    ground: Ground, core: Core, front: Front, sockets: Sockets, watch: Watch, doors: Doors, daemon: Daemon
) -> ControlSocket:
    """What answers the operator."""
    config, reactor = ground.config, ground.reactor
    state = config.storage.state
    trial = nostr.messenger(front.bridge, config.alerts.operator_npub, wait=True)
    desk = Desk(
        front.realm, sockets.gateway, lambda: doors.factory.open, lambda: doors.address, front.credentials,
        Drain(core.world, sockets.gateway, reactor, watch.health.welcome), Audit(state / AUDIT_FILE),
        lambda: daemon.end("drained"), lambda: try_out(config, reactor, trial), reactor,
    )  # fmt: skip
    place = config.control.place(state)
    return ControlSocket(desk, reactor, place, state / SOCKET_NAME, config.control.group)


# -- what is to be run --------------------------------------------------------------------


async def open_store(ground: Ground, core: Core, front: Front) -> None:
    """Secrets first: without them nothing is touched."""
    ground.config.storage.state.mkdir(mode=0o750, parents=True, exist_ok=True)
    front.credentials.open()
    front.bridge.open_key()
    front.realm.learn(epoch=await load(core.store, core.world, core.history, ground.now()))


def turning(ground: Ground, core: Core, watch: Watch) -> Stage:
    """The clockwork; it ends with one last tick: what was accepted is done, made durable and answered."""

    async def settle() -> None:
        try:
            core.ticker.tick()
        finally:
            await core.journal.flush()
            core.fanout.flush()

    return Stage.of(
        "clockwork",
        core.ticking,
        ground.every(ground.config.storage.snapshot_interval_s, "snapshot", core.journal.snapshot),
        ground.every(1.0, "probe", core.journal.probe),
        ground.every(EVERY, "status", watch.status.sample),
        core.loop,
        stop=lambda: Deferred.fromCoroutine(settle()),
    )


def chores(ground: Ground, core: Core, front: Front, sockets: Sockets, watch: Watch) -> Stage:
    """Apart from the clockwork: what takes long here must not hold up the last tick."""
    config, certificates = ground.config, sockets.certificates

    def prune(_: int) -> Any:
        return core.store.prune(ground.now(), Retention.of(config.storage))

    return Stage.of(
        "chores",
        ground.every(config.plugins.rescan_s, "catalogue", core.catalogue.scan, now=True),
        ground.every(600.0, "prune", prune),
        ground.every(3600.0, "keys", lambda _: front.credentials.refresh()),
        *watch.monitoring.services,
        ground.every(1.0, "crowd", sockets.guard.crowd.look),
        *((ground.every(60.0, "certificate", certificates.look),) if certificates else ()),
    )


def count(metrics: Metrics, core: Core, front: Front, sockets: Sockets, doors: Doors) -> None:
    """What each part is asked for at each scrape of /metrics."""
    gateway, door, guard = sockets.gateway, doors.door, sockets.guard
    for part in (core.store, doors.factory, gateway, core.intake, core.journal, guard, sockets.bans):
        metrics.watch_all(part.figures())
    guard.watch_each(metrics.watch_each)
    nostr.watch(front.bridge, metrics)
    listening.watch(sockets.ears, metrics)
    core.thinker.watch_each(metrics.watch_each)
    metrics.watch_all(figures(core.world, core.ticking, core.loop))
    metrics.watch_each(
        "realmd_message_errors_total", "Messages that went wrong.", "kind",
        lambda: {
            "malformed": gateway.faults + door.faults,
            "busy": core.intake.refused,
            "storage": metrics.refused("storage_unavailable"),
            "internal": gateway.failed + door.failed + metrics.refused("internal_error"),
        },
    )  # fmt: skip


__all__ = ["Options", "build", "makeService"]
