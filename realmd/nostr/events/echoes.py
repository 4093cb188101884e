"""What was lately said in the channel, by us or by others, so that nobody's echo is taken for news.

An echo has the content of what it repeats: the agent, the kind, the words, and as a rule the time at
which it was said, whatever key signs it.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw, Struct

#: Contents remembered; the one unheard the longest is forgotten.
MOST: Final = 2048
#: Within how long (ms) the same words are an echo, though the time in them is another, or none.
CLOSE: Final = 10_000


class _Content(Struct, rename="camel"):
    """Of a world message, what tells it from others; its `timestamp` as it was written."""

    world_type: str
    agent_id: str
    text: str = ""
    emote: str = ""
    timestamp: Raw = Raw(b"")


_content: Final = msgspec.json.Decoder(_Content)


class Echoes:
    """Remembers messages.  Times are ms by any clock that does not go back."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._heard: OrderedDict[bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._heard)

    def note(self, content: str | bytes, now: int) -> bool:
        """Remember a message (JSON); whether it is an echo of one that was noted before.

        An echo keeps what it repeats from being forgotten.  What is no message is none.
        """
        try:
            found = _content.decode(content)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        words, stamp = found.text or found.emote, bytes(found.timestamp)
        what = found.world_type.encode(), found.agent_id.encode(), words.encode()
        echo = bool(stamp) and self._seen(now, *what, stamp) is not None
        if words:  # coming and going is told apart by its time alone
            then = self._seen(now, *what)
            echo = echo or (then is not None and now - then < CLOSE)
        return echo

    def _seen(self, now: int, *parts: bytes) -> int | None:
        """When this was noted before, if it was; from now on it was now."""
        key = blake2b(msgspec.json.encode(parts), digest_size=16).digest()
        then = self._heard.pop(key, None)
        self._heard[key] = now
        if len(self._heard) > self._most:
            self._heard.popitem(last=False)
        return then
