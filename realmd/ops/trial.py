"""A test notice through every configured way to tell the operator, and what became of it at each."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from twisted.logger import Logger

from ..host.clock import milliseconds
from ..host.network import cause_of
from ..host.reactor import IReactor
from ..settings import Config
from .alerts import Notice
from .monitoring import sinks
from .sinks import SendNostr

#: Longest time (s) that all of it takes: a webhook, a mail and a Nostr message, one after another.
LONGEST: Final = 60.0
#: What stands for a Nostr message that nobody can send.
NO_RELAYS: Final = "only a running realm that is joined to relays can send it"


class Tried(Struct, frozen=True):
    """What became of the notice at one of them; `error` is empty if it was sent."""

    sink: str
    error: str = ""


async def try_out(config: Config, reactor: IReactor, nostr: SendNostr | None) -> list[Tried]:
    """Send a notice through each, whatever became of it at the others."""
    notice = Notice(
        "raised",
        "test",
        "warning",
        "nothing",
        "this is a test of realmctl: nothing is wrong",
        "Nothing to do.",
        milliseconds(reactor),
    )
    log = Logger()
    results: list[Tried] = []
    for sink in sinks(config, reactor, nostr):
        try:
            await sink.send([notice])
            results.append(Tried(sink.name))
        except Exception as error:
            results.append(Tried(sink.name, cause_of(error)))
            log.info("alert test not sent sink={sink} cause={cause}", sink=sink.name, cause=cause_of(error))
    if config.alerts.operator_npub and nostr is None:
        results.append(Tried("nostr", NO_RELAYS))
    return results
