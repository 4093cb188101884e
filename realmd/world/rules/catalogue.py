"""The plugin catalogue of the room: a plugin is its publisher's, an installation its installer's."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from functools import lru_cache
from typing import Final, Literal

from msgspec import UNSET

from ...primitives.errors import Refused
from .. import commands, events
from ..caller import Caller
from ..model import (
    DESCRIPTION_CUT,
    ID_CUT,
    OPERATOR,
    SKILL_NAME_CUT,
    TAG_CUT,
    TAGS,
    VERSION_CUT,
    Installed,
    Plugin,
)
from ..state import State
from ..text.likeness import skeletons
from .registry import rule

#: Whom the journal names when a caller gave no agentId.
ROOM: Final = "room"
#: What ids look like, kept for as many as there are: each publication is compared with all of them.
_keys: Final = lru_cache(2048)(skeletons)


@rule(commands.CatalogueFound)
def found(world: State, command: commands.CatalogueFound, caller: Caller) -> tuple[events.Event, ...]:
    world.catalogue = command.versions
    return ()


@rule(commands.ClawhubPublish)
def publish(world: State, command: commands.ClawhubPublish, caller: Caller) -> Iterator[events.Event]:
    """The id is its publisher's from then on; what is installed of it stays as it is."""
    publisher = _sender(world, command)
    plugin = _plugin(world, command, publisher)
    known, plugins = world.tables.plugins.get(plugin.id), world.tables.plugins
    if known is None:
        if _is_taken(world, plugin.id):
            raise Refused("plugin_taken")
        own = sum(1 for other in plugins.values() if other.author == publisher)
        _need_room(world, plugins, own, publisher)
    elif known.author != publisher:
        raise Refused("plugin_taken")
    world.tables.put("plugins", plugin.id, plugin)
    yield events.Catalogue(
        agent_id=publisher or ROOM, timestamp=world.now, seq=world.seq(),
        phase="published", skill_id=plugin.id, plugin=plugin,
    )  # fmt: skip
    installed = world.tables.installed.get(plugin.id)
    if installed is not None and installed.installed_by not in ("", publisher):
        yield events.Republished(
            agent_id=publisher or ROOM,
            timestamp=world.now,
            seq=world.seq(),
            to_agent_id=installed.installed_by,
            skill_id=plugin.id,
            version=plugin.version,
            installed_version=installed.version,
        )


@rule(commands.ClawhubInstall)
def install(world: State, command: commands.ClawhubInstall, caller: Caller) -> Iterator[events.Event]:
    """Once only, but for the version that came since: whoever installed the plugin may take that."""
    installer, skill_id = _sender(world, command), world.cleaner.line(command.skill_id, ID_CUT)
    known = world.tables.plugins.get(skill_id)
    version = world.catalogue.get(skill_id) or (known.version if known else None)
    if version is None:
        raise Refused("not_found", "skill not found")
    there = world.tables.installed.get(skill_id)
    if there is not None and (there.version == version or there.installed_by != installer):
        return
    if there is None:
        own = sum(1 for other in world.tables.installed.values() if other.installed_by == installer)
        _need_room(world, world.tables.installed, own, installer)
    installed = Installed(skill_id, version, world.now, installer)
    world.tables.put("installed", skill_id, installed)
    yield events.Catalogue(
        agent_id=installer or ROOM, timestamp=world.now, seq=world.seq(),
        phase="installed", skill_id=skill_id, installed=installed,
    )  # fmt: skip


@rule(commands.ClawhubUninstall)
def uninstall(world: State, command: commands.ClawhubUninstall, caller: Caller) -> Iterator[events.Event]:
    sender, skill_id = _sender(world, command), world.cleaner.line(command.skill_id, ID_CUT)
    installed = world.tables.installed.get(skill_id)
    if installed is None:
        raise Refused("not_installed")
    if installed.installed_by != sender:
        raise Refused("not_installer")
    world.tables.drop("installed", skill_id)
    yield events.Catalogue(
        agent_id=sender or ROOM, timestamp=world.now, seq=world.seq(), phase="uninstalled", skill_id=skill_id
    )


@rule(commands.Remove)
def remove(world: State, command: commands.Remove, caller: Caller) -> Iterator[events.Event]:
    gone: list[tuple[str, Literal["uninstalled", "unpublished"]]] = [("installed", "uninstalled")]
    if command.unpublish:
        gone.append(("plugins", "unpublished"))
    told = False
    for kind, phase in gone:
        if command.skill_id in world.tables.rows(kind):
            told = True
            world.tables.drop(kind, command.skill_id)
            yield events.Catalogue(
                agent_id=OPERATOR,
                timestamp=world.now,
                seq=world.seq(),
                phase=phase,
                skill_id=command.skill_id,
            )
    if not told:
        raise Refused("not_found")


def _sender(world: State, command: commands.Command) -> str:
    """Who sends it, known to the realm; empty: a program of this host that speaks for no agent."""
    agent_id: str | None = command.agent_id  # type: ignore[attr-defined]
    if agent_id is not None and agent_id not in world.tables.profiles:
        raise Refused("unknown_agent", "Unknown or unregistered agentId")
    return agent_id or ""


def _is_taken(world: State, plugin_id: str) -> bool:
    """Whether an id that is new looks like one that is known, published or of the plugin folder."""
    keys = _keys(plugin_id)
    return any(keys & _keys(known) for known in (*world.tables.plugins, *world.catalogue))


def _need_room(world: State, table: Sized, own: int, sender: str) -> None:
    """Refuse one more when the table is full, or the sender has its share of it."""
    if len(table) >= world.limits.plugins or (sender and own >= world.limits.own_plugins):
        raise Refused("catalogue_full")


def _plugin(world: State, command: commands.ClawhubPublish, publisher: str) -> Plugin:
    """The plugin as it is kept and told: cleaned and cut."""
    line = world.cleaner.line
    plugin = Plugin(
        id=line(command.id, ID_CUT),
        name=line(command.name, SKILL_NAME_CUT),
        description=world.cleaner.text(command.description, DESCRIPTION_CUT),
        author=publisher,
        version=line(command.version, VERSION_CUT),
        tags=tuple(line(tag, TAG_CUT) for tag in command.tags[:TAGS]),
        published_at=world.now,
        credit=line(command.author, SKILL_NAME_CUT) or UNSET,
    )
    if not plugin.id or not plugin.name:
        raise Refused("nothing_said")
    return plugin
