"""Where everybody is, told in as few events as relays take."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from realmd.nostr.events import sync
from realmd.nostr.events.draft import Draft, Unreadable, size
from realmd.nostr.events.stamps import Stamps
from realmd.world.model import Body, Profile
from tests.protocol.nostr.samples import (
    CHANNEL,
    NOW,
    REALM,
    ROOM,
    STRANGER,
    TAGS,
    hostile,
    outcome,
    published,
)

MS = NOW * 1000 + 250
BODIES = st.lists(
    st.builds(
        Body,
        agent_id=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=64),
        x=st.floats(-50, 50),
        z=st.floats(-50, 50),
        rotation=st.floats(-7, 7),
        action=st.sampled_from(["idle", "walk"]),
    ),
    max_size=60,
)


def profile(body: Body) -> Profile:
    return Profile(body.agent_id, f"Name of {body.agent_id}"[:64], "", "", (), "#aabbcc", 0, 0)


def crowd(count: int) -> list[Body]:
    return [Body(f"agent-{n:04}", x=n / 7, z=-n / 11, rotation=3.14159) for n in range(count)]


def test_one_sync_is_one_event() -> None:
    """A thousand agents are one event of under 50 KB, fifty of them well under 4 KB."""
    (draft,) = sync.sync(ROOM, crowd(1000), MS, 17, 60_000)
    assert (draft.kind, draft.tags) == (20042, (("e", CHANNEL), ("d", "cavern")))
    assert draft.created_at == NOW
    told = json.loads(draft.content)
    assert told.keys() == {"v", "t", "seq", "p"}
    assert (told["v"], told["t"], told["seq"]) == (1, MS, 17)
    assert told["p"][7] == ["agent-0007", 1.0, 0.0, -0.64, 3.14, "idle"]
    assert size(draft) < 50_000
    (small,) = sync.sync(ROOM, crowd(50), MS, 17, 60_000)
    assert size(small) < 4000
    (bare,) = sync.sync(structs.replace(ROOM, channel_id=None), [], MS, 17, 60_000)
    assert bare.tags == (("d", "cavern"),)


@settings(max_examples=40)
@given(BODIES, st.integers(4096, 12_000))
def test_what_is_split_comes_together(bodies: list[Body], most: int) -> None:
    """Every agent is in exactly one part, no part is larger than asked, and each says which it is."""
    drafts = sync.sync(ROOM, bodies, MS, 3, most)
    parts = [sync.read_sync(published(draft), REALM, "cavern") for draft in drafts]
    assert max(map(size, drafts)) <= most
    assert [(part.part, part.parts) for part in parts] == [(n + 1, len(parts)) for n in range(len(parts))]
    assert {(part.t, part.seq) for part in parts} == {(MS, 3)}
    rows = [row for part in parts for row in part.rows]
    assert [row.agent_id for row in rows] == [body.agent_id for body in bodies]
    for row, body in zip(rows, bodies, strict=True):
        assert abs(row.x - body.x) + abs(row.z - body.z) + abs(row.rotation - body.rotation) < 0.02


@settings(max_examples=40)
@given(BODIES, st.integers(4096, 12_000))
def test_a_snapshot_is_kept_until_it_expires(bodies: list[Body], most: int) -> None:
    """A late joiner finds everybody with name and colour, in parts that replace those before them."""
    stamps = Stamps()
    agents = [(body, profile(body)) for body in bodies]
    first, second = (
        sync.snapshot(ROOM, agents, now, 3, most, life=120, stamps=stamps) for now in (MS, MS + 500)
    )
    assert max(map(size, first)) <= most
    for old, new in zip(first, second, strict=True):
        assert old.tags[0] == new.tags[0]
        assert old.created_at < new.created_at
    parts = [sync.read_snapshot(published(draft), REALM, "cavern", MS) for draft in first]
    rows = [row for part in parts for row in part.rows]
    assert [(row.agent_id, row.name, row.color) for row in rows] == [
        (body.agent_id, profile(body).name, "#aabbcc") for body in bodies
    ]
    for draft in first:
        with pytest.raises(Unreadable, match="old"):
            sync.read_snapshot(published(draft), REALM, "cavern", (NOW + 120) * 1000)


def test_a_sync_of_another_is_not_believed() -> None:
    """Author, room, kind and part must fit."""
    (draft,) = sync.sync(ROOM, crowd(2), MS, 3, 60_000)
    event = published(draft)
    for wrong, code in [
        (published(draft, STRANGER), "author"),
        (structs.replace(event, kind=1), "kind"),
        (structs.replace(event, tags=(("d", "other"),)), "room"),
        (structs.replace(event, tags=()), "tags"),
        (structs.replace(event, content=event.content.replace('"v":1', '"v":2')), "content"),
        (structs.replace(event, content=event.content.replace('"v"', '"part":[3,2],"v"')), "content"),
        (structs.replace(event, content=event.content.replace("0.0", "1e999")), "content"),
    ]:
        with pytest.raises(Unreadable) as caught:
            sync.read_sync(wrong, REALM, "cavern")
        assert caught.value.code == code
    (kept,) = sync.snapshot(ROOM, [], MS, 3, 60_000, life=60, stamps=Stamps())
    moved = structs.replace(published(kept), tags=(("d", "other"), kept.tags[1]))
    with pytest.raises(Unreadable, match="room"):
        sync.read_snapshot(moved, REALM, "cavern", MS)


def test_relays_that_take_nothing_are_refused() -> None:
    """A size that no row fits is an error at once, and so are more agents than the parts can hold."""
    with pytest.raises(ValueError, match="no use"):
        sync.sync(ROOM, [], MS, 3, 4095)
    with pytest.raises(ValueError, match="do not fit"):
        sync.sync(ROOM, crowd(40_000), MS, 3, 4096)


@given(hostile("v", "t", "seq", "p", "part"), TAGS)
def test_any_content_is_read_or_refused(content: str, tags: tuple[tuple[str, ...], ...]) -> None:
    """Nothing that a relay sends as a sync raises anything but `Unreadable`."""
    good = (("d", "cavern"),)
    kept = (("d", "openclaw-world:cavern:snapshot"), ("expiration", str(NOW + 60)))
    for kind, tagged in [(20042, good), (20042, tags), (30078, kept), (30078, tags)]:
        event = published(Draft(kind, NOW, tagged, content))
        for read in (
            outcome(sync.read_sync, event, REALM, "cavern"),
            outcome(sync.read_snapshot, event, REALM, "cavern", MS),
        ):
            assert isinstance(read, sync.Places | Unreadable)
