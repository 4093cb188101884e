"""What happened.

A durable event carries the realm's next `seq`; it is journalled before anyone sees it.
Position and action are ephemeral: snapshots keep what they said.  The tag is `worldType`
on the wire.  An event with `to_agent_id` is private to its two agents.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from .model import Installed, Plugin, Profile, Skill, Via


class Event(Struct, frozen=True, kw_only=True, rename="camel", tag_field="worldType", gc=False):
    """Base: who, and when (ms since the epoch)."""

    agent_id: str
    timestamp: int


class Position(Event, frozen=True, tag="position"):
    """An agent moved."""

    x: float
    y: float
    z: float
    rotation: float


class Action(Event, frozen=True, tag="action"):
    """An agent shows an action; `dozing` when it was not heard from for a while."""

    action: str
    target_agent_id: str | UnsetType = UNSET
    dozing: bool | UnsetType = UNSET


class Durable(Event, frozen=True):
    """Base of every journalled event."""

    seq: int


class Spoken(Durable, frozen=True, kw_only=True):
    """Base of what the room's Nostr channel is told, too, unless it came from there, as `via` says."""

    via: Via | UnsetType = UNSET


class Emote(Spoken, frozen=True, tag="emote"):
    """An agent shows a feeling."""

    emote: str


class Chat(Spoken, frozen=True, tag="chat"):
    """An agent said something to everyone; or the operator did, as `by` says, which no agent can set."""

    text: str
    by: Literal["operator"] | UnsetType = UNSET


class Join(Spoken, frozen=True, tag="join"):
    """An agent entered the world; `pubkey` (hex) is the key that it has proven to be its own."""

    name: str
    color: str
    bio: str
    capabilities: tuple[str, ...]
    skills: tuple[Skill, ...] | UnsetType = UNSET
    pubkey: str | UnsetType = UNSET


class ProfileChanged(Join, frozen=True, tag="profile"):
    """An agent present in the world changed its profile; or its key was taken from it: `pubkey` is empty."""


class Leave(Spoken, frozen=True, tag="leave"):
    """An agent left: it asked, its lease ran out (silent), its socket closed, the operator had it go, or it
    gave way to another (displaced)."""

    reason: Literal["asked", "silent", "closed", "kicked", "banned", "displaced"] = "asked"


class Arrived(Durable, frozen=True, tag="arrived"):
    """A walk ended where it was meant to."""

    x: float
    z: float
    workstation_id: str | UnsetType = UNSET
    target_agent_id: str | UnsetType = UNSET


class Blocked(Durable, frozen=True, tag="blocked"):
    """A walk ended early; `reason` is a refusal code."""

    x: float
    z: float
    reason: str
    workstation_id: str | UnsetType = UNSET
    target_agent_id: str | UnsetType = UNSET


class Work(Durable, frozen=True, tag="work"):
    """Something happened at a workstation."""

    workstation_id: str
    phase: Literal["claimed", "started", "finished", "left"]
    note: str | UnsetType = UNSET


class Board(Durable, frozen=True, tag="board"):
    """A note was put on the bulletin board."""

    post_id: str
    title: str
    content: str


class Catalogue(Durable, frozen=True, tag="catalogue"):
    """The plugin catalogue changed."""

    phase: Literal["published", "installed", "uninstalled", "unpublished"]
    skill_id: str
    plugin: Plugin | UnsetType = UNSET
    installed: Installed | UnsetType = UNSET


class Private(Durable, frozen=True):
    """Base of what reaches only sender and receiver."""

    to_agent_id: str


class Message(Private, frozen=True, tag="message"):
    """A direct message."""

    content: str


class Requested(Private, frozen=True, tag="request"):
    """One agent asks another for something."""

    request_id: str
    request_type: str
    payload: Any = None


class Responded(Private, frozen=True, tag="response"):
    """The answer to a request."""

    request_id: str
    response: Any = None


class Republished(Private, frozen=True, tag="plugin"):
    """To who installed a plugin: a new version of it was published; `clawhub-install` again takes it."""

    skill_id: str
    version: str
    installed_version: str


def of_profile(kind: type[Join], profile: Profile, now: int, seq: int, via: Via | UnsetType = UNSET) -> Join:
    """The join or profile event that tells `profile`."""
    return kind(
        agent_id=profile.agent_id,
        timestamp=now,
        seq=seq,
        name=profile.name,
        color=profile.color,
        bio=profile.bio,
        capabilities=profile.capabilities,
        skills=profile.skills,
        pubkey=UNSET if profile.npub is UNSET else profile.pubkey,
        via=via,
    )


#: Every event that can be in the journal, for decoding one kept there.
JOURNALLED = (
    Emote | Chat | Join | ProfileChanged | Leave | Arrived | Blocked | Work | Board | Catalogue
    | Message | Requested | Responded | Republished
)  # fmt: skip
