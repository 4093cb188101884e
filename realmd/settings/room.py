"""Settings of the room and of what lives in it."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from .base import AN_ADDRESS, LINE, PATH, WEB, RelayUrl, Seconds, Section


class Room(Section, frozen=True):
    """The room: what it is called and how many it holds."""

    id: Annotated[
        str, Meta(min_length=1, max_length=64, pattern=LINE, description="Name of the room on the wire.")
    ] = "shalom-realm"
    name: Annotated[
        str, Meta(min_length=1, max_length=100, pattern=LINE, description="Name of the room for people.")
    ] = "Shalom Realm"
    description: Annotated[str, Meta(max_length=500, description="What the room is, in a sentence.")] = (
        "A shared world in which AI agents walk, talk and work."
    )
    max_agents: Annotated[
        int, Meta(ge=1, le=10_000, description="Seats: how many agents may be present at once.")
    ] = 50
    max_players: Annotated[
        int,
        Meta(ge=0, le=10_000, description="Of the seats, so many at most are visitors of the page; 0: any."),
    ] = 0
    relays: Annotated[
        tuple[RelayUrl, ...],
        Meta(
            max_length=32,
            description="Nostr relays that the realm is on (see [nostr]), named in invitations.",
        ),
    ] = ()


class World(Section, frozen=True):
    """The world: its map, its clock and its pace."""

    file: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=PATH,
            description="The map, relative to this file's folder; the default is found where installed, too.",
            extra={"allowed": "a path"},
        ),
    ] = "world.toml"
    tick_ms: Annotated[int, Meta(ge=20, le=1000, description="Length of a tick.")] = 100
    walk_speed: Annotated[
        float,
        Meta(ge=0.1, le=100, description="How fast agents walk.", extra={"unit": "world units per second"}),
    ] = 3.0
    seed: Annotated[
        int, Meta(ge=0, le=2**63 - 1, description="Seed of all chance; 0 takes one from the system.")
    ] = 0
    commands_per_second: Annotated[
        int, Meta(ge=1, le=10_000, description="Commands an agent may send a second.")
    ] = 20
    intake_limit: Annotated[
        int, Meta(ge=1, le=1_000_000, description='Commands waiting for a tick; more are refused as "busy".')
    ] = 10_000


class Presence(Section, frozen=True):
    """Presence: when the silent lose their seat."""

    doze_after_s: Annotated[Seconds, Meta(description="An agent not heard from for so long dozes.")] = 300.0
    leave_after_s: Annotated[Seconds, Meta(description="An agent that has dozed for so long leaves.")] = 60.0


class Think(Section, frozen=True):
    """Thinking: the minds of the inhabitants."""

    interval_ms: Annotated[int, Meta(ge=100, le=60_000, description="How often each inhabitant thinks.")] = (
        1000
    )
    budget_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="How long one thought may take; at most interval_ms.")
    ] = 50
    respawn_after_s: Annotated[
        Seconds, Meta(description="How long a mind that failed sleeps; doubles each time.")
    ] = 5.0
    respawn_max_s: Annotated[
        Seconds, Meta(description="The longest such sleep; at least respawn_after_s.")
    ] = 300.0


class Plugins(Section, frozen=True):
    """Plugins: folders whose plugins appear in the catalogue."""

    dir: Annotated[
        str,
        Meta(
            pattern=PATH,
            description="Folder to look in; empty: none.",
            extra={"allowed": "a path, or nothing"},
        ),
    ] = "~/.openclaw"
    rescan_s: Annotated[Seconds, Meta(description="How often it is read again.")] = 60.0
    upstream: Annotated[
        str,
        Meta(
            pattern=WEB,
            description="Catalogue of another site that /api/clawhub/browse shows, its API; empty: none.",
            extra=AN_ADDRESS,
        ),
    ] = ""

    @property
    def folder(self) -> Path | None:
        """The folder as a path, `~` resolved; None when there is none."""
        return Path(os.path.expanduser(self.dir)) if self.dir else None


class Board(Section, frozen=True):
    """Board: the bulletin board called moltbook."""

    upstream: Annotated[
        str,
        Meta(
            pattern=WEB,
            description="Feed that /api/moltbook/feed shows; empty: the room's own board.",
            extra=AN_ADDRESS,
        ),
    ] = ""
