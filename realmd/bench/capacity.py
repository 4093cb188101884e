"""What this machine holds: the figures of the sizing table, each measured on a realm started for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from . import load
from .machine import Machine, this_machine
from .model import Plan, Result
from .search import Found, Verdict, bisect
from .spawn import Setting, Spawned, cores_apart, pin_load

#: Numbers of users in the table, and where the searches begin and end.
USERS: Final = (1, 10, 20, 30, 50, 100)
AGENTS: Final = (50, 8000)
VIEWERS: Final = (250, 16000)
#: Whoever is present while the other number is sought.
WATCHING: Final = 10
WALKING: Final = 50
#: What idle connections and standing agents are counted by, to divide memory by.
MANY: Final = 1000

#: Tells what is being measured.
Say = Callable[[str], None]


class Asked(Struct, frozen=True, kw_only=True):
    """How to measure: seconds a row and a probe, the tick, the latency (ms, p99) that still holds."""

    seconds: float = 10.0
    probe_seconds: float = 5.0
    tick_ms: int = 50
    limit: float = 100.0
    rate: float = 10.0
    most_agents: int = AGENTS[1]
    most_viewers: int = VIEWERS[1]
    users: tuple[int, ...] = USERS


class Capacity(Struct, frozen=True, kw_only=True):
    """What was measured; a user is an agent that moves over HTTP and a page that looks on."""

    asked: Asked
    machine: Machine
    #: Whether server and load each had a core of their own.
    apart: bool
    #: Seconds from the command to the first answer.
    ready_after: float
    idle: Result
    connections: Result
    standing: Result
    #: Number of users → what they cost.
    users: dict[int, Result]
    agents: Found[Result]
    viewers: Found[Result]


def verdict(result: Result, limit: float) -> Verdict:
    """Whether the server held: p99 within `limit` (ms), everything sent and answered, nobody lost."""
    moves = result.moves
    wanted = result.plan.agents * result.plan.rate * result.seconds
    held = (
        result.latency.p99 is not None
        and result.latency.p99 <= limit
        and not (result.closes or result.not_connected or moves.errors or moves.refused)
        and moves.sent >= 0.95 * wanted
    )
    if held:
        return "holds"
    return "unknown" if result.load.bottleneck else "fails"


def measure(asked: Asked, say: Say, date: str | None = None, commit: str | None = None) -> Capacity:
    """Measure it all; takes some minutes."""
    machine = this_machine(date, commit)
    apart = cores_apart() is not None
    pin_load()
    idle, ready_after = _run(asked, Plan(agents=0, viewers=0, seconds=asked.seconds), "idle", say)
    crowd = Plan(agents=0, viewers=MANY, ramp=2, seconds=asked.probe_seconds)
    connections, _ = _run(asked, crowd, f"{MANY} connections that only look on", say)
    still = Plan(agents=MANY, viewers=0, rate=0, ramp=2, seconds=asked.probe_seconds)
    standing, _ = _run(asked, still, f"{MANY} agents that stand still", say)
    users = {}
    for number in asked.users:
        plan = Plan(
            agents=number,
            viewers=number,
            rate=asked.rate,
            looks=1,
            deflate=0.5,
            batch=0.5,
            seconds=asked.seconds,
        )
        users[number], _ = _run(asked, plan, f"{number} users", say)
    return Capacity(
        asked=asked,
        machine=machine,
        apart=apart,
        ready_after=ready_after,
        idle=idle,
        connections=connections,
        standing=standing,
        users=users,
        agents=_search(asked, "agents", say),
        viewers=_search(asked, "viewers", say),
    )


def _search(asked: Asked, what: str, say: Say) -> Found[Result]:
    def probe(number: int) -> tuple[Verdict, Result]:
        agents, viewers = (number, WATCHING) if what == "agents" else (WALKING, number)
        plan = Plan(
            agents=agents,
            viewers=viewers,
            rate=asked.rate,
            seconds=asked.probe_seconds,
            ramp=(agents + viewers) / 1000,
        )
        name = f"{agents} agents, {viewers} viewers"
        result, _ = _run(asked, plan, name, say)
        found = verdict(result, asked.limit)
        if found != "holds":  # once more: something else may have been at work on the machine
            result, _ = _run(asked, plan, f"{name}, again", say)
            found = verdict(result, asked.limit)
        p99 = "-" if result.latency.p99 is None else f"{result.latency.p99:.0f} ms"
        say(f"  {found}: p99 {p99}, server {result.server.cpu if result.server else 0:.0f} % of a core")
        return found, result

    start, most = (AGENTS[0], asked.most_agents) if what == "agents" else (VIEWERS[0], asked.most_viewers)
    return bisect(probe, start, most)


def _run(asked: Asked, plan: Plan, name: str, say: Say) -> tuple[Result, float]:
    say(name)
    with Spawned(Setting(tick_ms=asked.tick_ms)) as realm:
        result = load.run_whole(replace(plan, url=realm.url, pid=realm.pid))
        return replace(result, series=[]), realm.ready_after
