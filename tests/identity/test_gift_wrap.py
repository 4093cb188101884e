"""Gift wraps: what two programs tell each other, nobody else reads, and nobody says for another."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nostr_sdk import Event as SdkEvent
from nostr_sdk import Keys, UnwrappedGift

from realmd.identity import gift_wrap, nip44, nostr_event, schnorr
from realmd.identity.errors import BadEvent, BadWrap, NotProven
from realmd.identity.gift_wrap import BACK, EPHEMERAL, MOST_RUMOR, SEAL, STORED, unwrap
from realmd.identity.nostr_event import Event
from realmd.nostr.events.draft import Draft
from tests.identity.signers import NOW, OWNER, STRANGER, entropy, event

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "nip59.json").read_bytes())
READER = schnorr.public_key(STRANGER).hex()
WRITER = schnorr.public_key(OWNER).hex()
SECONDS = NOW // 1000
DRAFT = Draft(20043, SECONDS, (("p", READER),), '{"cmd":"describe"}')


def wrapped(draft: Draft = DRAFT, *, ephemeral: bool = True, seed: int = 1) -> Event:
    return gift_wrap.wrap(
        draft, OWNER, READER, SECONDS, entropy=entropy(seed), rng=Random(seed), ephemeral=ephemeral
    )


def by_hand(rumor: str, *, sealer: bytes = OWNER, kind: int = SEAL, tags: Any = ()) -> Event:
    """A wrap for the reader around whatever is called a rumor, sealed by `sealer`."""
    pubkey = bytes.fromhex(READER)
    hidden = nip44.encrypt(rumor, nip44.conversation_key(sealer, pubkey), bytes(32))
    seal = msgspec.json.encode(event(kind, *tags, secret=sealer, content=hidden)).decode()
    once = bytes(31) + b"\x09"
    content = nip44.encrypt(seal, nip44.conversation_key(once, pubkey), bytes(32))
    return event(STORED, ["p", READER], secret=once, content=content)


def code(made: Event, secret: bytes = STRANGER) -> str:
    with pytest.raises(NotProven) as caught:
        unwrap(made, secret)
    return caught.value.code


RUMOR: dict[str, Any] = msgspec.to_builtins(unwrap(wrapped(), STRANGER))


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("nostr-tools 2.25.2", "wrap"),
        ("nostr-tools 2.25.2", "ephemeral"),
        ("nostr-sdk 0.45.1", "wrap"),
        ("NIP-59", "wrap"),
    ],
)
def test_wraps_of_other_programs(program: str, name: str) -> None:
    """What other programs wrap, and the example of the NIP itself, is read here."""
    vectors = VECTORS[program]
    made = nostr_event.decode(json.dumps(vectors[name]).encode())
    rumor = unwrap(made, bytes.fromhex(vectors.get("reader", STRANGER.hex())))
    told = msgspec.to_builtins(rumor)
    assert {**told, **vectors["rumor"], "tags": told["tags"]} == told
    assert [list(tag) for tag in rumor.tags] == vectors["rumor"]["tags"]


@pytest.mark.parametrize("ephemeral", [True, False])
def test_another_program_reads_ours(ephemeral: bool) -> None:
    """nostr-sdk finds in our wrap who wrote it and what."""
    made = wrapped(ephemeral=ephemeral)
    if ephemeral:  # it knows the stored kind only; what is inside is the same
        text, once = msgspec.json.encode(made), bytes(31) + b"\x09"
        key = nip44.conversation_key(STRANGER, bytes.fromhex(made.pubkey))
        seal = nip44.decrypt(nostr_event.decode(text).content, key)
        again = nip44.encrypt(seal, nip44.conversation_key(once, bytes.fromhex(READER)), bytes(32))
        made = event(STORED, ["p", READER], secret=once, content=again)
    gift = UnwrappedGift.from_gift_wrap(
        Keys.parse(STRANGER.hex()), SdkEvent.from_json(msgspec.json.encode(made).decode())
    )
    assert gift.sender().to_hex() == WRITER
    rumor = json.loads(gift.rumor().as_json())
    assert (rumor["content"], rumor["kind"], rumor["created_at"]) == (DRAFT.content, 20043, SECONDS)


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=200), st.booleans(), st.integers(0, 2**32))
def test_what_is_wrapped_arrives(text: str, ephemeral: bool, seed: int) -> None:
    """The reader gets what was written and who wrote it; the wrap shows neither, nor when."""
    draft = msgspec.structs.replace(DRAFT, content=text)
    made = wrapped(draft, ephemeral=ephemeral, seed=seed)
    nostr_event.check(made)
    rumor = unwrap(nostr_event.decode(msgspec.json.encode(made)), STRANGER)
    assert (rumor.pubkey, rumor.content, rumor.kind, rumor.tags) == (WRITER, text, DRAFT.kind, DRAFT.tags)
    assert rumor.created_at == SECONDS
    assert made.pubkey not in (WRITER, READER)
    assert made.kind == (EPHEMERAL if ephemeral else STORED)
    assert made.tags == (("p", READER),)
    assert made.created_at == SECONDS if ephemeral else SECONDS - BACK <= made.created_at <= SECONDS


def test_times_of_stored_wraps_tell_nothing() -> None:
    """Over many wraps, the times spread over the two days."""
    times = [SECONDS - wrapped(ephemeral=False, seed=seed).created_at for seed in range(40)]
    assert min(times) < BACK / 4
    assert max(times) > BACK * 3 / 4


def test_nobody_writes_for_another() -> None:
    """A rumor that names the owner, sealed by a stranger, is refused."""
    assert code(by_hand(json.dumps(RUMOR), sealer=STRANGER)) == "author"


@pytest.mark.parametrize(
    "rumor",
    [
        {**RUMOR, "sig": "0" * 128},
        {**RUMOR, "sig": ""},
        {**RUMOR, "sig": None},
        {**RUMOR, "id": "0" * 64},
        {**RUMOR, "content": "other"},
        {**RUMOR, "kind": 2**70},
        {**RUMOR, "created_at": -1},
        {**RUMOR, "tags": "p"},
        {**RUMOR, "content": "\ud800"},
        [],
        None,
        "x",
    ],
)
def test_what_is_no_rumor_is_refused(rumor: Any) -> None:
    """Signed, damaged or misshapen: what a seal holds is an unsigned event or nothing."""
    assert code(by_hand(json.dumps(rumor))) == "rumor"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_any_text_is_no_rumor(text: str) -> None:
    """Whatever an author seals, the reader gets a rumor or a `BadWrap`."""
    assert code(by_hand(text)) == "rumor"


@given(
    st.sampled_from(sorted(RUMOR)),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_a_rumor_with_any_other_value_is_refused(name: str, value: Any) -> None:
    """No field can be something else than it was when the rumor got its id."""
    if value != RUMOR[name]:
        assert code(by_hand(json.dumps({**RUMOR, name: value}))) == "rumor"


def test_what_is_no_seal_is_refused() -> None:
    """A seal is of kind 13, without tags, and signed."""
    assert code(by_hand(json.dumps(RUMOR), kind=14)) == "seal"
    assert code(by_hand(json.dumps(RUMOR), tags=(["p", READER],))) == "seal"
    for text in ("{}", "[" * 20_000, '{"kind":13}'):
        key = nip44.conversation_key(OWNER, bytes.fromhex(READER))
        assert code(event(STORED, ["p", READER], content=nip44.encrypt(text, key, bytes(32)))) == "seal"


def test_a_forged_seal_is_refused() -> None:
    """Whoever copies the owner's pubkey into a seal without its signature has said nothing."""
    key = nip44.conversation_key(STRANGER, bytes.fromhex(READER))
    seal = msgspec.structs.replace(event(SEAL, content="x", secret=STRANGER), pubkey=WRITER)
    forged = msgspec.structs.replace(seal, id=nostr_event.event_id(seal))
    text = msgspec.json.encode(forged).decode()
    made = event(STORED, ["p", READER], secret=STRANGER, content=nip44.encrypt(text, key, bytes(32)))
    assert code(made) == "signature"


