"""The bulletin board, and the age of open requests."""

from __future__ import annotations

from collections.abc import Iterator

from ...primitives.errors import Refused
from .. import commands, events
from ..caller import Caller
from ..model import CONTENT_CUT, TITLE_CUT, Post
from ..state import State
from ..text.visible import has_ink
from .presence import ensure_present
from .registry import rule
from .speech import said


@rule(commands.MoltbookPost)
def post(world: State, command: commands.MoltbookPost, caller: Caller) -> Iterator[events.Event]:
    yield from ensure_present(world, command.agent_id, caller)
    title = world.cleaner.line(command.title, TITLE_CUT)
    if not has_ink(title):
        raise Refused("nothing_said")
    content = said(world, command.content, CONTENT_CUT)
    seq = world.seq()
    note = Post(f"p{seq}", title, command.agent_id, content, world.now)
    world.tables.put("posts", note.id, note)
    while len(world.tables.posts) > world.limits.board_posts:
        world.tables.drop("posts", next(iter(world.tables.posts)))
    yield events.Board(
        agent_id=command.agent_id,
        timestamp=world.now,
        seq=seq,
        post_id=note.id,
        title=note.title,
        content=note.content,
    )


def expire_requests(world: State) -> None:
    """Forget requests that nobody answered in time."""
    oldest = world.now - world.limits.request_age
    for request in [r for r in world.tables.requests.values() if r.created_at < oldest]:
        world.tables.drop("requests", request.request_id)
