"""The minds, living in a real world: what a visitor sees and hears of them."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.primitives.errors import Rejection
from realmd.world import atlas, events
from realmd.world.commands import (
    Command,
    Inhabit,
    MoltbookPost,
    Register,
    WorldChat,
    WorldLeave,
    WorldMove,
    WorldWalk,
)
from realmd.world.engine import World
from realmd.world.events import Chat, Durable, Event, Work
from realmd.world.limits import Limits
from realmd.world.minds import MINDS, view_of
from realmd.world.minds.speech import topic_of
from realmd.world.minds.talk import PARTNERS, PER_HOUR

START = 1_700_000_000_000
TICK = 250


def _table(kind: str, *rows: dict[str, Any]) -> str:
    def line(key: str, value: Any) -> str:
        return f"{key} = {msgspec.json.encode(value).decode()}"

    return "\n".join(f"[[{kind}]]\n" + "\n".join(line(*item) for item in row.items()) for row in rows)


ZONES = {"forge": (-25, 25), "spire": (25, -25), "warrens": (25, 25), "general": (-25, -25)}
STATIONS = (
    ("deployer", "K8s Deployer", "forge", -30, 20, "deployment"),
    ("terraform", "Terraform Station", "forge", -22, 30, "infrastructure"),
    ("trade", "Trade Terminal", "warrens", 30, 20, "trading"),
    ("charts", "Chart Analyzer", "warrens", 20, 30, "analysis"),
    ("content", "Content Forge", "general", -30, -35, "content"),
    ("nexus", "Command Nexus", "general", -35, -30, "orchestration"),
)
BEINGS = (
    ("shalom", "Shalom", "dragon", 0, 10, ["orchestration", "memory"]),
    ("daily", "Daily", "kobold", -8, 8, ["engagement", "content"]),
    ("trade", "Trade", "kobold", 8, 8, ["trading", "analysis"]),
    ("deploy", "Deploy", "kobold", -8, -8, ["deployment", "infrastructure"]),
)
MAP = "\n".join((
    _table("zones", *(
        {"id": n, "name": n.title(), "x": x, "z": z, "width": 40, "depth": 40} for n, (x, z) in ZONES.items()
    )),
    _table("buildings", {"id": "moltbook", "name": "Moltbook", "x": -20, "z": -20, "radius": 4}),
    _table("workstations", *(
        dict(zip(("id", "name", "zone", "x", "z", "skill"), s, strict=True)) for s in STATIONS
    )),
    _table("inhabitants", *(
        {"id": i, "name": n, "kind": k, "mind": k, "color": "#22c55e", "x": x, "z": z, "capabilities": c}
        for i, n, k, x, z, c in BEINGS
    )),
    _table("spawns", {"x": 0, "z": 0}),
))  # fmt: skip


class Realm:
    """The real engine with its inhabitants, thinking once a second; `told` holds every durable event."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(atlas.parse(MAP), Limits(), Random(seed))
        self.now = START
        self.world.begin(self.now)
        self.told: list[Durable] = []
        self.asked: list[tuple[int, Command]] = []
        self.bots: list[Callable[[Durable], str | None]] = []
        self.moved: list[set[str]] = []
        beings = list(self.world.atlas.inhabitants.values())
        self.minds = {b.id: MINDS[b.mind] for b in beings}
        self.memory = {b.id: MINDS[b.mind].new_memory() for b in beings}
        self.rng = {b.id: Random(f"{seed}:{b.id}") for b in beings}
        self.ears: dict[str, deque[Durable]] = {b.id: deque(maxlen=64) for b in beings}
        for being in beings:
            self.do(Inhabit(agent_id=being.id))

    def do(self, *commands: Command) -> None:
        for command in commands:
            outcome = self.world.apply(command, self.now)
            if not isinstance(outcome, Rejection):
                self._spread(outcome)

    def _spread(self, happened: tuple[Event, ...] | list[Event]) -> None:
        durable = [e for e in happened if isinstance(e, Durable)]
        self.told += durable
        for ears in self.ears.values():
            ears.extend(durable)
        for event in durable:
            for bot in self.bots:
                answer = bot(event)
                if answer is not None:
                    self.do(WorldChat(agent_id="bot", text=answer))

    def think(self, agent_id: str) -> None:
        view = view_of(self.world, agent_id, tuple(self.ears[agent_id]))
        self.ears[agent_id].clear()
        commands = self.minds[agent_id].think(view, self.memory[agent_id], self.now, self.rng[agent_id])
        self.asked += [(self.now, command) for command in commands]
        self.do(*commands)

    def live(self, seconds: int) -> None:
        for tick in range(seconds * 1000 // TICK):
            self.now += TICK
            before = dict(self.world.tables.bodies)
            self._spread(self.world.advance(self.now))
            minute = (self.now - START - 1) // 60_000
            while len(self.moved) <= minute:
                self.moved.append(set())
            after = self.world.tables.bodies
            self.moved[minute] |= {n for n, b in before.items() if n in after and after[n].x != b.x}
            self.think(list(self.minds)[tick % len(self.minds)])

    def visit(self, agent_id: str = "ann", name: str = "Ann", x: float = 0.0, z: float = -45.0) -> None:
        self.do(Register(agent_id=agent_id, name=name), WorldMove(agent_id=agent_id, x=x, z=z))

    def lines(self, agent_id: str, since: int = 0) -> list[str]:
        chats = [e for e in self.told if isinstance(e, Chat)]
        return [e.text for e in chats if e.agent_id == agent_id and e.timestamp > since]

    def ask(self, to: str, text: str, who: str = "ann") -> str:
        """What `to` says within two seconds of `text` (reports of its work left out), joined."""
        since, before = self.now, len(self.told)
        self.do(WorldChat(agent_id=who, text=text))
        self.live(2)
        reported = {e.note for e in self.told[before:] if isinstance(e, Work) and e.note}
        lines = [line for line in self.lines(to, since) if not any(note in line for note in reported)]
        return " | ".join(lines)


def test_a_quiet_realm_is_alive_but_not_loud() -> None:
    """Nobody visiting: few durable events, yet everybody moves in most minutes, and all shifts are whole."""
    realm = Realm()
    realm.live(3600)
    inhabitants = set(realm.minds)
    per_minute = Counter((e.timestamp - START) // 60_000 for e in realm.told[4:])
    assert sum(per_minute.values()) / 60 <= 10
    assert max(per_minute.values()) <= 15
    for name in inhabitants:
        assert sum(name in minute for minute in realm.moved) >= 45, name
    for name in inhabitants - {"shalom"}:
        story = [e.phase for e in realm.told if isinstance(e, Work) and e.agent_id == name]
        assert len(story) >= 4 * 6
        assert story == (["claimed", "started", "finished", "left"] * len(story))[: len(story)]
    notes = [e.note for e in realm.told if isinstance(e, Work) and e.phase == "finished"]
    assert len(set(notes)) >= 0.8 * len(notes)
    reports = [e.text for e in realm.told if isinstance(e, Chat)]
    assert all(any(str(note) in text for text in reports) for note in notes[:-3])
    zone_at = realm.world.atlas.zone_at
    walks = [c for _, c in realm.asked if isinstance(c, WorldWalk) and c.agent_id == "shalom"]
    assert {zone_at(c.x, c.z).id for c in walks} == set(ZONES)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_life() -> None:
    """Two realms with the same seed and the same visitors live the same life; another seed, another."""

    def life(seed: int) -> list[tuple[int, Command]]:
        realm = Realm(seed)
        realm.live(120)
        realm.visit()
        realm.do(WorldChat(agent_id="ann", text="Hi Daily, Trade and Shalom!"))
        realm.live(120)
        return realm.asked

    assert life(7) == life(7)
    assert life(7) != life(8)


def test_kobolds_work_where_they_may() -> None:
    """A kobold takes shifts only at stations that want one of its skills."""
    realm = Realm(3)
    realm.live(1200)
    stations = realm.world.atlas.workstations
    for event in realm.told:
        if isinstance(event, Work):
            assert realm.world.tables.profiles[event.agent_id].can(stations[event.workstation_id].skill)


def test_a_visitor_is_greeted_once() -> None:
    """Whoever comes near a kobold is greeted by it, once, however long it stays."""
    realm = Realm(2)
    realm.visit(x=-8, z=7)
    realm.live(2)
    assert [line for line in realm.lines("daily") if "Ann" in line]
    for _ in range(300):
        body = realm.world.tables.bodies["daily"]
        realm.do(WorldMove(agent_id="ann", x=body.x, z=body.z))
        realm.live(2)
    assert sum("Ann" in line for line in realm.lines("daily")) == 1


def test_a_kobold_tells_truly_what_it_does() -> None:
    """Asked at any time, a kobold says where it is, and whether it works, walks or rests."""
    realm = Realm(5)
    realm.visit()
    told = Counter[str]()
    for _ in range(40):
        realm.live(28)
        body = realm.world.tables.bodies["deploy"]
        claim = realm.world.claim_of("deploy")
        zone = realm.world.atlas.zone_at(body.x, body.z).name
        answer = realm.ask("deploy", "deploy, what are you doing?")
        settled = (realm.world.tables.bodies["deploy"].walk is None) == (body.walk is None)
        if claim is not None and claim == realm.world.claim_of("deploy") and claim.working_since:
            station = realm.world.atlas.workstations[claim.workstation_id].name
            assert f"working at {station}" in answer
            assert zone in answer
            told["work"] += 1
        elif claim is None and body.walk is not None and settled:
            assert "walking to" in answer or "strolling" in answer
            told["walk"] += 1
        elif claim is None and realm.world.claim_of("deploy") is None and settled:
            assert "taking a break" in answer
            assert zone in answer
            told["rest"] += 1
    assert set(told) == {"work", "walk", "rest"}


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("daily, what are you doing?", "doing"), ("Hi Daily!", "greeting"), ("DAILY", "greeting"),
        ("where are you, Daily?", "where"), ("daily who's here", "here"), ("who are you daily", "self"),
        ("Daily, help!", "help"), ("how do I get work here, daily?", "help"), ("thanks daily", "thanks"),
        ("bye, daily", "bye"), ("daily: how are you?", "wellbeing"), ("@daily what's new", "news"),
        ("daily, what\N{RIGHT SINGLE QUOTATION MARK}s new?", "news"),
        ("daily, the square root of two?", ""),
    ],
)  # fmt: skip
def test_addressed_by_name_a_kobold_answers_on_the_topic(text: str, topic: str) -> None:
    """A name anywhere in a line, in any case, gets one answer, and it fits."""
    realm = Realm()
    realm.visit()
    assert topic_of(re.sub("daily", "", text, flags=re.IGNORECASE)) == topic
    answer = realm.ask("daily", text)
    assert answer
    assert "|" not in answer
    assert [realm.lines(other) for other in ("trade", "deploy")] == [[], []]


