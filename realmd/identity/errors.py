"""Why somebody is not who they say: a code for programs and one sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

#: All that a decoder raises over bytes that are not what they should be.
UNREADABLE = (ValueError, msgspec.MsgspecError, RecursionError)


class NotProven(Exception):
    """An identity was claimed and not shown.  `code` is a key of `SENTENCES`, `str()` its sentence.

    Nothing of what was presented is kept in it: it may be a secret.
    """

    SENTENCES: ClassVar[Mapping[str, str]] = {}

    def __init__(self, code: str) -> None:
        super().__init__(self.SENTENCES[code])
        self.code = code


class BadToken(NotProven):
    """A realm token that proves nothing."""

    SENTENCES: ClassVar[Mapping[str, str]] = {
        "malformed": "This is not a token of a realm, or not written as the realm writes it.",
        "unknown_key": "This token was signed with a key that the realm does not use, or no longer.",
        "bad_signature": "The signature of this token is wrong.",
        "expired": "This token has expired; register or log in again.",
        "not_yet": "This token is not valid yet; is a clock wrong?",
    }


class BadEvent(NotProven):
    """A Nostr event that nobody signed, or that breaks NIP-01."""

    SENTENCES: ClassVar[Mapping[str, str]] = {
        "shape": "This is not a Nostr event as NIP-01 has it, or it is too large.",
        "id": "The id of this event is not the SHA-256 of its contents.",
        "signature": "The signature of this event does not fit its id and pubkey.",
    }


class BadProof(NotProven):
    """A signed Nostr event that does not prove what it was sent to prove."""

    SENTENCES: ClassVar[Mapping[str, str]] = {
        "scheme": "The Authorization header must read `Nostr <base64 of a signed event>`.",
        "too_long": "That proof is longer than a proof needs to be.",
        "encoding": "The event in the Authorization header is not in standard base64.",
        "kind": "The event is of another kind than this proof needs.",
        "stale": "The event was signed too long ago; sign a fresh one, and check the clock.",
        "early": "The event was signed in the future; check the clock.",
        "url": "The event must have one `u` tag, equal to the full URL of the request.",
        "method": "The event must have one `method` tag, equal to the method of the request.",
        "payload": "The event must have one `payload` tag, the hex SHA-256 of the body of the request.",
        "challenge": "The event must have one `challenge` tag, equal to the challenge of this connection.",
        "relay": "The event must have one `relay` tag, equal to the URL of this connection.",
        "replayed": "This event has been used already; sign a new one for each login.",
        "busy": "Too many signed logins came from this address, or with this key; try again in a minute.",
        "agent": "The event must have one `d` tag, `realm-delegation:` and the agentId.",
        "realm": "The event must name this realm, by a `p` tag (its pubkey) or a `room` tag (its room id).",
        "expiration": "The event must have one `expiration` tag, in seconds and after it was signed.",
        "expired": "This delegation has expired; its owner must sign a new one.",
    }


class BadPayload(NotProven):
    """An encrypted payload (NIP-44) that cannot be read, or a text that cannot be encrypted."""

    SENTENCES: ClassVar[Mapping[str, str]] = {
        "key": "This is no pair of a secret key and a public key of secp256k1.",
        "length": "That text, or its encrypted payload, is empty, too short or too long.",
        "version": "This payload is not encrypted by version 2 of NIP-44.",
        "encoding": "This payload is not standard base64, or the text in it not UTF-8.",
        "mac": "This payload was encrypted for another pair of keys, or changed on its way.",
        "padding": "The padding of this payload is not what version 2 of NIP-44 makes it.",
    }


class BadWrap(NotProven):
    """A gift wrap (NIP-59) that shows nothing about who wrote what is in it."""

    SENTENCES: ClassVar[Mapping[str, str]] = {
        "kind": "This is not a gift wrap: its kind is neither 1059 nor 21059.",
        "receiver": "The gift wrap must have one `p` tag, the pubkey of its receiver.",
        "seal": "What the gift wrap holds is not a signed seal: kind 13, without tags.",
        "rumor": "What the seal holds is not an unsigned event, or its id is not that of its contents.",
        "author": "The seal was signed by another key than the one that the event in it names.",
        "too_long": "That event is longer than a gift wrap may hold.",
    }
