"""Which agents were heard of by relay lately, and how they are reached there."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec import Struct

#: Agents remembered; the one unheard the longest goes first.
MOST: Final = 1024
#: Agents of one key that an ask keeps from dozing.
MOST_OF_KEY: Final = 8
#: For how long (ms) after its last ask an agent counts as reached by relay.
LATELY: Final = 3_600_000


class Contact(Struct):
    """An agent whose commands came by `relay` (URL), signed by `pubkey` (hex), the last one at `at` (ms).

    `wrap` is the kind of gift wrap that its asks come in or ask for, None if they do neither.
    """

    agent_id: str
    pubkey: str
    relay: str
    wrap: int | None
    at: int


class Contacts:
    """The newest contact of each agent."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._all: OrderedDict[str, Contact] = OrderedDict()
        self._keys: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def note(self, contact: Contact) -> None:
        """A command of the agent was obeyed."""
        self._drop(contact.agent_id)
        self._all[contact.agent_id] = contact
        self._keys.setdefault(contact.pubkey, {})[contact.agent_id] = None
        if len(self._all) > self._most:
            self._drop(next(iter(self._all)))

    def knows(self, pubkey: str) -> bool:
        """Whether an agent speaks with this key."""
        return pubkey in self._keys

    def of_key(self, pubkey: str) -> list[Contact]:
        """The agents that spoke with this key last, a few at most."""
        return [self._all[agent_id] for agent_id in list(self._keys.get(pubkey, ()))[-MOST_OF_KEY:]]

    def of(self, agent_id: str, now: int) -> Contact | None:
        """How the agent is reached at `now` (ms), if it was heard lately."""
        contact = self._all.get(agent_id)
        return contact if contact is not None and now - contact.at < LATELY else None

    def _drop(self, agent_id: str) -> None:
        contact = self._all.pop(agent_id, None)
        if contact is not None:
            agents = self._keys[contact.pubkey]
            del agents[agent_id]
            if not agents:
                del self._keys[contact.pubkey]
