"""What survives when the daemon is killed in the middle of its work."""

from __future__ import annotations

import random
import time
from typing import Final

from .audit import check_doors, check_promises, check_tables, read
from .conftest import Start
from .daemon import BRISK, Daemon
from .load import Agent, Load, Viewer, Worker

ROUNDS: Final = 20
#: A place confirmed so long (s) before the end is in a snapshot, with 0.2 s between two of them.
SETTLED: Final = 1.0


def crew(rng: random.Random) -> list[Agent]:
    names = [f"agent-{number}" for number in range(6)]
    friends = names[1:] + names[:1]
    agents = [Agent(name, friend, rng) for name, friend in zip(names, friends, strict=True)]
    return [*agents, Worker("worker-1", "", rng), Worker("worker-2", "", rng)]


def check_places(
    daemon: Daemon, agents: list[Agent], life: tuple[float, float], before: dict[str, int]
) -> None:
    """Everyone stands where it asked to stand not long before the end of the last life.

    `before` has the index of where each stood at its beginning, and is brought up to date.
    """
    began, killed = life
    with daemon.http() as http:
        for agent in agents:
            answer = http.ask("profile", agentId=agent.id)
            assert answer["present"], f"{agent.id} is gone"
            place = (answer["position"]["x"], answer["position"]["z"])
            settled = [index for moment, index in agent.stood if began < moment < killed - SETTLED]
            least = max(settled[-1] if settled else -1, before.get(agent.id, -1))
            if place in agent.places:
                before[agent.id] = agent.places.index(place)
                assert before[agent.id] >= least, f"{agent.id} went back to {place}"
            else:
                assert least == -1, f"{agent.id} is at {place}, where it never asked to be"


def test_nothing_acknowledged_is_lost_by_kill_9(start: Start) -> None:
    """Killed twenty times under load, the realm keeps all it acknowledged or showed, once, in order."""
    rng = random.Random(20)
    agents, viewers = crew(rng), [Viewer()]
    before: dict[str, int] = {}
    checked = 0
    daemon = start(settings=BRISK)
    for turn in range(ROUNDS):
        began = time.monotonic()
        load = Load(daemon, agents, viewers)
        load.go_on(1.8 if turn % 6 == 5 else rng.uniform(0.05, 0.7))
        killed = time.monotonic()
        daemon.kill()
        load.end()
        daemon = start(settings=BRISK)
        known = [agent for agent in agents if agent.registered]
        check_places(daemon, [a for a in known if not isinstance(a, Worker)], (began, killed), before)
        kept = read(daemon.database)
        check_promises(kept.events, agents, viewers)
        check_tables(kept, agents)
        with daemon.http() as http:
            check_doors(kept.events, http, agents, checked)
        checked = max(kept.events)
    assert sum(len(agent.acked) for agent in agents) > 20 * ROUNDS
    assert daemon.stop() == 0
