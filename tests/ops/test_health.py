"""/health: what operators and load balancers are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from twisted.internet.task import Clock

from realmd.gateway.reports import pages
from realmd.ops.checks import Check, tick_check, work_check
from realmd.ops.health import Health
from realmd.ops.metrics import CONTENT_TYPE, Metrics
from realmd.runtime.periodic import Periodic
from tests.fakes import Clockwork


class Asked:
    """A request that keeps its answer as a client would read it."""

    status = 0
    body: Any = None

    def answer(self, fields: Any, status: int = 200) -> None:
        self.status, self.body = status, json.loads(msgspec.json.encode(fields))

    def send(self, body: bytes, content_type: bytes, status: int = 200) -> None:
        self.status, self.body = status, (content_type, body)


def health(**checks: Callable[[], Check]) -> tuple[Health, Clock, Clockwork]:
    works, clock = Clockwork(), Clock()
    clock.advance(100)
    made = Health(
        works.world, lambda: 7, checks, "a-room", Periodic("tick", 0.1, lambda _: None, clock), clock
    )
    made.ready = True
    return made, clock, works


def ask(made: Health, path: bytes) -> tuple[int, Any]:
    asked = Asked()
    told = pages(made.report, dict, bytes, Metrics().render, CONTENT_TYPE)
    told[path](asked)  # type: ignore[arg-type]
    return asked.status, asked.body


def of(*statuses: Any) -> dict[str, Callable[[], Check]]:
    return {f"check{n}": lambda status=status: Check(status) for n, status in enumerate(statuses)}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("statuses", "status", "code", "ready"),
    [
        ([], "ok", 200, "ready"),
        (["ok", "ok"], "ok", 200, "ready"),
        (["ok", "degraded", "ok"], "degraded", 200, "ready"),
        (["degraded", "failed", "ok"], "failed", 503, "not ready"),
    ],
)
def test_the_worst_check_decides(statuses: list[str], status: str, code: int, ready: str) -> None:
    """One failed check means 503 and not ready; degraded is told, and still served."""
    made, _, _ = health(**of(*statuses))
    assert ask(made, b"/health")[0] == code
    assert ask(made, b"/health")[1]["status"] == status
    assert ask(made, b"/health/ready") == (code, {"status": ready})


def test_not_ready_before_the_doors_open_and_when_they_close() -> None:
    """While starting or stopping nobody is sent here, though the process is alive."""
    made, _, _ = health(**of("ok"))
    made.ready = False
    assert ask(made, b"/health")[0] == 503
    assert ask(made, b"/health/ready") == (503, {"status": "not ready"})
    assert ask(made, b"/health/live") == (200, {"status": "alive"})


def test_alive_whatever_the_checks_say() -> None:
    """A failed check is no reason to kill the process."""
    made, _, _ = health(**of("failed"))
    assert ask(made, b"/health/live") == (200, {"status": "alive"})


def test_the_shape_that_old_monitors_read() -> None:
    """Status, uptime in seconds, agents, connections and memory, with the checks beside them."""
    made, clock, works = health(
        tick=lambda: Check("degraded", "late", {"lagMs": 120.0}), storage=lambda: Check("ok")
    )
    works.join("ann", "bob", "cid")
    works.world.tables.bodies.pop("cid")
    clock.advance(12.7)
    _, report = ask(made, b"/health")
    assert report["uptime"] == 12
    assert report["agents"] == {"active": 2, "total": 50, "inhabitants": 0, "known": 3}
    old = {key: report[key] for key in ("roomId", "clients", "tick", "tickRate")}
    assert old == {"roomId": "a-room", "clients": 7, "tick": 0, "tickRate": 10}
    assert report["connections"] == 7
    assert [size.removesuffix("MB").isdigit() for size in report["memory"].values()] == [True, True]
    assert set(report["memory"]) == {"used", "heap"}
    assert report["checks"] == {
        "tick": {"status": "degraded", "reason": "late", "figures": {"lagMs": 120.0}},
        "storage": {"status": "ok"},
    }


@pytest.mark.parametrize(
    ("lag", "age", "status"),
    [
        (0.0, 0.1, "ok"),
        (0.1, 0.1, "ok"),
        (0.11, 0.1, "degraded"),
        (0.0, 2.0, "ok"),
        (0.0, 2.1, "failed"),
    ],
)
def test_the_tick(lag: float, age: float, status: str) -> None:
    """Later than one interval is degraded; no tick for 2 s (or ten intervals) is a realm that stands."""
    assert tick_check(lag, 0.1, age).status == status


def test_the_tick_of_a_slow_realm() -> None:
    """With long ticks, ten of them may be missing before it counts as standing."""
    assert tick_check(0.0, 1.0, 10.0).status == "ok"
    assert tick_check(0.0, 1.0, 10.1).status == "failed"


def test_periodic_work_that_fails_is_shown() -> None:
    """Every piece of work that raised at its last run is named."""
    works = [Periodic(name, 1.0, lambda _: None, Clock()) for name in ("tick", "prune", "keys")]
    assert work_check(works, [object()]) == Check("ok")
    works[0].failing = works[1].failing = True
    assert work_check(works[:1], works[1:]) == Check("degraded", "failing: prune, tick")


def test_metrics_are_served_as_prometheus_reads_them() -> None:
    """/metrics has the content type of the text format."""
    made, _, _ = health()
    status, (content_type, body) = ask(made, b"/metrics")
    assert (status, content_type) == (200, CONTENT_TYPE)
    assert content_type.startswith(b"text/plain")
    assert b"# TYPE realmd_tick_seconds histogram" in body
