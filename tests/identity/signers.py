"""Keys and events for the tests of identity: small known secrets, no randomness but what is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from realmd.identity import nostr_event
from realmd.identity.keys import KeyRing
from realmd.identity.nostr_event import Event

NOW = 1_790_000_000_000
HOUR = 3_600_000
OWNER = bytes(31) + b"\x03"
STRANGER = bytes(31) + b"\x04"


def entropy(seed: int = 1) -> Callable[[int], bytes]:
    """Bytes that look as good as os.urandom's and are the same each time."""
    return lambda count: bytes((seed * 37 + index) % 256 for index in range(count))


def ring(overlap: int = HOUR) -> KeyRing:
    return KeyRing.create(NOW, entropy(), overlap)


def event(
    kind: int,
    *tags: Sequence[str],
    secret: bytes = OWNER,
    created_at: int = NOW // 1000,
    content: str = "",
) -> Event:
    return nostr_event.sign(secret, bytes(32), kind=kind, created_at=created_at, tags=tags, content=content)


def spoilt(text: str) -> st.SearchStrategy[str]:
    """`text` with one character changed, left out, doubled or added."""
    places = st.integers(0, len(text) - 1)
    characters = st.one_of(st.sampled_from(sorted(set(text))), st.characters(codec="latin-1"))
    changed = st.builds(lambda at, new: text[:at] + new + text[at + 1 :], places, characters)
    cut = st.builds(lambda at: text[:at] + text[at + 1 :], places)
    added = st.builds(lambda at, new: text[:at] + new + text[at:], places, characters)
    return st.one_of(changed, cut, added).filter(lambda other: other != text)
