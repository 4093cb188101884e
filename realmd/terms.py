"""What the configuration says, in the terms of the parts: their own structs, times in their units."""

from __future__ import annotations

from .gateway.wire import Bounds
from .runtime.credentials import Lifetimes
from .runtime.thinker import Spans
from .settings import Config
from .storage.interface import Retention
from .world.engine import Limits

DAY_MS = 86_400_000


def limits(config: Config) -> Limits:
    """What the world allows."""
    return Limits(
        max_agents=config.room.max_agents,
        walk_speed=config.world.walk_speed,
        commands_per_second=config.world.commands_per_second,
        doze_after=int(config.presence.doze_after_s * 1000),
        leave_after=int(config.presence.leave_after_s * 1000),
        board_posts=config.storage.board_posts,
        request_age=config.storage.messages_days * DAY_MS,
        auth=config.auth.mode,
        blocked_words=config.chat.blocked_words,
    )


def spans(config: Config) -> Spans:
    """How long minds may think, and sleep after a failure."""
    return Spans(
        interval=config.think.interval_ms / 1000,
        budget=config.think.budget_ms / 1000,
        respawn_after=config.think.respawn_after_s,
        respawn_max=config.think.respawn_max_s,
    )


def retention(config: Config) -> Retention:
    """How long the store keeps what."""
    return Retention(
        events_age=config.storage.events_days * DAY_MS,
        messages_age=config.storage.messages_days * DAY_MS,
        max_bytes=config.storage.max_mb * 1_048_576,
    )


def lifetimes(config: Config) -> Lifetimes:
    """How long tokens and their keys live."""
    return Lifetimes(config.auth.token_days * DAY_MS, config.auth.key_days * DAY_MS)


def bounds(config: Config) -> Bounds:
    """What one WebSocket may use."""
    server = config.server
    return Bounds(server.message_bytes, server.outbox_bytes, server.outbox_patience_s, server.compression)
