"""The realm's keys: rotation, overlap, their file."""

from __future__ import annotations

import base64
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity.keys import MOST_KEYS, BadKeys, Key, KeyRing
from tests.identity.signers import HOUR, NOW, entropy, ring


def test_a_retired_key_verifies_for_its_overlap() -> None:
    """Tokens given out before a rotation keep working for the overlap, and not a millisecond longer."""
    old = ring(HOUR)
    new = old.rotate(NOW + 5, entropy(2))
    signature = old.newest.sign(b"hello")
    assert new.newest.id != old.newest.id
    key = new.verifying(old.newest.id, NOW + 5 + HOUR)
    assert key is not None
    assert [key.verify(signature, b"hello"), key.verify(signature, b"hullo"), key.verify(b"", b"")] == [
        True,
        False,
        False,
    ]
    assert new.verifying(old.newest.id, NOW + 6 + HOUR) is None
    assert new.verifying(new.newest.id, NOW + 1000 * HOUR) is new.newest


def test_a_rotation_drops_what_is_over() -> None:
    """The file does not grow with the years."""
    keys = ring(HOUR)
    for turn in range(1, 100):
        keys = keys.rotate(NOW + turn * HOUR, entropy(turn + 1))
    assert [key.retired for key in keys.keys] == [NOW + 98 * HOUR, NOW + 99 * HOUR, None]


def test_too_many_rotations_are_refused() -> None:
    """Rotating in haste never kills a token early: it is refused, and the ring stays as it was."""
    keys = ring(HOUR)
    for turn in range(1, MOST_KEYS):
        keys = keys.rotate(NOW + turn, entropy(turn + 1))
    with pytest.raises(BadKeys, match="wait for one to pass its overlap"):
        keys.rotate(NOW + MOST_KEYS, entropy(99))
    assert len(keys.keys) == MOST_KEYS


def test_a_ring_survives_its_file() -> None:
    """After a restart the same keys sign and verify."""
    before = ring().rotate(NOW + 5, entropy(2))
    after = KeyRing.decode(before.encode(), HOUR)
    assert [(k.id, k.created, k.retired) for k in after.keys] == [
        (k.id, k.created, k.retired) for k in before.keys
    ]
    assert after.newest.sign(b"x") == before.newest.sign(b"x")


SEED = base64.b64encode(entropy()(32))
GOOD = ring().encode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not a file of realm keys"),
        (b"\xff" + GOOD, "not a file of realm keys"),
        (b'{"version":2,' + GOOD.split(b",", 1)[1], "not a file of realm keys"),
        (b'{"version":1,"keys":[]}', "not a file of realm keys"),
        (GOOD.replace(SEED, SEED[:-8]), "not a file of realm keys"),
        (GOOD.replace(SEED, SEED[4:] + SEED[:4]), "not a file of realm keys"),
        (GOOD.replace(SEED, base64.b64encode(bytes(32))), "does not fit its id"),
        (GOOD.replace(b'"retired":null', b'"retired":1'), "in service"),
        (GOOD.replace(b"[", GOOD.split(b"[")[1].split(b"]")[0].join((b"[", b",")), 1), "in service"),
    ],
)
def test_a_file_that_is_wrong_is_named_and_not_shown(data: bytes, sentence: str) -> None:
    """A damaged key file is reported in a sentence, in which nothing secret stands."""
    with pytest.raises(BadKeys, match=sentence) as caught:
        KeyRing.decode(data, HOUR)
    report = "".join(traceback.format_exception(caught.value))
    assert SEED.decode() not in report
    assert SEED[:16].decode() not in report


@given(st.binary(max_size=300))
def test_any_bytes_are_no_ring(data: bytes) -> None:
    """Whatever is in the file, the answer is a `BadKeys`."""
    with pytest.raises(BadKeys):
        KeyRing.decode(data, HOUR)


def test_secrets_are_not_shown() -> None:
    """A key or ring that gets into a log line or a traceback says its id, not its seed."""
    keys = ring().rotate(NOW + 5, entropy(2))
    seed = entropy()(32)
    shown = f"{keys} {keys!r} {keys.newest} {keys.keys[0]!r} {keys.keys[0]._row()!r}"
    assert keys.newest.id in shown
    assert not any(form in shown for form in (repr(seed)[2:20], seed.hex()[:16], SEED.decode()[:16]))


def test_a_seed_has_its_length() -> None:
    """A source of entropy that gives too little makes no key."""
    with pytest.raises(BadKeys):
        Key(bytes(31), NOW)
