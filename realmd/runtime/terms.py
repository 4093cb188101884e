"""What the configuration allows, in the world's own terms."""

from __future__ import annotations

from ..settings import Config
from ..settings.chat import Chat
from ..storage.interface import DAY_MS
from ..world.limits import Limits
from ..world.text.profanity import COMMON


def limits(config: Config) -> Limits:
    """What the world allows."""
    return Limits(
        max_agents=config.room.max_agents,
        max_players=config.room.max_players,
        address_seats_percent=config.limits.address_seats_percent,
        network_seats_percent=config.limits.network_seats_percent,
        walk_speed=config.world.walk_speed,
        commands_per_second=config.world.commands_per_second,
        doze_after=int(config.presence.doze_after_s * 1000),
        leave_after=int(config.presence.leave_after_s * 1000),
        board_posts=config.storage.board_posts,
        request_age=config.storage.messages_days * DAY_MS,
        auth=config.auth.mode,
        blocked_words=blocked_words(config.chat),
    )


def blocked_words(chat: Chat) -> tuple[str, ...]:
    """The words that nobody is shown: those named, and the common ones if that is switched on."""
    return (*chat.blocked_words, *(COMMON if chat.block_profanity else ()))
