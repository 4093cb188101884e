"""`realmctl --room NAME …`: a further room of this machine, as realm-server@NAME.service keeps it."""

from __future__ import annotations

import argparse
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from . import logs

#: Where the rooms have what is theirs, each by its name; see debian/units/realm-server@.service.
CONFIGURATIONS: Final = Path("/etc/realm-server")
STATES: Final = Path("/var/lib/realm-server-rooms")
SOCKETS: Final = Path("/run/realm-server-rooms")
BACKUPS: Final = Path("/var/backups/realm-server")
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
    if name is None:
        return ""
    if "config" in arguments:
        if arguments.config is not None:
            return "--room names the configuration; leave --config out"
        arguments.config = CONFIGURATIONS / f"{name}.toml"
        environ["REALMD_STORAGE_STATE_DIR"] = str(STATES / name)
        environ["REALMD_CONTROL_RUNTIME_DIR"] = str(SOCKETS / name)
        environ["REALMD_BACKUP_DIR"] = str(BACKUPS / name)
    elif arguments.run is logs.logs:
        if arguments.unit == logs.UNIT:
            arguments.unit = f"realm-server@{name}.service"
    else:
        return "--room means nothing to this command"
    return ""


def meant(advice: str, name: str | None) -> str:
    """What to type for the room that `--room` named, made of what to type for the main one."""
    if name is None:
        return advice
    return _MAIN.sub(
        lambda main: f"realmctl --room {name}" if main[0] == "realmctl" else f"{main[0]}@{name}", advice
    )
