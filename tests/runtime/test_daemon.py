"""The daemon's life: starts in order, stops in reverse, and always ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from realmd.runtime.daemon import STOP_PATIENCE, Daemon, Stage


class Reactor(MemoryReactorClock):
    """Runs at once what waits for it to run, and stops only once, as a real one does."""

    def callWhenRunning(self, callable: Callable[..., object], *args: Any, **kw: Any) -> None:
        callable(*args, **kw)

    def stop(self) -> None:
        if self.hasStopped:
            raise ReactorNotRunning
        self.hasStopped = True


class Life:
    """A daemon of stages whose steps the test ends; `out` is what was begun and ended, in order."""

    def __init__(self, *names: str) -> None:
        self.out: list[str] = []
        self.reactor = Reactor()
        self.daemon = Daemon(self.reactor)
        self.ends: dict[str, Deferred[None]] = {}
        for name in names:
            stage = Stage(
                name,
                lambda name=name: self.step(f"start {name}"),
                lambda name=name: self.step(f"stop {name}"),
            )
            stage.setServiceParent(self.daemon)

    def step(self, what: str) -> Deferred[None]:
        self.out.append(what)
        self.ends[what] = Deferred()
        return self.ends[what].addCallback(lambda _: self.out.append(f"{what}: done"))

    def end(self, *steps: str) -> None:
        for step in steps:
            self.ends.pop(step).callback(None)

    def stop(self) -> Deferred[None]:
        stopped = self.daemon.stopService()
        stopped.addCallback(lambda _: self.out.append("stopped"))
        return stopped


@pytest.fixture(autouse=True)
def _signals() -> Any:
    """The daemon takes over two signals; the test runner wants them back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_one_after_another_and_back() -> None:
    """Each stage starts when the one before is ready, and stops when the one after it has stopped."""
    life = Life("store", "doors")
    life.daemon.startService()
    life.end("start store", "start doors")
    life.stop()
    life.end("stop doors", "stop store")
    assert life.out == [
        "start store", "start store: done", "start doors", "start doors: done",
        "stop doors", "stop doors: done", "stop store", "stop store: done", "stopped",
    ]  # fmt: skip
    assert life.daemon.exit_status == 0
    assert not life.reactor.getDelayedCalls()


def test_a_start_that_fails_ends_with_status_1() -> None:
    """What cannot start is told once, in a sentence; the stages begun are stopped, the others never start."""
    life = Life("store", "doors", "minds")
    life.daemon.startService()
    life.end("start store")
    with capturedLogs() as events:
        life.ends["start doors"].errback(OSError("port 18800 is taken"))
    assert [(e["stage"], str(e["error"])) for e in events if e["log_level"].name == "critical"] == [
        ("doors", "port 18800 is taken")
    ]
    assert (life.reactor.hasStopped, life.daemon.exit_status) == (True, 1)
    life.out.clear()
    life.stop()
    life.end("stop doors", "stop store")
    assert life.out == ["stop doors", "stop doors: done", "stop store", "stop store: done", "stopped"]


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_stop_while_starting(ends_well: bool) -> None:
    """Told to stop while a stage starts, it lets that end, begins no other, and stops what was begun."""
    life = Life("store", "doors")
    life.daemon.startService()
    life.reactor.stop()
    life.stop()
    if ends_well:
        life.end("start store")
    else:
        life.ends["start store"].errback(OSError("disk gone"))
    life.end("stop store")
    assert [step for step in life.out if "done" not in step] == ["start store", "stop store", "stopped"]
    assert life.daemon.exit_status == 0


def test_a_start_that_hangs_does_not_keep_it_from_stopping() -> None:
    """A store on a dead disk never opens; the daemon stops all the same."""
    life = Life("store")
    life.daemon.startService()
    life.stop()
    life.reactor.advance(STOP_PATIENCE)
    life.end("stop store")
    assert life.out == ["start store", "stop store", "stop store: done", "stopped"]


def test_a_stage_that_hangs_does_not_hold_up_the_others() -> None:
    """Each stage gets its patience, however stubborn; then it is told in the log and the next one stops."""
    life = Life("store", "doors")

    async def stubborn() -> None:
        for _ in range(3):
            try:
                await life.step("stop minds")
            except Exception:  # a cancellation, here
                life.out.append("stop minds: no")

    Stage("minds", stop=lambda: Deferred.fromCoroutine(stubborn())).setServiceParent(life.daemon)
    life.daemon.startService()
    life.end("start store", "start doors")
    life.out.clear()
    with capturedLogs() as events:
        life.stop()
        life.reactor.advance(STOP_PATIENCE - 0.1)
        assert life.out == ["stop minds"]
        life.reactor.advance(0.1)
    assert life.out == ["stop minds", "stop minds: no", "stop minds", "stop doors"]
    assert [e["stage"] for e in events if "too long" in e["log_format"]] == ["minds"]
    life.end("stop doors", "stop store")
    assert life.out[-1] == "stopped"


def test_a_stop_that_raises_does_not_keep_the_others_from_stopping() -> None:
    """A failing stop is logged; the store is closed nevertheless."""
    life = Life("store", "doors")
    life.daemon.startService()
    life.end("start store", "start doors")
    with capturedLogs() as events:
        life.stop()
        life.ends["stop doors"].errback(RuntimeError("no"))
    assert [e["log_failure"].type for e in events if "log_failure" in e] == [RuntimeError]
    life.end("stop store")
    assert life.out[-1] == "stopped"


def test_a_stage_stops_its_services_before_itself() -> None:
    """The clockwork's last act comes after its ticks have ended, also when one of them ends badly."""
    out: list[str] = []

    class Ticks(Service):
        def startService(self) -> None:
            out.append("ticks")

        def stopService(self) -> None:
            out.append("no ticks")
            raise RuntimeError("badly")

    stage = Stage("clockwork", lambda: out.append("start"), lambda: out.append("stop"))
    Ticks().setServiceParent(stage)
    stage.startService()
    stage.stopService()
    assert out == ["ticks", "start", "no ticks", "stop"]


CHILD = """
import sys
from twisted.internet import reactor
from twisted.internet.task import deferLater
from realmd.runtime.daemon import Daemon, Stage

def say(what, after=0.0):
    print(what, flush=True)
    return deferLater(reactor, after)

def start():
    say("start doors")
    if sys.argv[1] == "fail":
        raise OSError("port taken")

daemon = Daemon(reactor)
Stage("store", lambda: say("start store"), lambda: say("stop store", 0.05)).setServiceParent(daemon)
Stage("doors", start, lambda: say("stop doors")).setServiceParent(daemon)
reactor.callWhenRunning(daemon.startService)
reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
reactor.run(installSignalHandlers=False)
print("end", flush=True)
"""


@pytest.mark.parametrize(
    ("how", "status", "last"),
    [
        ("fail", 1, ["stop store"]),
        ("SIGTERM", 0, ["stop store", "end"]),
        ("SIGINT", 0, ["stop store", "end"]),
    ],
)
def test_in_a_process_of_its_own(how: str, status: int, last: list[str]) -> None:
    """A failed start is exit status 1, a signal is exit status 0; both after everything has stopped."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with child:
        assert child.stdout is not None
        lines = [child.stdout.readline().strip(), child.stdout.readline().strip()]
        if how != "fail":
            os.kill(child.pid, getattr(signal, how))
        lines += child.stdout.read().splitlines()
        assert child.wait(20) == status
    assert lines == ["start store", "start doors", "stop doors", *last]
