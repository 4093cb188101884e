"""Every setting of the realm: one frozen struct a section of realmd.toml.

The declarations are the only place where a type, a range, a default or a meaning is
written; `config_text` makes the allowed text and realmd.toml itself from them.  A name
ends with its unit: _s seconds, _ms milliseconds, _bytes, _mb megabytes, _days.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from .alerts import Alerts
from .auth import Auth
from .backup import Backup
from .base import Section
from .chat import Chat
from .control import Control
from .limits import Limits
from .nostr import Nostr
from .room import Board, Plugins, Presence, Room, Think, World
from .server import Server
from .storage import Log, Storage


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
    limits: Limits = Limits()
    auth: Auth = Auth()
    world: World = World()
    presence: Presence = Presence()
    think: Think = Think()
    storage: Storage = Storage()
    nostr: Nostr = Nostr()
    plugins: Plugins = Plugins()
    board: Board = Board()
    chat: Chat = Chat()
    control: Control = Control()
    backup: Backup = Backup()
    log: Log = Log()
    alerts: Alerts = Alerts()
    #: The configuration file that was read, if any.
    file: Path | None = None
    #: "section.key" → where its value comes from; what is missing is a default.
    origins: Mapping[str, Origin] = {}
    #: Names met in the env file or as REALMD_… that mean nothing here.
    ignored: tuple[str, ...] = ()


#: Section name → its struct, in the order of realmd.toml.
SECTIONS: dict[str, type[Section]] = {
    cls.__name__.lower(): cls
    for cls in (
        Room,
        Server,
        Limits,
        Auth,
        World,
        Presence,
        Think,
        Storage,
        Nostr,
        Plugins,
        Board,
        Chat,
        Control,
        Backup,
        Log,
        Alerts,
    )
}

#: Environment names of the old system, and the one systemd gives a service.
#: Every key has a name of its own besides: REALMD_<SECTION>_<KEY>.
ENVIRONMENT = {
    "ROOM_ID": "room.id",
    "ROOM_NAME": "room.name",
    "ROOM_DESCRIPTION": "room.description",
    "MAX_AGENTS": "room.max_agents",
    "WORLD_MAX_AGENTS": "room.max_agents",
    "MAX_PLAYERS": "room.max_players",
    "WORLD_HOST": "server.host",
    "WORLD_PORT": "server.port",
    "WORLD_RELAYS": "room.relays",
    "AGENT_THINK_INTERVAL": "think.interval_ms",
    "LOG_LEVEL": "log.level",
    "STATE_DIRECTORY": "storage.state_dir",
    "RUNTIME_DIRECTORY": "control.runtime_dir",
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
