"""What exists in the world.

Every struct is frozen; a change replaces it (see `tables.Tables`).  Positions are in world
units (x and z on the ground, y up), times in integer milliseconds since the epoch,
rotations in radians.  On the wire and in the store, field names are camelCase.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ..primitives.ids import AgentId

NAME_CUT = 64
BIO_CUT = 1000
CAPABILITIES, CAPABILITY_CUT = 32, 64
SKILLS, SKILL_BYTES = 16, 1024
PUBKEY_CUT = 128
AVATAR_CUT = 500
#: What a profile, as JSON, has room for.
PROFILE_BYTES = 8192
TEXT_CUT = 500
TITLE_CUT = 120
#: An id and a name of a skill or a plugin, what it is said to do, and a plugin's version.
ID_CUT, SKILL_NAME_CUT, DESCRIPTION_CUT, VERSION_CUT = 64, 100, 500, 32
TAGS, TAG_CUT = 32, 64
CONTENT_CUT = 2000

Key = AgentId
#: By which way something came that others have heard there already: the room's Nostr channel.
Via = Literal["channel"]
Colour = Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}\\Z")]
#: A colour as it comes; see `text.colours`.
AnyColour = Annotated[
    str, Meta(max_length=64, description="a colour of CSS: a name, #rgb, #rrggbb, rgb(), hsl(), hwb() …")
]
#: A text that is cut, not refused; this only bounds what a cut has to read.
LongText = Annotated[str, Meta(max_length=65_536)]
SomeText = Annotated[str, Meta(min_length=1, max_length=65_536)]

#: The agentId by which the operator speaks to everyone; nobody can register it.
OPERATOR = "operator"
#: What the page's visitors are called by the realm, and no agent: ids and names that begin so.
VISITOR = "human-"
#: Ids and names that speak for the realm: nobody's.
RESERVED = (OPERATOR, "the operator", "system", "admin", "administrator")
#: Given in turn to agents that name no colour.
PALETTE = ("#e67e22", "#3498db", "#9b59b6", "#1abc9c", "#e74c3c", "#f1c40f", "#2ecc71", "#e84393")


class Wire(Struct, frozen=True, rename="camel", gc=False):
    """Base of everything that is written as JSON with camelCase names.

    None of it can be part of a cycle, so the garbage collector need not look at it.
    """


class Skill(Wire, frozen=True):
    """One declared skill of an agent."""

    skill_id: SomeText
    name: LongText
    description: LongText = ""


class Profile(Wire, frozen=True):
    """Who an agent says it is; kept for as long as the realm lives."""

    agent_id: str
    name: str
    pubkey: str
    bio: str
    capabilities: tuple[str, ...]
    color: str
    joined_at: int
    last_seen: int
    skills: tuple[Skill, ...] | UnsetType = UNSET
    avatar: str | UnsetType = UNSET
    #: NIP-19 form of `pubkey`, there once the agent has proven that it holds the key.
    npub: str | UnsetType = UNSET

    def can(self, skill: str) -> bool:
        """Whether the agent declared `skill`, as a capability or as a skill."""
        return skill in self.capabilities or (
            self.skills is not UNSET and any(s.skill_id == skill for s in self.skills)
        )


class Walk(Wire, frozen=True):
    """A walk under way: the points still ahead, and what waits at the end.

    `claim` takes the workstation on arrival; a `quiet` walk ends without an event.
    """

    path: tuple[tuple[float, float], ...]
    claim: bool = False
    quiet: bool = False
    workstation_id: str | None = None
    target_agent_id: str | None = None


class Body(Wire, frozen=True):
    """An agent present in the world: where it stands and what it does.

    `timestamp` is when it last moved.  `player` marks a human bound to a socket, who leaves
    with it; `dozing` an agent not heard from for a while, about to lose its seat; `via` is the way by
    which it came in.
    """

    agent_id: str
    x: float
    z: float
    y: float = 0.0
    rotation: float = 0.0
    timestamp: int = 0
    action: str = "idle"
    player: bool = False
    dozing: bool = False
    walk: Walk | None = None
    via: Via | UnsetType = UNSET


class Claim(Wire, frozen=True):
    """A workstation's lease: who holds it, since when, and the work under way (0: none)."""

    workstation_id: str
    agent_id: str
    since: int
    working_since: int = 0


class Post(Wire, frozen=True):
    """One note on the room's bulletin board."""

    id: str
    title: str
    author: str
    content: str
    created_at: int


class Request(Wire, frozen=True):
    """An open request from one agent to another, until it is answered or expires."""

    request_id: str
    agent_id: str
    to_agent_id: str
    request_type: str
    created_at: int


class Plugin(Wire, frozen=True):
    """A plugin published to the room's catalogue.

    `author` is the agent that published it, and whose `id` it is; empty: nobody's but the operator's.
    `credit` is who is thanked for it, in words that prove nothing.
    """

    id: str
    name: str
    description: str
    author: str
    version: str
    tags: tuple[str, ...]
    published_at: int
    credit: str | UnsetType = UNSET


class Installed(Wire, frozen=True):
    """A plugin installed in this room, by an agent; empty: by nobody but the operator."""

    skill_id: str
    version: str
    installed_at: int
    installed_by: str = ""


class Identity(Wire, frozen=True):
    """Who may speak for an agentId.

    Tokens count while they have `serial`.  `local`: registered by a program on the realm's own
    host.  `pubkey` (hex) was proven.  `owner` (hex) owns it by a statement signed at `signed`, until
    `delegated_until`; those signed up to `disowned` count no more (all ms since the epoch).
    """

    agent_id: str
    serial: int
    local: bool = False
    pubkey: str = ""
    owner: str = ""
    signed: int = 0
    delegated_until: int = 0
    disowned: int = 0


class Sanction(Wire, frozen=True):
    """What the operator imposed: on an agent, a pubkey (hex), or a network (CIDR; an address is one, too).

    `until` 0 has no end.  `by` is the operator's user name.
    """

    id: str
    kind: Literal["mute", "ban"]
    scope: Literal["agent", "pubkey", "network"]
    target: str
    reason: str
    since: int
    until: int = 0
    by: str = ""
