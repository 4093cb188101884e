"""When the realm is not well: every threshold, for the daemon's own watch and for Prometheus.

The first six are the operator's reference: memory, CPU, connections, latency, errors, disk.
`realmd.ops.rules` writes etc/prometheus/realm-server.rules.yml from this table.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from .quantities import Age, Growth, Level, Quantity, Rest, Share, Total, Worst

Severity = Literal["warning", "critical"]
#: How long (s) after its end an alert stays raised, so that one that flickers is one.
KEEP: Final = 120
#: Fewer messages than these in `_WINDOW` s are no ground for a share: one of them would be over 1 %.
FEWEST_MESSAGES: Final = 100
FEWEST_PINGS: Final = 10
_WINDOW: Final = 300
_HOUR: Final = 3600


class Threshold(Struct, frozen=True, kw_only=True):
    """An alert: its quantity is over (or `below`) `level` for `lasting` seconds.

    While `least`, a quantity and a number, is not reached, the quantity counts for nothing.
    `unit` says how its value is shown; `summary` says what is wrong, `advice` what to do.
    """

    name: str
    severity: Severity
    quantity: Quantity
    level: float
    lasting: int
    unit: Literal["%", "s", "ms", ""]
    summary: str
    advice: str
    below: bool = False
    least: tuple[Quantity, float] | None = None

    @property
    def key(self) -> str:
        return f"{self.name}:{self.severity}"

    @property
    def alert(self) -> str:
        """What Prometheus calls it."""
        return "Realm" + "".join(word.capitalize() for word in self.name.split("_"))

    def crossed(self, value: float) -> bool:
        return value < self.level if self.below else value > self.level


_MEMORY: Final = Share(Level("realmd_memory_used_bytes"), Level("realmd_memory_limit_bytes"))
_DISK: Final = Rest(Share(Level("realmd_disk_free_bytes"), Level("realmd_disk_size_bytes")))
_MESSAGES: Final = Total(
    (Growth("realmd_websocket_messages_total", _WINDOW), Growth("realmd_http_requests_total", _WINDOW))
)
_PINGS: Final = Growth("realmd_websocket_ping_seconds_count", _WINDOW)
_BACKUP: Final = Age("realmd_backup_success_timestamp_seconds", "what", "database")
_BACK_UP: Final = "Run `realmctl backup`; see whether its timers run: systemctl list-timers 'realm-server*'."
_FREE_MEMORY: Final = (
    "Look at `realmctl top`; with many agents see docs/sizing.rst and raise MemoryMax=, or lower "
    "server.max_connections.  If it grows without more agents, restart the realm and report it."
)
_FREE_DISK: Final = (
    "Free some space, lower storage.max_mb or the days that events are kept, or take a larger disk."
)

THRESHOLDS: Final = (
    Threshold(
        name="memory", severity="warning", quantity=_MEMORY, level=0.85, lasting=60, unit="%",
        summary="memory is over 85 % of its limit", advice=_FREE_MEMORY,
    ),
    Threshold(
        name="memory", severity="critical", quantity=_MEMORY, level=0.95, lasting=30, unit="%",
        summary="memory is over 95 % of its limit: the kernel will end the realm", advice=_FREE_MEMORY,
    ),
    Threshold(
        name="cpu", severity="warning", quantity=Share(Growth("realmd_process_cpu_seconds_total", 60), 60.0),
        level=0.80, lasting=300, unit="%", summary="CPU over 80 % of one core for 5 minutes",
        advice="Look at `realmctl top` for what grew; a realm has one writer: a faster core helps.",
    ),
    Threshold(
        name="connections", severity="warning", unit="%",
        quantity=Share(Level("realmd_websocket_connections"), Level("realmd_connections_expected")),
        level=1.0, lasting=60, summary="more WebSocket connections than are expected",
        advice="Expected are alerts.connections, or 1.5 a seat while that is 0.  If they are welcome, set "
        "it; if not, find who holds them: `realmctl who`.",
    ),
    Threshold(
        name="latency", severity="warning", unit="%",
        quantity=Rest(Share(Growth("realmd_websocket_ping_seconds_bucket", _WINDOW, bucket="0.1"), _PINGS)),
        level=0.5, lasting=60, least=(_PINGS, FEWEST_PINGS),
        summary="most WebSocket pings take longer than 100 ms",
        advice="If ticks are late too, CPU is short; else it is the network between here and the clients.",
    ),
    Threshold(
        name="errors", severity="warning", unit="%",
        quantity=Share(Growth("realmd_message_errors_total", _WINDOW, each="kind"), _MESSAGES),
        level=0.01, lasting=60, least=(_MESSAGES, FEWEST_MESSAGES),
        summary="over 1 % of all messages go wrong",
        advice="realmd_message_errors_total tells the kind: malformed is a client's fault.",
    ),
    Threshold(
        name="disk", severity="warning", quantity=_DISK, level=0.80, lasting=60, unit="%",
        summary="the disk of the state folder is over 80 % full", advice=_FREE_DISK,
    ),
    Threshold(
        name="disk", severity="critical", quantity=_DISK, level=0.95, lasting=60, unit="%",
        summary="the disk of the state folder is over 95 % full", advice=_FREE_DISK,
    ),
    Threshold(
        name="storage", severity="critical", quantity=Level("realmd_storage_available"), below=True,
        level=1.0, lasting=0, unit="", summary="nothing can be made durable: durable commands are refused",
        advice="The log line `storage unavailable` says why: docs/operations.rst, \"When storage fails\".",
    ),
    Threshold(
        name="events_lost", severity="critical", quantity=Level("realmd_lost_at_start"), level=0.0, lasting=0,
        unit="", summary="the last start found less than had been acknowledged",
        advice="The log line `events lost:` says what; see docs/runbook.rst, \"It has lost events\".",
    ),
    Threshold(
        name="ticks_late", severity="warning", unit="%",
        quantity=Share(Growth("realmd_ticks_missed_total", 60), Growth("realmd_tick_seconds_count", 60)),
        level=0.05, lasting=60, summary="over 5 % of the ticks are missed",
        advice="CPU is short, or something else on the machine takes it; look at `realmctl top` and htop.",
    ),
    Threshold(
        name="tick_failures", severity="warning", quantity=Growth("realmd_tick_failures_total", _WINDOW),
        level=0.0, lasting=0, unit="", summary="ticks raised: a defect",
        advice="Report the traceback that `realmctl logs --level error` shows.",
    ),
    Threshold(
        name="thinker", severity="warning", unit="",
        quantity=Growth("realmd_mind_failures_total", 600, each="agent"), level=5.0, lasting=0,
        summary="minds of inhabitants keep failing",
        advice="A defect: `realmctl logs --grep thought` says which mind, and has the traceback.",
    ),
    Threshold(
        name="thoughts_late", severity="warning", unit="%", level=0.02, lasting=0,
        quantity=Worst("realmd_mind_overruns_total", "realmd_mind_thoughts_total", "agent", 600, 5),
        summary="over 2 % of an inhabitant's thoughts take too long",
        advice="CPU is short, or a mind loops: `realmctl logs --grep overrun`; else raise think.budget_ms.",
    ),
    Threshold(
        name="files", severity="warning", unit="%", level=0.85, lasting=60,
        quantity=Share(Level("realmd_process_open_fds"), Level("realmd_process_max_fds")),
        summary="over 85 % of the file descriptors are taken: EMFILE is near",
        advice="Raise LimitNOFILE= in the unit, or lower server.max_connections.",
    ),
    Threshold(
        name="relay", severity="warning", quantity=Level("realmd_relay_connected", each="relay"), below=True,
        level=1.0, lasting=300, unit="", summary="a Nostr relay has not been connected for 5 minutes",
        advice="`realmctl logs --grep relay` says why; take it out of room.relays if it is gone for good.",
    ),
    Threshold(
        name="backup_failed", severity="warning", quantity=Level("realmd_backup_ok", each="what"), below=True,
        level=1.0, lasting=0, unit="", summary="the last backup, or its check or copy, failed",
        advice="`realmctl backup list` and the log of the backup's unit say why; /health names it.",
    ),
    Threshold(
        name="backup_old", severity="warning", unit="s", quantity=_BACKUP, level=26.0 * _HOUR, lasting=0,
        summary="the newest backup is older than a day", advice=_BACK_UP,
    ),
    Threshold(
        name="backup_old", severity="critical", unit="s", quantity=_BACKUP, level=74.0 * _HOUR, lasting=0,
        summary="the newest backup is older than three days", advice=_BACK_UP,
    ),
    Threshold(
        name="backup_unverified", severity="warning", unit="s", level=15.0 * 24 * _HOUR, lasting=0,
        quantity=Age("realmd_backup_success_timestamp_seconds", "what", "verify"),
        summary="no backup was verified for two weeks", advice="Run `realmctl backup verify`.",
    ),
)  # fmt: skip


def shown(threshold: Threshold, value: float) -> str:
    """`value` as people read it."""
    match threshold.unit:
        case "%":
            return f"{100 * value:.1f} %"
        case "ms":
            return f"{1000 * value:.0f} ms"
        case "s":
            return f"{value / _HOUR:.1f} h" if value >= _HOUR else f"{value:.0f} s"
    return f"{value:g}"
