"""`realmctl logs`: what systemd's journal has of the realm."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from ..host.logs import PRIORITIES

UNIT: Final = "realm-server.service"
#: Made by systemd where it runs (sd_booted(3)).
BOOTED: Final = Path("/run/systemd/system")


def add_logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on as more is written")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="the newest N lines (default: 100)")
    parser.add_argument("--since", metavar="TIME", help='from then on: "1 hour ago", "today", "10:30"')
    parser.add_argument("--level", choices=list(PRIORITIES), help="this and worse")
    parser.add_argument("--grep", metavar="PATTERN", help="lines in which the regular expression is found")
    parser.add_argument("--json", action="store_true", help="each line as an object, as journalctl knows it")
    parser.add_argument("--unit", default=UNIT, metavar="UNIT", help=f"(default: {UNIT})")


def command(arguments: argparse.Namespace) -> list[str]:
    """journalctl with what was asked for."""
    form = "json" if arguments.json else "short-iso"
    words = ["journalctl", f"--unit={arguments.unit}", f"--output={form}"]
    if arguments.follow:
        words.append("--follow")
    if arguments.lines is not None or not arguments.since:
        words.append(f"--lines={100 if arguments.lines is None else arguments.lines}")
    if arguments.since:
        words.append(f"--since={arguments.since}")
    if arguments.level:
        words.append(f"--priority={PRIORITIES[arguments.level]}")
    if arguments.grep:
        words.append(f"--grep={arguments.grep}")
    if not sys.stdout.isatty():
        words.append("--no-pager")
    return words


def logs(arguments: argparse.Namespace) -> int:
    """Show what the realm wrote to systemd's journal."""
    program = shutil.which("journalctl")
    if program is None or not BOOTED.is_dir():
        print(
            "There is no systemd here, so the realm's log is where it was started: on its standard error.\n"
            "To keep it: twistd -n --pidfile= realmd 2>>realm.log\n"
            "To look for errors in it: grep -E ' (error|critical) ' realm.log",
            file=sys.stderr,
        )
        return 1
    os.execv(program, command(arguments))
