"""`realmctl alert test`: tries every way in which the realm would tell its operator."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import convert, to_builtins
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from ..host.clock import make_steady
from ..host.reactor import IReactor
from ..ops.trial import LONGEST, Tried, try_out
from ..settings import Config
from .client import configured
from .columns import plain
from .control import Away, Line, Nobody, Refusal
from .operator import AWAY, REFUSED


def add_alert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["test"], help="send one message through everything configured")
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read")
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=".env of NAME=VALUE lines to read")
    parser.add_argument("--json", action="store_true", help="print what happened as JSON")


def from_here(config: Config) -> list[Tried]:
    """Try everything as whoever types this, where no realm runs that could."""
    results: list[Tried] = []

    async def main(reactor: IReactor) -> None:
        results.extend(await try_out(config, reactor, None))

    try:
        react(lambda reactor: Deferred.fromCoroutine(main(make_steady(reactor))))
    except SystemExit as end:
        if end.code:
            raise
    return results


def told(config: Config, results: Sequence[Tried]) -> list[str]:
    """What to tell whoever typed it."""
    lines = [f"{one.sink}: {f'NOT sent: {plain(one.error)}' if one.error else 'sent'}" for one in results]
    if not results:
        lines.append(
            "Nobody is told: set alerts.webhook, alerts.email or alerts.operator_npub in realmd.toml, "
            "and restart the realm."
        )
    if config.alerts.sentry_dsn:
        lines.append("sentry: gets what fails in the realm, no alerts; nothing was sent")
    return lines


def alert(arguments: argparse.Namespace) -> int:
    """Let the running realm send a test alert in every configured way and say what happened; 1 if one failed.

    Where no realm runs it is sent from here, which tells nothing of the realm's user and sandbox.
    """
    config = configured(arguments)
    try:
        with Line(config) as line:
            results = convert(line.ask("alert-test", patience=LONGEST)["sinks"], list[Tried])
    except Refusal as refusal:
        print(f"realmctl: {plain(refusal)} ({refusal.code})", file=sys.stderr)
        return REFUSED
    except Nobody:
        print("No realm runs here: tried by realmctl, as you, outside the realm's sandbox.", file=sys.stderr)
        results = from_here(config)
    except Away as away:
        print(f"realmctl: {away}", file=sys.stderr)
        return AWAY
    sinks = {"sinks": to_builtins(results)}
    print(json.dumps(sinks) if arguments.json else "\n".join(told(config, results)), flush=True)
    return 0 if results and not any(one.error for one in results) else 1
