"""One attack on a real daemon: what others notice of it, what it costs, and what the log says."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..process.audit import check_promises, read
from ..process.daemon import TWISTD, Daemon, Output, poll
from ..process.load import Agent, Viewer, Wish
from .field import Field
from .wire import PROXIES

ROOT: Final = Path(__file__).resolve().parent.parent.parent
MIB: Final = 1_048_576
#: What others may wait at most, in 99 of 100 cases (s): three ticks of the default length.
THREE_TICKS: Final = 0.3
#: How long (s) nothing happens first, and how long an attack lasts.
CALM: Final = 0.5
ATTACK: Final = 2.0
#: What is looked at while an attack goes on (s): what was due this long ago, for what is due now is not done.
WINDOW: Final = (3.0, 1.0)
#: Things others do in such a window, at the least.
LEAST: Final = 80
#: Longest wait (s) for such a window in which all is well: the machine has other work, too.
SOON: Final = 25.0
#: The realm takes these addresses for its proxies, so that strangers can come from everywhere.
BEHIND_PROXIES: Final = {"REALMD_SERVER_TRUSTED_PROXIES": PROXIES, "REALMD_SERVER_PROXY_PROTOCOL": "true"}


#: In a session of its own, as a service is: to the scheduler, those of a session are one.
PROGRAM: Final = ("setsid", *TWISTD)


class Attack(NamedTuple):
    """What is done to a realm with these `settings`, and what may come of it; `name` is its test's.

    `says` is what the log tells of it (a regular expression), in no more than `lines` lines.
    `growth` is what it may cost (MiB), `turned_away` the part of newcomers that may find no place.
    """

    name: str
    run: Callable[[Field], None]
    says: str
    settings: Mapping[str, str] = {}
    growth: int = 48
    lines: int = 160  # 20 a minute of each kind and door
    turned_away: float = 0.0


class Sample(NamedTuple):
    """Something that a bystander did: when it was due, and how long it took (s)."""

    kind: str
    at: float
    took: float


class Figures(NamedTuple):
    """What was measured: seconds, bytes, lines of the log.  `arrival` is the p99 of newcomers."""

    calm: float
    p99: float
    worst: float
    arrival: float
    growth: int
    lines: int
    newcomers: int
    turned_away: int
    tally: dict[str, int]


class Bystanders:
    """The process of those who have nothing to do with the attack."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.bystanders", str(port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        go_first(self._process.pid)
        self._output = Output(self._process.stdout)
        self._output.wait('"ready": true')

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self._output.lines)]

    def samples(self, since: float, until: float = float("inf"), new: bool = False) -> list[Sample]:
        """What was due in that time and is done, by those who were there; or by newcomers."""
        return [
            Sample(told["kind"], told["at"], told["took"])
            for told in self.told()
            if "took" in told and since <= told["at"] < until and new == (told["kind"] == "arrival")
        ]

    def refused(self, *kinds: str) -> list[Any]:
        """What they were refused."""
        return [told for told in self.told() if told.get("kind") in kinds and "refused" in told]

    def end(self) -> dict[str, Any]:
        """Let them finish; what they were promised and shown."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(40) == 0
        self._output.end()
        return self.told()[-1]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._output.end()


def go_first(pid: int) -> None:
    """Let a process that leads a session run before the machine's other work, where that is allowed.

    The attacker, on a real network, would not take its processors away; see sched(7) on autogroups.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, -10)
        Path(f"/proc/{pid}/autogroup").write_text("-10")


def percentile(samples: list[Sample], part: float = 0.99) -> float:
    """The duration (s) that so many of them keep within."""
    took = sorted(sample.took for sample in samples)
    return took[min(len(took) - 1, int(len(took) * part))] if took else float("inf")


def resident(daemon: Daemon) -> int:
    """Memory (bytes) that the daemon has in RAM."""
    for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmRSS")


