"""The state of one realm, which the rules read and change.

Durable changes go through `tables` and can be undone until they are committed; where bodies stand is
ephemeral and noted in `unsaved` for the next snapshot.
"""

from __future__ import annotations

import random

from msgspec import Struct
from msgspec.structs import replace

from ..primitives.errors import Refused
from .activity import Activity
from .atlas import Atlas
from .limits import Limits
from .model import RESERVED, VISITOR, Body, Claim, Profile
from .tables import Changes, Tables
from .text.clean import Cleaner
from .text.likeness import Reserved


class State:
    """What there is.  `World` adds the ways to change it from outside."""

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
        #: The time (ms since the epoch) that it is in the world: of the last command or tick.
        self.now = 0
        self._serial = 0

    def begin(self, now: int) -> None:
        """Take up a loaded state: everyone present counts as heard at `now`, walks go on."""
        self.now = now
        self._serial = max((i.serial for i in self.tables.identities.values()), default=0)
        self.heard = dict.fromkeys(self.tables.bodies, now)
        self._fit_map()
        self.derive()

    # -- for the rules -----------------------------------------------------------------

    def seq(self) -> int:
        """The number of the next durable event; refused while nothing can be made durable."""
        self.need_store()
        return self.tables.next_seq()

    def serial(self) -> int:
        """A serial that no token has: not one of an agent forgotten since, nor of a claim undone."""
        self._serial = max(self.now, self._serial + 1)
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

    def peopled(self) -> int:
        """When it began (ms): its inhabitants join at the first start of all, and never again."""
        profiles = self.tables.profiles
        joined = [profiles[name].joined_at for name in self.atlas.inhabitants if name in profiles]
        return min(joined, default=self.now)

    def profile(self, agent_id: str) -> Profile:
        """The agent's profile with `lastSeen` brought up to date."""
        profile = self.tables.profiles[agent_id]
        return replace(profile, last_seen=self.heard.get(agent_id, profile.last_seen))

    def forget(self, agent_id: str) -> None:
        """Drop an absent agent's profile and what was noted of it."""
        self.tables.drop("profiles", agent_id)
        self.tables.drop("identities", agent_id)
        self.disregard(agent_id)

    def disregard(self, agent_id: str) -> None:
        """Drop what was noted of an agent that is not known any more."""
        self.heard.pop(agent_id, None)
        self.activity.forget(agent_id)

    # -- for the journal ---------------------------------------------------------------

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
                self.disregard(key)
        self.derive()

    # -- for the engine ----------------------------------------------------------------

    def rewind(self, mark: tuple[int, int]) -> None:
        """Take back the durable changes since `mark`, a `Tables.mark`."""
        if self.tables.mark() != mark:
            self.tables.rewind(mark)
            self.derive()

    def derive(self) -> None:
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


def _moved_on(old: Body, put: Struct | None, latest: Body | None) -> Body:
    """What becomes of `old` when the batch that `put` it elsewhere is undone, and it is `latest` now."""
    if not isinstance(put, Body) or latest is None or latest is put:
        return old
    if latest.walk is not None or (latest.x, latest.z) != (put.x, put.z):
        return latest
    return replace(latest, walk=old.walk)
