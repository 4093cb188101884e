"""Those a sanction is about are told, and shown out if it is a ban."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from ..gateway.websocket import Connection, Gateway
from ..world.engine import World
from ..world.model import Sanction
from ..world.sanctions import covers

#: RFC 6455, section 7.4.1: policy violation.
POLICY: Final = 1008
#: Bytes of a close frame's reason (section 5.5).
CLOSE_REASON: Final = 123


def concerned(world: World, gateway: Gateway, sanction: Sanction) -> Iterator[Connection]:
    """The open connections that a sanction is about."""
    for connection in opened(gateway):
        if sanction.scope == "network":
            about = covers(sanction, connection.caller.address)
        elif sanction.scope == "agent":
            about = sanction.target in connection.agents
        else:
            about = sanction.target in _keys(world, connection)
        if about:
            yield connection


def opened(gateway: Gateway) -> list[Connection]:
    """The connections that are not closing already."""
    return [c for c in gateway.connections if c.state == c.STATE_OPEN]


def _keys(world: World, connection: Connection) -> set[str]:
    identities = [world.tables.identities.get(agent_id) for agent_id in connection.agents]
    keys = {key for identity in identities if identity for key in (identity.pubkey, identity.owner)}
    return keys | {connection.caller.pubkey}


def tell(connections: Iterable[Connection], kind: str, code: str, reason: str, until: int) -> int:
    """Tell each what was imposed on it; how many were told."""
    told = 0
    for connection in connections:
        connection.tell("sanction", kind=kind, code=code, reason=reason, until=until or None)
        told += 1
    return told


def close(connections: Iterable[Connection], kind: str, code: str, reason: str, until: int) -> int:
    """As `tell`, and end each with 1008 (RFC 6455: policy violation)."""
    chosen = list(connections)
    tell(chosen, kind, code, reason, until)
    for connection in chosen:
        connection.say_goodbye(POLICY, in_brief(code, reason, until))
    return len(chosen)


def in_brief(code: str, reason: str, until: int) -> str:
    """Code, end and reason in what a close frame can hold."""
    end = f" until {datetime.fromtimestamp(until / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}" if until else ""
    whole = f"{code}{end}: {reason}" if reason else f"{code}{end}"
    return whole.encode()[:CLOSE_REASON].decode("utf-8", "ignore")
