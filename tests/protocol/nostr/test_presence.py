"""Being found, and finding others: fresh rooms, once each, without what they should not bring."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realmd.nostr.events import classic, presence
from realmd.nostr.events.draft import Draft, Unreadable
from realmd.nostr.events.presence import WorldListing, Worlds, read_world
from tests.protocol.nostr.samples import (
    AGENT,
    NOW,
    REALM,
    RELAYS,
    ROOM,
    STRANGER,
    TAGS,
    Published,
    hostile,
    outcome,
    published,
)

LISTED = WorldListing(
    id="cavern",
    name="The Cavern",
    description="Shalom's hall",
    pubkey=REALM,
    relays=RELAYS,
    url="https://realm.example",
    agents=3,
    seats=50,
    seen=NOW * 1000,
)


def entry(at: int = NOW, pubkey: str = REALM, **fields: Any) -> Published:
    draft = classic.discovery(ROOM, 3, 50, at)
    told = {key: value for key, value in {**json.loads(draft.content), **fields}.items() if value != "-"}
    return published(structs.replace(draft, content=json.dumps(told)), pubkey)


def space(at: int = NOW, pubkey: str = REALM, **fields: Any) -> Published:
    return published(presence.space(structs.replace(ROOM, **fields), pubkey, at), pubkey)


def test_what_is_announced_is_what_is_found() -> None:
    """One realm's announcements are another's listing, by either kind."""
    assert read_world(entry(), NOW) == LISTED
    seats = {"agents": None, "seats": None, "url": "https://realm.example/"}
    assert read_world(space(), NOW) == structs.replace(LISTED, **seats)


def test_an_entry_of_the_old_bridge_is_read() -> None:
    """The five classic fields are enough; what is not told is empty."""
    old = entry(description="-", url="-", relays="-")
    assert read_world(old, NOW) == structs.replace(LISTED, description="", url="", relays=())


def test_the_realm_says_who_it_is() -> None:
    """Profile, relays and room are as NIP-01, 24, 65 and 53 have them."""
    draft = presence.metadata(ROOM, NOW, nip05="_@realm.example")
    assert (draft.kind, draft.tags) == (0, ())
    assert json.loads(draft.content) == {
        "name": "The Cavern",
        "about": "Shalom's hall",
        "website": "https://realm.example",
        "nip05": "_@realm.example",
        "bot": True,
    }
    assert presence.relay_list(RELAYS, NOW) == Draft(10002, NOW, tuple(("r", relay) for relay in RELAYS))
    draft = presence.space(ROOM, REALM, NOW)
    assert (draft.kind, draft.content) == (30312, "")
    assert {tag[0] for tag in draft.tags} >= {"d", "room", "status", "service", "p"}
    assert ("status", "open") in draft.tags
    assert ("p", REALM, RELAYS[0], "Host") in draft.tags
    assert ("relays", *RELAYS) in draft.tags
    closed = published(presence.space(ROOM, REALM, NOW, is_open=False))
    assert outcome(read_world, closed, NOW).code == "tags"


def test_nip05_names_the_realm() -> None:
    """The document maps names to the key, and the key to its relays."""
    told = json.loads(presence.nip05({"_": REALM, "cavern": REALM}, RELAYS))
    assert told == {"names": {"_": REALM, "cavern": REALM}, "relays": {REALM: list(RELAYS)}}
    for name in ("", "A", "a b", "a@b", "ä", "a\n"):
        with pytest.raises(ValueError, match="NIP-05"):
            presence.nip05({name: REALM}, RELAYS)


@pytest.mark.parametrize(("at", "code"), [(NOW - 900, "stale"), (NOW + 61, "early")])
def test_only_fresh_entries_count(at: int, code: str) -> None:
    """A room not announced for a quarter of an hour is gone; one from the future is not believed."""
    for event in (entry(at), space(at)):
        assert outcome(read_world, event, NOW).code == code
    assert read_world(entry(NOW - 899), NOW).seen == (NOW - 899) * 1000
    assert read_world(entry(NOW + 60), NOW).id == "cavern"


def test_the_newest_wins_over_all_relays() -> None:
    """A room is listed once, however often and in whatever order relays tell of it."""
    worlds = Worlds()
    assert worlds.add(entry(NOW - 5, agents=7), NOW)
    assert worlds.add(entry(NOW, agents=9), NOW)
    for again in (entry(NOW, agents=9), entry(NOW - 5, agents=7), entry(NOW - 7, agents=1)):
        assert not worlds.add(again, NOW)
    assert [world.agents for world in worlds.fresh(NOW)] == [9]
    worlds.add(space(NOW + 5, name="Renamed"), NOW)
    (world,) = worlds.fresh(NOW)
    assert (world.name, world.agents, world.seats) == ("Renamed", 9, 50)
    worlds.add(entry(NOW + 2, AGENT), NOW)
    worlds.add(space(NOW + 1, room_id="hall"), NOW)
    listed = [(world.pubkey, world.id) for world in worlds.fresh(NOW)]
    assert listed == [(REALM, "cavern"), (AGENT, "cavern"), (REALM, "hall")]
    assert {world.pubkey for world in worlds.fresh(NOW, without=[REALM])} == {AGENT}
    assert worlds.fresh(NOW + 1000) == []
    assert len(worlds) == 0


def test_a_flood_of_rooms_pushes_nobody_out() -> None:
    """Who announces more rooms than are remembered is refused; those known stay until they are stale."""
    worlds = Worlds(most=3)
    for index in range(3):
        worlds.add(entry(NOW, roomId=f"room-{index}"), NOW)
    with pytest.raises(Unreadable, match="remembered"):
        worlds.add(entry(NOW, STRANGER), NOW)
    assert worlds.add(entry(NOW + 1, roomId="room-1"), NOW)
    assert len(worlds) == 3
    assert worlds.add(entry(NOW + 900, STRANGER), NOW + 900)
    assert len(worlds) == 2


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x", "https://", "https://a b", "http://\x00"])
def test_addresses_are_web_addresses(url: str) -> None:
    """A listing brings no script and no odd scheme to who clicks on it."""
    world = read_world(entry(url=url, relays=[url, "wss://ok.example", "wss://ok.example"]), NOW)
    assert (world.url, world.relays) == ("", ("wss://ok.example",))


def test_texts_are_one_line_and_short() -> None:
    """Controls, direction marks and walls of text do not reach the page; emoji do."""
    long = entry(name="a\n\u202eb\x00 👩\u200d🚀 " + "x" * 400, description="y\t" * 2000)
    world = read_world(long, NOW)
    assert world.name.startswith("a b 👩\u200d🚀 x")
    assert (len(world.name), len(world.description)) == (64, 500 - 1)
    many = read_world(entry(relays=[f"wss://{n}.example" for n in range(60)]), NOW)
    assert len(many.relays) == presence.MOST_RELAYS
    for room_id in ("", "a\nb", "x" * 129, "\u202ea", " a"):
        assert outcome(read_world, entry(roomId=room_id), NOW).code in ("room", "content")


@given(hostile("roomId", "name", "agents", "maxAgents", "relays", "url", "description"), TAGS)
def test_any_content_is_read_or_refused(content: str, tags: tuple[tuple[str, ...], ...]) -> None:
    """Nothing that a relay sends as a room raises anything but `Unreadable`; what is read can be sent."""
    ours = presence.space(ROOM, REALM, NOW).tags
    for kind, tagged in [(30078, (("d", "openclaw-world"),)), (30312, (*ours, *tags)), (30312, tags)]:
        read = outcome(read_world, published(Draft(kind, NOW, tagged, content)), NOW)
        assert isinstance(read, WorldListing | Unreadable)
        if isinstance(read, WorldListing):
            assert json.loads(json.dumps(structs.asdict(read)).encode().decode())["id"] == read.id


@given(st.text(st.characters(), max_size=300))
def test_any_name_can_be_shown(name: str) -> None:
    """Whatever a realm calls itself, the listing has a name that UTF-8 can carry."""
    ours = [tag for tag in presence.space(ROOM, REALM, NOW).tags if tag[0] != "room"]
    event = published(Draft(30312, NOW, (*ours, ("room", name))))
    assert 0 < len(read_world(event, NOW).name.encode()) <= 256
