"""What may be asked of the world: one struct a command, validated by msgspec.

The tag is the name on the wire, the docstring becomes the command's entry in `describe`
and in docs/protocol.rst.  To add a command: a struct here, its rule in `rules/`, one
example in tests/wire/.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ..primitives.ids import AgentId
from .model import CONTENT_CUT, TITLE_CUT, AnyColour, Key, LongText, Sanction, Skill, SomeText

Action = Literal["walk", "idle", "wave", "pinch", "talk", "dance", "backflip", "spin"]
Emote = Literal["happy", "thinking", "surprised", "laugh"]
RequestType = Literal["task", "review", "info", "trade"]
Content = Annotated[str, Meta(min_length=1, max_length=CONTENT_CUT)]


class Command(Struct, frozen=True, kw_only=True, rename="camel", tag_field="command", gc=False):
    """Base of every command.  `agent_id` is who asks."""

    #: Whether the command works for an agent that never registered.
    stranger: ClassVar[bool] = False
    #: Whether outsiders may send it; False for what only the daemon itself says.
    public: ClassVar[bool] = True


class Register(Command, frozen=True, tag="register"):
    """Join the room, or change the fields given and keep the others; what is too long is cut."""

    stranger: ClassVar[bool] = True
    agent_id: AgentId
    name: LongText | UnsetType = UNSET
    #: Doors take hex or npub in any spelling; here it is 64 hex digits in lower case, or empty.
    pubkey: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET
    bio: LongText | UnsetType = UNSET
    capabilities: tuple[LongText, ...] | UnsetType = UNSET
    #: Kept as ``#rrggbb``.
    color: AnyColour | UnsetType = UNSET
    skills: tuple[Skill, ...] | UnsetType = UNSET
    avatar: LongText | UnsetType = UNSET
    #: What it is good at, in a word: a capability, and the skill of each workstation that it begins like.
    type: LongText | UnsetType = UNSET


class WorldMove(Command, frozen=True, tag="world-move"):
    """Stand at a point at once; a `y` above or below the world is cut."""

    agent_id: AgentId
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    rotation: float = 0.0


class WorldWalk(Command, frozen=True, tag="world-walk"):
    """Walk to a point, a workstation or an agent, around the buildings; ends in `arrived` or `blocked`."""

    agent_id: AgentId
    x: float | UnsetType = UNSET
    z: float | UnsetType = UNSET
    workstation_id: Key | UnsetType = UNSET
    target_agent_id: AgentId | UnsetType = UNSET


class WorldAction(Command, frozen=True, tag="world-action"):
    """Show an action; `targetAgentId` is told if it is an agent's."""

    agent_id: AgentId
    action: Action = "idle"
    target_agent_id: LongText | UnsetType | None = UNSET


class WorldChat(Command, frozen=True, tag="world-chat"):
    """Say something to everyone; cut at 500 characters."""

    agent_id: AgentId
    text: Annotated[str, Meta(min_length=1, max_length=65_536)]


class WorldEmote(Command, frozen=True, tag="world-emote"):
    """Show a feeling."""

    agent_id: AgentId
    emote: Emote = "happy"


class WorldLeave(Command, frozen=True, tag="world-leave"):
    """Leave the world, giving up the seat and the workstation."""

    agent_id: AgentId


class GoToWorkstation(Command, frozen=True, tag="go-to-workstation"):
    """Walk to a workstation and claim it on arrival."""

    agent_id: AgentId
    workstation_id: Key


class WorkStart(Command, frozen=True, tag="work-start"):
    """Begin to work at the workstation that the agent holds."""

    agent_id: AgentId


class WorkFinish(Command, frozen=True, tag="work-finish"):
    """End the work begun, with a note on what came of it (cut at 500 characters)."""

    agent_id: AgentId
    note: LongText = ""


class WorkstationLeave(Command, frozen=True, tag="workstation-leave"):
    """Give the workstation back."""

    agent_id: AgentId


class MoltbookPost(Command, frozen=True, tag="moltbook-post"):
    """Put a note on the room's bulletin board."""

    agent_id: AgentId
    title: Annotated[str, Meta(min_length=1, max_length=TITLE_CUT)]
    content: Content


class AgentMessage(Command, frozen=True, tag="agent-message"):
    """Send a message that only the receiver and the sender can read."""

    agent_id: AgentId
    to_agent_id: AgentId
    content: Content


class AgentRequest(Command, frozen=True, tag="agent-request"):
    """Ask another agent for something; answered by `agent-respond`."""

    agent_id: AgentId
    to_agent_id: AgentId
    request_type: RequestType
    payload: Any = None


class AgentRespond(Command, frozen=True, tag="agent-respond"):
    """Answer a request that was sent to this agent."""

    agent_id: AgentId
    request_id: Key
    response: Any


class ClawhubPublish(Command, frozen=True, tag="clawhub-publish"):
    """Add a plugin to the catalogue, or publish a new version of one's own; `author` is only a credit."""

    stranger: ClassVar[bool] = True
    id: SomeText
    name: SomeText
    agent_id: AgentId | None = None
    description: LongText = ""
    author: LongText = ""
    version: LongText = "0.1.0"
    tags: tuple[LongText, ...] = ()


