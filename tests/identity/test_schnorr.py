"""Signatures over secp256k1, against the official vectors of BIP-340."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity import schnorr

with open(Path(__file__).parent / "vectors" / "bip340.csv", encoding="utf-8", newline="") as file:
    VECTORS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["index"])
def test_official_vectors(row: dict[str, str]) -> None:
    """Whoever signs by BIP-340, with whatever library, is understood here, and the other way round."""
    secret, pubkey, aux, message, signature = (
        bytes.fromhex(row[name]) for name in ("secret key", "public key", "aux_rand", "message", "signature")
    )
    assert schnorr.verify(signature, message, pubkey) is (row["verification result"] == "TRUE")
    if secret:
        assert schnorr.public_key(secret) == pubkey
    if secret and len(message) == 32:
        assert schnorr.sign(message, secret, aux) == signature


def test_all_vectors_are_here() -> None:
    """A copy cut short would promise too little."""
    assert len(VECTORS) == 19


@given(st.binary(max_size=80), st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_are_no_signature(signature: bytes, message: bytes, pubkey: bytes) -> None:
    """Nobody gets in, and nothing breaks, by sending keys and signatures of odd lengths."""
    assert schnorr.verify(signature, message, pubkey) is False


def test_lengths_are_exact() -> None:
    """A good signature or key with a byte too many or too few is not good; nothing is read past its end."""
    pubkey, message = schnorr.public_key(bytes(31) + b"\x03"), bytes(32)
    signature = schnorr.sign(message, bytes(31) + b"\x03", bytes(32))
    assert schnorr.verify(signature, message, pubkey)
    for wrong in (pubkey[:31], pubkey + b"\0"):
        assert not schnorr.verify(signature, message, wrong)
    for wrong in (signature[:63], signature + b"\0"):
        assert not schnorr.verify(wrong, message, pubkey)


@pytest.mark.parametrize("secret", [b"", bytes(32), b"\x01" * 31, b"\x01" * 33, b"\xff" * 32])
def test_what_is_no_secret_signs_nothing(secret: bytes) -> None:
    """A short, zero or oversized secret is refused, never padded into another key."""
    with pytest.raises(ValueError, match=r"."):
        schnorr.public_key(secret)
    with pytest.raises(ValueError, match=r"."):
        schnorr.sign(bytes(32), secret, bytes(32))


@pytest.mark.parametrize(
    ("message", "aux"), [(bytes(31), bytes(32)), (bytes(32), b""), (bytes(32), bytes(31))]
)
def test_signing_draws_no_randomness_of_its_own(message: bytes, aux: bytes) -> None:
    """The same arguments give the same signature, or none."""
    with pytest.raises(ValueError, match=r"."):
        schnorr.sign(message, bytes(31) + b"\x03", aux)
