"""Texts for two keys only, against the official vectors of NIP-44.

vectors/nip44.json is nip44.vectors.json of github.com/paulmillr/nip44, unchanged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity import nip44, schnorr
from realmd.identity.errors import BadPayload
from tests.identity.signers import OWNER, STRANGER, spoilt

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "nip44.json").read_bytes())["v2"]
VALID, INVALID = VECTORS["valid"], VECTORS["invalid"]
KEY = nip44.conversation_key(OWNER, schnorr.public_key(STRANGER))
HEX = bytes.fromhex


def code(function: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(BadPayload) as caught:
        function(*args, **named)
    return caught.value.code


def test_all_vectors_are_here() -> None:
    """A copy cut short would promise too little."""
    counts = {name: len(rows) for name, rows in VALID.items() if isinstance(rows, list)}
    assert counts == {
        "get_conversation_key": 35,
        "calc_padded_len": 24,
        "encrypt_decrypt": 10,
        "encrypt_decrypt_long_msg": 3,
    }
    assert len(VALID["get_message_keys"]["keys"]) == 32
    assert {name: len(rows) for name, rows in INVALID.items()} == {
        "encrypt_msg_lengths": 4,
        "get_conversation_key": 8,
        "decrypt": 12,
    }


def test_keys_are_those_of_everybody_else() -> None:
    """Conversation keys, message keys and padding are what NIP-44 says."""
    for row in VALID["get_conversation_key"]:
        assert nip44.conversation_key(HEX(row["sec1"]), HEX(row["pub2"])).hex() == row["conversation_key"]
    key = HEX(VALID["get_message_keys"]["conversation_key"])
    for row in VALID["get_message_keys"]["keys"]:
        made = nip44.message_keys(key, HEX(row["nonce"]))
        assert [part.hex() for part in made] == [row["chacha_key"], row["chacha_nonce"], row["hmac_key"]]
    for length, padded in VALID["calc_padded_len"]:
        assert nip44.padded_length(length) == padded


@pytest.mark.parametrize("row", VALID["encrypt_decrypt"], ids=lambda row: row["nonce"][-6:])
def test_payloads_are_those_of_everybody_else(row: dict[str, str]) -> None:
    """Texts encrypted elsewhere are read here, and the other way round, from either side."""
    key = nip44.conversation_key(HEX(row["sec1"]), schnorr.public_key(HEX(row["sec2"])))
    other = nip44.conversation_key(HEX(row["sec2"]), schnorr.public_key(HEX(row["sec1"])))
    assert key == other == HEX(row["conversation_key"])
    assert nip44.encrypt(row["plaintext"], key, HEX(row["nonce"])) == row["payload"]
    assert nip44.decrypt(row["payload"], key) == row["plaintext"]


@pytest.mark.parametrize("row", VALID["encrypt_decrypt_long_msg"], ids=lambda row: row["repeat"])
def test_long_texts_only_where_asked_for(row: dict[str, Any]) -> None:
    """The longest texts of the vectors go through on request; by default 32 KiB are the most."""
    text, key = row["pattern"] * int(row["repeat"]), HEX(row["conversation_key"])
    payload = nip44.encrypt(text, key, HEX(row["nonce"]), most=nip44.MOST_U16)
    assert hashlib.sha256(text.encode()).hexdigest() == row["plaintext_sha256"]
    assert hashlib.sha256(payload.encode()).hexdigest() == row["payload_sha256"]
    assert nip44.decrypt(payload, key, most=nip44.MOST_U16) == text
    assert code(nip44.encrypt, text, key, HEX(row["nonce"])) == "length"
    assert code(nip44.decrypt, payload, key) == "length"


def test_what_the_vectors_call_invalid_is_refused() -> None:
    """Bad keys, lengths, versions, MACs and paddings are each refused with their code."""
    for row in INVALID["get_conversation_key"]:
        assert code(nip44.conversation_key, HEX(row["sec1"]), HEX(row["pub2"])) == "key"
    for length in INVALID["encrypt_msg_lengths"]:
        assert code(nip44.encrypt, "x" * length, KEY, bytes(32), most=2**40) == "length"
    codes = {"unknown": "version", "invalid base64": "encoding", "invalid MAC": "mac"}
    codes |= {"invalid padding": "padding", "invalid payload length": "length"}
    for row in INVALID["decrypt"]:
        found = code(nip44.decrypt, row["payload"], HEX(row["conversation_key"]), most=nip44.MOST_U16)
        assert [found] == [want for words, want in codes.items() if row["note"].startswith(words)], row[
            "note"
        ]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300), st.binary(min_size=32, max_size=32))
def test_any_text_comes_back(text: str, nonce: bytes) -> None:
    """Whatever is said arrives as it was said, in as many characters as was foretold."""
    payload = nip44.encrypt(text, KEY, nonce)
    assert nip44.decrypt(payload, KEY) == text
    assert len(payload) == nip44.payload_length(len(text.encode()))


@given(spoilt(nip44.encrypt("hello", KEY, bytes(32))))
def test_a_payload_with_any_mutation_is_refused(payload: str) -> None:
    """One changed character, and nothing of it is believed."""
    assert code(nip44.decrypt, payload, KEY) in ("mac", "version", "encoding", "length")


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_no_payload(text: str) -> None:
    """Whatever is sent as a payload, the answer is a `BadPayload`."""
    with pytest.raises(BadPayload):
        nip44.decrypt(text, KEY)


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=40))
def test_any_bytes_are_no_keys(secret: bytes, pubkey: bytes) -> None:
    """Keys of odd lengths or off the curve are refused; nothing is read past their end."""
    if len(pubkey) != 32:
        assert code(nip44.conversation_key, OWNER, pubkey) == "key"
    if len(secret) != 32:
        assert code(nip44.conversation_key, secret, schnorr.public_key(OWNER)) == "key"


def test_the_bounds_hold_the_largest_that_is_allowed() -> None:
    """32 KiB go through, a byte more does not; a lone surrogate or an empty text is refused."""
    text = "é" * (nip44.MOST_TEXT // 2)
    assert nip44.decrypt(nip44.encrypt(text, KEY, bytes(32)), KEY) == text
    assert code(nip44.encrypt, text + "x", KEY, bytes(32)) == "length"
    assert code(nip44.encrypt, "", KEY, bytes(32)) == "length"
    assert code(nip44.encrypt, "\ud800", KEY, bytes(32)) == "encoding"
    assert code(nip44.encrypt, "x", KEY, bytes(31)) == "key"
    assert code(nip44.encrypt, "x", KEY[:31], bytes(32)) == "key"


@pytest.mark.parametrize(
    ("place", "byte", "expected"), [(2, 0xFF, "encoding"), (20, 1, "padding"), (1, 0, "padding")]
)
def test_who_has_the_key_can_send_nothing_broken(place: int, byte: int, expected: str) -> None:
    """Who can encrypt can still not send text that is not UTF-8, false padding or a false length."""
    nonce = bytes(32)
    whole = base64.b64decode(nip44.encrypt("xy", KEY, nonce))
    *_, mac_key = nip44.message_keys(KEY, nonce)
    padded = b"\0\x02xy" + bytes(30)
    hidden = bytearray(whole[33:-32])
    hidden[place] ^= padded[place] ^ byte
    forged = whole[:33] + bytes(hidden) + hmac.digest(mac_key, nonce + bytes(hidden), "sha256")
    assert code(nip44.decrypt, base64.b64encode(forged).decode(), KEY) == expected
