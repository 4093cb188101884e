"""The reactor, by all that the realm uses of it; most parts ask for its clock alone."""

from __future__ import annotations

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorPluggableNameResolver,
    IReactorProcess,
    IReactorSocket,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUNIX,
)


class IReactor(
    IReactorCore,
    IReactorTime,
    IReactorThreads,
    IReactorTCP,
    IReactorUNIX,
    IReactorSocket,
    IReactorProcess,
    IReactorPluggableNameResolver,
):
    """What Twisted's reactors are on Linux, and a time of day: what `clock.make_steady` returns."""

    def time_of_day() -> float:
        """Seconds since the epoch, where `seconds` counts time that passes."""
