"""What the realm answers to questions: the world's state as plain data, ready for JSON."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct, to_builtins

from ..primitives.errors import Fault
from ..world import commands, events, queries
from ..world.engine import Masked, World
from ..world.model import ID_CUT, Plugin, Profile
from .encode import encode, place_of
from .paging import NO_CURSOR, POST, numbers, page


class Room(Struct, frozen=True):
    """The room as its operator named it; `public_url` is where its page is, without a slash."""

    room_id: str
    name: str
    description: str
    public_url: str
    relays: tuple[str, ...] = ()
    channel_id: str | None = None
    #: The realm's own Nostr key (hex), if it has one.
    pubkey: str = ""
    #: Names the history in which seqs count.
    epoch: str = ""


def room_info(world: World, room: Room) -> dict[str, Any]:
    return {
        "roomId": room.room_id,
        "name": room.name,
        "description": room.description,
        "agents": world.seats_taken(),
        "maxAgents": world.limits.max_agents,
        "nostrChannelId": room.channel_id,
        "epoch": room.epoch,
    }


def invite(world: World, room: Room) -> dict[str, Any]:
    return {
        "roomId": room.room_id,
        "name": room.name,
        "relays": list(room.relays),
        "channelId": room.channel_id,
        "url": room.public_url,
        "publicUrl": room.public_url,
        "agents": world.seats_taken(),
        "maxAgents": world.limits.max_agents,
    }


def preview_url(room: Room, agent_id: str | None) -> str:
    return f"{room.public_url}/?agent={quote(agent_id, safe='')}" if agent_id else f"{room.public_url}/"


def profiles(world: World, query: queries.Profiles) -> dict[str, Any]:
    """A page of `profiles`: who is here, then who is not, each by agentId."""
    known = _known(world, query.after, query.present)
    return page("profiles", ((cursor, world.profile(agent_id)) for cursor, agent_id in known), query.limit)


def _known(world: World, after: str, present: bool = False) -> Iterator[tuple[str, str]]:
    """Cursors and agentIds: of who is here, then, unless only `present` are asked for, of who is not."""
    here, mark, last = world.tables.bodies, after[:1], after[1:]
    if mark not in ("", "+", "-"):
        raise Fault(NO_CURSOR)
    if mark != "-":
        yield from ((f"+{agent_id}", agent_id) for agent_id in sorted(here) if agent_id > last)
        last = ""
    if not present:
        known = world.tables.order
        away = (known[at] for at in range(bisect_right(known, last), len(known)))
        yield from ((f"-{agent_id}", agent_id) for agent_id in away if agent_id not in here)


def whereabouts(world: World, agent_id: str) -> dict[str, Any]:
    """Where a present agent stands and what it does; empty for an absent one."""
    body = world.body(agent_id)
    if body is None:
        return {"present": False}
    found: dict[str, Any] = {
        "present": True,
        "position": place_of(body),
        "action": body.action,
        "zone": world.atlas.zone_at(body.x, body.z).id,
        "dozing": body.dozing,
    }
    if body.walk is not None and body.walk.path:
        x, z = body.walk.path[-1]
        found["walkingTo"] = {"x": x, "z": z, "workstationId": body.walk.workstation_id}
    if (claim := world.claim_of(agent_id)) is not None:
        found["workstationId"] = claim.workstation_id
        found["workingSince"] = claim.working_since or None
    return found


def skills(world: World, query: queries.RoomSkills) -> dict[str, Any]:
    """A page of `directory`, skill id → who declared it, in the order of `profiles`."""
    seen: list[Profile] = []

    def declared() -> Iterator[tuple[str, Any]]:
        for cursor, agent_id in _known(world, query.after):
            seen.append(world.tables.profiles[agent_id])
            yield cursor, seen[-1].skills or ()

    taken = page("agents", declared(), query.limit)
    directory: dict[str, list[dict[str, Any]]] = {}
    for profile in seen[: len(taken.pop("agents"))]:
        for skill in profile.skills or ():
            entry = {"agentId": profile.agent_id, "agentName": profile.name, "skill": skill}
            directory.setdefault(skill.skill_id, []).append(entry)
    return {"directory": directory, **taken}


def workstation(world: World, station_id: str) -> dict[str, Any]:
    station = world.atlas.workstations[station_id]
    claim = world.tables.claims.get(station_id)
    return {
        "id": station.id,
        "name": station.name,
        "zone": station.zone,
        "x": station.x,
        "z": station.z,
        "skill": station.skill,
        "description": station.description,
        "occupiedBy": claim.agent_id if claim else None,
        "occupiedSince": claim.since if claim else None,
        "workingSince": (claim.working_since or None) if claim else None,
    }


def posts(world: World, query: queries.MoltbookList) -> dict[str, Any]:
    """A page of `posts`, newest first."""
    before = numbers(query.after, POST)[0] if query.after else math.inf
    newest = reversed(world.tables.posts.values())
    return page("posts", ((post.id, post) for post in newest if int(post.id[1:]) < before), query.limit)


def reply(world: World, room: Room, command: commands.Command, happened: tuple[Any, ...]) -> dict[str, Any]:
    """The success fields of a command's answer, after what it did was made durable."""
    answer: dict[str, Any] = {"ok": True}
    durable: list[Any] = [event for event in happened if isinstance(event, events.Durable)]
    if durable:
        answer["seq"] = durable[-1].seq
    if isinstance(happened, Masked):
        answer["masked"] = True
    match command:
        case commands.Register(agent_id=agent_id):
            if agent_id in world.tables.profiles:
                answer["profile"] = world.profile(agent_id)
            answer["previewUrl"] = preview_url(room, agent_id)
            answer["ipcUrl"] = f"{room.public_url}/ipc"
        case commands.WorldWalk(agent_id=agent_id) | commands.GoToWorkstation(agent_id=agent_id):
            answer |= {k: v for k, v in whereabouts(world, agent_id).items() if k == "walkingTo"}
        case commands.MoltbookPost():
            answer["post"] = world.tables.posts.get(durable[-1].post_id)
        case commands.AgentMessage() | commands.AgentRespond():
            answer["messageId"] = f"m{durable[-1].seq}"
        case commands.AgentRequest():
            answer["requestId"] = answer["messageId"] = durable[-1].request_id
        case commands.ClawhubPublish():
            answer["skill"] = _published(durable[0].plugin)
        case commands.ClawhubInstall(skill_id=skill_id):
            answer["installed"] = world.tables.installed.get(world.cleaner.line(skill_id, ID_CUT))
    return answer


