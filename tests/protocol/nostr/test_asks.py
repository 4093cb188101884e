"""Commands by relay: fresh, addressed, validated like all others, and private where they must be."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realmd.identity import gift_wrap, schnorr
from realmd.nostr.events.asks import Asked, answer, read_ask, told
from realmd.nostr.events.draft import Draft, Unreadable, size
from realmd.primitives.errors import Fault
from realmd.world import commands, queries
from tests.identity.signers import entropy
from tests.protocol.nostr.samples import (
    AGENT,
    NOW,
    REALM,
    STRANGER,
    TAGS,
    Published,
    hostile,
    outcome,
    published,
)

MS = NOW * 1000
WALK = {"cmd": "world-walk", "args": {"agentId": "a", "x": 1, "z": 2}, "nonce": "n1"}
MAIL = {
    "cmd": "agent-message",
    "args": {"agentId": "a", "toAgentId": "b", "content": "psst"},
    "nonce": "n2",
}


def asked(content: Any = WALK, *, at: int = NOW, realm: str = REALM, room: str = "cavern") -> Published:
    text = content if isinstance(content, str) else json.dumps(content)
    return published(Draft(20043, at, (("p", realm), ("d", room)), text), AGENT)


def test_a_command_is_what_it_is_over_http() -> None:
    """Who asks, what, and until when the ask must be remembered."""
    event = asked()
    read = read_ask(event, REALM, "cavern", MS)
    walk = commands.WorldWalk(agent_id="a", x=1, z=2)
    assert read == Asked(event.id, AGENT, "world-walk", walk, "n1", False, MS + 60_000)
    for content in ({"cmd": "profiles", "nonce": "1"}, {"cmd": "profiles", "args": None, "nonce": "1"}):
        assert read_ask(asked(content), REALM, "cavern", MS).ask == queries.Profiles()


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (asked(at=NOW - 61), "stale"),
        (asked(at=NOW + 61), "early"),
        (asked(realm=STRANGER), "room"),
        (asked(room="other"), "room"),
        (structs.replace(asked(), tags=(("p", REALM), ("p", STRANGER), ("d", "cavern"))), "tags"),
        (structs.replace(asked(), tags=(("p", REALM),)), "tags"),
        (structs.replace(asked(), kind=42), "kind"),
    ],
)
def test_what_is_not_for_us_now_is_not_answered(event: Published, code: str) -> None:
    """Old, early, for another realm or room: nothing is done and nobody is told."""
    assert outcome(read_ask, event, REALM, "cavern", MS).code == code
    for edge in (NOW - 60, NOW + 60):
        assert read_ask(asked(at=edge), REALM, "cavern", MS).until == (edge + 60) * 1000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "the content must be"),
        ({**WALK, "nonce": ""}, "the content must be"),
        ({**WALK, "wrap": 1060}, "1059 or 21059"),
        ({**WALK, "nonce": "x" * 65}, "the content must be"),
        ({"cmd": "world-walk", "args": {}}, "the content must be"),
        ({**WALK, "cmd": "fly"}, "Unknown command: fly"),
        ({**WALK, "args": {"agentId": ""}}, "agentId required"),
        ({**WALK, "args": []}, "Expected `object`"),
        ("[" * 60_000, "the content must be"),
        ("x" * 70_000, "the content must be"),
    ],
)
def test_a_wrong_command_is_answered_with_a_sentence(content: Any, words: str) -> None:
    """The author of an agent learns what is wrong, in the words of the other doors."""
    with pytest.raises(Fault, match=words):
        read_ask(asked(content), REALM, "cavern", MS)


@pytest.mark.parametrize("name", ["agent-message", "agent-request", "agent-respond", "agent-inbox"])
def test_private_things_are_asked_in_private(name: str) -> None:
    """Who writes a direct message for all to read is told so; in a gift wrap it is taken."""
    args = {"agentId": "a", "toAgentId": "b", "content": "x", "requestType": "task"}
    event = asked({"cmd": name, "args": {**args, "requestId": "r", "response": 1}, "nonce": "n"})
    with pytest.raises(Fault, match="gift wrap"):
        read_ask(event, REALM, "cavern", MS)
    read = read_ask(event, REALM, "cavern", MS, private=True)
    assert (read.name, read.private) == (name, True)


def test_tokens_go_in_gift_wraps() -> None:
    """A command that shows a token to all is refused; one that brings a token is answered in private."""
    shown = {**WALK, "args": {"agentId": "a", "x": 1, "z": 2, "token": "realm1.x"}}
    for content in (shown, {**WALK, "token": "realm1.x"}):
        with pytest.raises(Fault, match="gift wrap"):
            read_ask(asked(content), REALM, "cavern", MS)
    assert read_ask(asked(shown), REALM, "cavern", MS, private=True).answer_privately
    assert not read_ask(asked(), REALM, "cavern", MS).answer_privately
    for name in ("register", "login", "token-rotate"):
        event = asked({"cmd": name, "args": {"agentId": "a"}, "nonce": "n"})
        assert read_ask(event, REALM, "cavern", MS).answer_privately


def test_a_command_in_a_gift_wrap_and_its_answer() -> None:
    """An agent and the realm talk in ephemeral wraps; each finds in it who wrote what, and to which ask."""
    agent, realm = bytes(31) + b"\x03", bytes(31) + b"\x04"
    names = {secret: schnorr.public_key(secret).hex() for secret in (agent, realm)}
    draft = Draft(20043, NOW, (("p", names[realm]), ("d", "cavern")), json.dumps(MAIL))
    chance: dict[str, Any] = {"entropy": entropy(), "rng": Random(1), "ephemeral": True}
    rumor = gift_wrap.unwrap(gift_wrap.wrap(draft, agent, names[realm], NOW, **chance), realm)
    read = read_ask(rumor, names[realm], "cavern", MS, private=True)
    assert (read.pubkey, read.id) == (names[agent], rumor.id)
    body = b'{"ok":true,"token":"realm1.x"}'
    reply = answer(read.id, read.pubkey, body, NOW, gift_wrap.MOST_RUMOR, private=True)
    back = gift_wrap.unwrap(gift_wrap.wrap(reply, realm, names[agent], NOW, **chance), agent)
    assert (back.pubkey, back.content.encode()) == (names[realm], body)
    assert back.tags == (("e", rumor.id), ("p", names[agent]))
    news = told(names[agent], "cavern", b'{"worldType":"message"}', NOW)
    assert json.loads(news.content) == {"type": "private", "message": {"worldType": "message"}}
    assert news.tags == (("p", names[agent]), ("d", "cavern"))


def test_a_token_is_never_answered_in_public() -> None:
    """Even by mistake, what only the agent may have is not drafted for all to read."""
    with pytest.raises(ValueError, match="gift wrap"):
        answer("0" * 64, AGENT, b'{"ok":true,"token":"realm1.x"}', NOW, 8192, private=False)
    draft = answer("0" * 64, AGENT, b'{"ok":true}', NOW, 8192, private=False)
    assert (draft.kind, draft.content) == (20043, '{"ok":true}')


@given(st.integers(600, 4000), st.integers(0, 5000))
def test_an_answer_always_fits(most: int, length: int) -> None:
    """What a relay would not take becomes a sentence that it does."""
    body = json.dumps({"ok": True, "text": "x" * length}).encode()
    draft = answer("0" * 64, AGENT, body, NOW, most, private=False)
    assert size(draft) <= most
    assert draft.content.encode() == body or "ask for less" in json.loads(draft.content)["error"]


def test_the_largest_rumor_bound_is_kept() -> None:
    """An answer that just fits the bound given for a gift wrap is wrapped without complaint."""
    body = json.dumps({"ok": True, "text": '"' * 4000}).encode()
    spare = gift_wrap.MOST_RUMOR - size(answer("0" * 64, AGENT, body, NOW, 10**6, private=True))
    body = json.dumps({"ok": True, "text": '"' * 4000 + "x" * spare}).encode()
    draft = answer("0" * 64, AGENT, body, NOW, gift_wrap.MOST_RUMOR, private=True)
    assert draft.content.encode() == body
    reader = schnorr.public_key(bytes(31) + b"\x03").hex()
    gift_wrap.wrap(draft, bytes(31) + b"\x04", reader, NOW, entropy=entropy(), rng=Random(1))


@given(hostile("cmd", "args", "nonce"), TAGS, st.booleans())
def test_any_content_is_a_command_or_refused(
    content: str, tags: tuple[tuple[str, ...], ...], private: bool
) -> None:
    """Whatever a stranger sends as a command, it is an ask, a sentence, or nothing."""
    begun = '{"cmd":"world-chat","nonce":"n","args":' + content + "}"
    for event in (
        asked(content),
        asked(begun),
        structs.replace(asked(content), tags=tags),
        structs.replace(asked(), created_at=2**53),
    ):
        read = outcome(read_ask, event, REALM, "cavern", MS, private=private)
        assert isinstance(read, Asked | Unreadable | Fault)
