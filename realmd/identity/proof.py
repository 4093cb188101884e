"""Logging in with a Nostr key: by a signed HTTP header (NIP-98) or an answered challenge (after NIP-42).

What these raise is a `BadProof` or a `BadEvent`, both `NotProven`.  A good proof is still to be
shown to `Replays`: here nothing is remembered.
"""

from __future__ import annotations

import base64
import hashlib

from msgspec import Struct

from .errors import BadProof
from .nostr_event import Event, check, decode

HTTP_KIND = 27235
CHALLENGE_KIND = 22242
#: How far (ms) `created_at` may be from now, either way.
HTTP_WINDOW = 60_000
#: NIP-42 proposes about ten minutes: the challenge is what makes the answer fresh, not the clock.
CHALLENGE_WINDOW = 600_000
MOST_HEADER = 8192


class Proof(Struct, frozen=True, gc=False):
    """The holder of `pubkey` (hex) signed event `event_id` (hex) for this.  Times in ms since the epoch.

    The same event would be a proof until `until`.
    """

    pubkey: str
    event_id: str
    created: int
    until: int


def check_http(header_value: str, url: str, method: str, body: bytes, now: int) -> Proof:
    """Who signed this request, by the value of its Authorization header; `now` in ms.

    `url` is the public URL that was asked for, with its query; `body` the exact bytes received.
    """
    if len(header_value) > MOST_HEADER:
        raise BadProof("too_long")
    event = _from_header(header_value)
    if event.kind != HTTP_KIND:
        raise BadProof("kind")
    _check_time(event, now, HTTP_WINDOW)
    if only(event, "u", "url") != url:
        raise BadProof("url")
    if only(event, "method", "method").upper() != method.upper():
        raise BadProof("method")
    # A tag that is there must be right, even when there is no body that calls for it.
    if (body or any(tag[:1] == ("payload",) for tag in event.tags)) and (
        only(event, "payload", "payload").lower() != hashlib.sha256(body).hexdigest()
    ):
        raise BadProof("payload")
    check(event)
    return _proof(event, HTTP_WINDOW)


def check_challenge(
    event: Event, challenge: str, url: str, now: int, *, window: int = CHALLENGE_WINDOW
) -> Proof:
    """Who answered the `challenge` that this connection to `url` was given; `now` and `window` in ms.

    An empty challenge is none, and no answer fits it.  Whoever gave the challenge takes it back once
    it is answered.
    """
    if event.kind != CHALLENGE_KIND:
        raise BadProof("kind")
    _check_time(event, now, window)
    if not challenge or only(event, "challenge", "challenge") != challenge:
        raise BadProof("challenge")
    # Clients that parse URLs add a last slash or take it away.
    if only(event, "relay", "relay").removesuffix("/") != url.removesuffix("/"):
        raise BadProof("relay")
    check(event)
    return _proof(event, window)


def only(event: Event, name: str, code: str) -> str:
    """The value of the one tag called `name`; BadProof(code) if there is none, or more than one."""
    tags = [tag for tag in event.tags if tag[:1] == (name,)]
    if len(tags) != 1 or len(tags[0]) < 2:
        raise BadProof(code)
    return tags[0][1]


def _from_header(value: str) -> Event:
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "nostr" or not encoded:
        raise BadProof("scheme")
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        raise BadProof("encoding") from None
    # Some clients leave the padding out; nothing else may be written in two ways.
    canonical = base64.b64encode(data).decode()
    if encoded not in (canonical, canonical.rstrip("=")):
        raise BadProof("encoding")
    return decode(data)


def _check_time(event: Event, now: int, window: int) -> None:
    created = event.created_at * 1000
    if created < now - window:
        raise BadProof("stale")
    if created > now + window:
        raise BadProof("early")


def _proof(event: Event, window: int) -> Proof:
    created = event.created_at * 1000
    return Proof(event.pubkey, event.id, created, created + window)
