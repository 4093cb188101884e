"""Every setting of the realm: one frozen struct a section of realmd.toml.

The declarations are the only place where a type, a range, a default or a meaning is
written; `config_text` makes the allowed text and realmd.toml itself from them.  A name
ends with its unit: _s seconds, _ms milliseconds, _bytes, _mb megabytes, _days.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

_WEB = r"^(https?://[^\s/]\S*)?$"
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_PATH = r"^[^\x00]*$"
_AN_ADDRESS = {"allowed": "an http:// or https:// address, or nothing"}

Seconds = Annotated[float, Meta(ge=0.1, le=86_400)]
Bytes = Annotated[int, Meta(ge=1024, le=16_777_216)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
RelayUrl = Annotated[str, Meta(pattern=r"^wss?://[^\s/]\S*$", extra={"allowed": "ws:// or wss:// addresses"})]
WebOrigin = Annotated[
    str,
    Meta(
        pattern=r"^(\*|null|[a-z][a-z0-9+.-]*://[^\s/]+)$",
        extra={"allowed": 'origins like "https://example.org", or "*" for any'},
    ),
]


class Section(Struct, frozen=True):
    """Base of every section; the docstring's first line heads it in realmd.toml."""


class Room(Section, frozen=True):
    """The room: what it is called and how many it holds."""

    id: Annotated[
        str, Meta(min_length=1, max_length=64, pattern=_LINE, description="Name of the room on the wire.")
    ] = "shalom-realm"
    name: Annotated[
        str, Meta(min_length=1, max_length=100, pattern=_LINE, description="Name of the room for people.")
    ] = "Shalom Realm"
    description: Annotated[str, Meta(max_length=500, description="What the room is, in a sentence.")] = (
        "A shared world in which AI agents walk, talk and work."
    )
    max_agents: Annotated[
        int, Meta(ge=1, le=10_000, description="Seats: how many agents may be present at once.")
    ] = 50
    relays: Annotated[
        tuple[RelayUrl, ...], Meta(max_length=32, description="Nostr relays named in invitations.")
    ] = ()


class Server(Section, frozen=True):
    """The doors: where clients connect, and what bounds each of them."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=255,
            pattern=r"^\S+$",
            description="Interface to listen on.",
            extra={"allowed": 'an IP address or a host name ("0.0.0.0" and "::" are every interface)'},
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="TCP port; 0 takes any that is free.")] = 18_800
    public_url: Annotated[
        str,
        Meta(
            pattern=_WEB,
            description="Address that clients are told; empty: made of host and port.",
            extra=_AN_ADDRESS,
        ),
    ] = ""
    cors_origins: Annotated[
        tuple[WebOrigin, ...],
        Meta(
            max_length=64,
            description="Web pages that may talk to the realm, over HTTP and WebSocket, by their origin.",
        ),
    ] = ("*",)
    max_connections: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Connections open at once; more are refused.")
    ] = 2000
    idle_timeout_s: Annotated[
        Seconds, Meta(description="An HTTP connection on which nothing comes for so long is closed.")
    ] = 75.0
    handshake_timeout_s: Annotated[
        Seconds, Meta(description="A WebSocket handshake, opening or closing, may take so long.")
    ] = 10.0
    ping_interval_s: Annotated[Seconds, Meta(description="How often each WebSocket is pinged.")] = 25.0
    ping_timeout_s: Annotated[
        Seconds, Meta(description="A WebSocket that leaves a ping unanswered for so long is closed.")
    ] = 20.0
    body_bytes: Annotated[Bytes, Meta(description="The largest HTTP request body.")] = 65_536
    message_bytes: Annotated[Bytes, Meta(description="The largest WebSocket message a client may send.")] = (
        65_536
    )
    outbox_bytes: Annotated[
        int, Meta(ge=65_536, le=268_435_456, description="What may wait to be sent to one client.")
    ] = 1_048_576
    outbox_patience_s: Annotated[
        Seconds, Meta(description="A client whose outbox stays full for so long is closed.")
    ] = 10.0
    compression: Annotated[bool, Meta(description="Offer permessage-deflate to WebSocket clients.")] = True

    def url(self, port: int | None = None) -> str:
        """The address clients are told, without a slash at its end; `port` is the one really bound."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port if port is None else port}"


