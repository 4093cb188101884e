"""What the old system's sizing document asks for: estimates, as it gives them."""

from __future__ import annotations

from typing import Final, NamedTuple


class Range(NamedTuple):
    """From, to, and the unit."""

    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        figure = f"{self.low:g}" if self.low == self.high else f"{self.low:g}-{self.high:g}"
        return f"{figure} {self.unit}"


#: Percent of a processor by number of users.
CPU: Final = {0: Range(1, 5, "%"), 1: Range(5, 15, "%"), 10: Range(15, 30, "%"), 50: Range(40, 70, "%")}
#: Runtime, code and overhead together; then what each connection and each agent adds.
BASE: Final = Range(150, 210, "MB")
CONNECTION: Final = Range(2, 5, "MB")
AGENT: Final = Range(5, 10, "MB")
#: All memory, by number of agents.
MEMORY: Final = {20: Range(300, 500, "MB"), 50: Range(600, 900, "MB")}
#: KB a second sent and received by the clients, by number of users.
UPLOAD: Final = {1: Range(0.5, 2, "KB/s"), 10: Range(10, 20, "KB/s"), 50: Range(50, 100, "KB/s")}
DOWNLOAD: Final = {1: Range(1, 5, "KB/s"), 10: Range(50, 100, "KB/s"), 50: Range(250, 500, "KB/s")}


class Tier(NamedTuple):
    """A row of its scaling table, with the monthly cost of the servers it lists for that many."""

    name: str
    users: int
    server: str
    cost: str


TIERS: Final = (
    Tier("0-10", 10, "1 core, 512 MB", "$5-8"),
    Tier("11-30", 30, "2 cores, 1 GB", "$10-20"),
    Tier("31-50", 50, "2-4 cores, 2 GB", "$20-40"),
    Tier("50+", 100, "4+ cores, 4 GB", "$20-40"),
)


class Offer(NamedTuple):
    """A server from its cost table: cores, memory (MB), and the least it costs a month."""

    cores: int
    memory: int
    cost: str

    def __str__(self) -> str:
        gb = f"{self.memory // 1024} GB"
        return f"{self.cores} core{'s' if self.cores > 1 else ''}, {gb}"


OFFERS: Final = (Offer(1, 1024, "$5"), Offer(1, 2048, "$10"), Offer(2, 4096, "$20"))
#: What else runs on such a server (MB), and how much of it may be used: the document alerts beyond.
SYSTEM: Final = 200
MEMORY_SHARE: Final = 0.85
CPU_SHARE: Final = 0.80


def smallest(cpu: float, memory: float) -> Offer | None:
    """The smallest server on offer for `cpu` (percent of one core, and more cores do not help) and MB."""
    for offer in OFFERS:
        if cpu <= 100 * CPU_SHARE and memory + SYSTEM <= offer.memory * MEMORY_SHARE:
            return offer
    return None
