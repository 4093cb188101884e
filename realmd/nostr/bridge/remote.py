"""Agents that reach the realm only by relay: their commands obeyed, and answered where they came from.

Who asks is who signed.  A command is obeyed at most once, within a minute of its date, restarts
included: its id is on the disk before anything is done.  Whoever gets no answer asks anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

import msgspec
from msgspec import UNSET
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...identity import bech32
from ...identity.gift_wrap import BACK, EPHEMERAL, MOST_RUMOR, STORED
from ...identity.keys import Entropy
from ...identity.nostr_event import Event
from ...primitives.errors import Rejection
from ...primitives.figures import Figures
from ...protocol.classic import Ask
from ...runtime.journal import Committed
from ...runtime.realm import Answer, Realm, refusal
from ...storage.asks import IAsks
from ...world import events
from ...world.caller import Caller
from ...world.commands import Command, Heard, WorldAction, WorldMove
from ...world.queries import AgentConversation, AgentInbox, Login
from ...world.rules.authority import has_key
from ..events import asks, classic
from ..events.echoes import Echoes
from ..relay.pool import Pool
from ..relay.work import Run
from .contacts import Contact, Contacts
from .inlet import Inlet, Shares, Taken
from .key import Key
from .replies import Replies

#: The network of all who come by relay, where seats are counted.
RELAYS: Final = "relays"
#: Commands under way at once.
MOST_SERVED: Final = 64
#: Stored wraps of an earlier time that a relay is asked for: only those of the last minute count, but
#: their dates do not tell which these are.
MOST_STORED: Final = 100


#: Asks the realm on behalf of whoever signed, within what strangers may: `gateway.guard.Guard.serve_relayed`.
Serve = Callable[[Ask, Callable[[Answer], None], Caller], None]


class Remote:
    """Obeys, answers, and brings private news.  `open` once the store and the key are open.

    `max_bytes` tells how large an event may be, `wall` ms since the epoch; `echoes` remembers what was said
    in the channel.
    """

    log = Logger()

    def __init__(
        self,
        realm: Realm,
        serve: Serve,
        relays: Pool,
        key: Key,
        store: IAsks,
        shares: Shares,
        echoes: Echoes,
        max_bytes: Callable[[], int],
        run: Run,
        clock: IReactorTime,
        wall: Callable[[], int],
        entropy: Entropy,
        rng: Random,
    ) -> None:
        self.contacts = Contacts()
        self.obeyed = self.serving = 0
        self._realm = realm
        self._serve = serve
        self._relays = relays
        self._key = key
        self._shares = shares
        self._echoes = echoes
        self._max_bytes = max_bytes
        self._clock = clock
        self._wall = wall
        self.replies = Replies(relays, key, run, clock, wall, entropy, rng)
        self.inlet = Inlet(
            key, lambda: realm.room, store, shares, self.contacts.knows, self._obey, run, clock, wall
        )
        self._subscriptions: list[Any] = []
        self._channel: str | None = None

    # -- its life ------------------------------------------------------------------------

    async def open(self) -> None:
        """Listen to the relays, from a minute ago on.  Raises `StorageError`."""
        await self.inlet.open()
        seconds, us = self._wall() // 1000, [self._key.pubkey]
        since = seconds - asks.WINDOW // 1000
        for filters, listener in (
            ([{"kinds": [asks.KIND], "#p": us, "since": since}], self.inlet.asked),
            ([{"kinds": [EPHEMERAL], "#p": us, "since": since}], self.inlet.wrapped),
            (
                [{"kinds": [STORED], "#p": us, "since": since - BACK, "limit": MOST_STORED}],
                self.inlet.wrapped,
            ),
        ):
            self._subscriptions.append(self._relays.subscribe(filters, listener))

    def work(self, count: int = 1) -> None:
        """What is due now and then: listen to a channel that was not there before, try answers again."""
        channel = self._realm.room.channel_id
        if channel is not None and self._channel is None:
            self._channel = channel
            since = (self._wall() - asks.WINDOW) // 1000
            filters = [{"kinds": [classic.MESSAGE], "#e": [channel], "since": since}]
            self._subscriptions.append(self._relays.subscribe(filters, self._heard))
        self.replies.work()

    def close(self) -> None:
        """Listen and say no more."""
        self.inlet.close()
        self.replies.close()
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions.clear()

    # -- news ----------------------------------------------------------------------------

    def publish(self, committed: Iterable[Committed]) -> None:
        """These were committed: tell receivers of what is private who can be reached only by relay."""
        for one in committed:
            if isinstance(one.event, events.Private):
                self._tell(one.event.to_agent_id, one.entry.body)

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            *self.replies.figures(),
            ("realmd_nostr_asks_total", "Commands by relay that were taken.", lambda: self.obeyed),
            ("realmd_nostr_remote_agents", "Agents heard of by relay.", lambda: len(self.contacts)),
        ]

    def _tell(self, agent_id: str, body: bytes) -> None:
        world, now = self._realm.world, self._wall()
        contact = self.contacts.of(agent_id, now)
        if contact is None or agent_id in world.links or not has_key(world, agent_id, caller(contact.pubkey)):
            return
        draft = asks.told(contact.pubkey, self._realm.room.room_id, body, now // 1000)
        wrap = EPHEMERAL if contact.wrap is None else contact.wrap
        self.replies.put(contact.relay, contact.pubkey, draft, wrap)

    # -- commands ------------------------------------------------------------------------

    def _heard(self, event: Event, relay: str) -> None:
        if event.pubkey != self._key.pubkey:  # ours are many
            self.inlet.heard(event, relay)

    def _obey(self, taken: Taken, remembered: bool) -> None:
        """Do what was taken; `remembered` unless that could not be written down."""
        self.obeyed += 1
        ask = taken.ask

        def reply(answer: Answer) -> None:
            self.serving -= 1
            if answer.fields.get("ok"):
                self._note(taken)
            self._answer(taken, answer.fields)

        if ask is None:
            self._answer(taken, {"error": taken.fault})
            return
        by = caller(taken.pubkey, heard=bool(taken.heard))
        if (refused := self._objection(taken, by, remembered)) is not None:
            self._answer(taken, refusal(refused).fields)
            return
        if self._is_echo(taken):
            self.inlet.passed_over["mirror"] += 1
            return
        self.serving += 1
        for contact in self.contacts.of_key(taken.pubkey):
            self._realm.intake.submit(Heard(agent_id=contact.agent_id))
        self._serve(ask, reply, by)

    def _objection(self, taken: Taken, by: Caller, remembered: bool) -> Rejection | None:
        """Why the key may not ask this, though `auth` may let others who are nearer."""
        if not remembered:
            return Rejection("storage_unavailable", "storage_unavailable")
        if self.serving >= MOST_SERVED:
            return Rejection("busy", "busy")
        if not isinstance(taken.ask, Command | AgentInbox | AgentConversation | Login):
            return None  # about the room, and for all
        world, agent_id = self._realm.world, taken.ask.agent_id  # type: ignore[union-attr]
        if agent_id is None:
            return None if isinstance(taken.ask, Login) else Rejection("token_required", "token_required")
        if agent_id in world.tables.profiles and agent_id not in world.atlas.inhabitants:
            return None if has_key(world, agent_id, by) else Rejection("not_yours", "not_yours")
        return None

    def _is_echo(self, taken: Taken) -> bool:
        """Whether a message repeats what was said; only of who may speak for the agent, so that nobody else
        can take the words out of its mouth."""
        if not taken.heard or isinstance(taken.ask, WorldMove | WorldAction):
            return False
        return self._echoes.note(taken.heard, int(self._clock.seconds() * 1000))

    def _note(self, taken: Taken) -> None:
        """Whoever asks is here still, and is reached like this."""
        now, world = self._wall(), self._realm.world
        agents = [contact.agent_id for contact in self.contacts.of_key(taken.pubkey)]
        if isinstance(taken.ask, Command):
            agents.append(taken.ask.agent_id)  # type: ignore[attr-defined]
        for agent_id in agents:
            if has_key(world, agent_id, caller(taken.pubkey)):
                self.contacts.note(Contact(agent_id, taken.pubkey, taken.relay, taken.wrap, now))

    def _answer(self, taken: Taken, fields: dict[str, Any]) -> None:
        if taken.heard:
            return  # old clients expect none
        most = MOST_RUMOR if taken.secret else self._max_bytes()
        draft = asks.answer(
            taken.event_id, taken.pubkey, msgspec.json.encode(fields), self._wall() // 1000, most,
            private=taken.secret,
        )  # fmt: skip
        wrap = (taken.wrap or EPHEMERAL) if taken.secret else None
        self.replies.put(taken.relay, taken.pubkey, draft, wrap)


def caller(pubkey: str, heard: bool = False) -> Caller:
    """Whoever signed with the key `pubkey` (hex), `heard` in the channel.

    Keys cost nothing, so relays count as one network.
    """
    return Caller(
        pubkey=pubkey,
        npub=bech32.encode("npub", bytes.fromhex(pubkey)),
        source=pubkey,
        network=RELAYS,
        via="channel" if heard else UNSET,
    )
