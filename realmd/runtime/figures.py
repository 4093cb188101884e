"""The world and its clocks, as figures."""

from __future__ import annotations

from ..host.resources import resident_bytes
from ..primitives.figures import Figures
from ..world.engine import World
from .periodic import Periodic


def figures(world: World, ticking: Periodic, loop: Periodic) -> Figures:
    """For the metrics: who is here, and how late the tick and the event loop are."""
    return [
        ("realmd_agents_present", "Agents in the world.", lambda: len(world.tables.bodies)),
        ("realmd_agents_known", "Agents that ever registered.", lambda: len(world.tables.profiles)),
        ("realmd_seats_taken", "Seats taken.", world.seats_taken),
        ("realmd_seats", "Seats in all.", lambda: world.limits.max_agents),
        ("realmd_tick_lag_seconds", "How late the last tick began.", lambda: ticking.lag),
        ("realmd_ticks_missed_total", "Ticks merged into a later one.", lambda: ticking.missed),
        ("realmd_tick_failures_total", "Ticks that raised.", lambda: ticking.failures),
        ("realmd_loop_delay_seconds", "Delay of the event loop.", lambda: loop.lag),
        ("realmd_memory_resident_bytes", "Resident memory.", resident_bytes),
    ]
