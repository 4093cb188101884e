"""Against relays that are broken or mean: none of them costs the others anything."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import pytest_twisted
import trustme
from msgspec.json import encode
from msgspec.structs import replace
from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.internet.task import LoopingCall

from realmd.identity.nostr_event import Event
from realmd.nostr.relay.client import Client

from . import hostile
from .hostile import Line, behave, reactor
from .scene import BRISK, PUBKEY, LocalRelay, Scene, note, pool_up, until


@pytest.fixture(scope="module")
def good() -> Iterator[LocalRelay]:
    """The neighbour, of which everything is expected as if it were alone."""
    with LocalRelay() as running:
        yield running


class Conversation:
    """A subscription and a publication with a good relay while another misbehaves."""

    def __init__(self, scene: Scene, good: str) -> None:
        self.scene = scene
        self.good = good
        self.got: list[Event] = []
        scene.pool.subscribe([{"kinds": [42], "authors": [PUBKEY]}], lambda event, _: self.got.append(event))

    async def go_on(self, text: str) -> Event:
        """Say something through the good relay, and hear it."""
        told = note(text)
        self.scene.publish(told)
        await until(lambda: self.scene.outcome(told, self.good), "the good relay's answer", 5)
        assert self.scene.outcome(told, self.good).accepted  # type: ignore[union-attr]
        await until(lambda: told in self.got, "the event from the good relay", 5)
        return told


# -- relays that never become one ---------------------------------------------------------

UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("server", "cause"),
    [
        (lambda: hostile.raw(UNAVAILABLE), "503"),
        (lambda: hostile.raw(b""), "hung up|ECONNRESET|without previous"),
        (lambda: hostile.raw(None), "no handshake in time"),
        (lambda: hostile.raw(b"HTTP/1.1 101 \xff\xfe\r\n\r\n"), "unreadable handshake"),
        (lambda: hostile.raw(b"SSH-2.0-x\r\n\r\n"), "Bad HTTP|unreadable handshake|Unsupported HTTP"),
        (lambda: hostile.raw(b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 5000, stays=True), "handshake too long"),
        (lambda: hostile.relay(opened=lambda line: line.dropConnection(abort=True)), "."),
        (lambda: hostile.relay(opened=lambda line: line.sendClose(1000, "go")), "closed 1000 go"),
    ],
    ids=["503", "drops", "silent", "bytes", "ssh", "endless", "opens-and-drops", "opens-and-closes"],
)
@pytest_twisted.ensureDeferred
async def test_a_relay_that_does_not_work_is_asked_ever_more_seldom(
    server: Callable[[], AbstractAsyncContextManager[Any]], cause: str, good: LocalRelay
) -> None:
    """Whatever it does instead, the pauses double; neither a TCP connection nor a handshake resets them."""
    async with server() as bad, pool_up(bad.url, good.url, bounds=replace(BRISK, connecting=0.15)) as scene:
        conversation = Conversation(scene, good.url)
        told = await conversation.go_on("never mind the other")
        await until(lambda: len(scene.failures(bad.url)) >= 4, "four failures")
        await conversation.go_on("still here")
        lines = scene.failures(bad.url)
        for number, line in enumerate(lines):
            longest = min(BRISK.retry_longest, BRISK.retry_first * 2**number)
            assert longest / 2 <= line["pause"] <= longest
            assert re.search(cause, line["cause"]), line["cause"]
        # One line a failure.
        health = scene.pool.clients[bad.url].health
        assert health.failures == len(lines) == health.failures_in_a_row
        assert not health.connected or cause != "503"
        # A connection a try, and one for NIP-11 at the first that opened.
        assert bad.connections <= len(lines) + 1
    # It waited until the end; a relay that opened may have been sent it a few times.
    assert scene.outcome(told, bad.url).reason in ("withdrawn", "unanswered")  # type: ignore[union-attr]


class ContextFactory(ssl.ContextFactory):
    """Hands out the one context there is."""

    context: SSL.Context

    def getContext(self) -> SSL.Context:
        return self.context


@pytest_twisted.ensureDeferred
async def test_only_a_certificate_that_fits_is_trusted(good: LocalRelay) -> None:
    """A wss relay with a certificate of nobody we know is not spoken to; with a known authority it is."""
    authority = trustme.CA()
    options = ContextFactory()
    options.context = SSL.Context(SSL.TLS_METHOD)
    authority.issue_cert("127.0.0.1").configure_cert(options.context)
    known = trustRootFromCertificates([Certificate.loadPEM(authority.cert_pem.bytes())])
    stranger = trustRootFromCertificates([Certificate.loadPEM(trustme.CA().cert_pem.bytes())])
    async with hostile.relay(tls=options) as relay:
        async with pool_up(relay.url, good.url, trust=stranger) as scene:
            await until(lambda: len(scene.failures(relay.url)) >= 2, "two failures")
            assert "certificate verify failed" in scene.failures(relay.url)[0]["cause"]
            assert relay.heard == []
            await Conversation(scene, good.url).go_on("plain")
        async with pool_up(relay.url, trust=known) as scene:
            (outcome,) = await scene.publish(note("over TLS"))
            assert outcome.accepted


@pytest.mark.parametrize("interval", [0.1, 60.0])
@pytest_twisted.ensureDeferred
async def test_a_relay_that_reads_nothing_is_let_go(interval: float) -> None:
    """It is noticed by its missing pong; and it cannot hold up the end of the realm by not saying goodbye."""
    bounds = replace(BRISK, ping_interval=interval, ping_patience=0.2)

    def deaf(line: Line) -> None:
        line.transport.pauseProducing()  # type: ignore[union-attr]

    async with hostile.relay(opened=deaf) as bad:
        async with pool_up(bad.url, bounds=bounds) as scene:
            await until(scene.pool.connected, "a link")
            if interval < 1.0:
                await until(lambda: scene.failures(bad.url), "its loss")
                assert scene.failures(bad.url)[0]["cause"] == "ping not answered"
            stopping = time.monotonic()
        assert time.monotonic() - stopping < bounds.closing + 2.0


# -- relays that say nonsense -------------------------------------------------------------


def genuine(text: str = "genuine") -> dict[str, Any]:
    """An event as a relay would send it."""
    return json.loads(encode(note(text)))  # type: ignore[no-any-return]


def garbage(line: Line, name: str) -> None:
    """What is no message, in many ways."""
    for payload in (
        b"", b"null", b"[]", b"{}", b'["EVENT"]', b'["EVENT",1,{}]', b'["NOTICE"', b'["OK",[],{},7]',
        b"[" * 200_000, b'["EVENT","x",' + b'{"a":' * 100_000, b'["WHAT","ever"]', b"\xff\xfe\xfd",
        b'["OK","\\ud800",true]', b'["AUTH",""]', b'["EOSE","' + b"x" * 5000 + b'"]', b"9" * 5000,
    ):  # fmt: skip
        line.blurt(payload)
    line.blurt(b'["EOSE","x"]', binary=True)


def forgeries(line: Line, name: str) -> None:
    """Events that nobody signed, or that were not asked for."""
    event = genuine("forged")
    line.say("EVENT", name, {**event, "sig": "0" * 128})
    line.say("EVENT", name, {**event, "content": "other words"})
    line.say("EVENT", name, {**event, "id": "f" * 64})
    line.say("EVENT", name, {**event, "pubkey": "0" * 64})
    line.say("EVENT", "another", event)
    line.say("EVENT", name, json.loads(encode(note("not asked for", kind=1))))


def oversize(line: Line, name: str) -> None:
    """Longer than we read, in one frame and in many."""
    line.say("EVENT", name, {**genuine(), "content": "x" * 2_000_000})
    line.beginMessage()
    for _ in range(40):
        line.sendMessageFrame(b"y" * 50_000)
    line.endMessage()
    line.say("EVENT", name, {**genuine(), "content": "x" * 300_000})


@pytest.mark.parametrize(
    ("poison", "discarded"),
    [
        (garbage, {"garbage": 17}),
        (forgeries, {"forged": 3, "unasked": 3}),
        (oversize, {"too_large": 2, "garbage": 1}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_poisoned_store_is_passed_over(
    poison: Callable[[Line, str], None], discarded: dict[str, int], good: LocalRelay
) -> None:
    """What cannot be read or believed is dropped; the link stays, and what comes after is read."""

    def answer(line: Line, message: list[Any]) -> None:
        if message[0] == "REQ":
            poison(line, message[1])
            line.say("EVENT", message[1], genuine())
        behave(line, message)

    async with hostile.relay(answer) as bad, pool_up(bad.url, good.url) as scene:
        conversation = Conversation(scene, good.url)
        await until(lambda: [e for e in conversation.got if e.content == "genuine"], "the genuine event")
        told = await conversation.go_on("beside it")
        assert (await scene.publish(told))[0].accepted
        assert {event.content for event in conversation.got} >= {"genuine", "beside it"}
        assert not {"forged", "other words", "not asked for"} & {e.content for e in conversation.got}
        health = scene.pool.clients[bad.url].health
        assert {kind: health.discarded[kind] for kind in discarded} == discarded
        assert (bad.connections, health.failures) == (1, 0)


@pytest_twisted.ensureDeferred
async def test_a_message_without_end_is_not_kept() -> None:
    """However long a message goes on, no more of it than the largest we read is held in memory."""

    def go_on(line: Line) -> None:
        line.beginMessage()
        for _ in range(80):
            line.sendMessageFrame(b"y" * 50_000)

    async with hostile.relay(opened=go_on) as bad, pool_up(bad.url) as scene:
        client = scene.pool.clients[bad.url]
        await until(lambda: client._link and client._link.message_data_total_length == 4_000_000, "4 MB")
        assert client._link is not None
        assert sum(map(len, client._link.message_data)) == 0
        assert client.health.failures == 0


@pytest_twisted.ensureDeferred
async def test_a_flood_waits_in_the_network(good: LocalRelay) -> None:
    """A relay that sends as fast as it can is read at our pace, in bounded memory, and ticks go on."""
    bounds = replace(BRISK, frames=400.0, frames_burst=400.0, unchecked_bytes=64 * 1024, ping_interval=60.0)
    many = [encode(("EVENT", "realm-1", note(f"{number}", at=1000 + number))) for number in range(300)]

    def flood(line: Line, message: list[Any]) -> None:
        if message[0] == "REQ":
            for _ in range(20):
                for payload in (*many, b"[]"):
                    line.blurt(payload)

    async with hostile.relay(flood) as bad, pool_up(bad.url, good.url, bounds=bounds) as scene:
        client: Client = scene.pool.clients[bad.url]
        most_waiting, begun = 0, time.monotonic()

        def look() -> None:
            nonlocal most_waiting
            if client._inbox is not None:
                most_waiting = max(most_waiting, client._inbox.waiting)

        looking = LoopingCall(look)
        looking.clock = reactor
        looking.start(0.01).addErrback(lambda failure: failure.raiseException())
        conversation = Conversation(scene, good.url)
        for number in range(5):
            await conversation.go_on(f"in spite of it {number}")
        await until(lambda: client.health.received >= 300, "the flood is read")
        looking.stop()
        read = client.health.received + client.health.discarded.total()
        assert read <= bounds.frames_burst + bounds.frames * (time.monotonic() - begun) + 100
        # What may wait, and one read of the socket.
        assert most_waiting <= bounds.unchecked_bytes + 64 * 1024 * 4
        assert len([event for event in conversation.got if event.created_at < 2000]) == 300


# -- relays that answer badly -------------------------------------------------------------


def answering(*words: Any) -> hostile.Answering:
    """A relay that answers every event with these, "ID" standing for its id."""

    def answer(line: Line, message: list[Any]) -> None:
        if message[0] == "EVENT" and words:
            line.say(*[message[1]["id"] if word == "ID" else word for word in words])
        if message[0] == "AUTH":
            line.say("OK", message[1]["id"], True, "")

    return answer


def challenging(line: Line) -> None:
    for number in range(50):
        line.say("AUTH", f"challenge {number}")


@pytest.mark.parametrize(
    ("words", "reason", "sendings"),
    [
        ((), "unanswered", 3),
        (("OK", "", True, ""), "unanswered", 3),
        (("OK", "ID", False, "auth-required: again"), "auth-required", 3),
        (("OK", "ID", False, "rate-limited: later"), "rate-limited", 3),
        (("OK", "ID", False, "error: unknown"), "error", 3),
        (("OK", "ID", False, "because"), "other", 3),
        (("OK", "ID", False, "pow: 99 bits wanted"), "pow", 1),
        (("OK", "ID", False, "pow: " + "9" * 5000), "pow", 1),
        (("OK", "ID", False, "invalid: no"), "invalid", 1),
        (("OK", "ID", False, "blocked: no"), "blocked", 1),
        (("OK", "ID", False, "restricted: no"), "restricted", 1),
        (("OK", "ID", False, "mute: no"), "mute", 1),
        (("OK", "ID", False, "duplicate: have it"), "", 1),
    ],
)
@pytest_twisted.ensureDeferred
async def test_every_answer_has_its_consequence(
    words: tuple[Any, ...], reason: str, sendings: int, good: LocalRelay
) -> None:
    """Retried a few times or given up, as the prefix says; never for ever."""
    async with hostile.relay(answering(*words), challenging) as bad, pool_up(bad.url, good.url) as scene:
        told = note("to be judged")
        outcomes = await scene.publish(told)
        assert [(o.accepted, o.reason) for o in outcomes] == [(reason == "", reason), (True, "")]
        assert len(bad.said("EVENT")) == sendings
        assert len(bad.said("AUTH")) <= BRISK.challenges
        health = scene.pool.clients[bad.url].health
        assert (health.accepted, health.refused[reason]) == ((1, 0) if reason == "" else (0, 1))
        assert (health.queued, health.failures) == (0, 0)


@pytest_twisted.ensureDeferred
async def test_an_event_that_makes_a_relay_hang_up_is_found_out() -> None:
    """It is sent a few times, then given up; those that were on their way with it are taken."""

    def answer(line: Line, message: list[Any]) -> None:
        if message[0] == "EVENT" and message[1]["content"] == "poison":
            line.dropConnection(abort=True)
        else:
            behave(line, message)

    async with hostile.relay(answer) as bad, pool_up(bad.url) as scene:
        notes = [note(text) for text in ("a", "poison", "b", "c", "d")]
        for each in notes:
            scene.publish(each)
        await until(lambda: len(scene.outcomes) == 5, "all outcomes")
        found = [scene.outcome(each, bad.url) for each in notes]
        assert [o.reason for o in found if o] == ["", "unanswered", "", "", ""]
        assert bad.connections <= BRISK.tries + 1


@pytest_twisted.ensureDeferred
async def test_a_subscription_that_is_closed_again_and_again_is_renewed_ever_more_seldom(
    good: LocalRelay,
) -> None:
    """Not even EOSE before each refusal makes us ask in a loop; what is refused for good stays so."""
    words = ["error: sorry"]

    def answer(line: Line, message: list[Any]) -> None:
        if message[0] == "REQ":
            line.say("EOSE", message[1])
            line.say("CLOSED", message[1], words[0])

    async with hostile.relay(answer) as bad, pool_up(bad.url, good.url) as scene:
        begun = time.monotonic()
        conversation = Conversation(scene, good.url)
        await until(lambda: len(bad.said("REQ")) >= 5, "five requests")
        # The first four pauses at their shortest: half of 50, 100, 200 and 400 ms.
        assert time.monotonic() - begun >= 0.375
        await conversation.go_on("heard elsewhere")
        words[0] = "restricted: not you"
        asked = len(bad.said("REQ"))
        refused = "relay subscription refused "
        await until(lambda: [e for e in scene.log if str(e.get("log_format")).startswith(refused)], "refused")
        await conversation.go_on("and again")
        assert len(bad.said("REQ")) == asked + 1
        assert bad.connections == 1