class World(Section, frozen=True):
    """The world: its map, its clock and its pace."""

    file: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=_PATH,
            description="The map, relative to this file's folder; the default is found where installed, too.",
            extra={"allowed": "a path"},
        ),
    ] = "world.toml"
    tick_ms: Annotated[int, Meta(ge=20, le=1000, description="Length of a tick.")] = 100
    walk_speed: Annotated[
        float,
        Meta(ge=0.1, le=100, description="How fast agents walk.", extra={"unit": "world units per second"}),
    ] = 3.0
    seed: Annotated[
        int, Meta(ge=0, le=2**63 - 1, description="Seed of all chance; 0 takes one from the system.")
    ] = 0
    commands_per_second: Annotated[
        int, Meta(ge=1, le=10_000, description="Commands an agent may send a second.")
    ] = 20
    intake_limit: Annotated[
        int, Meta(ge=1, le=1_000_000, description='Commands waiting for a tick; more are refused as "busy".')
    ] = 10_000


class Presence(Section, frozen=True):
    """Presence: when the silent lose their seat."""

    doze_after_s: Annotated[Seconds, Meta(description="An agent not heard from for so long dozes.")] = 300.0
    leave_after_s: Annotated[Seconds, Meta(description="An agent that has dozed for so long leaves.")] = 60.0


class Think(Section, frozen=True):
    """Thinking: the minds of the inhabitants."""

    interval_ms: Annotated[int, Meta(ge=100, le=60_000, description="How often each inhabitant thinks.")] = (
        1000
    )
    budget_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="How long one thought may take; at most interval_ms.")
    ] = 50
    respawn_after_s: Annotated[
        Seconds, Meta(description="How long a mind that failed sleeps; doubles each time.")
    ] = 5.0
    respawn_max_s: Annotated[
        Seconds, Meta(description="The longest such sleep; at least respawn_after_s.")
    ] = 300.0


class Storage(Section, frozen=True):
    """Storage: where the realm is kept, and for how long."""

    engine: Annotated[Literal["sqlite"], Meta(description="Kind of store.")] = "sqlite"
    path: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=_PATH,
            description="The database, relative to state_dir.",
            extra={"allowed": "a path"},
        ),
    ] = "realm.sqlite"
    state_dir: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=_PATH,
            description="Folder of all that the realm writes, relative to the working directory.",
            extra={"allowed": "a path"},
        ),
    ] = "var"
    snapshot_interval_s: Annotated[Seconds, Meta(description="How often positions are kept.")] = 5.0
    events_days: Annotated[Days, Meta(description="How long public events are kept.")] = 30
    messages_days: Annotated[Days, Meta(description="How long direct messages and requests are kept.")] = 30
    max_mb: Annotated[
        int, Meta(ge=16, le=1_048_576, description="Size of the store; beyond it the oldest events go first.")
    ] = 1024
    board_posts: Annotated[
        int, Meta(ge=1, le=100_000, description="Notes kept on the bulletin board; the oldest goes first.")
    ] = 500
    commit_timeout_s: Annotated[
        Seconds, Meta(description="A commit that takes longer counts as failed storage.")
    ] = 10.0

    @property
    def state(self) -> Path:
        """The state directory as an absolute path."""
        return Path(os.path.expanduser(self.state_dir)).absolute()

    @property
    def database(self) -> Path:
        """The SQLite file as an absolute path."""
        return self.state / os.path.expanduser(self.path)


