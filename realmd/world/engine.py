"""The world: applies commands, lets time pass, tells what happened.

One writer calls `apply` and `advance`; both return events in the order they happened.
Durable changes go through `tables` and can be undone until they are committed; where
bodies stand is ephemeral and noted in `unsaved` for the next snapshot.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from ..primitives.errors import Refused, Rejection
from . import events
from .activity import Activity
from .atlas import Atlas
from .caller import INSIDE, Caller
from .commands import Command, Register
from .model import RESERVED, VISITOR, Body, Claim, Profile
from .tables import Changes, Tables
from .text.clean import Cleaner
from .text.likeness import Reserved


class Masked(tuple[events.Event, ...]):
    """What happened, with a word or a secret of the sender's masked in it."""

    __slots__ = ()


#: What a command led to: what happened, or why nothing did.
Outcome = tuple[events.Event, ...] | Rejection
Rule = Callable[["World", Any, int], Iterable[events.Event]]
RULES: Final[dict[type[Command], Rule]] = {}

SWEEP_MS: Final = 1000
#: The bucket of commands that all who never registered share; no agentId is empty.
STRANGERS: Final = ""


def rule(command: type[Command]) -> Callable[[Rule], Rule]:
    """Declare a function as the rule of `command`."""

    def declare(function: Rule) -> Rule:
        RULES[command] = function
        return function

    return declare


class Limits(Struct, frozen=True):
    """What the world allows; ages in ms, speed in units a second."""

    max_agents: int = 50
    address_seats_percent: int = 50
    network_seats_percent: int = 75
    walk_speed: float = 3.0
    commands_per_second: int = 20
    doze_after: int = 300_000
    leave_after: int = 60_000
    board_posts: int = 500
    request_age: int = 30 * 86_400_000
    open_requests: int = 100
    requests: int = 10_000
    payload_bytes: int = 8192
    plugins: int = 500
    #: Of those, published or installed by one agent.
    own_plugins: int = 50
    profiles: int = 10_000
    sanctions: int = 10_000
    #: How long an agent stays known after it was last heard (ms), if room for another is needed.
    forget_after: int = 30 * 86_400_000
    auth: Literal["local-open", "required", "open"] = "local-open"
    blocked_words: tuple[str, ...] = ()