def test_a_name_within_a_word_is_no_address() -> None:
    """Talk about other things is left alone."""
    realm = Realm()
    realm.visit()
    assert realm.ask("trade", "I traded my trademark for a trader's hat") == ""


def test_the_dragon_welcomes_newcomers_together_and_once() -> None:
    """Who joins is welcomed; several at once in one line; who comes back soon is not welcomed again."""
    realm = Realm()
    for n in range(8):
        realm.do(Register(agent_id=f"a{n}", name=f"Guest {n}"))
    realm.live(2)
    (welcome,) = realm.lines("shalom")
    assert '"Guest 0", "Guest 1", "Guest 2", "Guest 3", "Guest 4" and 3 more' in welcome
    realm.do(WorldLeave(agent_id="a0"), Register(agent_id="a0"), Register(agent_id="late", name="Late"))
    realm.live(20)
    (second,) = realm.lines("shalom")[1:]
    assert "Late" in second
    assert "Guest" not in second
    realm.live(3600)
    realm.do(WorldLeave(agent_id="a0"), Register(agent_id="a0"))
    realm.live(2)
    assert "Guest 0" in realm.lines("shalom")[-1]


def test_the_dragon_sums_up_what_happened() -> None:
    """Asked what happened, the dragon tells who came, went, spoke and worked in the last ten minutes."""
    realm = Realm(4)
    realm.visit()
    realm.live(5)
    assert 'In the last minute: "Ann" joined.' in realm.ask("shalom", "shalom, what happened?")
    realm.live(600)  # Ann falls silent and leaves, and comes back to ask
    realm.visit("bob", "Bob")
    realm.do(
        WorldChat(agent_id="bob", text="What a \x07place,\nreally {who}"),
        MoltbookPost(agent_id="bob", title="Lamp oil wanted", content="Two jars"),
        WorldLeave(agent_id="bob"),
    )
    realm.live(60)
    answer = realm.ask("shalom", "Shalom: summary please")
    for part in (
        'In the last 10 minutes: "Bob" and "Ann" joined, "Ann" and "Bob" left; shifts finished by',
        '1 line was said, the last by "Bob": "What a place, really {who}"',
        'new on the board: "Lamp oil wanted"',
    ):
        assert part in answer
    assert "summary please" not in answer


