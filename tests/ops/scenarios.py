"""What may befall a realm, as the metrics tell it, and the alerts that must follow.

The same scenarios are played to the daemon's own watch and to Prometheus's rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

#: Seconds between two readings.
STEP: Final = 15


class Scenario(Struct, frozen=True):
    """`series`: metric with labels → ``(value, how many readings)…``; `add` makes each value an increase.

    `raised`: minute → alerts raised then.
    """

    name: str
    series: dict[str, list[tuple[float, int]]]
    raised: dict[float, set[str]]
    add: tuple[str, ...] = ()

    def values(self, name: str) -> list[float]:
        values = [value for value, count in self.series[name] for _ in range(count)]
        if name in self.add:
            values = [sum(values[: n + 1]) for n in range(len(values))]
        return values

    def steps(self) -> int:
        return max(len(self.values(name)) for name in self.series)


def minutes(value: float, count: float) -> tuple[float, int]:
    return value, round(count * 60 / STEP)


MEMORY = {"realmd_memory_limit_bytes": [minutes(1000, 12)]}
DISK = {"realmd_disk_size_bytes": [minutes(1000, 8)]}
HTTP = "realmd_http_requests_total"
WS = "realmd_websocket_messages_total"
WRONG = 'realmd_message_errors_total{kind="malformed"}'
BUSY = 'realmd_message_errors_total{kind="busy"}'
PINGS = "realmd_websocket_ping_seconds_count"
QUICK = 'realmd_websocket_ping_seconds_bucket{le="0.1"}'
HOUR = 3600
LAST = 'realmd_backup_success_timestamp_seconds{{what="{}"}}'
LATE, THOUGHTS = "realmd_mind_overruns_total", "realmd_mind_thoughts_total"
CPU = "realmd_process_cpu_seconds_total"

SCENARIOS: Final = (
    Scenario(
        "memory grows past both marks and is freed again",
        {
            "realmd_memory_used_bytes": [minutes(850, 2), minutes(860, 3), minutes(960, 2), minutes(500, 5)],
            **MEMORY,
        },
        {1.75: set(), 2.75: set(), 3.25: {"memory:warning"}, 5.25: {"memory:warning"},
         5.75: {"memory:warning", "memory:critical"}, 8.5: {"memory:warning", "memory:critical"},
         9.25: set()},
    ),
    Scenario(
        "memory flickers around the mark: one alert",
        {"realmd_memory_used_bytes": [minutes(900, 2), *[minutes(100, 0.5), minutes(900, 0.5)] * 4],
         **MEMORY},
        {1.25: {"memory:warning"}, 2.25: {"memory:warning"}, 5.75: {"memory:warning"}},
    ),
    Scenario(
        "the CPU is busy for four minutes, then for longer than five",
        {CPU: [minutes(13.5, 4), minutes(1.5, 2), minutes(13.5, 9)]},
        {3.75: set(), 6: set(), 11: set(), 12.5: {"cpu:warning"}},
        add=(CPU,),
    ),
    Scenario(
        "as many connections as expected, then one more",
        {"realmd_websocket_connections": [minutes(75, 3), minutes(76, 3)],
         "realmd_connections_expected": [minutes(75, 6)]},
        {2.5: set(), 3.5: set(), 4.25: {"connections:warning"}},
    ),
    Scenario(
        "every ping is slow, then none",
        {PINGS: [minutes(5, 8), minutes(5, 9)], QUICK: [minutes(0, 8), minutes(5, 9)]},
        {0.25: set(), 2: {"latency:warning"}, 8: {"latency:warning"}, 14: set()},
        add=(PINGS, QUICK),
    ),
    Scenario(
        "a few slow pings are no ground for anything",
        {PINGS: [minutes(0.25, 10)], QUICK: [minutes(0, 10)]},
        {3: set(), 9.75: set()},
        add=(PINGS, QUICK),
    ),
    Scenario(
        "one in fifty messages goes wrong; of few messages that says nothing",
        {HTTP: [minutes(0.5, 5), minutes(45, 7)], WS: [minutes(0, 5), minutes(5, 7)],
         WRONG: [minutes(0.25, 5), minutes(0.5, 7)], BUSY: [minutes(0, 5), minutes(0.5, 7)]},
        {4.75: set(), 8: {"errors:warning"}, 11.75: {"errors:warning"}},
        add=(HTTP, WS, WRONG, BUSY),
    ),
    Scenario(
        "one in two hundred may go wrong",
        {HTTP: [minutes(100, 10)], WS: [minutes(100, 10)], WRONG: [minutes(1, 10)], BUSY: [minutes(0, 10)]},
        {5: set(), 9.75: set()},
        add=(HTTP, WS, WRONG, BUSY),
    ),
    Scenario(
        "the disk fills up",
        {"realmd_disk_free_bytes": [minutes(210, 2), minutes(190, 3), minutes(40, 3)], **DISK},
        {1.75: set(), 3.5: {"disk:warning"}, 6.25: {"disk:warning", "disk:critical"}},
    ),
    Scenario(
        "the store cannot be written, and can again",
        {"realmd_storage_available": [minutes(1, 1), minutes(0, 1), minutes(1, 4)]},
        {0.75: set(), 1: {"storage:critical"}, 3.75: {"storage:critical"}, 4.25: set()},
    ),
    Scenario(
        "a start finds less than was acknowledged, the next one all",
        {"realmd_lost_at_start": [minutes(0, 1), minutes(3, 2), minutes(0, 4)]},
        {0.75: set(), 1: {"events_lost:critical"}, 4.75: {"events_lost:critical"}, 5.25: set()},
    ),
    Scenario(
        "every tenth tick is missed",
        {"realmd_tick_seconds_count": [minutes(150, 4)], "realmd_ticks_missed_total": [minutes(15, 4)]},
        {0.5: set(), 2: {"ticks_late:warning"}},
        add=("realmd_tick_seconds_count", "realmd_ticks_missed_total"),
    ),
    Scenario(
        "a tick raises",
        {"realmd_tick_failures_total": [minutes(0, 2), minutes(1, 0.25), minutes(0, 8)]},
        {1.75: set(), 2.25: {"tick_failures:warning"}, 9.75: set()},
        add=("realmd_tick_failures_total",),
    ),
    Scenario(
        "two minds fail three times each within ten minutes",
        {'realmd_mind_failures_total{agent="daily"}': [minutes(0, 1), (3, 1), minutes(0, 2)],
         'realmd_mind_failures_total{agent="trade"}': [minutes(0, 2), (3, 1), minutes(0, 1)]},
        {1.75: set(), 2.25: {"thinker:warning"}},
        add=('realmd_mind_failures_total{agent="daily"}', 'realmd_mind_failures_total{agent="trade"}'),
    ),
    Scenario(
        "three of two hundred thoughts take too long, which is nothing, and then every second one",
        {'realmd_mind_overruns_total{agent="daily"}': [minutes(0, 1), (3, 1), minutes(0, 2), minutes(8, 2)],
         'realmd_mind_thoughts_total{agent="daily"}': [minutes(15, 6)]},
        {2.75: set(), 5.75: {"thoughts_late:warning"}},
        add=('realmd_mind_overruns_total{agent="daily"}', 'realmd_mind_thoughts_total{agent="daily"}'),
    ),
    Scenario(
        "one of four minds is late each time it wakes",
        {f"{LATE}{{agent=\"trade\"}}": [minutes(0, 2), *[(1, 1), minutes(0, 0.5)] * 6, minutes(0, 4)],
         f"{THOUGHTS}{{agent=\"trade\"}}": [minutes(15, 2), minutes(0, 8.5)],
         f"{LATE}{{agent=\"daily\"}}": [minutes(0, 10.5)],
         f"{THOUGHTS}{{agent=\"daily\"}}": [minutes(15, 10.5)]},
        {2: set(), 4: set(), 6: {"thoughts_late:warning"}, 10: {"thoughts_late:warning"}},
        add=tuple(f"{what}{{agent=\"{who}\"}}" for what in (LATE, THOUGHTS) for who in ("daily", "trade")),
    ),
    Scenario(
        "nine overruns in 2,600 thoughts of four minds",
        {name: values for who, times in (("shalom", 2), ("daily", 2), ("trade", 3), ("deploy", 2))
         for name, values in ((f"{LATE}{{agent=\"{who}\"}}", [(0, 4), *[(1, 1), minutes(0, 2)] * times]),
                              (f"{THOUGHTS}{{agent=\"{who}\"}}", [minutes(15, 11)]))},
        {minute: set() for minute in (1, 2, 4, 6, 7)},
        add=tuple(f"{what}{{agent=\"{who}\"}}" for what in (LATE, THOUGHTS)
                  for who in ("shalom", "daily", "trade", "deploy")),
    ),
    Scenario(
        "file descriptors run out",
        {"realmd_process_open_fds": [minutes(840, 2), minutes(900, 2)],
         "realmd_process_max_fds": [minutes(1000, 4)]},
        {1.75: set(), 3.25: {"files:warning"}},
    ),
    Scenario(
        "one of two relays is away for four minutes, then for longer than five",
        {'realmd_relay_connected{relay="wss://a"}': [minutes(1, 14)],
         'realmd_relay_connected{relay="wss://b"}':
             [minutes(0, 4), minutes(1, 1), minutes(0, 6), minutes(1, 3)]},
        {3.75: set(), 9.75: set(), 10.25: {"relay:warning"}, 12.75: {"relay:warning"}, 13.25: set()},
    ),
    Scenario(
        "an off-site copy fails, and the next one does not",
        {'realmd_backup_ok{what="full_backup"}': [minutes(1, 6)],
         'realmd_backup_ok{what="offsite"}': [minutes(1, 1), minutes(0, 2), minutes(1, 3)]},
        {0.75: set(), 1: {"backup_failed:warning"}, 4.75: {"backup_failed:warning"}, 5.25: set()},
    ),
    Scenario(
        "the newest backup grows old, and another is made",
        {LAST.format("database"): [minutes(60 - 26 * HOUR, 3), minutes(170, 4)]},
        {0.75: set(), 1.25: {"backup_old:warning"}, 4.75: {"backup_old:warning"}, 5.25: set()},
    ),
    Scenario(
        "nobody has made a backup for three days, nor verified one for two weeks",
        {LAST.format("database"): [minutes(-74 * HOUR, 2)],
         LAST.format("verify"): [minutes(60 - 15 * 24 * HOUR, 2)]},
        {0.75: {"backup_old:warning", "backup_old:critical"},
         1.25: {"backup_old:warning", "backup_old:critical", "backup_unverified:warning"}},
    ),
)  # fmt: skip


class Stage(Collector):
    """A registry's metrics while a scenario is played: as they are at reading `at`."""

    def __init__(self, scenario: Scenario) -> None:
        self.at = 0
        self.registry = CollectorRegistry()
        self._values = {name: scenario.values(name) for name in scenario.series}
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        for name, values in self._values.items():
            bare, _, rest = name.partition("{")
            family = Metric(bare.removesuffix("_total"), "", "unknown")
            labels = {}
            if rest:
                label, _, value = rest.rstrip("}").partition("=")
                labels[label] = value.strip('"')
            family.add_sample(bare, labels, values[min(self.at, len(values) - 1)])
            yield family
