"""The classic protocol, outgoing: events and the world's state → JSON, each encoded once."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ..world.engine import World
from ..world.events import Event
from ..world.model import Body, Profile
from .frames import text_frame

_encoder: Final = msgspec.json.Encoder()
encode: Final = _encoder.encode


class PositionView(Struct, frozen=True, rename="camel"):
    """A body's place as `snapshot` tells it."""

    agent_id: str
    x: float
    y: float
    z: float
    rotation: float
    timestamp: int


class AgentView(Struct, frozen=True, omit_defaults=True):
    """One agent of a `snapshot`."""

    profile: Profile
    position: PositionView
    action: str
    dozing: bool = False


def place_of(body: Body) -> PositionView:
    return PositionView(body.agent_id, body.x, body.y, body.z, body.rotation, body.timestamp)


def agent(world: World, agent_id: str) -> bytes:
    """The JSON of one agent as `snapshot` lists it."""
    body = world.tables.bodies[agent_id]
    return encode(AgentView(world.profile(agent_id), place_of(body), body.action or "idle", body.dozing))


def event(happened: Event) -> bytes:
    """The JSON of one event, as it is journalled, listed and sent."""
    return encode(happened)


def raw_list(bodies: list[bytes]) -> list[Raw]:
    """Encoded values, to stand in a larger answer without being encoded again."""
    return [Raw(body) for body in bodies]


def message(kind: str, /, **fields: Any) -> bytes:
    """The frame of any other server message."""
    return text_frame(encode({"type": kind, **fields}))