class Plugins(Section, frozen=True):
    """Plugins: folders whose plugins appear in the catalogue."""

    dir: Annotated[
        str,
        Meta(
            pattern=_PATH,
            description="Folder to look in; empty: none.",
            extra={"allowed": "a path, or nothing"},
        ),
    ] = "~/.openclaw"
    rescan_s: Annotated[Seconds, Meta(description="How often it is read again.")] = 60.0

    @property
    def folder(self) -> Path | None:
        """The folder as a path, `~` resolved; None when there is none."""
        return Path(os.path.expanduser(self.dir)) if self.dir else None


class Board(Section, frozen=True):
    """Board: the bulletin board called moltbook."""

    upstream: Annotated[
        str,
        Meta(
            pattern=_WEB,
            description="Feed that /api/moltbook/feed shows; empty: the room's own board.",
            extra=_AN_ADDRESS,
        ),
    ] = ""


class Log(Section, frozen=True):
    """Logs: how much is said, and in what shape."""

    level: Annotated[
        Literal["debug", "info", "warn", "error", "critical"],
        Meta(description="The least level that is written."),
    ] = "info"
    format: Annotated[
        Literal["auto", "text", "json", "journal"],
        Meta(description="Shape of a line; auto: journal under systemd, else text."),
    ] = "auto"


class Origin(Struct, frozen=True):
    """Where a value comes from; its text is what people are shown."""

    kind: Literal["default", "file", "env-file", "environment", "option"]
    #: "realmd.toml:12", ".env:3 ROOM_ID", "ROOM_ID", "--port".
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.place}".rstrip()


class Config(Struct, frozen=True, kw_only=True):
    """The effective configuration, each section by its name; `Config()` is every default."""

    room: Room = Room()
    server: Server = Server()
    world: World = World()
    presence: Presence = Presence()
    think: Think = Think()
    storage: Storage = Storage()
    plugins: Plugins = Plugins()
    board: Board = Board()
    log: Log = Log()
    #: The configuration file that was read, if any.
    file: Path | None = None
    #: "section.key" → where its value comes from; what is missing is a default.
    origins: Mapping[str, Origin] = {}
    #: Names met in the env file or as REALMD_… that mean nothing here.
    ignored: tuple[str, ...] = ()


#: Section name → its struct, in the order of realmd.toml.
SECTIONS: dict[str, type[Section]] = {
    cls.__name__.lower(): cls for cls in (Room, Server, World, Presence, Think, Storage, Plugins, Board, Log)
}

#: Environment names of the old system, and the one systemd gives a service.
#: Every key has a name of its own besides: REALMD_<SECTION>_<KEY>.
ENVIRONMENT = {
    "ROOM_ID": "room.id",
    "ROOM_NAME": "room.name",
    "ROOM_DESCRIPTION": "room.description",
    "MAX_AGENTS": "room.max_agents",
    "WORLD_MAX_AGENTS": "room.max_agents",
    "WORLD_HOST": "server.host",
    "WORLD_PORT": "server.port",
    "WORLD_RELAYS": "room.relays",
    "AGENT_THINK_INTERVAL": "think.interval_ms",
    "LOG_LEVEL": "log.level",
    "STATE_DIRECTORY": "storage.state_dir",
}

#: twistd's long options, without the dashes.
OPTIONS = {
    "host": "server.host",
    "port": "server.port",
    "world": "world.file",
    "state-dir": "storage.state_dir",
    "log-level": "log.level",
    "log-format": "log.format",
}

#: Names that other systems use for a value, as environment and options may give it.
ALIASES = {
    "log.level": {
        "trace": "debug",
        "verbose": "debug",
        "warning": "warn",
        "fatal": "critical",
    },
}

#: The first may not be greater than the second.
ORDERED = (
    ("think.budget_ms", "think.interval_ms"),
    ("think.respawn_after_s", "think.respawn_max_s"),
    ("server.message_bytes", "server.outbox_bytes"),
)
