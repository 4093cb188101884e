"""Servers that share a relay and a room do not echo: what was said once is once in each journal."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall

from realmd.identity import bech32
from realmd.identity.nostr_event import Event
from realmd.nostr.bridge.inlet import Shares
from realmd.nostr.bridge.key import Key
from realmd.nostr.bridge.messages import Messages
from realmd.nostr.bridge.remote import Remote
from realmd.nostr.bridge.voice import Voice
from realmd.nostr.events.echoes import CLOSE, MOST, Echoes
from realmd.protocol.views import Room
from realmd.runtime.history import History
from realmd.runtime.realm import Realm
from realmd.world.caller import Caller
from realmd.world.commands import Command
from tests.fakes import Clockwork, chat, leave, register
from tests.realm import Running
from tests.relay.scene import LocalRelay, until

from .old_server import OldServer
from .scene import ROOM, eventually, reader, realm_on
from .test_remote import ready, said

URL = "ws://relay.example"
STEP = 0.05


class Air:
    """A relay in memory: what is published reaches all who asked for it at the next step."""

    def __init__(self) -> None:
        self.listeners: list[tuple[Any, Callable[[Event, str], None]]] = []
        self.published: list[Event] = []
        self._flying: list[Event] = []
        #: What a pool has besides.
        self.clients: dict[str, Any] = {}
        self.connected: Callable[[], list[str]] = list

    def publish(self, event: Event) -> None:
        self.published.append(event)
        self._flying.append(event)

    def subscribe(self, filters: Sequence[Any], listener: Callable[[Event, str], None]) -> Air:
        self.listeners.extend((one, listener) for one in filters)
        return self

    def close(self) -> None:
        """A subscription ends with its test."""

    def deliver(self) -> None:
        flying, self._flying = self._flying, []
        for event in flying:
            for wanted, listener in self.listeners:
                if event.kind in wanted["kinds"] and ("#e" not in wanted or event.tags[0][1] in wanted["#e"]):
                    listener(event, URL)


class Side:
    """A realm of clockwork at that relay: its world, and what of its bridge hears and tells the channel."""

    def __init__(self, folder: Path, air: Air, channel: str) -> None:
        folder.mkdir()
        self.works = Clockwork(doze_after=60_000, leave_after=60_000)
        self.works.store.prompt = True
        self.key = Key(folder, None, os.urandom, {})
        self.key.open()
        self.air = air
        room = Room("hall", "The Hall", "", "", relays=(URL,), channel_id=channel, pubkey=self.key.pubkey)
        works, clock, self.echoes = self.works, self.works.clock, Echoes()
        history: Any = History(works.store)
        self.realm = Realm(
            works.world,
            room,
            works.intake,
            works.journal,
            works.store,
            history,
            list,
            0,
            Unsigned(),  # type: ignore[arg-type]
        )
        pool: Any = air
        free = Boundless()
        self.remote = Remote(
            self.realm, self.realm.serve, pool, self.key, self, Shares(free, free, free), self.echoes,
            lambda: 60_000, lambda f, *a: succeed(f(*a)), clock, self.wall, os.urandom, random.Random(1),
        )  # fmt: skip
        voice = Voice(self.key, pool, lambda event, bits: succeed(event), self.wall)
        outbox: Any = self
        publications: Any = self
        self.messages = Messages(lambda: self.realm.room, voice, outbox, publications, self.echoes, clock)
        assert Deferred.fromCoroutine(self.remote.open()).called

    def wall(self) -> int:
        return int(self.works.clock.seconds() * 1000)

    def step(self, *asked: Command) -> None:
        self.works.tick(*asked, seconds=STEP)
        self.remote.work()
        self.messages.committed = self.works.store.seq
        assert Deferred.fromCoroutine(self.messages.work()).called

    def journal(self, kind: str, field: str = "agentId") -> Counter[str]:
        """How often what is in that field is in the journal, in events of that kind."""
        told = [json.loads(one.body) for one in self.works.store.entries if one.kind == kind]
        return Counter(one[field] for one in told)

    def told(self) -> Counter[str]:
        """What it told the channel."""
        mine = [json.loads(e.content) for e in self.air.published if e.pubkey == self.key.pubkey]
        return Counter(f"{one['worldType']} {one['agentId']}" for one in mine)

    # -- the stores of asks and of publications, and the outbox ------------------------------

    def load(self) -> Deferred[dict[str, int]]:
        return succeed({})

    def take(self, asks: Mapping[str, int], now: int) -> Deferred[None]:
        return succeed(None)

    def public(self, after: int, up_to: int, limit: int) -> Deferred[list[tuple[int, bytes]]]:
        entries = [(e.seq, e.body) for e in self.works.store.entries if after < e.seq <= up_to]
        return succeed(entries[:limit])

    async def add(self, events: Sequence[Event], marks: Mapping[str, str]) -> None:
        for event in events:
            self.air.publish(event)


class Boundless:
    def take(self, key: str, cost: float, now: float) -> float:
        return 0.0


class Unsigned:
    """Credentials that nobody looks at."""

    def issue(self, agent_id: str, serial: int) -> str:
        return f"{agent_id} {serial}"


class Stage:
    """Two realms and old servers on one relay, all in one channel, and a minute as long as the test says."""

    def __init__(self, tmp_path: Path, servers: int, forgetful: bool) -> None:
        self.air = Air()
        self.clock = 1_000_000
        wall = self.now
        self.old = [OldServer("hall", URL, self.air.publish, wall, forgetful) for _ in range(servers)]
        channels: list[Event] = []
        for one in self.old:
            self.air.subscribe([one.open(channels)], one.hear)
            channels = channels or list(self.air.published)
        channel = self.old[0].channel
        self.realms = [Side(tmp_path / name, self.air, channel) for name in ("one", "two")]

    def now(self) -> int:
        return self.clock

    def run(self, seconds: float, *asked: Command) -> None:
        """Let time pass; the first realm is asked something at its beginning."""
        for _ in range(round(seconds / STEP)):
            self.clock += round(STEP * 1000)
            for one in self.old:
                one.tick()
            for realm in self.realms:
                realm.step(*(asked if realm is self.realms[0] else ()))
            asked = ()
            self.air.deliver()


@pytest.mark.parametrize("forgetful", [False, True], ids=["as it was", "passing on only what it knows"])
def test_nothing_goes_round_between_realms_and_an_old_server(tmp_path: Path, forgetful: bool) -> None:
    """Eight minutes, in which agents of all sides come, speak, go, fall silent: each word is there once."""
    stage = Stage(tmp_path, 1, forgetful)
    (first, second), old = stage.realms, stage.old[0]
    key = Caller(pubkey=old.pubkey, npub=bech32.encode("npub", bytes.fromhex(old.pubkey)))
    for agent in ("ada", "both", "keyed"):  # the old server's own; the others have each a second home
        old.known.add(agent)
    stage.run(1, register("bea"), register("both"))
    old.ask("join", "ada")
    old.ask("join", "both")
    old.ask("join", "keyed")
    stage.run(30)
    old.ask("chat", "ada", text="said in the old server")
    stage.run(30, chat("bea", "said in the first realm"), chat("both", "said by one known to both"))
    first.works.intake.submit(chat("keyed", "said by the holder of the key"), lambda _: None, key)
    stage.run(30)
    old.ask("leave", "ada")
    stage.run(30, leave("bea"))
    old.ask("join", "ada")
    old.ask("chat", "ada", text="said on coming back")
    stage.run(360)

    once = ["said in the old server", "said on coming back"]
    own = ["said in the first realm", "said by one known to both", "said by the holder of the key"]
    assert first.journal("chat", "text") == Counter(once + own)
    heard = second.journal("chat", "text")
    # Unmarked, and by the key of those it speaks for, a repetition is news to who had not heard it.
    assert heard == Counter(once + own[1:] if forgetful else once), "a realm does not obey another"
    # Everybody came in as often as they did, and went once each time: some by silence.
    came = Counter({"ada": 2, "bea": 1, "both": 1, "keyed": 1})
    assert first.journal("join") == first.journal("leave") == came
    assert second.journal("join") == second.journal("leave")
    assert second.journal("join") == Counter({"ada": 2, "both": 1, "keyed": 1})
    assert first.told() == Counter(
        ["join bea", "join both", "chat bea", "chat both", "chat keyed", "leave bea", "leave both"]
    )
    assert second.told() == Counter(), "what came from the channel is not told there again"
    assert Counter(old.said()) == Counter(once + own[1:])
    assert old.present == {"ada", "keyed"}, "whose agents they are says when they go"
    assert len(stage.air.published) < 40


def test_old_servers_that_echo_each_other_are_heard_once(tmp_path: Path) -> None:
    """Two of them repeat without end what either has said; the realms have it once, and say none of it."""
    stage = Stage(tmp_path, 2, forgetful=False)
    for one in stage.old:
        one.known.add("ada")
    stage.old[0].ask("join", "ada")
    stage.run(1)
    stage.old[0].ask("chat", "ada", text="Can you hear me?")
    stage.run(15)
    assert len(stage.air.published) > 100, "else they do not echo"
    for realm in stage.realms:
        assert realm.journal("chat", "text") == Counter(["Can you hear me?"])
        assert realm.journal("join") == Counter(["ada"])
        assert realm.told() == Counter()


def test_an_echo_is_known_by_its_content() -> None:
    """Not by who signs it: the same time, or the same words soon after; what is said anew later is news."""
    echoes = Echoes()

    def noted(kind: str, now: int, **fields: Any) -> bool:
        return echoes.note(json.dumps({"worldType": kind, "agentId": "ada", **fields}), now)

    assert not noted("chat", 0, text="Hello", timestamp=5)
    assert noted("chat", 900_000, text="Hello", timestamp=5, seq=7)
    assert noted("chat", 900_000 + CLOSE - 1, text="Hello")
    assert noted("chat", 900_000 + 2 * CLOSE - 2, text="Hello"), "however long it goes round"
    assert not noted("chat", 900_000 + 3 * CLOSE, text="Hello", timestamp=6)
    assert not noted("chat", 900_000 + 3 * CLOSE, text="Hello there", timestamp=6)
    assert not noted("leave", 0, timestamp=5)
    assert not noted("join", 0, timestamp=5)
    assert not noted("leave", 0, timestamp=6), "who comes and goes often is not held up"
    assert noted("leave", 900_000, timestamp=6)
    for nonsense in ("", "[" * 5000, "[]", '{"worldType": 1, "agentId": "ada"}', '"\ud800"'):
        assert not echoes.note(nonsense, 0)
    for n in range(2 * MOST):
        noted("chat", 0, text=f"{n}", timestamp=n)
    assert len(echoes) == MOST


@pytest_twisted.ensureDeferred
async def test_a_chat_stays_one_over_a_real_relay(tmp_path: Path) -> None:
    """Two daemons and an old server: what is told by one is once in each journal, come and go as they may."""
    (tmp_path / "other").mkdir()
    with LocalRelay(notes_per_minute=100_000) as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            await ready(bridge)
            old = OldServer(ROOM, relay.url, scene.pool.publish, lambda: int(time.time() * 1000))
            wanted = [{"kinds": [40], "limit": 20}]
            channels = await eventually(lambda: scene.pool.clients[relay.url].query(wanted), "the channel")
            scene.pool.subscribe([old.open(channels)], old.hear)
            assert old.channel == bridge.room.channel_id
            ticking = LoopingCall(old.tick)
            ticking.start(0.05).addErrback(lambda failure: failure.raiseException())
            async with realm_on(tmp_path / "other", relay.url) as (other, another):
                await ready(another)
                await everybody_speaks(realm, old)
                journal = (await realm.ipc("room-events", limit=200))["events"]
                assert await said(other) == []
            ticking.stop()
    counts = Counter((e["worldType"], e["agentId"], e.get("text")) for e in journal)
    assert counts == Counter(
        [("join", "ada", None), ("join", "ada", None), ("leave", "ada", None), ("join", "both", None)]
        + [("chat", "ada", "from afar"), ("chat", "both", "from here")]
        + [("chat", "ada", f"mark {n}") for n in range(6)]
    )
    assert Counter(old.said()) == Counter(["from afar", "from here", *(f"mark {n}" for n in range(6))])


async def everybody_speaks(realm: Running, old: OldServer) -> None:
    """Each side says something; then there is time for six rounds by the relay and back."""
    old.ask("join", "ada")
    old.known.add("both")
    assert (await realm.ipc("register", agentId="both"))["ok"]
    old.ask("chat", "ada", text="from afar")
    assert (await realm.ipc("world-chat", agentId="both", text="from here"))["ok"]
    await until(lambda: "from here" in old.said(), "the old server hears it")
    old.ask("leave", "ada")

    async def gone() -> bool:
        return not (await realm.ipc("profile", agentId="ada"))["present"]

    await eventually(gone, "ada has left")
    old.ask("join", "ada")
    for n in range(6):
        old.ask("chat", "ada", text=f"mark {n}")
        await eventually(lambda n=n: heard(realm, f"mark {n}"), "the realm hears it")


async def heard(realm: Running, text: str) -> bool:
    return text in await said(realm)
