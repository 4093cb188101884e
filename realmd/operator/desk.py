"""The operator's desk: does what was asked over the control socket, and notes it in the audit log."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Literal

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from .. import __version__
from ..gateway.peers import SOURCE_BITS, parse
from ..gateway.websocket import Gateway
from ..host.clock import milliseconds, time_of_day
from ..identity.keys import BadKeys
from ..ops.trial import Tried
from ..primitives.errors import REFUSALS, Fault, Rejection
from ..protocol import control
from ..protocol.control import PAGE, Aimed, Order
from ..runtime.credentials import Credentials
from ..runtime.realm import Realm
from ..world import commands, events
from ..world.commands import Command
from ..world.engine import Outcome
from ..world.model import Sanction
from ..world.rules.sanctions import identify, owned
from . import sanctioned
from .audit import Audit, Deed, Operator
from .census import census
from .drain import Drain

#: The shortest prefixes that can be banned, by IP version: less would be half the world.
WIDEST: Final = {4: 8, 6: 16}
#: What changes nothing, and is not noted.
LOOKS: Final = (control.Who, control.Status, control.ListSanctions)

Scope = Literal["agent", "pubkey", "network"]


class Desk:
    """`connections` counts all that are open, `address` says where the realm listens on this machine.

    `stop` ends the daemon, `try_alerts` sends a test alert in every configured way.
    """

    log = Logger()

    def __init__(
        self,
        realm: Realm,
        gateway: Gateway,
        connections: Callable[[], int],
        address: Callable[[], str],
        credentials: Credentials,
        drain: Drain,
        audit: Audit,
        stop: Callable[[], None],
        try_alerts: Callable[[], Awaitable[list[Tried]]],
        clock: Any,
    ) -> None:
        self._realm = realm
        self._world = realm.world
        self._gateway = gateway
        self._connections = connections
        self._address = address
        self._credentials = credentials
        self._drain = drain
        self._audit = audit
        self._stop = stop
        self._try_alerts = try_alerts
        self._clock = clock

    async def do(self, order: Order, who: Operator) -> dict[str, Any]:
        """The fields of the answer; raises `Fault`, with a code.  All but looking is noted first."""
        if isinstance(order, LOOKS):
            return await self._do(order, who)
        result = "failed"
        try:
            fields = await self._do(order, who)
            result = "ok"
        except Fault as fault:
            result = fault.code
            raise
        finally:
            await self._noted(order, who, result)
        if fields.get("stopping"):
            self._clock.callLater(0, self._stop)  # once this is answered
        return fields

    async def _noted(self, order: Order, who: Operator, result: str) -> None:
        deed = deed_of(order, result)
        self.log.info(
            "operator user={user} action={action} target={target} reason={reason} result={result}",
            user=who.user,
            action=deed.action,
            target=deed.target or "-",
            reason=deed.reason or "-",
            result=result,
        )
        try:
            now, threads = time_of_day(self._clock), self._clock.getThreadPool()
            await deferToThreadPool(self._clock, threads, self._audit.write, now, who, deed)
        except OSError as error:
            self.log.error("audit log cannot be written cause={cause}", cause=str(error))

    async def _do(self, order: Order, who: Operator) -> dict[str, Any]:
        match order:
            case control.Who():
                return census(self._world, self._gateway, self._connections(), self._now())
            case control.Status():
                return self._status()
            case control.ListSanctions(after=after):
                ids = sorted(id for id in self._world.tables.sanctions if id > after)
                return {"sanctions": [self._world.tables.sanctions[id] for id in ids[:PAGE]]}
            case control.Kick():
                return await self._kick(order)
            case control.Mute() | control.Ban():
                return await self._impose(order, who)
            case control.Unmute() | control.Unban():
                return await self._lift(order)
            case control.Say(text=text):
                happened = await self._apply(commands.Announce(text=text))
                return {"seq": happened[-1].seq}
            case control.Uninstall(plugin=plugin, unpublish=unpublish):
                happened = await self._apply(commands.Remove(skill_id=plugin, unpublish=unpublish))
                return {"plugin": plugin, "phases": [event.phase for event in happened]}
            case control.Revoke():
                return await self._revoke(order)
            case control.Token(agent=agent_id):
                return await self._token(agent_id)
            case control.RotateKeys():
                return {"key": self._rotate_keys()}
            case control.AlertTest():
                return {"sinks": await self._try_alerts()}
            case control.Drain():
                return await self._empty(order)
        raise AssertionError(order)

    # -- one order each ------------------------------------------------------------------

    def _status(self) -> dict[str, Any]:
        world = self._world
        return {
            "version": __version__, "address": self._address(),
            "agents": world.seats_taken(), "seats": world.limits.max_agents,
            "connections": self._connections(), "websockets": len(self._gateway.connections),
            "sanctions": len(world.tables.sanctions), "storage": world.durable, "draining": self._drain.on,
        }  # fmt: skip

    async def _kick(self, order: control.Kick) -> dict[str, Any]:
        reason = order.reason or "The operator has sent you away; you may come again."
        if order.connection is not None and order.agent is None:
            chosen = [c for c in sanctioned.opened(self._gateway) if c.number == order.connection]
            if not chosen:
                raise refused("not_found", f"there is no connection {order.connection}")
            return {"departed": [], "closed": sanctioned.close(chosen, "kick", "kicked", reason, 0)}
        if order.agent is None or order.connection is not None:
            raise refused("malformed", "kick takes an agent or a connection")
        self._known(order.agent)
        left = departed(await self._apply(commands.Expel(target=order.agent)))
        about = Sanction("", "ban", "agent", order.agent, reason, 0)
        chosen = [*sanctioned.concerned(self._world, self._gateway, about)]
        if not left and not chosen:
            raise refused("not_found", f"{order.agent} is not here")
        return {"departed": left, "closed": sanctioned.close(chosen, "kick", "kicked", reason, 0)}

    async def _impose(self, order: control.Mute | control.Ban, who: Operator) -> dict[str, Any]:
        scope, target = aim(order)
        if isinstance(order, control.Mute) and scope == "network":
            raise refused("malformed", "an address can be banned, not muted: mute the agent or its key")
        if scope == "agent":
            self._known(target)
        now = self._now()
        if order.until and order.until <= now:
            raise refused("malformed", "the end lies in the past")
        kind: Literal["mute", "ban"] = "ban" if isinstance(order, control.Ban) else "mute"
        id = identify(kind, scope, target)
        sanction = Sanction(id, kind, scope, target, order.reason, now, order.until, who.user)
        happened = await self._apply(commands.Impose(sanction=sanction))
        chosen = sanctioned.concerned(self._world, self._gateway, sanction)
        if kind == "ban":
            reason = order.reason or REFUSALS["banned"]
            closed = sanctioned.close(chosen, kind, "banned", reason, order.until)
            return {"sanction": sanction, "departed": departed(happened), "closed": closed}
        told = sanctioned.tell(chosen, kind, "muted", order.reason or REFUSALS["muted"], order.until)
        return {"sanction": sanction, "told": told}

    async def _lift(self, order: control.Unmute | control.Unban) -> dict[str, Any]:
        scope, target = aim(order)
        kind = "ban" if isinstance(order, control.Unban) else "mute"
        sanction = self._world.tables.sanctions.get(identify(kind, scope, target))
        if sanction is None:
            raise refused("not_found", f"there is no {kind} of {scope} {target}")
        await self._apply(commands.Lift(id=sanction.id))
        chosen = sanctioned.concerned(self._world, self._gateway, sanction)
        sanctioned.tell(chosen, kind, "lifted", "The operator has lifted it.", 0)
        return {"sanction": sanction}

    async def _revoke(self, order: control.Revoke) -> dict[str, Any]:
        if (order.agent is None) == (order.pubkey is None):
            raise refused("malformed", "revoke takes an agent or the pubkey of an owner")
        if order.agent is not None:
            self._known(order.agent)
            await self._apply(commands.Revoke(agent_id=order.agent, keys=order.keys))
            return {"agents": [order.agent]}
        pubkey = order.pubkey or ""
        agents = owned(self._world, pubkey)
        if not agents:
            raise refused("not_found", "no agent has this owner")
        await self._apply(commands.RevokeOwner(pubkey=pubkey))
        return {"agents": agents}

    def _rotate_keys(self) -> str:
        try:
            return self._credentials.rotate()
        except BadKeys as error:
            raise refused("too_many", str(error)) from None

    async def _token(self, agent_id: str) -> dict[str, Any]:
        self._known(agent_id)
        if agent_id not in self._world.tables.identities:  # from before there were any
            await self._apply(commands.TokenRotate(agent_id=agent_id))
        identity = self._world.tables.identities[agent_id]
        return {"agentId": agent_id, "token": self._credentials.issue(agent_id, identity.serial)}

    async def _empty(self, order: control.Drain) -> dict[str, Any]:
        if order.undo:
            self._drain.undo()
            return {"draining": False, "left": self._drain.left()}
        result = await self._drain.run(order.seconds, order.reason)
        return {**result, "stopping": order.stop and self._drain.on}

    # -- inside ------------------------------------------------------------------------

    def _now(self) -> int:
        return milliseconds(self._clock)

    def _known(self, agent_id: str) -> None:
        if agent_id in self._world.atlas.inhabitants:
            raise refused("reserved", f"{agent_id} is an inhabitant of the realm")
        if agent_id not in self._world.tables.profiles:
            raise refused("unknown_agent", f"no agent is known as {agent_id}")

    async def _apply(self, command: Command) -> tuple[Any, ...]:
        """What came of `command`, once it is durable."""
        done: Deferred[Outcome] = Deferred()
        self._realm.intake.submit(command, done.callback)
        outcome = await done
        if isinstance(outcome, Rejection):
            raise refused(outcome.code, REFUSALS[outcome.code])
        return outcome


def aim(order: Aimed) -> tuple[Scope, str]:
    """Scope and target of a sanction, as they are kept; raises `Fault`."""
    given = [order.agent, order.pubkey, order.network]
    if sum(one is not None for one in given) != 1:
        raise refused("malformed", "name an agent, a pubkey, or a network")
    if order.agent is not None:
        return "agent", order.agent
    if order.pubkey is not None:
        return "pubkey", order.pubkey
    return "network", network_of(order.network or "")


def network_of(text: str) -> str:
    """An address or network as CIDR; an IPv6 address stands for its /64, which one host has for itself."""
    address = parse(text)
    try:
        network = ipaddress.ip_network(
            (address, SOURCE_BITS[address.version]) if address else text, strict=False
        )
    except ValueError:
        within = parse(text.partition("/")[0])
        hint = f": a prefix is /{WIDEST[within.version]} to /{within.max_prefixlen}" if within else ""
        raise refused("malformed", f"{text} is no address or network{hint}") from None
    if network.prefixlen < WIDEST[network.version]:
        raise refused("malformed", f"{network} is too wide: at least /{WIDEST[network.version]}")
    return str(network)


def departed(happened: tuple[Any, ...]) -> list[str]:
    """Who left the world."""
    return [event.agent_id for event in happened if isinstance(event, events.Leave)]


def refused(code: str, text: str) -> Fault:
    return Fault(text, code=code)


def deed_of(order: Order, result: str) -> Deed:
    """What is noted of an order; nothing in it is secret."""
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    named = ("agent", "pubkey", "network", "connection", "plugin")
    target = next((f"{name} {fields[name]}" for name in named if fields.get(name) is not None), "")
    if isinstance(order, Aimed):
        with suppress(Fault):  # what names no target is noted as it came
            target = " ".join(aim(order))
    flags = [name for name in ("keys", "stop", "undo", "unpublish") if fields.get(name)]
    return Deed(
        action=str(order.__struct_config__.tag),
        result=result,
        target=target,
        reason=fields.get("reason", ""),
        until=fields.get("until", 0),
        detail=fields.get("text", "") or " ".join(flags),
    )
