"""What WebSocket clients wish for themselves: where to look, what to be shown, a key, an avatar."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, Protocol

from ..primitives.errors import Fault
from ..protocol import classic
from ..protocol.classic import Ask
from ..runtime.fanout import Fanout, Viewer
from ..runtime.realm import Answer
from ..world import commands, queries
from ..world.queries import Query
from .callers import Callers

#: Agents that one connection may speak for, and the cut of a player's name.
MOST_LINKS: Final = 64
PLAYER_NAME: Final = 32


class Client(Viewer, Protocol):
    """Who wishes: a connection that sees the world, asks of it, and is told."""

    agents: set[str]
    #: The avatar of the human who looks, if he has one or has asked for it.
    player: str | None
    #: What was given to be signed and has not been answered.
    challenge: str

    def tell(self, kind: str, /, **fields: Any) -> None: ...
    def wrong(self, text: str, mark: str | int | None, code: str = "") -> None: ...
    def refused(self, answer: Answer) -> None: ...
    def ask(self, ask: Ask, mark: str | int | None) -> None: ...
    def serve(self, ask: Ask, reply: Callable[[Answer], None]) -> None: ...
    def speak_for(self, agent_id: str) -> None: ...
    def speak_no_more_for(self, agent_id: str) -> None: ...


class Wishes:
    """Grants them, one after another, to all clients."""

    def __init__(self, fanout: Fanout, callers: Callers, rng: random.Random) -> None:
        self._fanout = fanout
        self._callers = callers
        self._rng = rng

    def grant(self, client: Client, wish: classic.Wish, mark: str | int | None) -> None:
        """Do what `client` wishes, and acknowledge it by `mark` where that is usual.  Raises a `Fault`."""
        fanout = self._fanout
        match wish:
            case classic.Viewport(x=x, z=z):
                if client.follow is None:
                    fanout.look(client, x, z)
            case classic.Follow(agent_id=agent_id):
                fanout.follow(client, agent_id)
            case classic.Subscribe():
                fanout.refresh(client)
            case classic.RequestProfiles():
                self._show(client, "profiles", "profiles", wish.query(), mark)
            case classic.RequestProfile(agent_id=agent_id):
                self._show(client, "profile", "profile", queries.ProfileOf(agent_id=agent_id), mark)
            case classic.RequestRoomInfo():
                self._show(client, "roomInfo", "info", queries.RoomInfo(), mark)
            case classic.Challenge():
                given = self._callers.challenge()
                client.challenge = given["challenge"]
                client.tell("challenge", **given)
            case classic.Authenticate(event=event):
                self._authenticate(client, event, mark)
            case classic.PlayerJoin():
                self._player_join(client, wish)
            case _:
                self._play(client, wish, mark)

    def _authenticate(self, client: Client, event: dict[str, Any], mark: str | int | None) -> None:
        challenge, client.challenge = client.challenge, ""
        try:
            self._callers.answer(client.caller, challenge, event)
        except Fault as fault:
            fault.mark = mark
            raise
        shown = {"pubkey": client.caller.pubkey, "npub": client.caller.npub}
        if mark is not None:
            client.tell("ack", id=mark, ok=True, **shown)
        else:
            client.tell("authenticated", **shown)

    def _show(self, client: Client, kind: str, field: str, query: Query, mark: str | int | None) -> None:
        """Answer a classic request: what is asked for, in a message of its own kind."""

        def reply(answer: Answer) -> None:
            fields = {name: value for name, value in answer.fields.items() if name != "ok"}
            if not answer.fields["ok"]:
                client.wrong(fields["error"], mark)
            else:
                more = {"next": fields["next"]} if "next" in fields else {}
                client.tell(kind, **{field: fields.get(field, fields)}, **more)

        client.serve(query, reply)

    def _player_join(self, client: Client, wish: classic.PlayerJoin) -> None:
        if client.player is not None:
            raise Fault("already joined")
        if len(client.agents) >= MOST_LINKS:
            raise Fault(f"this connection speaks for {MOST_LINKS} agents already")
        player = f"human-{self._rng.getrandbits(48):012x}"
        name = wish.name.strip()[:PLAYER_NAME] or "Visitor"

        def reply(answer: Answer) -> None:
            if answer.fields["ok"]:
                client.tell("playerJoined", agentId=player)
                return
            if client.player == player:
                client.player = None
            client.speak_no_more_for(player)
            client.refused(answer)

        client.player = player
        try:
            join = commands.PlayerJoin(
                agent_id=player, name=name, color=wish.color, bio="Human player", capabilities=("player",)
            )
            client.serve(join, reply)
        except Fault:
            client.player = None
            raise
        if client.player == player:  # it was not refused at once
            client.speak_for(player)

    def _play(self, client: Client, wish: classic.Wish, mark: str | int | None) -> None:
        if client.player is None:
            raise Fault("playerJoin first")
        me = client.player
        match wish:
            case classic.PlayerMove(x=x, z=z, rotation=rotation):
                client.ask(commands.WorldMove(agent_id=me, x=x, z=z, rotation=rotation), mark)
            case classic.PlayerChat(text=text):
                client.ask(commands.WorldChat(agent_id=me, text=text), mark)
            case classic.PlayerAction(action=action):
                client.ask(commands.WorldAction(agent_id=me, action=action), mark)
            case classic.PlayerLeave():
                client.player = None
                client.ask(commands.WorldLeave(agent_id=me), mark)