def test_inhabitants_never_answer_one_another() -> None:
    """Two kobolds that name each other still have nothing to say to one another."""
    realm = Realm()
    realm.do(WorldChat(agent_id="daily", text="Trade, what are you doing?"))
    realm.do(WorldChat(agent_id="trade", text="Daily, hello! Where are you?"))
    realm.do(WorldChat(agent_id="deploy", text="Shalom, what happened?"))
    realm.live(3)
    assert len([e for e in realm.told if isinstance(e, Chat)]) == 3


@pytest.mark.parametrize("echo", ["{text}", "Daily, you said: {text}", "daily! {n}", "Daily and Shalom {n}"])
def test_a_bot_that_answers_everything_ends_in_silence(echo: str) -> None:
    """A foreign bot that answers every line of every inhabitant soon hears nothing back."""
    realm = Realm()
    realm.visit("bot", "Bot")
    count = iter(range(10_000))
    realm.bots.append(
        lambda e: (
            echo.format(text=e.text, n=next(count))[:400]
            if isinstance(e, Chat) and e.agent_id != "bot"
            else None
        )
    )
    realm.do(WorldChat(agent_id="bot", text="Hello Daily"))
    realm.live(10)
    assert 1 <= len(realm.lines("daily")) <= 4
    realm.live(1800)
    shifts = sum(isinstance(e, Work) and e.phase == "finished" for e in realm.told)
    chats = len([e for e in realm.told if isinstance(e, Chat) and e.agent_id != "bot"])
    assert chats <= shifts + 3 + 2 * PER_HOUR


