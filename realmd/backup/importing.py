"""Bringing what the old system kept into the realm: twice gives the same, and nothing newer is lost.

What is imported happens as events, so that the journal tells it like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, Struct, field
from msgspec.structs import replace

from ..host.reactor import IReactor
from ..protocol.encode import event as encode_event
from ..storage.engines import ENGINES
from ..storage.interface import Entry, StorageError
from ..storage.store import Store
from ..world import events
from ..world.bounds import cut
from ..world.limits import Limits
from ..world.model import RESERVED, Installed, Post, Profile
from ..world.rules.catalogue import ROOM
from ..world.tables import Changes, Tables
from .legacy import Legacy
from .manifest import BackupError


class Plan(Struct):
    """What an import does: events to journal, a line for each thing taken and each left."""

    happened: list[events.Durable] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unchanged: int = 0


def plan(tables: Tables, legacy: Legacy, inhabitants: Iterable[str], board_posts: int) -> Plan:
    """Put into `tables` what is new, and say what that was."""
    made, own = Plan(), {*inhabitants, *RESERVED}
    for profile in legacy.profiles:
        if profile.agent_id in own:
            made.left.append(f"agent {profile.agent_id}: this name is the realm's own")
        else:
            _profile(made, tables, profile)
    _posts(made, tables, legacy.posts, board_posts)
    for installed in legacy.installed:
        _installed(made, tables, installed)
    return made


async def carry_out(
    location: str,
    engine: str,
    reactor: IReactor,
    legacy: Legacy,
    inhabitants: Iterable[str],
    board_posts: int,
) -> Plan:
    """Import into the store at `location`, all or nothing; refuses while a realm runs on it."""
    store = Store(ENGINES[engine], location, reactor)
    try:
        loaded = await store.open()
        tables = Tables()
        tables.load(loaded.rows, loaded.seq)
        made = plan(tables, legacy, inhabitants, board_posts)
        changes: Changes = tables.seal()
        if made.happened:
            await store.begin_epoch()
        await store.commit([_entry(event) for event in made.happened], changes.after, tables.seq)
    except StorageError as error:
        raise BackupError(f"Nothing was imported. {error}") from error
    finally:
        await store.close()
    return made


def _entry(event: events.Durable) -> Entry:
    kind = str(type(event).__struct_config__.tag)
    return Entry(event.seq, event.timestamp, kind, event.agent_id, None, encode_event(event))


def _profile(made: Plan, tables: Tables, new: Profile) -> None:
    old = tables.profiles.get(new.agent_id)
    if old is not None and old.last_seen > new.last_seen:
        made.left.append(f"agent {new.agent_id}: the realm has heard of it since")
        return
    if old is None and len(tables.profiles) >= Limits().profiles:
        made.left.append(
            f"agent {new.agent_id}: the realm knows {len(tables.profiles)} agents, which is all it can"
        )
        return
    if old is not None:  # a key that the realm knows, proven or not, is not taken away from its agent
        new = replace(
            new,
            joined_at=min(old.joined_at, new.joined_at),
            pubkey=old.pubkey or new.pubkey,
            npub=old.npub,
            avatar=old.avatar if new.avatar is UNSET else new.avatar,
            skills=old.skills if new.skills is UNSET else new.skills,
        )
    new = cut(new)
    if old == new:
        made.unchanged += 1
        return
    tables.put("profiles", new.agent_id, new)
    made.happened.append(events.of_profile(events.ProfileChanged, new, new.last_seen, tables.next_seq()))
    made.taken.append(f"agent {new.agent_id}")


def _posts(made: Plan, tables: Tables, posts: list[Post], most: int) -> None:
    known = {_essence(post) for post in tables.posts.values()}
    new: dict[tuple[Any, ...], Post] = {}
    for post in posts:
        new.setdefault(_essence(post), post)
    fresh = sorted((p for essence, p in new.items() if essence not in known), key=lambda p: p.created_at)
    made.unchanged += len(new) - len(fresh)
    room = max(0, most - len(tables.posts))
    for post in fresh[: max(0, len(fresh) - room)]:
        made.left.append(
            f"note {post.title!r}: the board holds {most} (storage.board_posts), and newer ones came first"
        )
    for post in fresh[max(0, len(fresh) - room) :]:
        seq = tables.next_seq()
        kept = replace(post, id=f"p{seq}")
        tables.put("posts", kept.id, kept)
        made.happened.append(
            events.Board(
                agent_id=kept.author,
                timestamp=kept.created_at,
                seq=seq,
                post_id=kept.id,
                title=kept.title,
                content=kept.content,
            )
        )
        made.taken.append(f"note {kept.title!r} by {kept.author}")


def _essence(post: Post) -> tuple[Any, ...]:
    return post.author, post.title, post.content, post.created_at


def _installed(made: Plan, tables: Tables, new: Installed) -> None:
    old = tables.installed.get(new.skill_id)
    if old == new:
        made.unchanged += 1
    elif old is not None and old.installed_at >= new.installed_at:
        made.left.append(f"plugin {new.skill_id}: the realm has installed it since")
    elif old is None and len(tables.installed) >= Limits().plugins:
        made.left.append(f"plugin {new.skill_id}: the catalogue is full")
    else:
        tables.put("installed", new.skill_id, new)
        made.happened.append(
            events.Catalogue(
                agent_id=ROOM,
                timestamp=new.installed_at,
                seq=tables.next_seq(),
                phase="installed",
                skill_id=new.skill_id,
                installed=new,
            )
        )
        made.taken.append(f"plugin {new.skill_id} {new.version}")
