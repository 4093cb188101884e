"""The bridge put together: the key, the relays, and what is said on them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from random import Random, SystemRandom
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from ..gateway.request import JSON, Request
from ..host.clock import milliseconds
from ..host.network import NotTaken
from ..host.reactor import IReactor
from ..identity import bech32, gift_wrap
from ..identity.nostr_event import Event
from ..ops.checks import Check
from ..ops.metrics import Metrics
from ..runtime.daemon import Stage
from ..runtime.journal import Journal
from ..runtime.realm import Realm
from ..settings import Config
from ..storage.publications import IPublications
from .bridge.bridge import Bridge
from .bridge.key import Key
from .events import presence
from .events.draft import Draft
from .relay import work
from .relay.bounds import Bounds
from .relay.pool import Pool
from .relay.work import Mine

#: The daemon must be gone soon after it is asked to go.
BOUNDS: Final = Bounds(closing=0.8)

#: The kind of a private message (NIP-17).
PRIVATE_MESSAGE: Final = 14


class RelayError(Exception):
    """A relay or key of the configuration that cannot be one; the text says which."""


class Links(NamedTuple):
    """The relays of the realm and its key, neither opened; `mine` gives events proof of work."""

    key: Key
    pool: Pool
    mine: Mine


def links(config: Config, reactor: IReactor, rng: Random, environ: Mapping[str, str] = os.environ) -> Links:
    """The links that the configuration asks for.  Raises `RelayError`."""
    bounds = replace(BOUNDS, rate=config.nostr.events_per_second)
    state = config.storage.state
    key = Key(state, config.nostr.key_path(state), os.urandom, environ)

    def wall() -> int:
        return milliseconds(reactor)

    def run(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *args)

    def mine(event: Event, bits: int) -> Deferred[Event]:
        return Deferred.fromCoroutine(work.mine(event, bits, bounds.work_patience, reactor, run, rng))

    urls = tuple(dict.fromkeys(config.room.relays)) if config.nostr.enabled else ()
    try:
        pool = Pool(reactor, urls, signer=key, run=run, now=wall, rng=rng, bounds=bounds)
    except ValueError as error:
        raise RelayError(f"room.relays: {error}") from None
    return Links(key, pool, mine)


def bridge(
    config: Config,
    realm: Realm,
    journal: Journal,
    publications: IPublications,
    made: Links,
    reactor: IReactor,
) -> Bridge:
    """What the realm says on these links, not started."""

    def wall() -> int:
        return milliseconds(reactor)

    return Bridge(realm, journal, made.key, made.pool, publications, config.nostr, reactor, wall, made.mine)


def pages(made: Bridge, name: str) -> dict[bytes, Callable[[Request], None]]:
    """Path → handler: who `name` at this host is (NIP-05), for the pages of every site."""

    def nostr_json(request: Request) -> None:
        names = {name: made.key.pubkey} if name and made.key.pubkey else {}
        request.header(b"access-control-allow-origin", b"*")
        request.send(presence.nip05(names, made.room.relays), JSON)

    return {b"/.well-known/nostr.json": nostr_json}


def messenger(made: Bridge, npub: str, *, wait: bool = False) -> Callable[[str], Awaitable[None]] | None:
    """What sends the operator a private message (NIP-17), if the realm is on relays and there is one.

    It is kept until relays have it; with `wait` it is not, and who sends it waits for the first relay
    that takes it, or gets `NotTaken`.  Raises `RelayError` for an npub that is none.
    """
    if not (made.enabled and npub):
        return None
    try:
        operator = bech32.decode("npub", npub).hex()
    except bech32.BadBech32 as error:
        raise RelayError(f"alerts.operator_npub: {error}") from None
    rng = SystemRandom()

    async def send(text: str) -> None:
        now = made.voice.seconds()
        draft = Draft(PRIVATE_MESSAGE, now, (("p", operator),), text)
        secret = made.key.secret
        wrap = gift_wrap.wrap(draft, secret, operator, now, entropy=os.urandom, rng=rng)
        if not wait:
            await made.keep_signed(wrap)
        elif trouble := await made.hand_over(wrap):
            raise NotTaken(trouble)

    return send


def stages(made: Bridge, last_seq: Callable[[], int]) -> tuple[Stage, Stage]:
    """Its part of the daemon's life, after the store's: the relays, and what is said on them.

    `last_seq` tells what the store had committed when it was opened.
    """
    relays = Stage("relays")
    if made.enabled:
        made.pool.setServiceParent(relays)
    publishing = Stage(
        "publishing",
        lambda: Deferred.fromCoroutine(made.start(last_seq())),
        lambda: Deferred.fromCoroutine(made.stop()),
    )
    return relays, publishing


def checks(made: Bridge) -> dict[str, Callable[[], Check]]:
    """For /health: a realm without its relays is not what it was asked to be, but serves."""

    def relays() -> Check:
        trouble = made.trouble()
        figures = {"connected": len(made.pool.connected()), "configured": len(made.pool.clients)}
        return Check("degraded" if trouble else "ok", trouble, figures)

    return {"relays": relays} if made.enabled else {}


def watch(made: Bridge, metrics: Metrics) -> None:
    """What the bridge and its relays are asked for at each scrape of /metrics."""
    metrics.watch_all(made.figures())
    metrics.watch_each(
        "realmd_nostr_published_total", "Events handed to relays for good.", "kind",
        lambda: {kind: float(count) for kind, count in made.outbox.published.items()},
    )  # fmt: skip
    for figure in made.pool.figures():
        metrics.watch_each(figure.name, figure.text, figure.label, figure.values)
