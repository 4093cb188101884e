"""npub, nsec and note: the examples of NIP-19, and every typing error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity.bech32 import BadBech32, Prefix, decode, encode
from tests.identity.signers import spoilt

PREFIXES: list[Prefix] = ["npub", "nsec", "note"]
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"


@pytest.mark.parametrize(
    ("prefix", "text", "key"),
    [
        ("npub", NPUB, "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"),
        ("nsec", NSEC, "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"),
        (
            "npub",
            "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6",
            "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d",
        ),
    ],
)
def test_official_examples(prefix: Prefix, text: str, key: str) -> None:
    """A key copied from any Nostr client is the same key here."""
    assert encode(prefix, bytes.fromhex(key)) == text
    assert decode(prefix, text).hex() == key
    assert decode(prefix, text.upper()).hex() == key


@given(st.sampled_from(PREFIXES), st.binary(min_size=32, max_size=32))
def test_there_and_back(prefix: Prefix, data: bytes) -> None:
    """Any 32 bytes come back as they were."""
    assert decode(prefix, encode(prefix, data)) == data


@given(spoilt(NSEC))
def test_a_typing_error_is_seen(text: str) -> None:
    """One wrong, missing or doubled letter never gives another key, and is not repeated in the message."""
    with pytest.raises(BadBech32) as caught:
        decode("nsec", text)
    assert text[5:20] not in str(caught.value)


@given(st.text(max_size=100))
def test_any_text_is_no_key(text: str) -> None:
    """Whatever is given for a key, the answer is a `BadBech32`."""
    with pytest.raises(BadBech32):
        decode("npub", text)


@pytest.mark.parametrize(
    ("prefix", "text", "sentence"),
    [
        ("npub", NSEC, "begins with npub1"),
        ("nsec", NPUB, "begins with nsec1"),
        ("npub", NPUB[:-1] + "G", "one case"),
        ("npub", "npub1" + "b" * 58, "no b, i, o or 1"),
        ("npub", "npub1" + "q" * 57, "63 letters and digits"),
        # A good checksum over a last group whose spare bits are set (made by another encoder).
        ("npub", "npub1" + "l" * 52 + "lnvldk", "spare bit"),
    ],
)
def test_the_sentence_says_what_is_wrong(prefix: Prefix, text: str, sentence: str) -> None:
    """A person who pasted the wrong thing is told what is wrong with it."""
    with pytest.raises(BadBech32, match=sentence):
        decode(prefix, text)


def test_only_32_bytes_are_a_key() -> None:
    """Nothing is encoded that could not be read."""
    with pytest.raises(BadBech32):
        encode("npub", bytes(31))
