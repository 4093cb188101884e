"""The metrics: named as documented, counted truly, and bounded whatever clients send."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.testing import MemoryReactorClock

from realmd import tap
from realmd.host.resources import anonymous_bytes, resident_bytes
from realmd.ops.metrics import Metrics
from realmd.primitives.errors import REFUSALS, Fault
from realmd.protocol.classic import decode_ipc, decode_message
from realmd.runtime.ticker import Ticker
from realmd.world import events
from realmd.world.commands import Command
from tests import realm
from tests.fakes import Clockwork, chat, register

ROOT = Path(__file__).resolve().parents[2]
#: Where metrics are spoken of: the manual, alert rules, dashboards.
WRITINGS = [
    path
    for folder in ("docs", "etc")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".rst", ".yml", ".yaml", ".json", ".rules", ".toml"}
]
METRIC = re.compile(r"\brealmd_[a-z_]*[a-z]\b")
#: Names that are no metrics: the module that twistd loads.
OTHERS = {"realmd_plugin"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[Any, ...], float]]:
    """Sample name → its labels' values → its value, of a realm as it is put together."""
    made: list[Metrics] = []

    class Kept(Metrics):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tap, "Metrics", Kept)
        tap.build(realm.config(tmp_path_factory.mktemp("realm")), realm.atlas(True), MemoryReactorClock())
    made[0].command("register", "ok")
    made[0].event("join")
    return samples(made[0])


def samples(metrics: Metrics) -> dict[str, dict[tuple[Any, ...], float]]:
    found: dict[str, dict[tuple[Any, ...], float]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        counted = "_total" if family.type == "counter" else ""
        found.setdefault(family.name + counted, {})  # some have no sample yet
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_every_metric_that_is_written_of_exists(served: dict[str, Any]) -> None:
    """No alert, dashboard or page of the manual asks for a metric that is not there."""
    named = {name for path in WRITINGS for name in METRIC.findall(path.read_text("utf-8"))} - OTHERS
    bare = {re.sub("_(bucket|sum|count|total)$", "", name) for name in served}
    assert named - bare - served.keys() == set()


def test_all_that_is_promised_is_counted(served: dict[str, Any]) -> None:
    """Ticks, lag, commands, events, connections, outboxes, storage, memory and minds."""
    assert {
        "realmd_tick_seconds_count", "realmd_tick_lag_seconds", "realmd_ticks_missed_total",
        "realmd_commands_total", "realmd_events_total", "realmd_connections",
        "realmd_websocket_connections", "realmd_outbox_dropped_total", "realmd_outbox_overflows_total",
        "realmd_commit_seconds_bucket", "realmd_storage_available", "realmd_memory_resident_bytes",
        "realmd_mind_thoughts_total", "realmd_mind_overruns_total", "realmd_intake_refused_total",
    } <= served.keys()  # fmt: skip


def test_minds_are_told_apart(served: dict[str, Any]) -> None:
    """Each inhabitant has its own figures from the start."""
    assert served["realmd_mind_thoughts_total"].keys() == {(name,) for name in realm.atlas(True).inhabitants}


def test_what_is_observed() -> None:
    """Counts and durations add up; what some part counts is read at each scrape."""
    metrics = Metrics()
    level = [1.0]
    metrics.watch("level", "A level.", lambda: level[0])
    metrics.watch_each("each", "Each.", "who", lambda: {"ann": level[0], "bob": 2 * level[0]})
    level[0] = 5.0
    for _ in range(3):
        metrics.command("register", "ok")
    metrics.command("register", "busy")
    metrics.event("chat")
    metrics.tick(0.004)
    metrics.commit(0.25, 3)
    metrics.commit(0.25, 4)
    found = samples(metrics)
    assert found["level"] == {(): 5.0}
    assert found["each"] == {("ann",): 5.0, ("bob",): 10.0}
    assert found["realmd_commands_total"] == {("register", "ok"): 3.0, ("register", "busy"): 1.0}
    assert found["realmd_events_total"] == {("chat",): 1.0}
    assert found["realmd_tick_seconds_bucket"]["0.005",] == 1.0
    assert found["realmd_tick_seconds_bucket"]["0.002",] == 0.0
    assert (found["realmd_commit_seconds_sum"], found["realmd_journalled_events_total"]) == (
        {(): 0.5},
        {(): 7.0},
    )


def tags(base: type) -> set[str]:
    """The names of the structs below `base`."""
    found = {str(cls.__struct_config__.tag) for cls in base.__subclasses__() if cls.__struct_config__.tag}  # type: ignore[attr-defined]
    return found.union(*(tags(cls) for cls in base.__subclasses__()))


NAMES = st.one_of(st.text(), st.sampled_from(["register", "world-chat", "heard", "inhabit", "player-join"]))
ARGS = st.dictionaries(st.sampled_from(["agentId", "text", "name"]), st.one_of(st.text(), st.integers()))


@given(st.lists(st.tuples(NAMES, ARGS), max_size=20))
def test_no_client_can_make_labels(sent: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever commands are sent, only our own names and codes become labels: the page stays bounded."""
    works, metrics = Clockwork(), Metrics()
    ticker = Ticker(works.world, works.intake, works.journal, works.fanout, works.clock, metrics)
    for name, args in sent:
        for decode, message in (
            (decode_ipc, {"command": name, "args": args}),
            (decode_message, {"type": name, **args}),
        ):
            try:
                ask: Any = decode(json.dumps(message).encode())
            except Fault:
                continue
            ask = ask[0] if isinstance(ask, tuple) else ask
            if isinstance(ask, Command):
                works.ask(ask)
    works.ask(register("ann"))
    works.ask(chat("nobody"))
    ticker.tick()
    found = samples(metrics)
    known = tags(Command)
    outcomes = {"ok", *REFUSALS}
    assert all(name in known and outcome in outcomes for name, outcome in found["realmd_commands_total"])
    assert {kind for (kind,) in found["realmd_events_total"]} <= tags(events.Event)


def test_memory_is_measured() -> None:
    """What this process has in RAM, and the part of it that no file backs."""
    assert 1_000_000 < anonymous_bytes() < resident_bytes() < 10_000_000_000
