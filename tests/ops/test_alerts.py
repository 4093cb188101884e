"""The watch over the realm: the daemon's own, and Prometheus's, which mean the same."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from realmd.ops import rules
from realmd.ops.alerts import EVERY, Notice, Watch
from realmd.ops.thresholds import THRESHOLDS
from tests.ops.scenarios import LAST, SCENARIOS, STEP, Scenario, Stage

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "etc/prometheus/realm-server.rules.yml"


def play(scenario: Scenario, told: list[Notice] | None = None) -> tuple[dict[float, set[str]], Watch]:
    """Let a watch see it; minute → what is raised then."""
    clock, stage = Clock(), Stage(scenario)  # which both begin at 0, as promtool does
    watch = Watch(stage.registry, clock, (told if told is not None else []).append)
    raised = {}
    for stage.at in range(scenario.steps()):
        watch.evaluate()
        raised[stage.at * STEP / 60] = {key for key, up in watch.raised().items() if up}
        clock.advance(STEP)
    return raised, watch


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_the_daemon_notices_by_itself(scenario: Scenario) -> None:
    """Without any Prometheus, what goes wrong is noticed when it has lasted, and so is its end."""
    raised, _ = play(scenario)
    assert {minute: raised[minute] for minute in scenario.raised} == scenario.raised


@pytest.mark.needs("prometheus")
def test_prometheus_notices_the_same(tmp_path: Path) -> None:
    """The rules that are shipped raise the same alerts at the same moments: `promtool test rules` says so."""
    promtool = shutil.which("promtool")
    assert promtool
    names = {t.key: (t.alert, t.severity) for t in THRESHOLDS}
    labels = '{{alertname="{}", severity="{}"}}'
    tests = []
    for scenario in SCENARIOS:
        series = [
            {"series": name, "values": " ".join(f"{value:g}" for value in scenario.values(name))}
            for name in scenario.series
        ]
        asked = [
            {
                "expr": 'sum by (alertname, severity) (ALERTS{alertstate="firing"})',
                "eval_time": f"{round(minute * 60)}s",
                "exp_samples": [{"labels": labels.format(*names[key]), "value": 1} for key in sorted(keys)],
            }
            for minute, keys in scenario.raised.items()
        ]
        tests.append(
            {"name": scenario.name, "interval": f"{STEP}s", "input_series": series, "promql_expr_test": asked}
        )
    text = {"rule_files": [str(RULES)], "evaluation_interval": f"{STEP}s", "tests": tests}
    (tmp_path / "rules_test.yml").write_text(json.dumps(text))  # JSON is YAML
    done = subprocess.run(
        [promtool, "test", "rules", "rules_test.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_made_of_the_thresholds() -> None:
    """Nobody can change one without the other: `python -m realmd.ops.rules` writes the file."""
    assert RULES.read_text("utf-8") == rules.rules()


def test_no_summary_names_what_can_be_set() -> None:
    """How many connections are too many is the operator's to say: no number stands in the words."""
    [one] = [t for t in THRESHOLDS if t.name == "connections"]
    assert not any(letter.isdigit() for letter in one.summary)
    assert "alerts.connections" in one.advice


def test_every_threshold_is_tried() -> None:
    """No alert is shipped of which nobody knows whether it can be raised."""
    assert {key for s in SCENARIOS for keys in s.raised.values() for key in keys} == {
        t.key for t in THRESHOLDS
    }


def test_an_alert_is_told_once_and_its_end_once() -> None:
    """One line in the log and one notice when it is raised, and one of each when it is cleared."""
    told: list[Notice] = []
    with capturedLogs() as events:
        play(next(s for s in SCENARIOS if s.name.startswith("the store")), told)
    assert [event["log_format"].split()[1] for event in events] == ["raised", "cleared"]
    assert [(event["name"], event["log_level"].name) for event in events] == [
        ("storage", "error"),
        ("storage", "info"),
    ]
    assert [(notice.state, notice.name, notice.severity) for notice in told] == [
        ("raised", "storage", "critical"),
        ("cleared", "storage", "critical"),
    ]
    assert events[1]["after"] == 180


def test_what_is_dated_follows_the_time_of_day() -> None:
    """A daemon's clock counts from its machine's start: a backup's age and an alert's date do not."""
    now, day = 1_700_000_000, 86_400
    old = {"database": now - 2 * day, "verify": now - 16 * day}
    scenario = Scenario("", {LAST.format(what): [(at, 1)] for what, at in old.items()}, {})
    clock, told = Clock(), list[Notice]()
    clock.time_of_day = lambda: now + clock.seconds()  # type: ignore[attr-defined]
    clock.advance(500)
    Watch(Stage(scenario).registry, clock, told.append).evaluate()
    assert {(one.name, one.severity, one.value, one.at) for one in told} == {
        ("backup_old", "warning", "48.1 h", (now + 500) * 1000),
        ("backup_unverified", "warning", "384.1 h", (now + 500) * 1000),
    }


def test_health_says_why() -> None:
    """/health is degraded while an alert is raised, and its reason names it and its value."""
    full = Scenario("", {"realmd_disk_free_bytes": [(150, 8)], "realmd_disk_size_bytes": [(1000, 8)]}, {})
    _, watch = play(full)
    check = watch.check()
    assert check.status == "degraded"
    assert check.reason == ("disk (warning): the disk of the state folder is over 80 % full, now 85.0 %")
    assert check.figures == {"raised": {"disk:warning": "85.0 %"}}
    assert play(Scenario("", {"realmd_disk_free_bytes": [(500, 8)]}, {}))[1].check().status == "ok"


def test_a_clock_put_back_raises_nothing() -> None:
    """A jump of the clock, either way, is no alert, and the watch goes on after it."""
    scenario = Scenario(
        "", {"realmd_process_cpu_seconds_total": [(1.5, 100)]}, {}, add=("realmd_process_cpu_seconds_total",)
    )
    clock, stage = Clock(), Stage(scenario)
    clock.advance(1_700_000_000)
    watch = Watch(stage.registry, clock)
    for stage.at in range(100):
        clock.rightNow += {30: -7200.0, 60: 7200.0}.get(stage.at, EVERY)
        watch.evaluate()
        assert not any(watch.raised().values())


def test_a_metric_that_is_missing_is_no_alert() -> None:
    """What cannot be known is neither raised nor in the way of the rest."""
    nothing: dict[str, Any] = {"realmd_storage_available": [(0.0, 2)]}
    raised, _ = play(Scenario("", nothing, {}))
    assert raised[0.25] == {"storage:critical"}
