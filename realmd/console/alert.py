"""`realmctl alert test`: tries every way in which the realm would tell its operator."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from ..clock import milliseconds
from ..ops.alerts import Notice
from ..ops.monitoring import sinks
from ..ops.network import cause_of
from ..ops.sinks import Sink
from ..settings import Config
from .client import configured


def add_alert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["test"], help="send one message through everything configured")
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read")
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=".env of NAME=VALUE lines to read")


async def try_out(tried: Sequence[Sink], now: int) -> list[tuple[str, str | None]]:
    """Send a notice through each; its name, and what went wrong, if anything."""
    notice = Notice(
        "raised", "test", "warning", "nothing", "this is a test of realmctl: nothing is wrong",
        "Nothing to do.", now,
    )  # fmt: skip
    results: list[tuple[str, str | None]] = []
    for sink in tried:
        faults: list[str] = []
        try:
            await sink.send([notice])
        except Exception as error:
            faults.append(cause_of(error))
        results.append((sink.name, faults[0] if faults else None))
    return results


def told(config: Config, results: Sequence[tuple[str, str | None]]) -> list[str]:
    """What to tell whoever typed it."""
    lines = [f"{name}: {'sent' if wrong is None else f'NOT sent: {wrong}'}" for name, wrong in results]
    if config.alerts.operator_npub and not any(name == "nostr" for name, _ in results):
        lines.append("nostr: NOT sent: only a running realm that is joined to relays can send it")
    if config.alerts.sentry_dsn:
        lines.append("sentry: gets what fails in the realm, no alerts; nothing was sent")
    return lines or [
        "Nobody is told: set alerts.webhook, alerts.email or alerts.operator_npub in realmd.toml."
    ]


def alert(arguments: argparse.Namespace) -> int:
    """Send a test alert through every configured way and say what happened; 1 if one failed."""
    config = configured(arguments)
    results: list[tuple[str, str | None]] = []

    async def main(reactor: Any) -> None:
        results.extend(await try_out(list(sinks(config, reactor)), milliseconds(reactor)))

    try:
        react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
    except SystemExit as end:
        if end.code:
            return int(end.code)
    lines = told(config, results)
    print("\n".join(lines))
    sys.stdout.flush()
    return 0 if results and not any("NOT" in line for line in lines) else 1
