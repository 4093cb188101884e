"""Being found: who the realm is, where it writes, and what other realms there are.

    0       {"name", "about", "website", "nip05", "bot": true}                          (NIP-01, 24)
    10002   ["r", <relay>] …                                                            (NIP-65)
    30312   ["d", <room id>] ["room", <name>] ["summary", …] ["status", "open"] ["service", <page>]
            ["endpoint", <API>] ["t", "openclaw-world"] ["p", <realm>, <relay>, "Host"]
            ["relays", …]                                                              (NIP-53)

The classic discovery entry (30078) is made in `classic` and read here, beside 30312.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ...protocol.views import Room
from .classic import DISCOVERY, DISCOVERY_LIFE, DISCOVERY_TAG
from .draft import Draft, Published, Unreadable, content, encode, expect, only, values

METADATA: Final = 0
RELAYS: Final = 10002
ROOM: Final = 30312
#: The hashtag by which rooms of this kind are asked for.
TOPIC: Final = DISCOVERY_TAG
#: How far (s) another realm's clock may be ahead.
SKEW: Final = 60
#: Worlds that are remembered.
MOST_WORLDS: Final = 512
MOST_RELAYS: Final = 8

_ADDRESS: Final = re.compile(r"https?://[!-~]{1,290}\Z")
_RELAY: Final = re.compile(r"wss?://[!-~]{1,190}\Z")
_LOCAL: Final = re.compile(r"[a-z0-9._-]{1,64}\Z")
#: Joins the parts of one emoji; everything else that cannot be seen is taken out.
_JOINER: Final = "\u200d"

Seats = Annotated[int, Meta(ge=0, le=1_000_000)]
Text = Annotated[str, Meta(max_length=4096)]


class WorldListing(Struct, frozen=True, rename="camel", gc=False):
    """Another realm's room as it was announced; `seen` in ms since the epoch, seats None if not told."""

    id: str
    name: str
    description: str
    pubkey: str
    relays: tuple[str, ...]
    url: str
    agents: int | None
    seats: int | None
    seen: int


class _Discovery(Struct, rename="camel"):
    room_id: Annotated[str, Meta(min_length=1, max_length=128)]
    name: Text = ""
    agents: Seats | None = None
    max_agents: Seats | None = None
    description: Text = ""
    url: Text = ""
    relays: Annotated[list[Text], Meta(max_length=64)] = []


_discovery: Final = msgspec.json.Decoder(_Discovery)


def metadata(room: Room, created_at: int, *, nip05: str = "", picture: str = "") -> Draft:
    """Who the realm's key is (kind 0); `nip05` as name@host."""
    told = {
        "name": room.name,
        "about": room.description,
        "website": room.public_url,
        "picture": picture,
        "nip05": nip05,
    }
    filled = {key: value for key, value in told.items() if value}
    return Draft(METADATA, created_at, (), encode({**filled, "bot": True}).decode())


def relay_list(relays: Sequence[str], created_at: int) -> Draft:
    """Where the realm writes and reads (kind 10002)."""
    return Draft(RELAYS, created_at, tuple(("r", relay) for relay in relays))


def space(room: Room, pubkey: str, created_at: int, *, is_open: bool = True) -> Draft:
    """The room as a meeting space (kind 30312) of the realm's `pubkey` (hex)."""
    relay = room.relays[0] if room.relays else ""
    tags = [
        ("d", room.room_id),
        ("room", room.name),
        ("summary", room.description),
        ("status", "open" if is_open else "closed"),
        ("service", f"{room.public_url}/"),
        ("endpoint", f"{room.public_url}/ipc"),
        ("t", TOPIC),
        ("p", pubkey, relay, "Host"),
    ]
    if room.relays:
        tags.append(("relays", *room.relays))
    return Draft(ROOM, created_at, tuple(tags))


def nip05(names: dict[str, str], relays: Sequence[str]) -> bytes:
    """The document at /.well-known/nostr.json: local names (`_` for the host itself) → pubkeys (hex).

    ValueError for a name that NIP-05 does not allow.
    """
    for name in names:
        if not _LOCAL.match(name):
            raise ValueError(f"NIP-05 names have a-z, 0-9, dot, _ and - only, not {name!r}")
    where = {pubkey: list(relays) for pubkey in sorted(set(names.values()))} if relays else {}
    return encode({"names": names, "relays": where})


