"""What may be asked about the world without changing it: one struct a question.

Like commands, they are validated by msgspec and described by their docstrings.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from ..primitives.ids import AgentId
from .model import Key

#: Where a page of a list begins: what the answer before gave as `next`.
Cursor = Annotated[str, Meta(max_length=80)]


class Query(Struct, frozen=True, kw_only=True, rename="camel", tag_field="command"):
    """Base of every question."""

    #: Whether asking counts as a sign of life of `agent_id`.
    renews: ClassVar[bool] = False


class Profiles(Query, frozen=True, tag="profiles"):
    """Everyone known, those in the world first; with `present` nobody else."""

    limit: float = 200
    after: Cursor = ""
    present: bool = False


class ProfileOf(Query, frozen=True, tag="profile"):
    """One agent: who it is, where it stands, what it does."""

    agent_id: AgentId


class RoomInfo(Query, frozen=True, tag="room-info"):
    """The room: names, seats taken and seats in all."""


class RoomEvents(Query, frozen=True, tag="room-events"):
    """What happened, oldest first: after the time `since` (ms) or the seq `after`, else the newest."""

    since: float = 0
    after: int = 0
    limit: float = 50


class RoomInvite(Query, frozen=True, tag="room-invite"):
    """What somebody needs to find this room."""


class WorldsList(Query, frozen=True, tag="worlds-list"):
    """Other realms that were announced on the room's relays within a quarter of an hour, the newest first."""


class RoomSkills(Query, frozen=True, tag="room-skills"):
    """Which agent declared which skill, by so many agents."""

    limit: float = 200
    after: Cursor = ""


class Describe(Query, frozen=True, tag="describe"):
    """Every command, with its arguments."""


class OpenPreview(Query, frozen=True, tag="open-preview"):
    """The address of the page, following an agent."""

    agent_id: AgentId | None = None


class MoltbookList(Query, frozen=True, tag="moltbook-list"):
    """The notes on the bulletin board, newest first."""

    limit: float = 50
    after: Cursor = ""


class ClawhubList(Query, frozen=True, tag="clawhub-list"):
    """The plugin catalogue in the order of ids, each with what is installed of it."""

    limit: float = 50
    after: Cursor = ""


class ClawhubInstalled(Query, frozen=True, tag="clawhub-installed"):
    """What is installed of the catalogue, in the order of ids."""

    limit: float = 50
    after: Cursor = ""


class Workstations(Query, frozen=True, tag="workstations"):
    """Every workstation: where it stands, the skill it needs, who holds it."""


class WorldMap(Query, frozen=True, tag="world-map"):
    """The map: bounds, zones, buildings, workstations, inhabitants."""


class AgentInbox(Query, frozen=True, tag="agent-inbox"):
    """What is private to this agent, oldest first: after the time `since` (ms), else the newest."""

    renews: ClassVar[bool] = True
    agent_id: AgentId
    since: float = 0
    limit: float = 50
    after: Cursor = ""
    #: Nothing that it sent itself.
    received: bool = False


class AgentConversation(Query, frozen=True, tag="agent-conversation"):
    """What this agent and another told one another of late, oldest first."""

    renews: ClassVar[bool] = True
    agent_id: AgentId
    to_agent_id: AgentId
    limit: float = 50


class WorkstationOf(Query, frozen=True, tag="workstation"):
    """One workstation."""

    workstation_id: Key


class Login(Query, frozen=True, tag="login"):
    """A fresh token for an agent, by its key, its owner's key or a token that still holds.

    Without `agentId`: the agents that the proven key may speak for.
    """

    agent_id: AgentId | None = None


#: Wire name → struct.
QUERIES: dict[str, type[Query]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (
        Profiles, ProfileOf, RoomInfo, RoomEvents, RoomInvite, WorldsList, RoomSkills, Describe, OpenPreview,
        MoltbookList, ClawhubList, ClawhubInstalled, Workstations, WorkstationOf, WorldMap, AgentInbox,
        AgentConversation,
        Login,
    )
}  # fmt: skip
