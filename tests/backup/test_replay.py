"""Events replayed onto empty tables, against the world in which they happened."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec import UNSET

from realmd.backup.replay import Replay
from realmd.backup.verify import _said
from realmd.primitives.errors import Rejection
from realmd.world import commands, events
from realmd.world.model import Plugin
from realmd.world.tables import Tables

from ..world.worlds import ATLAS, MASTER, T0, empty

STATIONS = sorted(ATLAS.workstations)


def wish(rng: random.Random, agent: str, requests: list[str]) -> Any:
    other = f"agent-{rng.randrange(5)}"
    number = rng.randrange(1000)
    match rng.randrange(12):
        case 0 | 1:
            return commands.Register(agent_id=agent, bio=f"bio {number}", capabilities=MASTER)
        case 2:
            return commands.WorldLeave(agent_id=agent)
        case 3:
            return commands.MoltbookPost(agent_id=agent, title="t", content=f"{number}")
        case 4 | 5:
            return commands.GoToWorkstation(agent_id=agent, workstation_id=rng.choice(STATIONS))
        case 6:
            return commands.WorkStart(agent_id=agent)
        case 7:
            return commands.WorkFinish(agent_id=agent, note="done")
        case 8:
            return commands.AgentRequest(agent_id=agent, to_agent_id=other, request_type="task")
        case 9 if requests:
            return commands.AgentRespond(agent_id=agent, request_id=rng.choice(requests), response=number)
        case 10:
            return commands.ClawhubPublish(
                agent_id=rng.choice((agent, None)), id=f"p{number % 5}", name="P", version=f"{number}"
            )
        case 11:
            kind = rng.choice([commands.ClawhubInstall, commands.ClawhubUninstall])
            return kind(agent_id=rng.choice((agent, None)), skill_id=f"p{number % 5}")
    return commands.WorldChat(agent_id=agent, text=f"{number}")


@pytest.mark.parametrize("seed", range(8))
def test_a_replayed_journal_gives_the_same_tables(seed: int) -> None:
    """Whatever agents did, the journal alone tells who is there, what they hold, posted and asked."""
    rng, world, play = random.Random(seed), empty(seed, commands_per_second=10_000), Replay(Tables())
    counts: dict[str, int] = {}
    for turn in range(2500):
        now = T0 + turn * 500
        outcome = world.apply(wish(rng, f"agent-{rng.randrange(5)}", list(world.tables.requests)), now)
        happened = [] if isinstance(outcome, Rejection) else list(outcome)
        for event in [*happened, *world.advance(now)]:
            if isinstance(event, events.Durable):
                play.apply(event)
                counts[type(event).__name__] = counts.get(type(event).__name__, 0) + 1
    for kind in ("profiles", "bodies", "claims", "posts", "requests", "plugins", "installed"):
        real, replayed = world.tables.rows(kind), play.tables.rows(kind)
        if kind == "posts":  # the journal tells no more of a note than that it was put up
            replayed = {key: row for key, row in replayed.items() if key in real}
        said = [{key: _said(kind, row) for key, row in rows.items()} for rows in (real, replayed)]
        assert said[0] == said[1], kind
    assert play.tables.seq == world.tables.seq
    assert {"Join", "Leave", "ProfileChanged", "Work", "Board", "Requested", "Catalogue"} <= counts.keys()
    assert all(isinstance(row, Plugin) for row in play.tables.plugins.values())
    for kind in ("plugins", "installed"):  # whose they are, too
        assert play.tables.rows(kind) == world.tables.rows(kind)


def test_in_an_old_event_the_author_is_who_published() -> None:
    """Whatever was written there: whom the journal names published it, and the text is a credit."""
    play = Replay(Tables())
    for seq, (who, author) in enumerate((("ann", "The Guild"), ("room", "ann"), ("ann", "ann"))):
        plugin = Plugin(f"p{seq}", "P", "", author, "1", (), T0)
        play.apply(
            events.Catalogue(
                agent_id=who, timestamp=T0, seq=seq, phase="published", skill_id=plugin.id, plugin=plugin
            )
        )
    assert [(row.author, row.credit) for row in play.tables.plugins.values()] == [
        ("ann", "The Guild"),
        ("", "ann"),
        ("ann", UNSET),
    ]
