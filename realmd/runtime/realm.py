"""The front desk: what every door asks, whatever its wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..identity import nostr_event
from ..identity.delegation import check_delegation
from ..identity.errors import NotProven
from ..primitives.errors import REFUSALS, Fault, Rejection
from ..protocol import views
from ..protocol.classic import Ask
from ..protocol.describe import describe
from ..protocol.encode import raw_list
from ..protocol.paging import MOMENT, entries_of, fitting, numbers
from ..storage.interface import IStore, StorageError
from ..world import queries
from ..world.caller import Caller
from ..world.commands import ClawhubInstall, Command, Delegate, Heard, Register, SetOwner, TokenRotate
from ..world.engine import Outcome, World
from ..world.rules import sanctions
from ..world.rules.authority import objection
from .credentials import Credentials
from .history import History, Line
from .intake import Intake, Reply
from .journal import Journal

MAX_STAMP: Final = 2**53


class Answer(Struct, frozen=True):
    """What goes back: the fields, and whether the request was wrong in itself."""

    fields: dict[str, Any]
    fault: bool = False


class Realm:
    """Answers commands and queries.

    `catalogue` gives the plugins found in the plugin folders, `worlds` the other realms that are known.
    """

    log = Logger()

    def __init__(
        self,
        world: World,
        room: views.Room,
        intake: Intake,
        journal: Journal,
        store: IStore,
        history: History,
        catalogue: Callable[[], list[dict[str, Any]]],
        port: int,
        credentials: Credentials,
        worlds: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        self.world = world
        self.room = room
        self.intake = intake
        self._journal = journal
        self._store = store
        self._history = history
        self._catalogue = catalogue
        self._port = port
        self._credentials = credentials
        #: Answers that wait for a commit; the doors bound how many queries there can be.
        self._held: dict[queries.Query, Answer] = {}
        self._worlds = worlds

    def learn(self, **facts: str) -> None:
        """Something of the room has become known: its epoch, its key, its channel, where its page is."""
        self.room = replace(self.room, **facts)

    def tell(self, command: Command, refused: Callable[[Answer], None], caller: Caller) -> None:
        """Do `command` for a sender who wants to hear only of a refusal."""

        def reply(outcome: Outcome) -> None:
            if isinstance(outcome, Rejection):
                refused(refusal(outcome))

        self._submit(command, reply, caller)

    def serve(self, ask: Ask, reply: Callable[[Answer], None], caller: Caller) -> None:
        """Do or answer `ask` on behalf of `caller`; `reply` is called once."""
        if isinstance(ask, Command):
            self._submit(ask, lambda outcome: reply(self.answer(ask, outcome, caller)), caller)
        else:
            Deferred.fromCoroutine(self._query(ask, caller)).addErrback(self._failed).addCallback(reply)

    def answer(self, command: Command, outcome: Outcome, caller: Caller) -> Answer:
        """The answer to a command that had this outcome."""
        if isinstance(outcome, Rejection):
            unknown = isinstance(command, ClawhubInstall) and outcome.code == "not_found"
            return replace(refusal(outcome), fault=True) if unknown else refusal(outcome)
        fields = views.reply(self.world, self.room, command, outcome)
        if isinstance(command, Register | TokenRotate) and command.agent_id in caller.serials:
            fields["token"] = self._credentials.issue(command.agent_id, caller.serials[command.agent_id])
        return Answer(fields)

    def _submit(self, command: Command, reply: Reply, caller: Caller) -> None:
        if getattr(command, "agent_id", None) in self.world.atlas.inhabitants:
            reply(Rejection("reserved", "reserved"))  # only its mind speaks for it
            return
        if isinstance(command, Delegate):
            try:
                command = self._owned(command)
            except NotProven as error:
                reply(Rejection("bad_delegation", str(error)))
                return
        self.intake.submit(command, reply, caller)

    def _owned(self, command: Delegate) -> SetOwner:
        """What a delegation says, its signature checked."""
        event = nostr_event.decode(msgspec.json.encode(command.event))
        stated = check_delegation(
            event, command.agent_id, self.world.now, room_id=self.room.room_id, pubkey=self.room.pubkey
        )
        return SetOwner(
            agent_id=command.agent_id, owner=stated.owner, signed=stated.created, until=stated.expires
        )

    async def _query(self, query: queries.Query, caller: Caller) -> Answer:
        agent_id = getattr(query, "agent_id", None)
        personal = isinstance(query, queries.AgentInbox | queries.AgentConversation | queries.Login)
        if (barred := sanctions.refused(self.world, agent_id if personal else None, caller)) is not None:
            return refusal(barred)
        if personal and agent_id is not None:
            if agent_id in self.world.atlas.inhabitants:
                return refusal(Rejection("reserved", "reserved"))
            if (code := objection(self.world, agent_id, caller)) is not None:
                return refusal(Rejection(code, code))
        if query.renews:
            self.intake.submit(Heard(agent_id=query.agent_id))  # type: ignore[attr-defined]
        match query:
            case queries.RoomEvents():
                return await self._events(query)
            case queries.AgentInbox():
                return await self._inbox(query)
            case queries.AgentConversation():
                return await self._conversation(query)
            case queries.Login():
                return self._login(query, caller)
        if self._journal.idle:
            return self._view(query)
        # Those who ask the same while a commit is under way wait for one answer.
        answer = self._held.get(query)
        if answer is None:
            answer = self._held[query] = self._view(query)
        settled = await self._journal.settled()
        self._held.clear()
        return answer if settled else self._view(query)  # what it showed has been undone since

    def _view(self, query: queries.Query) -> Answer:
        world, room = self.world, self.room
        match query:
            case queries.Profiles():
                return _ok(**views.profiles(world, query))
            case queries.ProfileOf(agent_id=agent_id):
                if agent_id not in world.tables.profiles:
                    return refusal(Rejection("not_found", "not found"))
                return _ok(profile=world.profile(agent_id), **views.whereabouts(world, agent_id))
            case queries.RoomInfo():
                return _ok(**views.room_info(world, room))
            case queries.RoomInvite():
                return _ok(invite=views.invite(world, room))
            case queries.WorldsList():
                return _ok(worlds=self._worlds())
            case queries.RoomSkills():
                return _ok(**views.skills(world, query))
            case queries.Describe():
                return _ok(skill=describe(room.public_url, self._port, world.atlas.half))
            case queries.OpenPreview(agent_id=agent_id):
                return _ok(url=views.preview_url(room, agent_id))
            case queries.MoltbookList():
                return _ok(**views.posts(world, query))
            case queries.ClawhubList():
                return _ok(**views.plugins(world, self._catalogue(), query))
            case queries.ClawhubInstalled():
                return _ok(**views.installed(world, query))
            case queries.Workstations():
                return _ok(workstations=[views.workstation(world, w) for w in world.atlas.workstations])
            case queries.WorkstationOf(workstation_id=station_id):
                if station_id not in world.atlas.workstations:
                    return refusal(Rejection("unknown_workstation", "unknown_workstation"))
                return _ok(workstation=views.workstation(world, station_id))
            case queries.WorldMap():
                return _ok(world=world.atlas.describe())
        raise AssertionError(query)

    def _login(self, query: queries.Login, caller: Caller) -> Answer:
        if query.agent_id is None:
            mine = [i for i in self.world.tables.identities.values() if caller.pubkey in (i.pubkey, i.owner)]
            agents = [{"agentId": i.agent_id, "owned": i.owner == caller.pubkey} for i in mine]
            return _ok(pubkey=caller.pubkey, npub=caller.npub, agents=agents if caller.pubkey else [])
        identity = self.world.tables.identities.get(query.agent_id)
        if identity is None:
            return refusal(Rejection("unknown_agent", "Unknown or unregistered agentId"))
        return _ok(agentId=query.agent_id, token=self._credentials.issue(query.agent_id, identity.serial))

    async def _events(self, query: queries.RoomEvents) -> Answer:
        since, after = _stamp(query.since), _stamp(query.after)
        bodies = await self._history.read(since, after, entries_of(query.limit))
        kept = fitting(bodies, newest=not since and not after)
        more = {"next": Line.of(kept[-1]).seq} if (since or after) and len(kept) < len(bodies) else {}
        return _ok(events=raw_list(kept), epoch=self.room.epoch, **more)

    async def _inbox(self, query: queries.AgentInbox) -> Answer:
        if query.agent_id not in self.world.tables.profiles:
            return refusal(Rejection("unknown_agent", "Unknown or unregistered agentId"))
        since, seq, limit = _stamp(query.since), None, entries_of(query.limit)
        if query.after:
            since, seq = numbers(query.after, MOMENT)
        forward = bool(since or seq)
        bodies = await self._store.inbox(query.agent_id, since, limit + forward, seq, query.received)
        bodies = [views.letter(self.world, body) for body in bodies]
        kept = fitting(bodies[:limit] if forward else bodies, newest=not forward)
        if not forward or len(kept) == len(bodies):
            return _ok(messages=raw_list(kept))
        last = Line.of(kept[-1])
        return _ok(messages=raw_list(kept), next=f"{last.timestamp}.{last.seq}")

    async def _conversation(self, query: queries.AgentConversation) -> Answer:
        if query.agent_id not in self.world.tables.profiles:
            return refusal(Rejection("unknown_agent", "Unknown or unregistered agentId"))
        limit = entries_of(query.limit)
        bodies = await self._store.inbox(query.agent_id, 0, limit, peer=query.to_agent_id)
        letters = [views.letter(self.world, body) for body in bodies]
        return _ok(messages=raw_list(fitting(letters, newest=True)))

    def _failed(self, failure: Any) -> Answer:
        if failure.check(Fault):
            return Answer({"ok": False, "error": str(failure.value), "code": "malformed"}, fault=True)
        if failure.check(StorageError):
            return refusal(Rejection("storage_unavailable", "storage_unavailable"))
        self.log.failure("a query failed", failure=failure)
        return refusal(Rejection("internal_error", "internal_error"))


def refusal(rejection: Rejection) -> Answer:
    """The answer of a refusal; an unknown agent is the sender's own mistake."""
    if rejection.code == "unknown_agent":
        return Answer({"ok": False, "error": rejection.text, "code": rejection.code}, fault=True)
    answer: dict[str, Any] = {"ok": False, "error": rejection.text, "code": rejection.code}
    answer["reason"] = rejection.reason or REFUSALS[rejection.code]
    if rejection.until is not None:
        answer["until"] = rejection.until or None
    return Answer(answer)


def _ok(**fields: Any) -> Answer:
    return Answer({"ok": True, **fields})


def _stamp(asked: float) -> int:
    """A time or seq that every store can compare with; beyond it there is nothing anyway."""
    return int(max(0, min(asked, MAX_STAMP)))
