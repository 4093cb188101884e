"""Settings of the operator's way into the running daemon."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from .base import PATH, Section

#: The socket's name where the configuration gives none.
NAME: Final = "control.sock"


class Control(Section, frozen=True):
    """Control: the socket by which `realmctl` talks to the running daemon."""

    socket: Annotated[
        str,
        Meta(
            pattern=PATH,
            description="The Unix socket, relative to state_dir. "
            "Empty: control.sock in runtime_dir if there is one, else in state_dir.",
            extra={"allowed": "a path, or nothing"},
        ),
    ] = ""
    runtime_dir: Annotated[
        str,
        Meta(
            pattern=PATH,
            description="Folder for what need not outlive the process; systemd gives one.",
            extra={"allowed": "a path, or nothing"},
        ),
    ] = ""
    group: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]{0,32}$",
            description="Group that may use the socket, besides the daemon's own user. "
            "Empty: realmd or realm-server if there is one, else the daemon's own.",
            extra={"allowed": "the name of a group, or nothing"},
        ),
    ] = ""

    def place(self, state: Path) -> Path:
        """Where the daemon makes the socket, as an absolute path."""
        if self.socket:
            return state / os.path.expanduser(self.socket)
        return Path(self.runtime_dir or state).absolute() / NAME