class World:
    """The state of one realm and its rules."""

    def __init__(self, atlas: Atlas, limits: Limits, rng: random.Random) -> None:
        self.atlas = atlas
        self.limits = limits
        self.rng = rng
        self.tables = Tables()
        self.cleaner = Cleaner(limits.blocked_words)
        #: The ids and names of the inhabitants and of the realm itself, which nobody else's may look like.
        beings = atlas.inhabitants.values()
        self.reserved = Reserved((*RESERVED, *(b.id for b in beings), *(b.name for b in beings)), (VISITOR,))
        #: False while the store cannot commit: what needs a `seq` is refused.
        self.durable = True
        #: The realm is about to stop: nobody comes in any more.
        self.draining = False
        self.activity = Activity()
        self.heard: dict[str, int] = {}
        self.links: dict[str, int] = {}
        self.unsaved: set[str] = set()
        self.catalogue: dict[str, str] = {}
        self.walking: set[str] = set()
        self.holding: dict[str, str] = {}
        #: What rules raised while time passed, until the ticker takes it.
        self.faults: list[Exception] = []
        #: When the last tick was (ms), and on whose behalf the command under way comes.
        self.now = 0
        self.caller = INSIDE
        self._serial = 0
        self._allowance: dict[str, tuple[float, int]] = {}
        self._advanced = 0
        self._swept = 0

    # -- time and change -------------------------------------------------------------

    def begin(self, now: int) -> None:
        """Take up a loaded state: everyone present counts as heard at `now`, walks go on."""
        self._advanced = self._swept = self.now = now
        self._serial = max((i.serial for i in self.tables.identities.values()), default=0)
        self.heard = dict.fromkeys(self.tables.bodies, now)
        self._fit_map()
        self._derive()

    def apply(self, command: Command, now: int, caller: Caller = INSIDE) -> Outcome:
        """Do what `command` asks on behalf of `caller`, wholly or not at all."""
        from .rules import authority

        self.now = now
        self.caller = caller
        if not caller.inside and (rejection := authority.authorise(self, command, caller)) is not None:
            return rejection
        agent_id: str | None = command.agent_id  # type: ignore[attr-defined]
        if agent_id is not None and not command.stranger and agent_id not in self.tables.profiles:
            return Rejection("unknown_agent", "Unknown or unregistered agentId")
        if agent_id in self.tables.profiles and not caller.inside:
            self.activity.note(agent_id, caller, now)
        if command.public and not self._allow(command, agent_id, now):
            return Rejection("rate_limited", "rate_limited")
        mark = self.tables.mark()
        body = self.tables.bodies.get(agent_id) if agent_id is not None else None
        self.cleaner.masked = False
        try:
            woken = self._hear(agent_id, now) if agent_id is not None else ()
            happened = (*woken, *RULES[type(command)](self, command, now))
            return Masked(happened) if self.cleaner.masked else happened
        except Refused as refusal:
            self._take_back(mark, body)
            return refusal.rejection
        except BaseException:
            self._take_back(mark, body)
            raise

    def advance(self, now: int) -> list[events.Event]:
        """Let the time up to `now` pass: walkers walk; once a second, leases run out."""
        from .rules import board, movement, presence, sanctions

        elapsed = min(max(now - self._advanced, 0), 1000)
        self._advanced = self.now = now
        happened: list[events.Event] = []
        for agent_id in sorted(self.walking):
            self._attempt(happened, movement.step, agent_id, elapsed, now)
        if abs(now - self._swept) >= SWEEP_MS:
            self._swept = now
            for agent_id in list(self.tables.bodies):
                self._attempt(happened, presence.expire, agent_id, now)
            if self.durable:
                board.expire_requests(self, now)
                sanctions.expire(self, now)
        return happened

    def shift(self, by: int) -> None:
        """The time of day was set by `by` ms: what lasts goes on as if it had not been."""
        self._advanced += by
        self._swept += by
        self.heard = {agent_id: then + by for agent_id, then in self.heard.items()}
        self._allowance = {who: (tokens, then + by) for who, (tokens, then) in self._allowance.items()}

    def seal(self) -> Changes:
        """End the batch of durable changes made since the last `seal`."""
        return self.tables.seal()

    def undo(self, changes: Changes) -> None:
        """Take back a sealed batch that could not be committed (latest first).

        A body that has moved on since stays where everyone saw it go.
        """
        bodies = self.tables.bodies
        latest = {key: bodies.get(key) for kind, key in changes.after if kind == "bodies"}
        self.tables.undo(changes)
        for kind, key in changes.after:
            if kind == "bodies" and key not in bodies:
                self.unsaved.discard(key)
            elif kind == "bodies":
                bodies[key] = _moved_on(bodies[key], changes.after[kind, key], latest[key])
                self.unsaved.add(key)  # where it stands now may be in no snapshot yet
            elif kind == "profiles" and key not in self.tables.profiles:
                self._disregard(key)
        self._derive()

    # -- for the rules -----------------------------------------------------------------

    def seq(self) -> int:
        """The number of the next durable event; refused while nothing can be made durable."""
        self.need_store()
        return self.tables.next_seq()

    def serial(self, now: int) -> int:
        """A serial that no token has: not one of an agent forgotten since, nor of a claim undone."""
        self._serial = max(now, self._serial + 1)
        return self._serial

    def need_store(self) -> None:
        """Refuse what must be made durable while nothing can be."""
        if not self.durable:
            raise Refused("storage_unavailable")

    def place(self, body: Body) -> None:
        """Change where a present body stands or what it shows (ephemeral)."""
        self.tables.bodies[body.agent_id] = body
        self.unsaved.add(body.agent_id)

    def body(self, agent_id: str) -> Body | None:
        return self.tables.bodies.get(agent_id)

    def claim_of(self, agent_id: str) -> Claim | None:
        """The workstation lease that the agent holds."""
        held = self.holding.get(agent_id)
        return self.tables.claims[held] if held is not None else None

    def seats_taken(self) -> int:
        """How many of `limits.max_agents` seats are taken; inhabitants have their own."""
        at_home = sum(1 for name in self.atlas.inhabitants if name in self.tables.bodies)
        return len(self.tables.bodies) - at_home

    def profile(self, agent_id: str) -> Profile:
        """The agent's profile with `lastSeen` brought up to date."""
        profile = self.tables.profiles[agent_id]
        return replace(profile, last_seen=self.heard.get(agent_id, profile.last_seen))

    def forget(self, agent_id: str) -> None:
        """Drop an absent agent's profile and what was noted of it."""
        self.tables.drop("profiles", agent_id)
        self.tables.drop("identities", agent_id)
        self._disregard(agent_id)

    # -- inside ------------------------------------------------------------------------

    def _attempt(
        self, happened: list[events.Event], step: Callable[..., Any], agent_id: str, *args: Any
    ) -> None:
        mark, length = self.tables.mark(), len(happened)
        try:
            happened.extend(step(self, agent_id, *args))
        except Exception as error:
            self._rewind(mark)
            # Where it went it was seen to go; what was to be durable did not happen.
            happened[length:] = [e for e in happened[length:] if not isinstance(e, events.Durable)]
            if not isinstance(error, Refused):  # time passes for the others
                self._halt(agent_id)
                self.faults.append(error)
            # Refused: it needs the store, which is away; tried again at the next tick.

    def _halt(self, agent_id: str) -> None:
        """End a walk that cannot go on, so that it does not fail at every tick."""
        body = self.tables.bodies.get(agent_id)
        if body is not None:
            self.place(replace(body, walk=None, action="idle"))
        self.walking.discard(agent_id)

    def _take_back(self, mark: tuple[int, int], body: Body | None) -> None:
        """Nothing of a refused command remains, where its agent stands included."""
        self._rewind(mark)
        if body is not None and self.tables.bodies.get(body.agent_id) is not body:
            self.place(body)
            self._derive()

    def _rewind(self, mark: tuple[int, int]) -> None:
        if self.tables.mark() != mark:
            self.tables.rewind(mark)
            self._derive()

    def _derive(self) -> None:
        """Compute again what follows from the tables, and put the notes in the order they came."""
        self.walking = {a for a, body in self.tables.bodies.items() if body.walk is not None}
        self.holding = {claim.agent_id: ws for ws, claim in self.tables.claims.items()}
        self.tables.posts = dict(sorted(self.tables.posts.items(), key=lambda post: int(post[0][1:])))

    def _fit_map(self) -> None:
        """The map may have changed since: nobody stands in a wall or works at what is gone."""
        stations, ground = self.atlas.workstations, self.atlas.ground
        for workstation_id in [known for known in self.tables.claims if known not in stations]:
            self.tables.drop("claims", workstation_id)
        for body in list(self.tables.bodies.values()):
            walk = body.walk
            if walk is not None and walk.workstation_id not in (None, *stations):
                self.place(replace(body, walk=None, action="idle"))
            spot = ground.nearest_free(body.x, body.z)
            if spot is not None and spot != (body.x, body.z):
                self.place(replace(self.tables.bodies[body.agent_id], x=spot[0], z=spot[1]))

    def _disregard(self, agent_id: str) -> None:
        self.heard.pop(agent_id, None)
        self.activity.forget(agent_id)
        self._allowance.pop(agent_id, None)

    def _allow(self, command: Command, agent_id: str | None, now: int) -> bool:
        """Token bucket: `commands_per_second` on average and at once."""
        if agent_id not in self.tables.profiles:
            if isinstance(command, Register):  # seats bound those
                return True
            agent_id = STRANGERS  # one bucket for all: the table stays bounded
        elif agent_id in self.atlas.inhabitants:
            return True
        assert agent_id is not None
        rate = self.limits.commands_per_second
        tokens, then = self._allowance.get(agent_id, (float(rate), now))
        tokens = min(float(rate), tokens + max(now - then, 0) * rate / 1000)
        allowed = tokens >= 1.0
        self._allowance[agent_id] = (tokens - 1.0 if allowed else tokens, now)
        return allowed

    def _hear(self, agent_id: str, now: int) -> tuple[events.Event, ...]:
        if agent_id not in self.tables.profiles:
            return ()
        self.heard[agent_id] = now
        body = self.tables.bodies.get(agent_id)
        if body is None or not body.dozing:
            return ()
        self.place(replace(body, dozing=False))
        return (events.Action(agent_id=agent_id, timestamp=now, action=body.action, dozing=False),)


def _moved_on(old: Body, put: Struct | None, latest: Body | None) -> Body:
    """What becomes of `old` when the batch that `put` it elsewhere is undone, and it is `latest` now."""
    if not isinstance(put, Body) or latest is None or latest is put:
        return old
    if latest.walk is not None or (latest.x, latest.z) != (put.x, put.z):
        return latest
    return replace(latest, walk=old.walk)


from . import rules as _rules  # noqa: E402  (fills RULES)

__all__ = ["RULES", "Limits", "Masked", "Outcome", "World", "rule"]
assert _rules