@contextmanager
def under_way(attack: Attack, field: Field) -> Iterator[Callable[[], bool]]:
    """The attack, in a thread; what it finds wrong is raised at the end.  Gives whether it has failed."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            attack.run(field)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield lambda: bool(failed)
    finally:
        field.stop.set()
        thread.join(30)
    assert not thread.is_alive(), "the attack does not end"
    if failed:
        raise failed[0]


def besiege(daemon: Daemon, attack: Attack, full: bool = False, seconds: float = 0.0) -> Figures:
    """Attack the daemon among its users, for `seconds` or until all has been seen.

    Fails unless, while the attack goes on, all others are answered, 99 of 100 within three ticks; its
    memory, its log and what it turned away stay within bounds; and it ends in good order, with
    everything in its journal that it had acknowledged or shown.
    """
    field = Field(daemon.port, daemon.folder, full)
    go_first(daemon.process.pid)
    others = Bystanders(daemon.port)
    try:
        calm = time.monotonic()
        poll(lambda: time.monotonic() > calm + (5.0 if seconds else CALM), "time passes")
        before, lines = resident(daemon), len(daemon.log.lines)
        peak, began = before, time.monotonic()
        with under_way(attack, field) as failed:

            def well() -> bool:
                nonlocal peak
                peak = max(peak, resident(daemon))
                now = time.monotonic()
                if failed() or (seconds and now > began + seconds):
                    return True
                recent = others.samples(max(began, now - WINDOW[0]), now - WINDOW[1])
                enough = now > began + ATTACK and len(recent) >= LEAST
                told = daemon.log.find(attack.says)  # of a busy machine an attacker gets little
                return bool(not seconds and enough and told and percentile(recent) <= THREE_TICKS)

            poll(well, "it is told, and others are answered within three ticks", max(SOON, seconds + 1))
            ended = time.monotonic()
        left = others.end()
    except BaseException:
        others.kill()
        raise
    under_attack = others.samples(began, ended)
    newcomers = [told for told in others.told() if told.get("kind") == "arrival"]
    figures = Figures(
        percentile(others.samples(calm, began)),
        percentile(under_attack),
        max(sample.took for sample in under_attack),
        percentile(others.samples(began, ended, new=True)),
        peak - before,
        len(daemon.log.lines) - lines,
        len(newcomers),
        len(others.refused("arrival")),
        dict(field.tally),
    )
    check_others(daemon, others, left)
    check_daemon(daemon, attack, figures, field.strength(attack.growth))
    return figures


def check_others(daemon: Daemon, others: Bystanders, left: dict[str, Any]) -> None:
    """Fails unless all others got what they asked for, and all that they were promised is kept."""
    assert left["lost"] == []
    assert others.refused("step", "chat") == []
    assert left["unseen"] == 0
    agents, viewers = [], []
    for name, acked in left["acked"].items():
        agent = Agent(name, "", random.Random())
        agent.acked = {int(seq): Wish("world-chat", {"text": text}) for seq, text in acked.items()}
        agent.sent = left["said"][name]
        agents.append(agent)
    for seen in left["seen"]:
        viewer = Viewer()
        viewer.seen = {int(seq): event for seq, event in seen.items()}
        viewers.append(viewer)
    assert sum(len(agent.acked) for agent in agents) > 0
    check_promises(read(daemon.database).events, agents, viewers)


def well(daemon: Daemon) -> bool:
    """Whether all is in order but for alerts, which tell of an attack for some minutes after it."""
    checks = daemon.health()[1]["checks"]
    return all(check["status"] == "ok" for name, check in checks.items() if name != "alerts")


def check_daemon(daemon: Daemon, attack: Attack, figures: Figures, growth: int) -> None:
    """Fails unless it is well again, says what happened, has grown no more (MiB), and ends in order."""
    poll(lambda: well(daemon), "it is well again")
    assert daemon.log.find(attack.says), f"no {attack.says!r} in:\n{daemon.log}"
    assert figures.lines <= attack.lines, f"too much in the log:\n{daemon.log}"
    assert daemon.log.find(r" (error|critical) |realm1\.") == []  # nor a token
    assert figures.growth <= growth * MIB, f"{figures.growth / MIB:.0f} MiB more"
    assert figures.turned_away <= figures.newcomers * attack.turned_away, figures
    assert daemon.stop() == 0
