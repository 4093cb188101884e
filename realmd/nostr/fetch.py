"""A realm's log as its relays have it: every page of each, believed only where the signature holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from msgspec import Struct, field
from twisted.internet.defer import TimeoutError as Late
from twisted.internet.threads import deferToThreadPool

from ..host.reactor import IReactor
from ..identity import nostr_event, schnorr
from ..identity.nostr_event import Event
from .events import log
from .events.chain import MOST_BATCHES
from .events.draft import Unreadable
from .events.log import Head
from .relay.bounds import Bounds
from .relay.client import Client
from .relay.pool import Pool
from .relay.sending import Signer

#: Events asked for at once; relays give fewer, each its own number.
PAGE: Final = 500
#: How long (s) a relay may take over a page.
PATIENCE: Final = 30.0
#: Bytes of content that are read from all relays together.
MOST_BYTES: Final = 1024 * 1024 * 1024

Say = Callable[[str], object]


class TooMuch(Exception):
    """Relays have more than one reading takes."""


class Found(Struct):
    """What relays gave: batches by id, the newest checkpoint, and the relays that did not answer."""

    batches: dict[str, Event] = field(default_factory=dict)
    checkpoint: Head | None = None
    silent: list[str] = field(default_factory=list)
    size: int = 0


async def fetch(
    reactor: IReactor, relays: Sequence[str], author: str, room_id: str, secret: bytes, say: Say,
    bounds: Bounds | None = None,
) -> Found:  # fmt: skip
    """The log of the room by `author` (pubkey, hex) from all of `relays`; a relay at a time.

    `secret` answers relays that want to know who asks.  Raises `TooMuch`, or ValueError for a URL.
    """
    pubkey = schnorr.public_key(secret).hex()
    signer = Signer(pubkey, lambda draft: nostr_event.sign_draft(draft, secret, os.urandom(32)))
    pool = Pool(
        reactor, relays, signer=signer, rng=Random(), bounds=bounds, now=lambda: time.time_ns() // 1_000_000,
        run=lambda function, *args: deferToThreadPool(reactor, reactor.getThreadPool(), function, *args),
    )  # fmt: skip
    found = Found()
    stated: list[tuple[int, Head]] = []
    pool.startService()
    try:
        for url, client in pool.clients.items():
            before = len(found.batches)
            try:
                await _batches(client, author, room_id, found)
                stated += await _checkpoints(client, author, room_id)
            except TimeoutError as error:
                found.silent.append(url)
                cause = client.health.cause or str(error) or "no answer in time"
                say(f"relay {url}: {cause}; {len(found.batches) - before} batches until then")
            else:
                say(f"relay {url}: {len(found.batches) - before} batches that were not known yet")
    finally:
        await pool.stopService()
    found.checkpoint = max(stated, key=lambda one: one[0])[1] if stated else None
    return found


async def _batches(client: Client, author: str, room_id: str, found: Found) -> None:
    """Page by `until`, the newest first; inclusive, since a page may end amid a second."""
    wanted = {"kinds": [log.KIND], "authors": [author], "#d": [log.log_tag(room_id)], "limit": PAGE}
    here: set[str] = set()
    until: int | None = None
    while True:
        page = await _ask(client, wanted if until is None else {**wanted, "until": until})
        fresh = [event for event in page if event.id not in here]
        if not fresh:
            return
        here.update(event.id for event in fresh)
        until = min(event.created_at for event in fresh)
        for event in fresh:
            if event.id not in found.batches:
                found.size += len(event.content)
                found.batches[event.id] = event
        if len(found.batches) > MOST_BATCHES or found.size > MOST_BYTES:
            raise TooMuch(f"more than {MOST_BATCHES} batches, or {MOST_BYTES >> 20} MB")


async def _checkpoints(client: Client, author: str, room_id: str) -> list[tuple[int, Head]]:
    wanted = {"kinds": [log.CHECKPOINT], "authors": [author], "#d": [log.checkpoint_tag(room_id)]}
    stated = []
    for event in await _ask(client, wanted):
        try:
            stated.append((event.created_at, log.read_checkpoint(event, author, room_id)))
        except Unreadable:
            continue
    return stated


async def _ask(client: Client, wanted: dict[str, Any]) -> list[Event]:
    try:
        return await client.query([wanted], most=4 * PAGE, patience=PATIENCE)
    except Late:
        raise TimeoutError from None