def test_wraps_for_others_cost_nothing() -> None:
    """A wrap of another kind, for another reader, for two, or not signed is not opened."""
    made = wrapped()
    assert code(event(1, ["p", READER])) == "kind"
    assert code(made, OWNER) == "receiver"
    assert code(msgspec.structs.replace(made, tags=(("p", READER), ("p", WRITER)))) == "receiver"
    assert code(msgspec.structs.replace(made, tags=())) == "receiver"
    assert code(msgspec.structs.replace(made, tags=((), ("p",)))) == "receiver"
    with pytest.raises(BadEvent):
        unwrap(msgspec.structs.replace(made, created_at=1), STRANGER)
    assert code(event(STORED, ["p", READER], content="x")) == "length"


def test_the_largest_rumor_goes_through() -> None:
    """The bound is where it says: a rumor of that size arrives, a byte more is refused at the writer's."""
    spare = MOST_RUMOR - len(msgspec.json.encode(RUMOR)) + len(json.dumps(DRAFT.content)) - 2
    largest = msgspec.structs.replace(DRAFT, content="x" * spare)
    for ephemeral in (True, False):
        made = wrapped(largest, ephemeral=ephemeral)
        assert unwrap(made, STRANGER).content == largest.content
        assert len(msgspec.json.encode(made)) < 48 * 1024
    with pytest.raises(BadWrap) as caught:
        wrapped(msgspec.structs.replace(DRAFT, content="x" * (spare + 1)))
    assert caught.value.code == "too_long"


@pytest.mark.parametrize("receiver", ["", "zz", "00" * 32, "ff" * 32, READER[:62]])
def test_no_wrap_for_nobody(receiver: str) -> None:
    """A receiver that is no public key is refused, not encrypted for."""
    with pytest.raises(NotProven):
        gift_wrap.wrap(DRAFT, OWNER, receiver, SECONDS, entropy=entropy(), rng=Random(1))


def test_a_draft_that_is_no_event_is_refused() -> None:
    """Lone surrogates and numbers out of range are an error of the writer's, with a code."""
    for draft in (
        msgspec.structs.replace(DRAFT, content="\ud800"),
        msgspec.structs.replace(DRAFT, kind=70_000),
        msgspec.structs.replace(DRAFT, created_at=-1),
        msgspec.structs.replace(DRAFT, tags=((),)),
    ):
        with pytest.raises(BadWrap) as caught:
            wrapped(draft)
        assert caught.value.code == "rumor"
