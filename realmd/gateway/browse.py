"""GET /api/clawhub/browse: the catalogue of another site, by its API, for who looks for skills to have."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlencode

from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IAgent

from .feed import Feed, Kind
from .request import Request

#: Different questions whose answers are kept, or under way, at once.
MOST: Final = 16
LONGEST: Final = 100
SKILLS: Final = Kind(
    "catalogue", "skills", ("items", "results", "skills"), lambda skills: {"data": {"items": skills}}
)


class Browse:
    """Asks `upstream` for ``/skills?sort=&limit=``, or ``/search?q=&limit=``."""

    def __init__(self, upstream: str, clock: IReactorTime, agent: IAgent | None = None) -> None:
        self._upstream = upstream.rstrip("/")
        self._clock = clock
        self._agent = agent
        self._feeds: dict[str, Feed] = {}

    def tell(self, request: Request) -> None:
        """Answer `request` with skills, from what is kept or when the upstream has answered."""
        address = self._address(request.head.target.partition(b"?")[2])
        feed = self._feeds.pop(address, None) or self._fresh(address)
        if feed is None:
            request.header(b"retry-after", b"5")
            request.answer({"ok": False, "error": "Too many look for skills at once", "code": "busy"}, 503)
            return
        self._feeds[address] = feed  # the newest last
        feed.tell(request)

    def _fresh(self, address: str) -> Feed | None:
        """A feed for `address`, in the place of the oldest that nobody waits for."""
        if len(self._feeds) >= MOST:
            oldest = next((key for key, feed in self._feeds.items() if not feed.asked), None)
            if oldest is None:
                return None
            del self._feeds[oldest]
        return Feed(address, self._clock, self._agent, SKILLS)

    def _address(self, query: bytes) -> str:
        """Where to ask, of what the old page asks for: `q`, else `sort`, and `limit`."""
        try:
            given = parse_qs(query.decode("ascii"), errors="replace", max_num_fields=8)
        except ValueError:
            given = {}
        asked = {name: values[0][:LONGEST] for name, values in given.items()}
        limit = asked.get("limit", "")
        most = min(int(limit), 50) if limit.isdecimal() and limit.isascii() and len(limit) < 9 else 50
        if words := asked.get("q", "").strip():
            return f"{self._upstream}/search?{urlencode({'q': words, 'limit': max(most, 1)})}"
        how = {"sort": asked.get("sort") or "trending", "limit": max(most, 1)}
        return f"{self._upstream}/skills?{urlencode(how)}"
