"""Tokens: one spelling each, checked without a look-up."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity.errors import BadToken
from realmd.identity.tokens import MOST_CHARACTERS, PREFIX, SKEW, Statement, Verifier, sign, verify
from tests.identity.signers import HOUR, NOW, entropy, ring, spoilt

KEYS = ring()
STATEMENT = Statement(KEYS.newest.id, "ariel", NOW, NOW + HOUR, 7)
TOKEN = sign(STATEMENT, KEYS.newest)

agent_ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=64)
any_text = st.one_of(
    st.text(),
    st.binary().map(lambda data: data.decode("latin-1")),
    st.binary().map(lambda data: f"{PREFIX}.{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}.AA"),
    st.characters(categories=["Cs"]),
)


def code(call: Callable[[], object]) -> str:
    """The code with which `call` refuses."""
    with pytest.raises(BadToken) as caught:
        call()
    assert TOKEN not in str(caught.value)
    return caught.value.code


def signed(payload: bytes, prefix: str = PREFIX) -> str:
    """A token of any payload, with a signature that is right."""
    start = f"{prefix}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}"
    mark = base64.urlsafe_b64encode(KEYS.newest.sign(start.encode())).rstrip(b"=").decode()
    return f"{start}.{mark}"


@given(agent_ids, st.integers(0, 2**53 - 1))
def test_what_was_signed_is_read(agent_id: str, serial: int) -> None:
    """Any agentId that can register can have a token, whatever its letters."""
    statement = Statement(KEYS.newest.id, agent_id, NOW, NOW + HOUR, serial)
    token = sign(statement, KEYS.newest)
    assert len(token) <= MOST_CHARACTERS
    assert verify(token, KEYS, NOW) == statement


@given(spoilt(TOKEN))
def test_a_token_with_any_mutation_is_refused(token: str) -> None:
    """No second spelling of a token works, so a revoked or logged one cannot come back in disguise."""
    assert code(lambda: verify(token, KEYS, NOW)) in ("malformed", "unknown_key", "bad_signature")


@pytest.mark.parametrize(
    "token",
    [
        # The last character carries four bits that say nothing.
        *(
            TOKEN[:-1] + last
            for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
            if last != TOKEN[-1]
        ),
        *(TOKEN + end for end in ("=", "==", "\n", " ", ".", "!")),
        *(TOKEN.replace(".", dots) for dots in ("..", ".=.", ". ")),
        TOKEN.upper(),
        signed(msgspec.json.encode(STATEMENT), "realm2"),
    ],
)
def test_no_second_spelling_of_a_token(token: str) -> None:
    """Spare bits, padding, white space and another prefix make no other token of a good one."""
    code(lambda: verify(token, KEYS, NOW))


@given(any_text)
def test_any_text_is_no_token(token: str) -> None:
    """Whatever is sent as a token, the answer is a `BadToken`."""
    code(lambda: verify(token, KEYS, NOW))
    code(lambda: Verifier(KEYS).verify(token, NOW))


PAYLOAD = msgspec.json.encode(STATEMENT)


@pytest.mark.parametrize(
    "payload",
    [
        PAYLOAD.replace(b":", b": ", 1),
        PAYLOAD + b" ",
        PAYLOAD.replace(b"ariel", b"\\u0061riel"),
        PAYLOAD.replace(b'"serial":7', b'"serial":7.0'),
        PAYLOAD.replace(b'"serial":7', b'"serial":7,"serial":7'),
        PAYLOAD.replace(b'"serial":7', b'"serial":7,"admin":true'),
        PAYLOAD.replace(b'"serial":7', b'"serial":-7'),
        PAYLOAD.replace(b'"serial":7', b'"serial":"7"'),
        PAYLOAD.replace(b',"serial":7', b""),
        PAYLOAD.replace(b"ariel", b""),
        PAYLOAD.replace(b"ariel", b"\xff"),
        PAYLOAD.replace(str(NOW + HOUR).encode(), str(NOW).encode()),
        b"[" * 700,
    ],
)
def test_a_payload_is_written_as_the_realm_writes_it(payload: bytes) -> None:
    """Even with a good signature, JSON in another spelling or with other fields is malformed."""
    assert code(lambda: verify(signed(payload), KEYS, NOW)) == "malformed"
    assert verify(signed(PAYLOAD), KEYS, NOW) == STATEMENT


def test_length_is_looked_at_first() -> None:
    """A token of a megabyte costs no more than one of a kilobyte."""
    assert code(lambda: verify("a" * (MOST_CHARACTERS + 1), KEYS, NOW)) == "malformed"
    assert code(lambda: Verifier(KEYS).verify(TOKEN + "A" * 10**6, NOW)) == "malformed"


def test_a_token_has_its_time() -> None:
    """A token works until the millisecond it expires, and on a node whose clock is a minute behind."""
    assert [verify(TOKEN, KEYS, now).serial for now in (NOW - SKEW, NOW + HOUR - 1)] == [7, 7]
    assert code(lambda: verify(TOKEN, KEYS, NOW - SKEW - 1)) == "not_yet"
    assert code(lambda: verify(TOKEN, KEYS, NOW + HOUR)) == "expired"


def test_another_realms_token_is_refused() -> None:
    """A token proves something only where its key is known, even if it names that key."""
    other = ring().rotate(NOW, entropy(9))
    assert code(lambda: verify(TOKEN, type(KEYS)((other.newest,), HOUR), NOW)) == "unknown_key"
    forged = sign(msgspec.structs.replace(STATEMENT, key_id=other.newest.id), other.newest)
    renamed = signed(PAYLOAD).rpartition(".")[0] + "." + forged.rpartition(".")[2]
    assert code(lambda: verify(renamed, KEYS, NOW)) == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [{"key_id": "0" * 16}, {"agent_id": ""}, {"agent_id": "x" * 65}, {"issued": -1}, {"serial": 2**53}],
)
def test_nothing_is_signed_that_could_not_be_read(change: dict[str, object]) -> None:
    """A mistake of the realm's shows where it is made, not at every door that reads the token."""
    with pytest.raises(ValueError, match=r"."):
        sign(msgspec.structs.replace(STATEMENT, **change), KEYS.newest)


