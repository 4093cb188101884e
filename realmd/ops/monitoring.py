"""The watch over the realm, put together: thresholds, sinks, Sentry, and what they count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

from twisted.application.service import IService, Service
from twisted.logger import ILogObserver, globalLogPublisher

from ..host.reactor import IReactor
from ..host.resources import Resources
from ..runtime.periodic import Periodic
from ..settings import Config
from . import alerts
from .alerts import Watch
from .backups import Backups
from .metrics import Metrics
from .notifier import Notifier
from .sinks import Mail, Nostr, SendNostr, Sink, Webhook

#: Connections to expect for each seat, where the operator names no number.
CONNECTIONS_PER_SEAT = 1.5


def sinks(config: Config, reactor: IReactor, nostr: SendNostr | None = None) -> Iterator[Sink]:
    """Every configured way to tell the operator; a Nostr message only if somebody can send it."""
    given, room = config.alerts, config.room.name
    if given.webhook:
        yield Webhook(reactor, given.webhook, room, config.server.url())
    if given.email and given.smtp:
        # Not at the top: it loads Twisted's mail, which a realm that sends none has no use for.
        from .smtp import Smtp

        yield Smtp(reactor, given.smtp, given.email, room)
    elif given.email:
        yield Mail(reactor, given.sendmail, given.email, room)
    if given.operator_npub and nostr is not None:
        yield Nostr(nostr, room)


def expected_connections(config: Config) -> float:
    return config.alerts.connections or CONNECTIONS_PER_SEAT * config.room.max_agents


class Reporting(Service):
    """Lets `observer` hear the log while it runs."""

    def __init__(self, observer: ILogObserver) -> None:
        self._observer = observer

    def startService(self) -> None:
        super().startService()
        globalLogPublisher.addObserver(self._observer)

    def stopService(self) -> None:
        super().stopService()
        globalLogPublisher.removeObserver(self._observer)


class Monitoring:
    """Everything that looks after the realm from inside: `watch` for /health, `services` to be run.

    `peopled` tells when the realm began (ms since the epoch).
    """

    def __init__(
        self,
        config: Config,
        metrics: Metrics,
        reactor: IReactor,
        peopled: Callable[[], int],
        nostr: SendNostr | None = None,
    ) -> None:
        self.notifier = Notifier(list(sinks(config, reactor, nostr)), reactor, config.alerts.min_interval_s)
        self.watch = Watch(metrics.registry, reactor, self.notifier.tell)
        self.services: list[IService] = [
            self.notifier, Periodic("alerts", alerts.EVERY, self.watch.evaluate, reactor),
        ]  # fmt: skip
        if config.alerts.sentry_dsn:
            # Not at the top: it loads Twisted's HTTP client.
            from . import sentry

            dsn = sentry.Dsn.parse(config.alerts.sentry_dsn)
            self.sentry = sentry.Sentry(dsn, reactor, config.room.name, reactor, lambda: uuid4().hex)
            self.services += [
                Reporting(self.sentry), Periodic("sentry", sentry.EVERY, self.sentry.send, reactor),
            ]  # fmt: skip
        resources = Resources(config.storage.state, config.alerts.memory_mb * 1_048_576)
        self.backups = Backups(config.backup, config.storage.state, peopled, reactor)
        self.backups.watch(metrics)
        for figures in (self.notifier.figures(), resources.figures()):
            metrics.watch_all(figures)
        metrics.watch(
            "realmd_connections_expected",
            "WebSockets to expect at most.",
            lambda: expected_connections(config),
        )
        metrics.watch_each("realmd_alert_raised", "1 while the alert is raised.", "alert", self.watch.raised)
