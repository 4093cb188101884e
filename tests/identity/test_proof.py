"""Logging in with a Nostr key, over HTTP (NIP-98) and by a challenge (NIP-42)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity.errors import BadEvent, BadProof, NotProven
from realmd.identity.nostr_event import Event
from realmd.identity.proof import Proof, check_challenge, check_http
from tests.identity.signers import NOW, event, spoilt

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "nostr.json").read_bytes())
URL = "https://realm.example/ipc?x=1"
WS = "wss://realm.example/ws"
BODY = b'{"command":"register"}'
HASH = hashlib.sha256(BODY).hexdigest()
TAGS = (["u", URL], ["method", "POST"], ["payload", HASH])


def header(made: Event) -> str:
    return "Nostr " + base64.b64encode(msgspec.json.encode(made)).decode()


def code(call: Callable[[], object]) -> str:
    """The code with which `call` refuses; its sentence is there and ends as one."""
    with pytest.raises(NotProven) as caught:
        call()
    assert str(caught.value).endswith((".", "?"))
    return caught.value.code


def http(made: Event, body: bytes = BODY, method: str = "POST", now: int = NOW) -> Proof:
    return check_http(header(made), URL, method, body, now)


def test_headers_of_other_programs() -> None:
    """Agents that log in with nostr-tools or nostr-sdk get in."""
    tools, sdk = VECTORS["nostr-tools 2.25.2"], VECTORS["nostr-sdk 0.45.1"]
    at, get = 1_795_457_234_000, "https://realm.example/health"
    proof = check_http(tools["http"], URL, "POST", tools["body"].encode(), at)
    assert (proof.pubkey, proof.created, proof.until) == (tools["challenge"]["pubkey"], at, at + 60_000)
    assert check_http(tools["http_get"], get, "GET", b"", at).pubkey == proof.pubkey
    assert check_http(sdk["http"], get, "GET", b"", NOW).pubkey == sdk["challenge"]["pubkey"]
    for program in (tools, sdk):
        answer = msgspec.convert(program["challenge"], Event)
        assert check_challenge(answer, "f00dfeed", WS, NOW).pubkey == answer.pubkey


def test_an_http_proof_holds_for_a_minute_either_way() -> None:
    """A clock that is a minute off is tolerated, in either direction, and no more."""
    made = event(27235, *TAGS)
    assert [http(made, now=now).event_id for now in (NOW - 60_000, NOW + 60_000)] == [made.id] * 2
    assert code(lambda: http(made, now=NOW - 60_001)) == "early"
    assert code(lambda: http(made, now=NOW + 60_001)) == "stale"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (event(22242, *TAGS), "kind"),
        (event(27235, *TAGS[1:]), "url"),
        (event(27235, ["u", URL + "&y=2"], *TAGS[1:]), "url"),
        (event(27235, ["u", URL.replace("https", "http")], *TAGS[1:]), "url"),
        (event(27235, *TAGS, ["u", URL]), "url"),
        (event(27235, ["u"], *TAGS[1:]), "url"),
        (event(27235, TAGS[0], ["method", "GET"], TAGS[2]), "method"),
        (event(27235, *TAGS[:2]), "payload"),
        (event(27235, *TAGS[:2], ["payload", HASH[::-1]]), "payload"),
        (event(27235, *TAGS, TAGS[2]), "payload"),
        (msgspec.structs.replace(event(27235, *TAGS), sig="0" * 128), "signature"),
        (msgspec.structs.replace(event(27235, *TAGS), pubkey="0" * 64), "id"),
        (event(27235, *TAGS, ["x" * 6000]), "too_long"),
    ],
)
def test_each_fault_of_a_header_has_its_code(made: Event, expected: str) -> None:
    """A proof made for another request, or for none, opens nothing and says why."""
    assert code(lambda: http(made)) == expected


def test_methods_and_bodies() -> None:
    """A method may be in any case; a request without a body needs no hash, but a hash given must be right."""
    assert http(event(27235, TAGS[0], ["method", "post"], TAGS[2])).created == NOW
    assert http(event(27235, TAGS[0], TAGS[1], ["payload", HASH.upper()])).created == NOW
    assert http(event(27235, *TAGS[:2]), body=b"").created == NOW
    assert code(lambda: http(event(27235, *TAGS), body=b"")) == "payload"


HEADER = header(event(27235, *TAGS))


@given(spoilt(HEADER[6:]))
def test_a_header_with_any_mutation_is_refused(encoded: str) -> None:
    """No changed character of a header is overlooked; only padding may be left out."""
    if encoded.rstrip("=") == HEADER[6:].rstrip("=") and "=" not in encoded:
        return
    assert code(lambda: check_http(f"Nostr {encoded}", URL, "POST", BODY, NOW))


def test_scheme_and_padding() -> None:
    """`nostr` in any case and base64 without padding are taken, as some clients do; nothing else is."""
    bare = event(27235, *TAGS, content=" ")
    assert header(bare).endswith("=")
    for value in (header(bare).rstrip("="), header(bare).replace("Nostr", "nostr")):
        assert check_http(value, URL, "POST", BODY, NOW).event_id == bare.id
    head, last = header(bare).rstrip("=")[:-1], header(bare).rstrip("=")[-1]
    for other in sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") - {last}):
        with pytest.raises(NotProven):
            check_http(head + other, URL, "POST", BODY, NOW)
    for value in ("", "Nostr", "Nostr ", "Bearer " + HEADER[6:], HEADER[6:]):
        with pytest.raises(BadProof, match="Nostr <base64"):
            check_http(value, URL, "POST", BODY, NOW)


@given(
    st.one_of(
        st.text(st.characters()),
        st.text(st.characters()).map("Nostr ".__add__),
        st.binary().map(lambda data: "Nostr " + base64.b64encode(data).decode()),
    )
)
def test_any_text_is_no_header(value: str) -> None:
    """Whatever is in the header, the answer is a `BadProof` or a `BadEvent`."""
    with pytest.raises((BadProof, BadEvent)):
        check_http(value, URL, "POST", BODY, NOW)


ANSWER = (["relay", WS], ["challenge", "f00d"])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (event(27235, *ANSWER), "kind"),
        (event(22242, ANSWER[0]), "challenge"),
        (event(22242, ANSWER[0], ["challenge", "F00D"]), "challenge"),
        (event(22242, *ANSWER, ["challenge", "beef"]), "challenge"),
        (event(22242, ANSWER[1]), "relay"),
        (event(22242, ["relay", "wss://evil.example/ws"], ANSWER[1]), "relay"),
        (event(22242, *ANSWER, created_at=NOW // 1000 - 601), "stale"),
        (event(22242, *ANSWER, created_at=NOW // 1000 + 601), "early"),
        (msgspec.structs.replace(event(22242, *ANSWER), content="x"), "id"),
    ],
)
def test_each_fault_of_an_answer_has_its_code(made: Event, expected: str) -> None:
    """An answer to another challenge, or given to another server, opens nothing and says why."""
    assert code(lambda: check_challenge(made, "f00d", WS, NOW)) == expected


def test_an_answer_needs_a_challenge() -> None:
    """A connection that was given no challenge cannot be spoken for by answering nothing."""
    made = event(22242, ANSWER[0], ["challenge", ""])
    assert code(lambda: check_challenge(made, "", WS, NOW)) == "challenge"
    assert check_challenge(event(22242, *ANSWER), "f00d", WS, NOW, window=60_000).until == NOW + 60_000
    assert (
        code(lambda: check_challenge(event(22242, *ANSWER), "f00d", WS, NOW + 60_001, window=60_000))
        == "stale"
    )
