"""The engine under any sequence of commands: replay, refusals, undo, and what always holds."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from realmd.primitives.errors import Rejection
from realmd.world import commands as c
from realmd.world import events
from realmd.world.engine import World
from realmd.world.limits import Limits
from realmd.world.model import Skill
from realmd.world.rules.work import REACH
from realmd.world.tables import KINDS, Changes
from tests.world.worlds import ATLAS, MASTER, T0, empty, join, pass_time, stand

LIMITS: dict[str, Any] = {
    "max_agents": 3, "commands_per_second": 15, "doze_after": 8000, "leave_after": 4000, "board_posts": 2,
    "request_age": 10_000, "open_requests": 2, "requests": 3, "plugins": 2, "profiles": 7,
}  # fmt: skip
HUMAN = "human-1"
ODD = ["Zoë 人", " ", "x" * 64, "room"]
agents = st.sampled_from(["ann"] * 4 + ["bob"] * 3 + ["cyr", *ODD])
everyone = st.sampled_from(
    ["ann"] * 9 + ["bob"] * 8 + ["daily"] * 4 + ["cyr", "shalom", HUMAN, "nobody", *ODD]
)
edges = st.sampled_from(
    [0.0, -0.0, 50.0, -50.0, math.nextafter(50, 51), 12.0, 14.9, -15.0, -20.0, math.nan, math.inf, 1e308]
)
number = edges | st.floats(-52, 52) | st.floats(allow_nan=True, allow_infinity=True)
stations = st.sampled_from(["command-nexus"] * 4 + ["audit-helm", "nowhere"])
key = st.sampled_from(["a", "b", "c"])
text = st.text(min_size=1, max_size=3)


def _by(kind: type[c.Command], **fields: Any) -> st.SearchStrategy[c.Command]:
    """The command, sent by anyone."""
    return st.builds(kind, agent_id=everyone, **fields)


work = st.one_of(
    _by(c.WorldMove, x=st.floats(-3, 3), z=st.floats(10, 14)),
    _by(c.WorldWalk, x=st.floats(-3, 3), z=st.floats(10, 14)),
    _by(c.GoToWorkstation, workstation_id=st.just("command-nexus")),
    _by(c.WorkStart),
    _by(c.WorkFinish, note=text),
    _by(c.WorkstationLeave),
)
command: st.SearchStrategy[c.Command] = st.one_of(
    st.builds(c.Register, agent_id=everyone, capabilities=st.sampled_from([MASTER, MASTER, ()]), name=text),
    st.builds(c.Register, agent_id=agents, skills=st.just((Skill("s", "S"),)), bio=text),
    st.builds(c.PlayerJoin, agent_id=st.just(HUMAN)),
    st.builds(c.LinkOpened, agent_id=everyone),
    st.builds(c.LinkClosed, agent_id=everyone),
    _by(c.Heard),
    st.builds(c.Inhabit, agent_id=st.sampled_from(["daily", "shalom"])),
    _by(c.WorldMove, x=number, y=number, z=number, rotation=number),
    work,
    _by(c.WorldWalk, x=number, z=number),
    _by(c.WorldWalk, workstation_id=stations),
    _by(c.WorldWalk, target_agent_id=everyone),
    _by(c.GoToWorkstation, workstation_id=stations),
    _by(c.WorldLeave),
    _by(c.WorldAction, action=st.sampled_from(["walk", "dance"])),
    _by(c.WorldChat, text=text),
    _by(c.WorldEmote),
    _by(c.MoltbookPost, title=text, content=text),
    _by(c.AgentMessage, to_agent_id=everyone, content=text),
    _by(c.AgentRequest, to_agent_id=everyone, request_type=st.just("task"), payload=st.none() | text),
    st.builds(c.ClawhubPublish, id=key, name=text, agent_id=st.none() | everyone),
    st.builds(c.ClawhubInstall, skill_id=key),
    st.builds(c.ClawhubUninstall, skill_id=key),
    st.builds(c.CatalogueFound, versions=st.dictionaries(key, text, max_size=2)),
)
#: ms until the next tick: none, small, large, and the clock set back.
short = st.sampled_from([0, 20, 100, 1000, 1000, 1000])
lapse = short | st.sampled_from([3000, 9000, 15_000, -1, -2500, -3_600_000])

Copy = dict[str, list[tuple[str, Any]]]


def copy(world: World) -> Copy:
    """Every row, in the order of the tables where that counts."""
    rows = {kind: list(world.tables.rows(kind).items()) for kind in KINDS}
    return {kind: row if kind == "posts" else sorted(row) for kind, row in rows.items()}


def durable(rows: Copy) -> Copy:
    """`rows` without where bodies stand and what they show."""
    return {**rows, "bodies": [(key, (body.agent_id, body.player)) for key, body in rows["bodies"]]}


def check(world: World, undone: bool) -> None:
    """What holds after every step; `undone`: some leases may have come back to who has gone meanwhile."""
    tables, limits, ground = world.tables, world.limits, world.atlas.ground
    bodies = tables.bodies
    assert world.seats_taken() <= limits.max_agents
    for station, claim in tables.claims.items():
        holder = bodies[claim.agent_id]
        at = world.atlas.workstations[station]
        assert claim.workstation_id == station
        assert undone or math.dist((holder.x, holder.z), (at.x, at.z)) <= REACH
    assert world.holding == {claim.agent_id: station for station, claim in tables.claims.items()}
    assert world.walking == {name for name, body in bodies.items() if body.walk is not None}
    for name, body in bodies.items():
        assert name in tables.profiles
        assert all(map(math.isfinite, (body.x, body.y, body.z, body.rotation)))
        assert ground.inside(body.x, body.z)
        for wall in ground.obstacles:  # a walker along a wall is rounded to the tenth of a millimetre
            assert math.dist((body.x, body.z), (wall.x, wall.z)) > wall.radius + ground.clearance - 0.001
    assert len(tables.profiles) <= max(limits.profiles, len(bodies))
    assert len(tables.posts) <= limits.board_posts
    assert len(tables.requests) <= limits.requests
    assert max(len(tables.plugins), len(tables.installed)) <= limits.plugins
    assert world.heard.keys() <= tables.profiles.keys()
    assert world._allowance.keys() <= {"", *tables.profiles}
    assert world.unsaved <= bodies.keys()
    assert all(count > 0 for count in world.links.values())
    assert world.faults == []
    notes = [int(note[1:]) for note in tables.posts]
    assert notes == sorted(notes)


@given(st.lists(command | lapse, max_size=60), st.integers(0, 9))
@settings(max_examples=60)
def test_the_same_seed_and_commands_give_the_same_events(script: list[Any], seed: int) -> None:
    """A run can be replayed: every outcome and event is the same again."""

    def run() -> Iterator[object]:
        world, now = empty(seed, **LIMITS), T0
        for step in script:
            if isinstance(step, int):
                now += step
                yield from world.advance(now)
            else:
                yield world.apply(step, now)
        yield copy(world)

    assert repr(list(run())) == repr(list(run()))


class Life(RuleBasedStateMachine):
    """A world with a journal and a store: batches are committed one at a time, or fail, or the realm dies."""

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.world = empty(seed, **LIMITS)
        self.now = T0
        self.pending: list[int] = []
        self.undone = False
        self.flying: tuple[Changes, list[int], Copy] | None = None
        self.committed: list[int] = []
        self.store: dict[tuple[str, str], bytes] = {}
        self.kept = copy(self.world)
        for name in ("ann", "bob"):
            self.do(c.Register(agent_id=name, capabilities=MASTER))
            self.do(c.WorldMove(agent_id=name, x=0.5, z=12.0))
        self.do(c.Inhabit(agent_id="daily"))
        self.launch()
        self.land()

    def happen(self, happened: list[events.Event], seq: int) -> None:
        """Durable events are numbered without gaps, and none comes while the store is away."""
        numbers = [event.seq for event in happened if isinstance(event, events.Durable)]
        assert numbers == list(range(seq + 1, self.world.tables.seq + 1))
        assert self.world.durable or not numbers
        assert all(msgspec.json.decode(msgspec.json.encode(event)) for event in happened)
        self.pending += numbers

    @rule(asked=command)
    def do(self, asked: c.Command) -> None:
        """A command is done wholly, or refused and nothing is changed."""
        before, seq, derived = copy(self.world), self.world.tables.seq, self.derived()
        outcome = self.world.apply(asked, self.now)
        if isinstance(outcome, Rejection):
            assert (copy(self.world), self.world.tables.seq, self.derived()) == (before, seq, derived)
        else:
            self.happen(list(outcome), seq)

    def derived(self) -> object:
        return set(self.world.walking), dict(self.world.holding)

    @rule(asked=st.lists(work | st.just(None), min_size=2, max_size=12))
    def work(self, asked: list[c.Command | None]) -> None:
        """Around one workstation, a tick here and there."""
        for one in asked:
            if one is None:
                self.tick(500)
            else:
                self.do(one)

    @precondition(lambda self: self.world.tables.requests)
    @rule(choice=st.randoms(use_true_random=False))
    def answer(self, choice: random.Random) -> None:
        asked = choice.choice(list(self.world.tables.requests.values()))
        self.do(c.AgentRespond(agent_id=asked.to_agent_id, request_id=asked.request_id, response=None))

    @rule(lapse=lapse)
    def tick(self, lapse: int) -> None:
        self.now += lapse
        seq = self.world.tables.seq
        self.happen(self.world.advance(self.now), seq)

    @precondition(lambda self: self.flying is None and self.world.durable)
    @rule()
    def launch(self) -> None:
        """The open batch goes to the store."""
        self.flying = (self.world.seal(), self.pending, copy(self.world))
        self.pending = []

    @precondition(lambda self: self.flying is not None)
    @rule()
    def land(self) -> None:
        """It is committed: the rows it names are all that the store needs to hold the same tables."""
        assert self.flying is not None
        changes, numbers, self.kept = self.flying
        self.flying = None
        self.committed += numbers
        for row, value in changes.after.items():
            self.store.pop(row, None)
            if value is not None:
                self.store[row] = msgspec.json.encode(value)
        assert durable(self.stored()) == durable(_by_key(self.kept))

    @precondition(lambda self: self.flying is not None)
    @rule()
    def crash(self) -> None:
        """It fails: the world is as the last committed batch left it, bodies' places aside."""
        assert self.flying is not None
        changes, _, _ = self.flying
        self.flying, self.pending = None, []
        self.world.durable, self.undone = False, True
        self.world.undo(self.world.seal())
        self.world.undo(changes)
        assert durable(copy(self.world)) == durable(self.kept)
        assert self.world.tables.seq == len(self.committed)

    @precondition(lambda self: not self.world.durable)
    @rule()
    def recover(self) -> None:
        self.world.durable = True
        self.tick(1000)
        self.undone = False

    @precondition(lambda self: self.flying is None)
    @rule()
    def die(self) -> None:
        """The process is killed and starts again from the store."""
        rows = {kind: dict(table) for kind, table in self.stored().items()}
        self.world = World(ATLAS, Limits(**LIMITS), self.world.rng)
        self.world.tables.load(rows, len(self.committed))
        self.world.begin(self.now)
        self.pending = []
        assert durable(copy(self.world)) == durable(self.kept)

    def stored(self) -> Copy:
        return {
            kind: sorted(
                (key, msgspec.json.decode(value, type=struct))
                for (of, key), value in self.store.items()
                if of == kind
            )
            for kind, struct in KINDS.items()
        }

    @invariant()
    def holds(self) -> None:
        check(self.world, self.undone)
        assert self.committed == list(range(1, len(self.committed) + 1))


def _by_key(rows: Copy) -> Copy:
    return {kind: sorted(table) for kind, table in rows.items()}


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestLife: Any = Life.TestCase


class _Untouched(dict[str, Any]):
    """A table nobody may go through."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("went through all bodies")

    keys = values = items = __iter__  # type: ignore[assignment]


def test_an_idle_tick_looks_at_nobody() -> None:
    """While nobody walks, a tick between two sweeps costs the same however many are present."""
    world = empty()
    join(world, "ann")
    stand(world, "ann", 0, 0)
    pass_time(world, T0, 1)
    for kind in KINDS:
        setattr(world.tables, kind, _Untouched(world.tables.rows(kind)))
    assert pass_time(world, T0 + 1000, 0.9) == []