def test_a_remembered_token_still_expires() -> None:
    """Having been seen before helps a token over neither its end, nor its beginning, nor its key's end."""
    verifier = Verifier(KEYS)
    assert verifier.verify(TOKEN, NOW) is verifier.verify(TOKEN, NOW)
    assert code(lambda: verifier.verify(TOKEN, NOW + HOUR)) == "expired"
    assert code(lambda: verifier.verify(TOKEN, NOW - SKEW - 1)) == "not_yet"
    verifier.keys = type(KEYS)(KEYS.keys, 0).rotate(NOW, entropy(2))
    assert verifier.verify(TOKEN, NOW) == STATEMENT
    assert code(lambda: verifier.verify(TOKEN, NOW + 1)) == "unknown_key"


def test_only_so_many_tokens_are_remembered() -> None:
    """Memory is bounded, forgeries take none of it, and the token used longest ago goes first."""
    verifier = Verifier(KEYS, most=2)
    first, second, third = (
        sign(msgspec.structs.replace(STATEMENT, serial=serial), KEYS.newest) for serial in (1, 2, 3)
    )
    remembered = verifier.verify(first, NOW)
    second_statement = verifier.verify(second, NOW)
    assert verifier.verify(first, NOW) is remembered
    verifier.verify(third, NOW)
    assert code(lambda: verifier.verify(first[:-4] + "AAAA", NOW)) == "bad_signature"
    assert len(verifier) == 2
    assert verifier.verify(first, NOW) is remembered
    assert verifier.verify(second, NOW) is not second_statement
