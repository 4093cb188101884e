"""Who the realm is, what room there is, and where everybody stands: what the next telling replaces.

None of it is kept for relays that are away: they get the newest when they are back, or none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace
from twisted.logger import Logger

from ...protocol.views import Room
from ...world.engine import World
from ...world.model import Body
from ..events import classic, presence, sync
from ..events.draft import Draft
from .voice import Voice

#: A sync is skipped while nobody moves, but not for longer than this (s).
QUIET: Final = 60.0
#: A snapshot is good for so many of its intervals (NIP-40).
SNAPSHOT_LIFE: Final = 3
#: Host names that mean something else on each machine.
AT_HOME: Final = ("localhost", "127.", "::1")

Places = list[tuple[str, float, float, float, float, str]]


class Announcer:
    """Tells of `room` and `world`; `unannounced` are agents that nobody may see yet."""

    log = Logger()

    def __init__(
        self,
        world: World,
        room: Callable[[], Room],
        unannounced: Callable[[], set[str]],
        committed: Callable[[], int],
        voice: Voice,
        nip05: str,
        snapshot_interval: float,
    ) -> None:
        self.syncs = 0
        self._world = world
        self._room = room
        self._unannounced = unannounced
        self._committed = committed
        self._voice = voice
        self._nip05 = nip05
        self._life = int(SNAPSHOT_LIFE * snapshot_interval)
        self._shown: Places = []
        self._synced = 0
        #: By kind, what was said last of who the realm is.
        self._said: dict[int, Draft] = {}

    # -- where everybody stands -----------------------------------------------------------

    def sync(self, count: int = 1) -> None:
        """All positions in one ephemeral event, if somebody moved or nothing was said for a while."""
        voice, now = self._voice, self._voice.wall()
        bodies = self._bodies()
        places = [(b.agent_id, b.x, b.y, b.z, b.rotation, b.action) for b in bodies]
        if not voice.relays.connected() or (places == self._shown and now - self._synced < QUIET * 1000):
            return
        self._shown, self._synced = places, now
        for draft in sync.sync(self._room(), bodies, now, self._committed(), voice.max_bytes()):
            voice.send(draft)
            self.syncs += 1

    def snapshot(self, count: int = 1) -> None:
        """The same with names and colours, for whoever comes later."""
        voice = self._voice
        if not voice.relays.connected():
            return
        profiles = self._world.tables.profiles
        agents = [(body, profiles[body.agent_id]) for body in self._bodies()]
        for draft in sync.snapshot(
            self._room(), agents, voice.wall(), self._committed(), voice.max_bytes(),
            life=self._life, stamps=voice.stamps,
        ):  # fmt: skip
            voice.seen({draft.tags[0][1]: draft.created_at})  # the `d` tag
            voice.send(draft)

    def _bodies(self) -> list[Body]:
        hidden = self._unannounced()
        return [body for name, body in self._world.tables.bodies.items() if name not in hidden]

    # -- who and what ----------------------------------------------------------------------

    def announce(self, count: int = 1) -> None:
        """The room, and who the realm is if that changed or was not said yet."""
        voice, room = self._voice, self._room()
        seats = self._world.seats_taken(), self._world.limits.max_agents
        voice.send(classic.discovery(room, *seats, voice.stamp(classic.DISCOVERY_TAG)))
        self.space(is_open=True)
        for draft in (
            presence.metadata(room, 0, nip05=self._nip05_name(room)),
            presence.relay_list(room.relays, 0),
        ):
            if self._said.get(draft.kind) != draft:
                self._said[draft.kind] = draft
                voice.send(replace(draft, created_at=voice.stamp(str(draft.kind))))

    def space(self, *, is_open: bool) -> Any:
        """The room as a meeting space, open or closed; fires with what became of it."""
        room, voice = self._room(), self._voice
        return voice.send(presence.space(room, voice.key.pubkey, voice.stamp(room.room_id), is_open=is_open))

    def warn(self) -> None:
        """Tell the operator what makes an announcement useless."""
        host = urlsplit(self._room().public_url).hostname or ""
        if host.startswith(AT_HOME):
            self.log.warn(
                "relays are told an address of this host alone: set server.public_url address={url}",
                url=self._room().public_url,
            )

    def _nip05_name(self, room: Room) -> str:
        """The name that /.well-known/nostr.json vouches for; only HTTPS can (NIP-05)."""
        parts = urlsplit(room.public_url)
        usable = self._nip05 and parts.scheme == "https" and parts.port in (None, 443)
        return f"{self._nip05}@{parts.hostname}" if usable else ""