def test_answers_to_one_partner_are_few_and_the_last_one_says_so() -> None:
    """Four answers in a minute, the fourth asking for patience; a minute later there are more."""
    realm = Realm()
    realm.visit()
    answers = [realm.ask("daily", f"daily, are you busy? {n}") for n in range(8)]
    assert [bool(a) for a in answers] == [True] * 4 + [False] * 4
    assert ["ask me again" in a for a in answers[:4]] == [False, False, False, True]
    realm.live(60)
    assert realm.ask("daily", "daily, are you busy?")


def test_memory_stays_small() -> None:
    """However many come and speak, what a mind remembers is bounded."""
    realm = Realm()
    profile = realm.world.tables.profiles["daily"]
    for n in range(600):
        name = f"crowd{n}"
        realm.world.tables.profiles[name] = msgspec.structs.replace(profile, agent_id=name, name=name)
        join = events.of_profile(events.Join, realm.world.tables.profiles[name], realm.now, n)
        chat = Chat(agent_id=name, timestamp=realm.now, seq=n, text="shalom and daily, hello")
        for who in ("shalom", "daily"):
            realm.ears[who].extend([join, chat])
            realm.think(who)
        realm.now += 2_000
    for who in ("shalom", "daily"):
        talk = realm.memory[who].talk
        assert len(talk.answered) <= PARTNERS
        assert max(len(talk.greeted), len(talk.waiting), len(talk.said), len(talk.answered_all)) <= 256
        assert len(msgspec.json.encode(realm.memory[who])) < 60_000


OPENINGS = st.sampled_from(["Daily ", "shalom, what happened? ", ""])


@given(st.text(max_size=500), st.text(min_size=1, max_size=64), OPENINGS)
def test_nothing_that_is_said_breaks_a_mind(text: str, name: str, prefix: str) -> None:
    """Whatever the words and names of others, minds go on, and say only short printable lines."""
    realm = Realm()
    realm.do(Register(agent_id="x", name=name), WorldMove(agent_id="x", x=-8, z=7))
    realm.do(WorldChat(agent_id="x", text=(prefix + text)[:500] or "."))
    realm.live(2)
    for who in realm.minds:
        for line in realm.lines(who):
            assert 0 < len(line) <= 500
            assert line.isprintable()
