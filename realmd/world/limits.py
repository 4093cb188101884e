"""What the world allows."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Ages in ms, speed in units a second."""

    max_agents: int = 50
    #: Of those, for visitors of the page; 0: any.
    max_players: int = 0
    address_seats_percent: int = 50
    network_seats_percent: int = 75
    walk_speed: float = 3.0
    commands_per_second: int = 20
    doze_after: int = 300_000
    leave_after: int = 60_000
    board_posts: int = 500
    request_age: int = 30 * 86_400_000
    open_requests: int = 100
    requests: int = 10_000
    payload_bytes: int = 8192
    plugins: int = 500
    #: Of those, published or installed by one agent.
    own_plugins: int = 50
    profiles: int = 10_000
    sanctions: int = 10_000
    #: How long an agent stays known after it was last heard (ms), if room for another is needed.
    forget_after: int = 30 * 86_400_000
    auth: Literal["local-open", "required", "open"] = "local-open"
    blocked_words: tuple[str, ...] = ()
