"""What strangers may ask of the doors: rates, connections, registrations, and who gives way."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock

from realmd.gateway.crowd import GRACE, LEAST_WAIT, Crowd
from realmd.gateway.limits import RateLimits
from realmd.gateway.peers import Peer, Peers, peer_at
from realmd.host.logs import journal_line
from realmd.settings.limits import Limits
from tests.framing import MORE, PING, TEXT, ipc, request, upgrade
from tests.realm import Running, Socket, realm_up, turn, undisturbed

STRANGER = "198.51.100.7"


def crowd(clock: Clock, most: int = 10, proxies: tuple[str, ...] = (), **limits: Any) -> Crowd:
    settings = Limits(**limits)
    return Crowd(settings, most, Peers(proxies), RateLimits(settings, clock), clock)


def at(address: str) -> Any:
    return (IPv6Address if ":" in address else IPv4Address)("TCP", address, 1)


class Somebody:
    """A connection that may have to give way."""

    def __init__(self, agents: bool = False) -> None:
        self.agents = agents
        self.gone = False

    def speaks(self) -> bool:
        return self.agents

    def give_way(self) -> None:
        self.gone = True


def test_connections_are_counted_by_address_and_network() -> None:
    """One address, and all of one network, may have only so many; an IPv6 /64 is one address."""
    doors = crowd(Clock(), most=1000, address_connections=2, network_connections=4, address_rate=1e5)
    come = [doors.enter(at("198.51.100.7")) for _ in range(3)]
    assert come == [None, None, "address"]
    come = [doors.enter(at(f"198.51.100.{n}")) for n in (8, 9, 10)]
    assert come == [None, None, "network"]
    come = [doors.enter(at(f"2001:db8::{n}")) for n in (1, 2, 3)]
    assert come == [None, None, "address"]
    assert [doors.enter(at("127.0.0.1")) for _ in range(50)] == [None] * 50  # this host: only the total
    doors.leave(at("198.51.100.7"))
    assert doors.enter(at("198.51.100.10")) is None
    for address in (
        "198.51.100.7",
        "198.51.100.8",
        "198.51.100.9",
        "198.51.100.10",
        "2001:db8::9",
        "2001:db8::9",
    ):
        doors.leave(at(address))
    for _ in range(50):
        doors.leave(at("127.0.0.1"))
    assert (doors.open, len(doors._addresses), len(doors._networks)) == (0, 0, 0)


def test_who_waits_the_longest_gives_way_first_and_agents_never_do() -> None:
    """In a full house a newcomer gets the place of a half-open connection, then of the newest spectator."""
    clock = Clock()
    doors = crowd(clock, most=6)
    for _ in range(6):
        assert doors.enter(at("127.0.0.1")) is None
    half_open, resting, agent = Somebody(), Somebody(), Somebody(agents=True)
    old, new = Somebody(), Somebody()
    doors.waits(half_open)
    for watcher in (old, agent, new):
        doors.watches(watcher)
        clock.advance(0.1)
    doors.waits(resting)
    assert doors.enter(at("127.0.0.1")) == "total"  # nobody has had its time yet
    clock.advance(LEAST_WAIT)
    assert [doors.enter(at("127.0.0.1")) for _ in range(2)] == [None, None]
    assert (half_open.gone, resting.gone, new.gone) == (True, True, False)
    assert doors.enter(at("127.0.0.1")) == "total"
    clock.advance(GRACE)
    doors.look()
    assert [doors.enter(at("127.0.0.1")) for _ in range(3)] == [None, None, "total"]
    assert (new.gone, old.gone, agent.gone) == (True, True, False)


def test_spectators_have_places_of_their_own() -> None:
    """Beyond their part of the house the newest spectators go; who speaks for an agent in time is none."""
    clock = Clock()
    doors = crowd(clock, most=10, spectators_percent=30)
    watchers = [Somebody(agents=number in (1, 4)) for number in range(8)]
    for watcher in watchers:
        doors.watches(watcher)
    doors.look()
    assert not any(watcher.gone for watcher in watchers)
    clock.advance(GRACE)
    doors.look()
    assert [number for number, watcher in enumerate(watchers) if watcher.gone] == [5, 6, 7]


def test_fifty_agents_behind_one_nat_are_not_limited() -> None:
    """50 agents of one address, 10 commands a second each over connections of their own, all get through."""
    clock = Clock()
    rates = RateLimits(Limits(), clock)
    nat = peer_at(STRANGER)
    throttles = [rates.throttle() for _ in range(50)]
    for _ in range(100):
        clock.advance(0.1)
        for throttle in throttles:
            assert rates.connect(nat) is None  # even one that never keeps its connection
            assert throttle.admit(nat, "http") is None
    assert rates.refused == {"connection": 0, "address": 0, "network": 0, "registrations": 0}


def test_a_program_of_this_host_has_the_share_of_a_connection_only() -> None:
    """The load tool may use thousands of connections at full rate from one address."""
    rates = RateLimits(Limits(), Clock())
    here = Peer("127.0.0.1", "127.0.0.0/24", local=True)
    assert all(rates.throttle().admit(here, "websocket", 100) is None for _ in range(1000))
    assert all(rates.register(here) is None for _ in range(1000))
    one = rates.throttle()
    answers = [one.admit(here, "websocket") for _ in range(501)]
    assert answers[:500] == [None] * 500
    assert answers[500] is not None
    assert answers[500].limit == "connection"


# -- a realm behind a proxy -------------------------------------------------------------


@asynccontextmanager
async def realm_behind(
    tmp_path: Path, server: dict[str, Any] | None = None, **limits: Any
) -> AsyncIterator[Running]:
    """A realm with 127.0.0.1 for a proxy, in which a bystander must notice nothing."""
    given = {"port": 0, "trusted_proxies": ("127.0.0.1",), **(server or {})}
    async with undisturbed(tmp_path, server=given, limits={"burst_s": 2.0, **limits}) as realm:
        yield realm


async def socket_from(realm: Running, address: str) -> Socket:
    wire = await realm.wire()
    wire.write(upgrade(x_forwarded_for=address))
    answer = await wire.answer()
    assert answer.status == 101, answer
    return Socket(wire)


@pytest_twisted.ensureDeferred
async def test_too_many_requests_get_429_and_are_told_when_to_come_again(tmp_path: Path) -> None:
    """An address over its share is refused on whatever connection; other networks are served."""
    async with realm_behind(tmp_path, address_rate=2.0, network_rate=3.0) as realm:
        statuses = []
        for address in (*[STRANGER] * 5, *["198.51.100.8"] * 3, "203.0.113.9"):
            answer = await realm.http("GET", "/api/room", x_forwarded_for=address)
            statuses.append(answer.status)
            if answer.status == 429:
                assert answer.json["code"] == "rate_limited"
                assert int(answer.headers["retry-after"]) == answer.json["retryAfter"] == 1
        assert statuses == [200] * 4 + [429] + [200] * 2 + [429] + [200]
        assert await realm.metric('realmd_rate_limited_total{limit="address"}') == 1
        assert await realm.metric('realmd_rate_limited_total{limit="network"}') == 1


@pytest_twisted.ensureDeferred
async def test_a_long_body_costs_more_than_a_short_one(tmp_path: Path) -> None:
    """64 KiB messages at full speed are bounded by their bytes, not by their number only."""
    async with realm_behind(tmp_path, address_rate=10.0) as realm:
        body = ipc("world-map", pad="x" * 60_000)
        answers = [await realm.http("POST", "/ipc", body, x_forwarded_for=STRANGER) for _ in range(3)]
        assert [answer.status == 429 for answer in answers] == [False, True, True]


@pytest_twisted.ensureDeferred
async def test_a_flood_over_a_websocket_is_refused_and_then_closed(tmp_path: Path) -> None:
    """Each refusal is told, with its `id`; who goes on is closed with 1008 and one line in the log."""
    async with realm_behind(tmp_path, connection_rate=10.0, flood_refusals=5) as realm:
        socket = await socket_from(realm, STRANGER)
        for number in range(20):
            socket.send({"type": "room-info", "id": number})
        for _ in range(20):
            assert (await socket.next("ack"))["ok"]
        socket.send({"type": "room-info", "id": "over"})
        ack = await socket.next("ack")
        told = {key: ack[key] for key in ("id", "ok", "error", "code", "retryAfter")}
        assert told == {
            "id": "over",
            "ok": False,
            "error": "rate_limited",
            "code": "rate_limited",
            "retryAfter": 1,
        }
        socket.send({"type": "room-info"})
        assert (await socket.next("error"))["code"] == "rate_limited"
        for _ in range(10_000):
            socket.send({"type": "requestProfiles"})
        code, reason = await socket.closed()
        assert code == 1008
        assert "Too many requests from this connection" in reason
        assert len(realm.logged("flood door={door}")) == 1
        assert await realm.metric("realmd_floods_total") == 1


@pytest.mark.parametrize("kind", ["pings", "fragments", "long"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_message_yet_is_charged_too(tmp_path: Path, kind: str) -> None:
    """Pings, fragments and long messages cannot go on for ever under the count of messages."""
    async with realm_behind(tmp_path, connection_rate=100.0, flood_refusals=10) as realm:
        socket = await socket_from(realm, STRANGER)
        socket.frame(TEXT, b'{"type":', fin=False)
        for _ in range(1000):
            if kind == "pings":
                socket.frame(PING, b"x" * 100)
            elif kind == "fragments":
                socket.frame(MORE, b" ", fin=False)
            else:
                socket.frame(MORE, b" " * 50_000, fin=True)
                socket.frame(TEXT, b"{", fin=False)
        assert (await socket.closed())[0] == 1008
        kept = [c.message_data for c in realm.gateway.connections if c.client.address == STRANGER]
        assert sum(len(piece) for pieces in kept for piece in pieces or ()) < 4096


@pytest_twisted.ensureDeferred
async def test_an_http_flood_loses_its_connection(tmp_path: Path) -> None:
    """Pipelined requests beyond the share are 429, and after so many the connection is closed."""
    async with realm_behind(tmp_path, connection_rate=5.0, flood_refusals=5) as realm:
        wire = await realm.wire()
        wire.write(request("GET", "/api/room") * 1000)
        text = (await wire.end()).decode()
        assert (text.count("HTTP/1.1 200"), text.count("HTTP/1.1 429")) == (10, 6)
        (told,) = realm.logged("flood door={door}")
        assert re.match(
            r"<4>realmd\.gateway(\.\w+)* flood door=http peer=\S+ limit=\w+\n", journal_line(told)
        )


@pytest_twisted.ensureDeferred
async def test_new_agents_of_one_address_are_bounded(tmp_path: Path) -> None:
    """Registrations an hour; an agent that is known already registers as often as it likes."""
    async with realm_behind(tmp_path, address_registrations=2) as realm:
        answers = []
        for name in ("ada", "bob", "eve", "mal"):
            body = ipc("register", agentId=name)
            answers.append(await realm.http("POST", "/ipc", body, x_forwarded_for=STRANGER))
        assert [answer.status for answer in answers] == [200, 200, 429, 429]
        assert answers[2].headers["retry-after"] == "60"  # the longest wait that is told
        assert answers[2].json["error"] == "Too many registrations from this address; try again later"
        socket = await socket_from(realm, STRANGER)
        ack = await socket.ask("register", agentId="zoe")
        assert (ack["code"], ack["retryAfter"]) == ("rate_limited", 60)
        again = await socket.ask("register", agentId="ada", token=answers[0].json["token"])
        assert again["ok"]
        other = await realm.http(
            "POST", "/ipc", ipc("register", agentId="kim"), x_forwarded_for="203.0.113.9"
        )
        assert other.json["ok"]


@pytest_twisted.ensureDeferred
async def test_sockets_behind_a_proxy_are_counted_by_client(tmp_path: Path) -> None:
    """A client of a proxy may have so many WebSockets, whoever else comes by that proxy."""
    async with realm_behind(tmp_path, address_connections=2) as realm:
        first, _ = await socket_from(realm, STRANGER), await socket_from(realm, STRANGER)
        wire = await realm.wire()
        wire.write(upgrade(x_forwarded_for=STRANGER))
        assert (await wire.answer()).status == 429
        await socket_from(realm, "203.0.113.9")
        first.wire.hang_up()
        while realm.factory.crowd.full(peer_at(STRANGER)):
            await turn()
        await socket_from(realm, STRANGER)


@pytest_twisted.ensureDeferred
async def test_humans_who_come_and_go_are_bounded(tmp_path: Path) -> None:
    """Each join is a new agentId with a share of its own, so joining costs as much as many messages."""
    async with realm_behind(tmp_path, connection_rate=30.0) as realm:
        socket = await socket_from(realm, STRANGER)
        for _ in range(2):
            socket.send({"type": "playerJoin", "name": "Nora"})
            await socket.next("playerJoined")
            socket.send({"type": "playerLeave"})
        socket.send({"type": "playerJoin", "name": "Nora", "id": 7})
        told = await socket.next("ack", "error")
        assert (told["code"], told["retryAfter"]) == ("rate_limited", 1)


@pytest_twisted.ensureDeferred
async def test_queries_that_wait_are_bounded(tmp_path: Path) -> None:
    """Who asks faster than the store answers is told `busy`; each query gets one answer."""
    async with realm_behind(tmp_path, connection_queries=3) as realm:
        socket = await socket_from(realm, STRANGER)
        await socket.next("snapshot")
        for number in range(50):
            socket.send({"type": "agent-inbox", "id": number, "agentId": "bystander"})
            socket.send({"type": "room-events", "id": 100 + number, "after": 1, "limit": 200})
        acks = [await socket.next("ack") for _ in range(100)]
        assert len({ack["id"] for ack in acks}) == 100
        assert await realm.metric("realmd_queries_waiting") == 0


@pytest_twisted.ensureDeferred
async def test_the_worlds_own_refusal_says_when_to_come_again(tmp_path: Path) -> None:
    """An agent beyond its share of commands gets 200 with `rate_limited`, as ever, and Retry-After."""
    async with realm_up(tmp_path, world={"commands_per_second": 1}) as realm:
        for _ in range(3):
            answer = await realm.http("POST", "/ipc", ipc("register", agentId="ada"))
        assert (answer.status, answer.json["code"]) == (200, "rate_limited")
        assert answer.headers["retry-after"] == "1"


@pytest_twisted.ensureDeferred
async def test_half_open_connections_give_way_to_who_speaks(tmp_path: Path) -> None:
    """A house full of connections that send nothing lets an agent in as soon as they had their time."""
    async with realm_behind(tmp_path, server={"max_connections": 40}) as realm:
        silent = [await realm.wire() for _ in range(39)]
        while realm.factory.open < 40:
            await turn()
        answer = await realm.http("GET", "/health/live")
        while answer.status == 503:
            answer = await realm.http("GET", "/health/live")
        assert answer.json == {"status": "alive"}
        await silent[0].end()
        assert realm.factory.crowd.given_way["http"] >= 1
        assert json.loads((await realm.http("GET", "/health")).body)["status"] in ("ok", "degraded")


@pytest_twisted.ensureDeferred
async def test_a_short_question_with_a_long_answer_is_charged_by_the_answer(tmp_path: Path) -> None:
    """Nobody makes the realm send a hundred times what he sends for long: the answer's bytes count too."""
    async with realm_behind(tmp_path, connection_rate=20.0) as realm:
        socket = await socket_from(realm, STRANGER)
        assert (await socket.ask("room-info"))["ok"]
        for _ in range(8):
            ack = await socket.ask("world-map")
        while ack["ok"]:
            ack = await socket.ask("describe")
        assert (ack["code"], ack["retryAfter"] >= 1) == ("rate_limited", True)
        statuses = [
            (await realm.http("GET", "/api/world", x_forwarded_for="203.0.113.9")).status for _ in range(20)
        ]
        assert statuses == [200] * 20  # other networks have their own
