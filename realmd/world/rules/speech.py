"""What agents say and show to everyone, and what they tell one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ...primitives.errors import Refused
from .. import commands, events
from ..caller import Caller
from ..model import CONTENT_CUT, TEXT_CUT, Request
from ..state import State
from ..text.visible import has_ink
from .presence import ensure_present
from .registry import rule


@rule(commands.WorldChat)
def chat(world: State, command: commands.WorldChat, caller: Caller) -> Iterator[events.Event]:
    yield from ensure_present(world, command.agent_id, caller)
    text = said(world, command.text, TEXT_CUT)
    yield events.Chat(
        agent_id=command.agent_id, timestamp=world.now, seq=world.seq(), text=text, via=caller.via
    )


@rule(commands.WorldEmote)
def emote(world: State, command: commands.WorldEmote, caller: Caller) -> Iterator[events.Event]:
    yield from ensure_present(world, command.agent_id, caller)
    yield events.Emote(
        agent_id=command.agent_id, timestamp=world.now, seq=world.seq(), emote=command.emote, via=caller.via
    )


@rule(commands.WorldAction)
def action(world: State, command: commands.WorldAction, caller: Caller) -> Iterator[events.Event]:
    yield from ensure_present(world, command.agent_id, caller)
    world.place(replace(world.tables.bodies[command.agent_id], action=command.action))
    yield events.Action(
        agent_id=command.agent_id,
        timestamp=world.now,
        action=command.action,
        target_agent_id=_known(world, command.target_agent_id) or UNSET,
    )


@rule(commands.AgentMessage)
def message(world: State, command: commands.AgentMessage, caller: Caller) -> Iterator[events.Event]:
    _need_known(world, command.to_agent_id)
    yield events.Message(
        agent_id=command.agent_id,
        timestamp=world.now,
        seq=world.seq(),
        to_agent_id=command.to_agent_id,
        content=said(world, command.content, CONTENT_CUT),
    )


@rule(commands.AgentRequest)
def request(world: State, command: commands.AgentRequest, caller: Caller) -> Iterator[events.Event]:
    _need_known(world, command.to_agent_id)
    _need_short(world, command.payload)
    known, most = world.tables.requests, world.limits.open_requests
    received = sum(1 for r in known.values() if r.to_agent_id == command.to_agent_id)
    sent = sum(1 for r in known.values() if r.agent_id == command.agent_id)
    if received >= most or sent >= most or len(known) >= world.limits.requests:
        raise Refused("inbox_full")
    seq = world.seq()
    asked = Request(f"r{seq}", command.agent_id, command.to_agent_id, command.request_type, world.now)
    world.tables.put("requests", asked.request_id, asked)
    yield events.Requested(
        agent_id=asked.agent_id,
        timestamp=world.now,
        seq=seq,
        to_agent_id=asked.to_agent_id,
        request_id=asked.request_id,
        request_type=asked.request_type,
        payload=world.cleaner.payload(command.payload),
    )


@rule(commands.AgentRespond)
def respond(world: State, command: commands.AgentRespond, caller: Caller) -> Iterator[events.Event]:
    asked = world.tables.requests.get(command.request_id)
    if asked is None or asked.to_agent_id != command.agent_id:
        raise Refused("unknown_request")
    _need_short(world, command.response)
    world.tables.drop("requests", asked.request_id)
    yield events.Responded(
        agent_id=command.agent_id,
        timestamp=world.now,
        seq=world.seq(),
        to_agent_id=asked.agent_id,
        request_id=asked.request_id,
        response=world.cleaner.payload(command.response),
    )


def said(world: State, text: str, limit: int) -> str:
    """`text` as others may see it, at most `limit` characters."""
    cleaned = world.cleaner.text(text, limit)
    if not has_ink(cleaned):
        raise Refused("nothing_said")
    return cleaned


def _known(world: State, agent_id: str | UnsetType | None) -> str | None:
    """`agent_id` if an agent has it: an id that is none's would be a text that nobody looks at."""
    return agent_id if isinstance(agent_id, str) and agent_id in world.tables.profiles else None


def _need_known(world: State, agent_id: str) -> None:
    if agent_id not in world.tables.profiles:
        raise Refused("unknown_target")


def _need_short(world: State, payload: Any) -> None:
    if len(msgspec.json.encode(payload)) > world.limits.payload_bytes:
        raise Refused("too_long")
