"""`realmctl --room NAME …`: a further room of this machine, as realm-server@NAME.service keeps it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from ..settings.reading import FILE_NAME
from . import logs

#: Where the rooms have what is theirs, each by its name; see debian/units/realm-server@.service.
CONFIGURATIONS: Final = Path("/etc/realm-server")
STATES: Final = Path("/var/lib/realm-server-rooms")
SOCKETS: Final = Path("/run/realm-server-rooms")
BACKUPS: Final = Path("/var/backups/realm-server")
#: The configuration of the main room, and where systemd takes each room's environment from.
MAIN: Final = CONFIGURATIONS / "realmd.toml"
ENVIRONMENTS: Final = Path("/etc/default")
#: What names the main room in something to type: our command, and its unit.
_MAIN: Final = re.compile(r"\brealmctl(?= [a-z])|(?<= )realm-server(?=[;:]|$)", re.MULTILINE)


def add_room(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--room", type=_name, metavar="NAME",
        help="before the command: a further room, that of realm-server@NAME (default: the main one)",
    )  # fmt: skip


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a room")
    return text


def enter(arguments: argparse.Namespace, environ: MutableMapping[str, str]) -> str:
    """Let the command mean the room that `--room` names, if any; why it cannot, or "".

    The room's places go before those of its file, which may be a copy of the main room's.
    """
    name = arguments.room
    if name is not None and "config" in arguments:
        if arguments.config is not None:
            return "--room names the configuration; leave --config out"
        arguments.config = CONFIGURATIONS / f"{name}.toml"
        environ["REALMD_STORAGE_STATE_DIR"] = str(STATES / name)
        environ["REALMD_CONTROL_RUNTIME_DIR"] = str(SOCKETS / name)
        environ["REALMD_BACKUP_DIR"] = str(BACKUPS / name)
    elif name is not None and arguments.run is logs.logs:
        if arguments.unit == logs.UNIT:
            arguments.unit = f"realm-server@{name}.service"
    elif name is not None:
        return "--room means nothing to this command"
    if "env_file" in arguments and arguments.env_file is None:
        arguments.env_file = _environment(arguments.config or Path(environ.get(FILE_NAME, "")))
    return ""


def _environment(config: Path) -> Path | None:
    """The file with the environment that systemd gives the room of this configuration, if there is one."""
    if config.parent != CONFIGURATIONS:
        return None
    file = ENVIRONMENTS / ("realm-server" if config == MAIN else f"realm-server@{config.stem}")
    return file if os.access(file, os.R_OK) else None


def meant(advice: str, name: str | None) -> str:
    """What to type for the room that `--room` named, made of what to type for the main one."""
    if name is None:
        return advice
    return _MAIN.sub(
        lambda main: f"realmctl --room {name}" if main[0] == "realmctl" else f"{main[0]}@{name}", advice
    )
