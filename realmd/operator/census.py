"""Who is here: agents and connections as the operator sees them."""

from __future__ import annotations

from typing import Any, Final

from ..gateway.websocket import Connection, Gateway
from ..world.engine import World

#: Agents, and connections, in one answer; those beyond are counted.
MOST: Final = 5000


def census(world: World, gateway: Gateway, open_connections: int, now: int) -> dict[str, Any]:
    """Everybody in the world but its inhabitants, every WebSocket, and how many in all."""
    links: dict[str, list[Connection]] = {}
    for connection in gateway.connections:
        for agent_id in connection.agents:
            links.setdefault(agent_id, []).append(connection)
    present = sorted(a for a in world.tables.bodies if a not in world.atlas.inhabitants)
    connections = sorted(gateway.connections, key=lambda connection: connection.number)
    return {
        "agents": [_agent(world, a, links.get(a, []), now) for a in present[:MOST]],
        "connections": [_connection(connection) for connection in connections[:MOST]],
        "totals": {
            "agents": len(present),
            "seats": world.limits.max_agents,
            "known": len(world.tables.profiles),
            "websockets": len(connections),
            "connections": open_connections,
            "sanctions": len(world.tables.sanctions),
        },
    }


def _agent(world: World, agent_id: str, connections: list[Connection], now: int) -> dict[str, Any]:
    profile, seen = world.profile(agent_id), world.activity.of(agent_id)
    addresses = {connection.caller.address for connection in connections} | {seen.address}
    return {
        "agentId": agent_id,
        "name": profile.name,
        "npub": profile.npub or None,
        "connections": sorted(connection.number for connection in connections),
        "addresses": sorted(addresses - {""}),
        "joinedAt": profile.joined_at,
        "lastSeen": profile.last_seen,
        "rate": round(seen.rate_at(now), 1),
    }


def _connection(connection: Connection) -> dict[str, Any]:
    return {
        "connection": connection.number,
        "address": connection.caller.address,
        "npub": connection.caller.npub or None,
        "agents": sorted(connection.agents),
        "since": connection.since,
        "messages": connection.messages,
    }
