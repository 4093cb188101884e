"""What the bridge needs of relays; `gateway.relay` has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ...identity.nostr_event import Event
from ...storage.publications import IPublications

Filter = Mapping[str, Any]
#: Gives an unsigned event a nonce (NIP-13) for that many leading zero bits of its id.
Mine = Callable[[Event, int], "Deferred[Event]"]
#: Calls a function in a thread, and fires with what it returned.
Run = Callable[..., "Deferred[Any]"]


class Outcome(Protocol):
    """What became of an event at one relay; `reason` is empty if it was accepted."""

    @property
    def relay(self) -> str: ...
    @property
    def event(self) -> Event: ...
    @property
    def accepted(self) -> bool: ...
    @property
    def reason(self) -> str: ...


class Limits(Protocol):
    """What a relay takes: bytes of a message, characters of content; None where it does not say."""

    @property
    def max_message_length(self) -> int | None: ...
    @property
    def max_content_length(self) -> int | None: ...


class Relay(Protocol):
    """One relay, connected or not."""

    @property
    def limits(self) -> Limits: ...

    def publish(self, event: Event, fixed: bool = False) -> Deferred[Any]: ...

    def query(
        self, filters: Sequence[Filter], *, most: int = 1000, patience: float = 15.0
    ) -> Deferred[list[Event]]: ...


class Relays(Protocol):
    """All relays of the realm, by URL; `figures` are (name, text, label, values) of metrics."""

    @property
    def clients(self) -> Mapping[str, Any]: ...

    def publish(
        self, event: Event, on_outcome: Callable[[Any], object] | None = None, *, fixed: bool = False
    ) -> Deferred[Any]: ...

    def subscribe(
        self,
        filters: Sequence[Filter],
        on_event: Callable[[Event, str], object],
        on_stored: Callable[[str], object] | None = None,
    ) -> Any: ...

    def connected(self) -> list[str]: ...
    def work_wanted(self) -> int: ...
    def figures(self) -> list[Any]: ...


__all__ = ["Filter", "IPublications", "Limits", "Mine", "Outcome", "Relay", "Relays"]
