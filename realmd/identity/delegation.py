"""Owners: a Nostr key says, once and signed, that an agent is its own.

The statement is an application-specific event of kind 30078 (NIP-78):

    kind     30078
    tags     ["d", "realm-delegation:<agentId>"]
             ["p", <the realm's pubkey, hex>] and/or ["room", <the room's id>]
             ["expiration", "<seconds since the epoch>"]      (NIP-40: relays drop it then, too)
    content  anything; the realm does not read it

A `p` tag binds it to one realm.  A `room` tag is for realms without a key: it holds in every
realm that has a room of that id, so those ids should differ.
"""

from __future__ import annotations

import re

from msgspec import Struct

from .errors import BadProof
from .nostr_event import Event, check
from .proof import only

KIND = 30078
PREFIX = "realm-delegation:"
#: How far (ms) the owner's clock may be ahead.
SKEW = 60_000

_SECONDS = re.compile(r"[1-9][0-9]{0,14}")


class Delegation(Struct, frozen=True, gc=False):
    """`owner` (pubkey, hex) owns `agent_id` from `created` until before `expires` (ms since the epoch).

    It stays signed for that long: whoever revokes one must remember `event_id`, or the time, till then.
    """

    owner: str
    agent_id: str
    event_id: str
    created: int
    expires: int


def check_delegation(event: Event, agent_id: str, now: int, *, room_id: str, pubkey: str = "") -> Delegation:
    """The ownership of `agent_id` that `event` states in the realm of that room id and pubkey (hex, if any).

    `now` in ms.  Raises `BadProof` or `BadEvent`.
    """
    if event.kind != KIND:
        raise BadProof("kind")
    if only(event, "d", "agent") != PREFIX + agent_id:
        raise BadProof("agent")
    _check_realm(event, {"p": pubkey, "room": room_id})
    created, expires = event.created_at * 1000, _expires(event)
    if created > now + SKEW:
        raise BadProof("early")
    if now >= expires:
        raise BadProof("expired")
    check(event)
    return Delegation(event.pubkey, agent_id, event.id, created, expires)


def _check_realm(event: Event, realm: dict[str, str]) -> None:
    """At least one of the tags that name a realm is there, and each that is there names this one."""
    named = [name for name in realm if any(tag[:1] == (name,) for tag in event.tags)]
    if not named:
        raise BadProof("realm")
    for name in named:
        if not realm[name] or only(event, name, "realm") != realm[name]:
            raise BadProof("realm")


def _expires(event: Event) -> int:
    seconds = only(event, "expiration", "expiration")
    if not _SECONDS.fullmatch(seconds) or int(seconds) <= event.created_at:
        raise BadProof("expiration")
    return int(seconds) * 1000
