"""realmctl: what an operator types.

To add a subcommand: a function that runs it, one that adds its arguments, a row in SUBCOMMANDS and
one in EXAMPLES.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from msgspec.structs import replace

from . import __version__
from .backup.command import add_backup, add_restore, add_rollback, backup, restore, rollback
from .backup.import_command import add_import, run_import
from .bench.command import add_arguments as add_bench
from .bench.command import bench
from .console import operator
from .console.alert import add_alert, alert
from .console.client import listening_at
from .console.doctor import add_doctor, doctor
from .console.logs import add_logs, logs
from .console.rooms import add_room, enter
from .console.setup_command import add_setup, setup
from .console.status import add_status, add_top, status, top
from .nostr.command import add_nostr, nostr
from .nostr.rebuild_command import add_rebuild, rebuild
from .settings import Config
from .settings.reading import ConfigError, load, render
from .settings.text import template, values

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
    instead.add_argument("--json", action="store_true", help="print the values as JSON instead")


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
    if arguments.template:
        print(template(), end="")
        return 0
    found = loaded(arguments)
    if arguments.json:
        print(json.dumps(values(found)))
        return 0
    print(render(found), end="")
    server = replace(found.server, public_url="")
    if (address := listening_at(found)) not in ("", server.url()):
        print(f"\n# The realm that runs here was told otherwise: it listens at {address}")
    return 0


SUBCOMMANDS = {
    "status": Subcommand("show on one screen how the realm does", add_status, status),
    "top": Subcommand("show live how the realm does", add_top, top),
    "logs": Subcommand("show what the realm wrote to the journal", add_logs, logs),
    "doctor": Subcommand("look for what is wrong, and say what to type", add_doctor, doctor),
    "alert": Subcommand("try out how the operator is told of alerts", add_alert, alert),
    "who": Subcommand("show the agents and connections", operator.add_plain, operator.who),
    "say": Subcommand("say something to everyone", operator.add_say, operator.say),
    "kick": Subcommand("send an agent out, or close a connection", operator.add_kick, operator.kick),
    "mute": Subcommand("let nobody hear an agent", operator.add_sanction, operator.mute),
    "unmute": Subcommand("end a mute", operator.add_target, operator.unmute),
    "ban": Subcommand("refuse everything to somebody", operator.add_sanction, operator.ban),
    "unban": Subcommand("end a ban", operator.add_target, operator.unban),
    "sanctions": Subcommand("show who is muted and banned", operator.add_plain, operator.sanctions),
    "uninstall": Subcommand("take a plugin out of the room", operator.add_uninstall, operator.uninstall),
    "drain": Subcommand("empty the realm before it stops", operator.add_drain, operator.drain),
    "token": Subcommand("give an agent a fresh token", operator.add_token, operator.token),
    "revoke": Subcommand("take tokens, keys or owners back", operator.add_revoke, operator.revoke),
    "keys": Subcommand("change the key that signs tokens", operator.add_keys, operator.keys),
    "nostr": Subcommand("show, import or back up the realm's Nostr key", add_nostr, nostr),
    "backup": Subcommand("back the realm up, and look after its backups", add_backup, backup),
    "restore": Subcommand("restore the realm from a backup", add_restore, restore),
    "rollback": Subcommand("go back to before the last upgrade", add_rollback, rollback),
    "rebuild": Subcommand("make a lost realm anew from its relays", add_rebuild, rebuild),
    "import": Subcommand("take over what the old system kept", add_import, run_import),
    "config": Subcommand("show the effective configuration and where it comes from", add_config, config),
    "setup": Subcommand("make a fresh installation a public realm", add_setup, setup),
    "bench": Subcommand("drive a server and measure it from outside", add_bench, bench),
}
#: One of each, for its own `--help`.
EXAMPLES = {
    "status": "realmctl status",
    "top": "realmctl top",
    "logs": "realmctl logs --since today --level warn",
    "doctor": "sudo realmctl doctor",
    "alert": "realmctl alert test",
    "who": "realmctl who",
    "say": "realmctl say The realm restarts in five minutes.",
    "kick": 'realmctl kick ada --reason "Come back tomorrow."',
    "mute": "realmctl mute ada --for 30m",
    "unmute": "realmctl unmute ada",
    "ban": "realmctl ban 203.0.113.0/24 --for 7d --reason spam",
    "unban": "realmctl unban 203.0.113.0/24",
    "sanctions": "realmctl sanctions --json",
    "uninstall": "realmctl uninstall weather --unpublish",
    "drain": "realmctl drain --seconds 300 --stop",
    "token": "realmctl token ada",
    "revoke": "realmctl revoke ada --keys",
    "keys": "realmctl keys rotate",
    "nostr": "realmctl nostr key --backup realm.nsec",
    "backup": "realmctl backup list",
    "restore": "realmctl restore --force --until 2026-11-23T10:30",
    "rollback": "realmctl rollback",
    "rebuild": "realmctl rebuild --from-nostr wss://relay.example.org --check",
    "import": "realmctl import --dry-run /srv/old-realm",
    "config": "realmctl config",
    "setup": "sudo realmctl setup --domain realm.example.org --nginx --ufw",
    "bench": "realmctl bench --spawn --agents 50 --viewers 100",
}
#: What `--help` lists together, under which words, and an example.
GROUPS = (
    ("How the realm does", "status", "realmctl status"),
    ("Who is in it", "who", 'realmctl ban 203.0.113.0/24 --for 2h --reason "spam"'),
    ("Who is who", "token", "realmctl token ada"),
    ("The way back", "backup", "realmctl backup && realmctl backup verify"),
    ("Setting it up", "config", "realmctl config --check"),
)


class Guessing(argparse.ArgumentParser):
    """Says what may have been meant by a word that is none of those that it knows."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        known = [str(choice) for choice in action.choices or ()]
        if not known or value in known:
            return
        close = difflib.get_close_matches(str(value), known, 1)
        if isinstance(action, argparse._SubParsersAction):
            hint = f"did you mean {close[0]!r}?" if close else f"{self.prog} --help lists them"
            raise argparse.ArgumentError(None, f"there is no command {value!r}; {hint}")
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise argparse.ArgumentError(action, f"{value!r} is none of its values; {hint}")


class Words(Guessing):
    """Reads the command line; its help has the commands in groups."""

    def format_help(self) -> str:
        names = list(SUBCOMMANDS)
        starts = [names.index(first) for _, first, _ in GROUPS]
        lines = [self.format_usage(), f"{self.description}", ""]
        for (title, _, example), start, end in zip(GROUPS, starts, [*starts[1:], len(names)], strict=True):
            lines += [title, *(f"  {name:<11}{SUBCOMMANDS[name].help}" for name in names[start:end])]
            lines += [f"  $ {example}", ""]
        lines += [
            "realmctl COMMAND --help tells the options of a command.  --room NAME before the command means a",
            "further room, that of realm-server@NAME; --version shows which realmd this is.",
        ]
        return "\n".join(lines) + "\n"

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """What reads the command line; the manual page and the shell's completion are made from it, too."""
    parser = Words(
        prog="realmctl", description="Looks after a realm.", usage="realmctl [--room NAME] COMMAND …"
    )
    parser.add_argument("--version", action="version", version=f"realmd {__version__}")
    add_room(parser)
    commands = parser.add_subparsers(
        title="commands",
        metavar="COMMAND",
        required=True,
        prog="realmctl",
        parser_class=Guessing,
    )
    for name, command in SUBCOMMANDS.items():
        example = f"Example: {EXAMPLES[name]}"
        sub = commands.add_parser(name, help=command.help, description=command.run.__doc__, epilog=example)
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
