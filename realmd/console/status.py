"""`realmctl status` and `realmctl top`."""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from . import look, screen
from .client import Unreachable, add_realm, realm_of
from .rooms import meant

#: Exit codes of `status`: well, not well, and nobody there.
WELL, UNWELL, AWAY = 0, 1, 3
#: How often (s) `top` looks.
EVERY: Final = 2.0


def add_status(parser: argparse.ArgumentParser) -> None:
    add_realm(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the report of /health, the metrics and the last minutes"
    )


def status(arguments: argparse.Namespace) -> int:
    """Show on one screen how the realm does; ends with 0 if it is well, 1 if not, 3 if nobody answers."""
    realm = realm_of(arguments)
    try:
        report = realm.status()
    except Unreachable as error:
        print(meant(str(error), arguments.room), file=sys.stderr)
        return AWAY
    health, recent = report["health"], report.get("recent") or {}
    metrics, hidden = {}, ""
    try:
        metrics = realm.metrics()
    except Unreachable as error:  # as it is from outside, behind the proxy
        hidden = error.what
    if arguments.json:
        print(json.dumps({"health": health, "metrics": metrics, "recent": recent}))
    else:
        print(
            "\n".join(screen.summary(health, metrics, recent, realm.url, hidden, look.width(), look.paint()))
        )
    return WELL if health.get("status") == "ok" else UNWELL


def add_top(parser: argparse.ArgumentParser) -> None:
    add_realm(parser)
    parser.add_argument("--once", action="store_true", help="print one picture and end")
    parser.add_argument("--json", action="store_true", help="print the samples of the last half hour and end")


def top(arguments: argparse.Namespace) -> int:
    """Show live how the realm does; `q` ends it."""
    realm = realm_of(arguments)
    if arguments.json or arguments.once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        try:
            report = realm.status()
            print(
                json.dumps(report)
                if arguments.json
                else "\n".join(screen.top(report, realm.url, 80, 100, False))
            )
        except Unreachable as error:
            print(meant(str(error), arguments.room), file=sys.stderr)
            return AWAY
        return 0
    with _terminal():
        while True:
            width, height = shutil.get_terminal_size()
            try:
                lines = screen.top(realm.status(), realm.url, width, height - 1)
            except Unreachable as error:
                text = meant(f"{error}\n\nq quits", arguments.room)
                lines = [line[:width] for line in text.splitlines()]
            # Home, each line with its rest erased, then all that is below: nothing flickers.
            sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
            sys.stdout.flush()
            if _key(EVERY) in ("q", "Q", "\x03", "\x04"):
                return 0


def _key(patience: float) -> str:
    """The key pressed within `patience` s, or nothing."""
    ready, _, _ = select.select([sys.stdin], [], [], patience)
    return os.read(sys.stdin.fileno(), 1).decode("latin-1") if ready else ""


@contextmanager
def _terminal() -> Iterator[None]:
    """Keys as they are pressed, on a screen of our own; all as before at the end."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[2J")
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