def _published(plugin: Plugin) -> dict[str, Any]:
    """A published plugin as clients know it; `author` is "unknown" where no agent published it."""
    return {**to_builtins(plugin), "author": plugin.author or "unknown", "source": "registry"}


class Told(Struct, rename="camel"):
    """What is read of a private event to list it as a letter."""

    world_type: str
    agent_id: str
    to_agent_id: str
    timestamp: int
    seq: int
    request_id: str = ""


_told = msgspec.json.Decoder(Told)


def letter(world: World, body: bytes) -> bytes:
    """A private event as an inbox lists it: as it was told, and as a letter with an id of its own.

    A request is `pending` while it is open; whether anything else was read nobody knows.
    """
    told = _told.decode(body)
    answered = told.world_type == "response"
    fields = {
        "id": told.request_id if told.world_type == "request" else f"m{told.seq}",
        "from": told.agent_id,
        "to": told.to_agent_id,
        "type": "text" if told.world_type == "message" else told.world_type,
        "status": "pending",
        "createdAt": told.timestamp,
        **({"replyTo": told.request_id} if answered else {}),
    }
    if told.world_type == "request" and told.request_id not in world.tables.requests:
        fields["status"] = "responded"
    return body[:-1] + b"," + encode(fields)[1:]


def plugins(world: World, found: list[dict[str, Any]], query: queries.ClawhubList) -> dict[str, Any]:
    """A page of `skills`: what was published and what the plugin folders hold, which goes before it."""
    published = world.tables.plugins
    lying = {entry["id"]: entry for entry in found}
    entries = (
        (key, {**(lying.get(key) or _published(published[key])), "installed": key in world.tables.installed})
        for key in sorted({*published, *lying})
        if key > query.after
    )
    return page("skills", entries, query.limit)


def installed(world: World, query: queries.ClawhubInstalled) -> dict[str, Any]:
    """A page of `installed`."""
    there = world.tables.installed
    return page("installed", ((key, there[key]) for key in sorted(there) if key > query.after), query.limit)
