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
from .bench.command import add_arguments as add_bench
from .bench.command import bench
from .config import ConfigError, load, render
from .config_text import template
from .settings import Config

#: Exit code of a wrong command line or configuration.
USAGE = 2


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
    parser.add_argument(
        "--template", action="store_true", help="print a realmd.toml with every default instead"
    )


def config(arguments: argparse.Namespace) -> int:
    """Print the effective configuration, and where each value comes from."""
    print(template() if arguments.template else render(loaded(arguments)), end="")
    return 0


SUBCOMMANDS = {
    "bench": Subcommand("drive a server and measure it from outside", add_bench, bench),
    "config": Subcommand("show the effective configuration and where it comes from", add_config, config),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code, 2 for a wrong configuration."""
    parser = argparse.ArgumentParser(prog="realmctl", description="Look after a realm.")
    parser.add_argument("--version", action="version", version=f"realmd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in SUBCOMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.run.__doc__)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return USAGE
    return code


if __name__ == "__main__":
    sys.exit(main())
