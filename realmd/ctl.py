"""realmctl: what an operator types.

To add a subcommand: a function that runs it, one that adds its arguments, a row in SUBCOMMANDS.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from . import __version__
from .backup.command import add_backup, add_restore, add_rollback, backup, restore, rollback
from .backup.import_command import add_import, run_import
from .bench.command import add_arguments as add_bench
from .bench.command import bench
from .console import operator
from .console.alert import add_alert, alert
from .console.doctor import add_doctor, doctor
from .console.logs import add_logs, logs
from .console.rooms import add_room, enter
from .console.setup_command import add_setup, setup
from .console.status import add_status, add_top, status, top
from .nostr.command import add_nostr, nostr
from .nostr.rebuild_command import add_rebuild, rebuild
from .settings import Config
from .settings.reading import ConfigError, load, render
from .settings.text import template

#: Exit codes: it did not work; a wrong command line or configuration; what a shell says of one that was
#: interrupted, and of one whose reader went away.
FAILED, USAGE, INTERRUPTED, UNREAD = 1, 2, 130, 141


class Subcommand(NamedTuple):
    """What `--help` says, what the command takes, and what runs it and returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_config_files(parser: argparse.ArgumentParser) -> None:
    """The options of every subcommand that reads the configuration."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read")
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=".env of NAME=VALUE lines to read")


def loaded(arguments: argparse.Namespace) -> Config:
    """The configuration that `add_config_files` names, with the process environment."""
    return load(arguments.config, os.environ, {}, env_file=arguments.env_file)


def add_config(parser: argparse.ArgumentParser) -> None:
    add_config_files(parser)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--template", action="store_true", help="print a realmd.toml with every default instead"
    )
    instead.add_argument(
        "--check", action="store_true", help="only see whether the daemon would take it, and the map"
    )


def config(arguments: argparse.Namespace) -> int:
    """Print the effective configuration, and where each value comes from."""
    if arguments.check:
        from .runtime.map import read_atlas
        from .world.atlas import AtlasError

        try:
            print(f"{read_atlas(loaded(arguments)).name} is in order")
        except AtlasError as error:
            print(error, file=sys.stderr)
            return USAGE
        return 0
    print(template() if arguments.template else render(loaded(arguments)), end="")
    return 0


SUBCOMMANDS = {
    "alert": Subcommand("try out how the operator is told of alerts", add_alert, alert),
    "backup": Subcommand("back the realm up, and look after its backups", add_backup, backup),
    "ban": Subcommand("refuse everything to somebody", operator.add_sanction, operator.ban),
    "bench": Subcommand("drive a server and measure it from outside", add_bench, bench),
    "config": Subcommand("show the effective configuration and where it comes from", add_config, config),
    "doctor": Subcommand("look for what is wrong, and say what to type", add_doctor, doctor),
    "drain": Subcommand("empty the realm before it stops", operator.add_drain, operator.drain),
    "import": Subcommand("take over what the old system kept", add_import, run_import),
    "keys": Subcommand("change the key that signs tokens", operator.add_keys, operator.keys),
    "kick": Subcommand("send an agent out, or close a connection", operator.add_kick, operator.kick),
    "logs": Subcommand("show what the realm wrote to the journal", add_logs, logs),
    "mute": Subcommand("let nobody hear an agent", operator.add_sanction, operator.mute),
    "nostr": Subcommand("show, import or back up the realm's Nostr key", add_nostr, nostr),
    "rebuild": Subcommand("make a lost realm anew from its relays", add_rebuild, rebuild),
    "restore": Subcommand("restore the realm from a backup", add_restore, restore),
    "uninstall": Subcommand("take a plugin out of the room", operator.add_uninstall, operator.uninstall),
    "revoke": Subcommand("take tokens, keys or owners back", operator.add_revoke, operator.revoke),
    "rollback": Subcommand("go back to before the last upgrade", add_rollback, rollback),
    "sanctions": Subcommand("show who is muted and banned", operator.add_plain, operator.sanctions),
    "say": Subcommand("say something to everyone", operator.add_say, operator.say),
    "status": Subcommand("show on one screen how the realm does", add_status, status),
    "token": Subcommand("give an agent a fresh token", operator.add_token, operator.token),
    "top": Subcommand("show live how the realm does", add_top, top),
    "unban": Subcommand("end a ban", operator.add_target, operator.unban),
    "unmute": Subcommand("end a mute", operator.add_target, operator.unmute),
    "who": Subcommand("show the agents and connections", operator.add_plain, operator.who),
    "setup": Subcommand("make a fresh installation a public realm", add_setup, setup),
}


def parser() -> argparse.ArgumentParser:
    """What reads the command line; the manual page and the shell's completion are made from it, too."""
    parser = argparse.ArgumentParser(prog="realmctl", description="Look after a realm.")
    parser.add_argument("--version", action="version", version=f"realmd {__version__}")
    add_room(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in SUBCOMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.run.__doc__)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code, 2 for a wrong configuration."""
    try:
        try:
            words = parser()
            arguments = words.parse_args(argv)
            if wrong := enter(arguments, os.environ):
                words.error(wrong)
            code: int = arguments.run(arguments)
        finally:
            print(end="", flush=True)  # what cannot be written is to fail here, not when Python ends
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return USAGE
    except (KeyboardInterrupt, EOFError):
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return UNREAD
    except OSError as error:
        _give_up_output()
        where = f"{error.filename}: " if error.filename else ""
        print(f"realmctl: {where}{error.strerror or error}", file=sys.stderr)
        return FAILED
    return code


def _give_up_output() -> None:
    """What cannot be written is forgotten, else Python tries again when it ends."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
