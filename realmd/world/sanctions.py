"""Who is muted or banned, found at once: an index over the table of sanctions."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from .model import Sanction

#: Bits of an address, by IP version.
BITS: Final = {4: 32, 6: 128}


class Sanctions:
    """Finds the sanction in force on an agent, a key or an address.

    To find what bans an address takes one look for each length of prefix in use, however many
    networks are banned.
    """

    def __init__(self) -> None:
        self._all: dict[str, Sanction] = {}
        self._named: dict[tuple[str, str, str], Sanction] = {}
        #: By IP version, length of the prefix, and the prefix as a number.
        self._networks: dict[tuple[int, int, int], Sanction] = {}
        self._lengths: dict[int, Counter[int]] = {4: Counter(), 6: Counter()}
        #: When the first one ends (ms), or would have, if it was lifted; 0: none does.
        self._first_end = 0

    def put(self, sanction: Sanction) -> None:
        """Find `sanction` from now on, instead of another with its id."""
        self.drop(sanction.id)
        self._all[sanction.id] = sanction
        if sanction.scope == "network":
            version, length, prefix = _prefix(sanction.target)
            self._lengths[version][length] += 1
            self._networks[version, length, prefix] = sanction
        else:
            self._named[sanction.kind, sanction.scope, sanction.target] = sanction
        if sanction.until and (not self._first_end or sanction.until < self._first_end):
            self._first_end = sanction.until

    def drop(self, id: str) -> None:
        """Do not find it any more."""
        sanction = self._all.pop(id, None)
        if sanction is None:
            return
        if sanction.scope == "network":
            version, length, prefix = _prefix(sanction.target)
            del self._networks[version, length, prefix]
            self._lengths[version][length] -= 1
            if not self._lengths[version][length]:
                del self._lengths[version][length]
        else:
            del self._named[sanction.kind, sanction.scope, sanction.target]

    def ended(self, now: int) -> list[Sanction]:
        """Those whose end has come."""
        if not self._first_end or now < self._first_end:
            return []
        ended = [sanction for sanction in self._all.values() if not in_force(sanction, now)]
        self._first_end = min(
            (s.until for s in self._all.values() if s.until and in_force(s, now)), default=0
        )
        return ended

    def banned(self, address: str, now: int) -> Sanction | None:
        """The ban on `address` (without a port), if there is one; what is no IP address has none."""
        if not self._networks or (found := _number(address)) is None:
            return None
        version, number = found
        for length in self._lengths[version]:
            sanction = self._networks.get((version, length, number >> (BITS[version] - length)))
            if sanction is not None and in_force(sanction, now):
                return sanction
        return None

    def on(self, kind: str, agent_id: str | None, keys: Iterable[str], now: int) -> Sanction | None:
        """The `kind` of sanction on the agent, or on one of the pubkeys (hex)."""
        if not self._named:
            return None
        names = [("agent", agent_id), *(("pubkey", key) for key in keys if key)]
        for scope, name in names:
            sanction = self._named.get((kind, scope, name)) if name is not None else None
            if sanction is not None and in_force(sanction, now):
                return sanction
        return None


def in_force(sanction: Sanction, now: int) -> bool:
    """Whether it counts still at `now` (ms)."""
    return not sanction.until or now < sanction.until


def covers(sanction: Sanction, address: str) -> bool:
    """Whether `address` is in the network that was banned."""
    found = _number(address)
    if sanction.scope != "network" or found is None:
        return False
    version, length, prefix = _prefix(sanction.target)
    return found[0] == version and found[1] >> (BITS[version] - length) == prefix


def _prefix(network: str) -> tuple[int, int, int]:
    parsed = ipaddress.ip_network(network)
    length = parsed.prefixlen
    return parsed.version, length, int(parsed.network_address) >> (BITS[parsed.version] - length)


@lru_cache(4096)
def _number(address: str) -> tuple[int, int] | None:
    """IP version and number of `address`; an IPv4 address in IPv6's clothes is one of IPv4."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    plain = mapped or parsed
    return plain.version, int(plain)