def read_world(event: Published, now: int) -> WorldListing:
    """The room that a 30312 or 30078 event announces, fresh at `now` (s); raises `Unreadable`.

    Texts are cut and freed of what cannot be seen; addresses other than http(s) and ws(s) are left out.
    """
    if event.kind not in (ROOM, DISCOVERY):
        raise Unreadable("kind")
    if event.created_at <= now - DISCOVERY_LIFE:
        raise Unreadable("stale")
    if event.created_at > now + SKEW:
        raise Unreadable("early")
    return _read_space(event) if event.kind == ROOM else _read_discovery(event)


class Worlds:
    """The rooms announced by others, one entry a (pubkey, room id), whatever relays they came over.

    The newest event wins; of what it does not tell, the other kind's says it.  Holds `most` rooms; when
    full of fresh ones it takes no new ones, since whoever announces a thousand would push out the others.
    """

    def __init__(self, most: int = MOST_WORLDS) -> None:
        self._most = most
        self._told: dict[tuple[str, str], dict[int, WorldListing]] = {}

    def __len__(self) -> int:
        return len(self._told)

    def add(self, event: Published, now: int) -> bool:
        """Remember what `event` announces at `now` (s); whether it was news.  Raises `Unreadable`."""
        world = read_world(event, now)
        key = (world.pubkey, world.id)
        if key not in self._told and len(self._told) >= self._most:
            self._forget(now)
            if len(self._told) >= self._most:
                raise Unreadable("full")
        told = self._told.setdefault(key, {})
        if event.kind in told and told[event.kind].seen >= world.seen:
            return False
        told[event.kind] = world
        return True

    def fresh(self, now: int, *, without: Iterable[str] = ()) -> list[WorldListing]:
        """The rooms announced within `DISCOVERY_LIFE`, newest first, `without` those of these pubkeys."""
        self._forget(now)
        hidden = frozenset(without)
        worlds = [_merged(told) for (pubkey, _), told in self._told.items() if pubkey not in hidden]
        return sorted(worlds, key=lambda world: (-world.seen, world.pubkey, world.id))

    def _forget(self, now: int) -> None:
        oldest = (now - DISCOVERY_LIFE) * 1000
        for key, told in list(self._told.items()):
            for kind in [kind for kind, world in told.items() if world.seen <= oldest]:
                del told[kind]
            if not told:
                del self._told[key]


def _merged(told: dict[int, WorldListing]) -> WorldListing:
    newest, *older = sorted(told.values(), key=lambda world: world.seen, reverse=True)
    missing = {
        name: getattr(other, name)
        for other in older
        for name in ("name", "description", "relays", "url", "agents", "seats")
        if getattr(newest, name) in ("", (), None)
    }
    return msgspec.structs.replace(newest, **missing)


def _read_space(event: Published) -> WorldListing:
    if only(event, "status") != "open":
        raise Unreadable("tags")
    if not any(value[:1] == (TOPIC,) for value in map(tuple, values(event, "t"))):
        raise Unreadable("room")
    return _listing(
        event,
        only(event, "d"),
        name=only(event, "room"),
        description=_first(event, "summary"),
        url=_first(event, "service"),
        relays=[relay for value in values(event, "relays") for relay in value],
    )


def _read_discovery(event: Published) -> WorldListing:
    expect(event, DISCOVERY)
    if only(event, "d") != DISCOVERY_TAG:
        raise Unreadable("room")
    found: _Discovery = content(event, _discovery)
    return _listing(
        event,
        found.room_id,
        name=found.name,
        description=found.description,
        url=found.url,
        relays=found.relays,
        agents=found.agents,
        seats=found.max_agents,
    )


def _listing(
    event: Published,
    room_id: str,
    *,
    name: str,
    description: str,
    url: str,
    relays: Sequence[str],
    agents: int | None = None,
    seats: int | None = None,
) -> WorldListing:
    if not 0 < len(room_id) <= 128 or _line(room_id, 128) != room_id:
        raise Unreadable("room")
    return WorldListing(
        id=room_id,
        name=_line(name, 64) or room_id[:64],
        description=_line(description, 500),
        pubkey=event.pubkey,
        relays=tuple(dict.fromkeys(relay for relay in relays if _RELAY.match(relay)))[:MOST_RELAYS],
        url=url if _ADDRESS.match(url) else "",
        agents=agents,
        seats=seats,
        seen=event.created_at * 1000,
    )


def _first(event: Published, name: str) -> str:
    found = values(event, name)
    return found[0][0] if found and found[0] else ""


def _line(text: str, most: int) -> str:
    """`text` as one line without controls and marks that turn writing round, at most `most` characters."""
    seen = "".join(c if c.isprintable() or c == _JOINER else " " for c in text[: 4 * most])
    return " ".join(seen.split())[:most].strip()