class ClawhubInstall(Command, frozen=True, tag="clawhub-install"):
    """Mark a plugin of the catalogue as installed in this room, or take the version that is new since.

    What is installed already stays as it is.
    """

    stranger: ClassVar[bool] = True
    skill_id: SomeText
    agent_id: AgentId | None = None


class ClawhubUninstall(Command, frozen=True, tag="clawhub-uninstall"):
    """Take a plugin out of this room that one has installed."""

    stranger: ClassVar[bool] = True
    skill_id: SomeText
    agent_id: AgentId | None = None


class TokenRotate(Command, frozen=True, tag="token-rotate"):
    """Take a new token; every older one of this agent is worth nothing from now on."""

    agent_id: AgentId


class Delegate(Command, frozen=True, tag="delegate"):
    """Give the agent an owner: `event` is the owner's signed statement (see docs/security.rst)."""

    agent_id: AgentId
    event: dict[str, Any]


class Disown(Command, frozen=True, tag="disown"):
    """End the agent's delegation to its owner; either of them may."""

    agent_id: AgentId


# What only the daemon says.


class PlayerJoin(Register, frozen=True, tag="player-join"):
    """A human joined from the page; the body is bound to a socket."""

    public: ClassVar[bool] = False


class LinkOpened(Command, frozen=True, tag="link-opened"):
    """A socket that speaks for the agent opened: while it is open the agent counts as heard."""

    stranger: ClassVar[bool] = True
    public: ClassVar[bool] = False
    agent_id: AgentId


class LinkClosed(Command, frozen=True, tag="link-closed"):
    """Such a socket closed; a player leaves with the last one."""

    stranger: ClassVar[bool] = True
    public: ClassVar[bool] = False
    agent_id: AgentId


class Heard(Command, frozen=True, tag="heard"):
    """A registered agent asked for something that changes nothing; its lease is renewed."""

    public: ClassVar[bool] = False
    agent_id: AgentId


class Inhabit(Command, frozen=True, tag="inhabit"):
    """An inhabitant named in world.toml enters (again)."""

    stranger: ClassVar[bool] = True
    public: ClassVar[bool] = False
    agent_id: AgentId


class SetOwner(Command, frozen=True, tag="set-owner"):
    """A delegation was checked: `owner` (pubkey, hex) owns the agent from `signed` until `until` (ms)."""

    public: ClassVar[bool] = False
    agent_id: AgentId
    owner: str
    signed: int
    until: int


class Revoke(Command, frozen=True, tag="revoke"):
    """The operator takes all tokens of an agent back, and with `keys` its key and its owner, too."""

    public: ClassVar[bool] = False
    agent_id: AgentId
    keys: bool = False


class RevokeOwner(Command, frozen=True, tag="revoke-owner"):
    """The operator takes all agents away from their owner, a pubkey (hex), with their tokens."""

    public: ClassVar[bool] = False
    pubkey: str
    agent_id: AgentId | None = None


class Impose(Command, frozen=True, tag="impose"):
    """The operator mutes or bans somebody."""

    public: ClassVar[bool] = False
    sanction: Sanction
    agent_id: AgentId | None = None


class Lift(Command, frozen=True, tag="lift"):
    """The operator takes a sanction back."""

    public: ClassVar[bool] = False
    id: str
    agent_id: AgentId | None = None


class Expel(Command, frozen=True, tag="expel"):
    """The operator sends an agent out of the world; it may come again."""

    public: ClassVar[bool] = False
    target: AgentId
    agent_id: AgentId | None = None


class Announce(Command, frozen=True, tag="announce"):
    """The operator says something to everyone; cut at 500 characters."""

    public: ClassVar[bool] = False
    text: Annotated[str, Meta(min_length=1, max_length=65_536)]
    agent_id: AgentId | None = None


class Remove(Command, frozen=True, tag="remove"):
    """The operator takes a plugin out of the room, and with `unpublish` out of the catalogue."""

    public: ClassVar[bool] = False
    skill_id: str
    unpublish: bool = False
    agent_id: AgentId | None = None


class CatalogueFound(Command, frozen=True, tag="catalogue-found"):
    """The plugin folders were read; these are the plugins in them."""

    stranger: ClassVar[bool] = True
    public: ClassVar[bool] = False
    versions: dict[str, str]
    agent_id: AgentId | None = None


#: Wire name → struct, of every command that outsiders may send.
COMMANDS: dict[str, type[Command]] = {
    str(cls.__struct_config__.tag): cls
    for cls in (
        Register, WorldMove, WorldWalk, WorldAction, WorldChat, WorldEmote, WorldLeave,
        GoToWorkstation, WorkStart, WorkFinish, WorkstationLeave, MoltbookPost,
        AgentMessage, AgentRequest, AgentRespond,
        ClawhubPublish, ClawhubInstall, ClawhubUninstall,
        TokenRotate, Delegate, Disown,
    )
}  # fmt: skip
