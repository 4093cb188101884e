"""What /health looks at: one function a check, from what some part knows of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from msgspec import Struct, to_builtins
from twisted.internet.interfaces import IReactorTime

from ..runtime.journal import Journal
from ..runtime.periodic import Periodic
from ..runtime.thinker import Thinker
from ..storage.store import Store

#: A tick that begins so late (s) is late, however short the interval is.
LATE = 0.1
Status = Literal["ok", "degraded", "failed"]


class Check(Struct, frozen=True, omit_defaults=True):
    """One check: its status, why it is not ok, and its figures."""

    status: Status
    reason: str = ""
    figures: dict[str, Any] = {}


def tick_check(lag: float, interval: float, age: float) -> Check:
    """The tick: late by `lag` s each time lately; it last began `age` s ago."""
    figures = {"lagMs": round(lag * 1000, 1), "intervalMs": round(interval * 1000)}
    if age > max(10 * interval, 2.0):
        return Check("failed", f"no tick for {age:.1f} s", figures)
    if lag > max(interval, LATE):
        return Check("degraded", f"ticks begin {lag * 1000:.0f} ms late", figures)
    return Check("ok", figures=figures)


def work_check(*services: Iterable[object]) -> Check:
    """The periodic work among `services`: what raised at its last run is named."""
    works = [work for some in services for work in some if isinstance(work, Periodic)]
    names = sorted(str(work.name) for work in works if work.failing)
    return Check("degraded", f"failing: {', '.join(names)}") if names else Check("ok")


def storage_check(journal: Journal) -> Check:
    figures = {"lastCommitMs": round(journal.commit_seconds * 1000, 2), "failures": journal.failures}
    if journal.ahead:
        return Check("failed", "storage is ahead of the world: restart needed", figures)
    if not journal.accepting():
        return Check("failed", "nothing can be made durable", figures)
    return Check("ok", figures=figures)


def history_check(store: Store) -> Check:
    """What was acknowledged is all there, or which part of it is lost; the older losses in the figures."""
    figures: dict[str, Any] = {"epoch": store.epoch}
    if store.lost:
        figures["lost"] = [to_builtins(loss) for loss in store.lost]
    if store.found is not None:
        return Check("degraded", f"at this start {store.found.told()}", figures)
    return Check("ok", figures=figures)


def thinker_check(thinker: Thinker) -> Check:
    """The minds; one that was late once, and thinks again, is no trouble."""
    status = thinker.status()
    minds = status["minds"].items()
    asleep = [name for name, mind in minds if mind["state"] == "stuck" or mind["failedInARow"] > 1]
    if asleep:
        return Check("degraded", f"minds asleep: {', '.join(asleep)}", {"minds": status["minds"]})
    return Check("ok", figures={"minds": len(status["minds"])})


def loop_check(lag: float) -> Check:
    figures = {"delayMs": round(lag * 1000, 1)}
    return (
        Check("degraded", "the event loop is late", figures) if lag > 0.25 else Check("ok", figures=figures)
    )


def clockwork(
    ticking: Periodic, loop: Periodic, journal: Journal, store: Store, thinker: Thinker, clock: IReactorTime
) -> dict[str, Callable[[], Check]]:
    """The checks of what turns without anybody connected, by name."""
    return {
        "tick": lambda: tick_check(ticking.lasting_lag, ticking.interval, clock.seconds() - ticking.last),
        "storage": lambda: storage_check(journal),
        "history": lambda: history_check(store),
        "thinker": lambda: thinker_check(thinker),
        "loop": lambda: loop_check(loop.lag),
    }
