"""The plugin catalogue of the room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...errors import Refused
from .. import commands, events
from ..engine import World, rule
from ..model import Installed, Plugin

#: Whom the journal names when a caller gave no agentId, or one that is no agent's.
ROOM: Final = "room"


@rule(commands.CatalogueFound)
def found(world: World, command: commands.CatalogueFound, now: int) -> tuple[events.Event, ...]:
    world.catalogue = command.versions
    return ()


@rule(commands.ClawhubPublish)
def publish(world: World, command: commands.ClawhubPublish, now: int) -> Iterator[events.Event]:
    plugins = world.tables.plugins
    if command.id not in plugins and len(plugins) >= world.limits.plugins:
        raise Refused("catalogue_full")
    line = world.cleaner.line
    plugin = Plugin(
        id=command.id,
        name=line(command.name, 100),
        description=world.cleaner.text(command.description, 500),
        author=line(command.author, 100),
        version=line(command.version, 32),
        tags=tuple(line(tag, 64) for tag in command.tags),
        published_at=now,
    )
    world.tables.put("plugins", plugin.id, plugin)
    yield events.Catalogue(
        agent_id=_who(world, command.agent_id), timestamp=now, seq=world.seq(),
        phase="published", skill_id=plugin.id, plugin=plugin,
    )  # fmt: skip


@rule(commands.ClawhubInstall)
def install(world: World, command: commands.ClawhubInstall, now: int) -> Iterator[events.Event]:
    known = world.tables.plugins.get(command.skill_id)
    version = known.version if known else world.catalogue.get(command.skill_id)
    if version is None:
        raise Refused("not_found")
    if command.skill_id in world.tables.installed:
        raise Refused("already_installed")
    if len(world.tables.installed) >= world.limits.plugins:
        raise Refused("catalogue_full")
    installed = Installed(command.skill_id, version, now)
    world.tables.put("installed", installed.skill_id, installed)
    yield events.Catalogue(
        agent_id=_who(world, command.agent_id), timestamp=now, seq=world.seq(),
        phase="installed", skill_id=installed.skill_id, installed=installed,
    )  # fmt: skip


@rule(commands.ClawhubUninstall)
def uninstall(world: World, command: commands.ClawhubUninstall, now: int) -> Iterator[events.Event]:
    if command.skill_id not in world.tables.installed:
        raise Refused("not_installed")
    world.tables.drop("installed", command.skill_id)
    yield events.Catalogue(
        agent_id=_who(world, command.agent_id), timestamp=now, seq=world.seq(),
        phase="uninstalled", skill_id=command.skill_id,
    )  # fmt: skip


def _who(world: World, agent_id: str | None) -> str:
    return agent_id if agent_id is not None and agent_id in world.tables.profiles else ROOM
