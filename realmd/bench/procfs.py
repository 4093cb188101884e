"""A process and its children as the kernel counts them: CPU, memory, threads.  See proc(5)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

PROC: Final = Path("/proc")
_LISTEN: Final = "0A"


class Stat(NamedTuple):
    """What is used of /proc/<pid>/stat; `ticks` is CPU time, with that of children waited for."""

    pid: int
    parent: int
    ticks: int


class Usage(Struct, frozen=True):
    """Of a process and all that descends from it: CPU time (s), memory (bytes), counts."""

    cpu: float
    rss: int
    #: Shared pages divided among those who share them; None if not asked, or the kernel does not tell.
    pss: int | None
    threads: int
    processes: int


def parse_stat(text: str) -> Stat:
    """A line of /proc/<pid>/stat; the name may hold spaces and parentheses."""
    pid, _, rest = text.partition(" (")
    fields = rest.rpartition(")")[2].split()
    return Stat(int(pid), int(fields[1]), sum(int(field) for field in fields[11:15]))


def parse_kib(text: str, field: str) -> int | None:
    """A field such as ``VmRSS:`` of /proc/<pid>/status or smaps_rollup, in bytes."""
    for line in text.splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return None


def parse_busy(text: str) -> int:
    """Ticks that all processors together were busy, of /proc/stat; waiting and stolen time is not."""
    user, nice, system, _idle, _wait, irq, softirq = (int(n) for n in text.split()[1:8])
    return user + nice + system + irq + softirq


def listening(text: str, port: int) -> set[int]:
    """Inodes of the sockets that listen on `port`, of /proc/net/tcp or tcp6."""
    found = set()
    for line in text.splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            found.add(int(fields[9]))
    return found


def descendants(pid: int, stats: Iterable[Stat]) -> list[Stat]:
    """The process and all that descends from it, parents first."""
    known = list(stats)
    found = [stat for stat in known if stat.pid == pid]
    for parent in found:
        found.extend(stat for stat in known if stat.parent == parent.pid)
    return found


def find_listener(port: int, root: Path = PROC) -> int | None:
    """The process that listens on a local TCP port; of several, the eldest."""
    inodes = set()
    for table in ("net/tcp", "net/tcp6"):
        inodes |= listening(_read(root / table) or "", port)
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return min((pid for pid in _pids(root) if wanted & _links(root / str(pid) / "fd")), default=None)


def usage(pid: int, root: Path = PROC, pss: bool = False) -> Usage | None:
    """What the process and its children use now; None when it is gone.  `pss` costs the server time."""
    texts = (_read(root / str(each) / "stat") for each in _pids(root))
    family = descendants(pid, (parse_stat(text) for text in texts if text))
    if not family:
        return None
    rss = threads = 0
    shares: list[int | None] = []
    for member in family:
        status = _read(root / str(member.pid) / "status") or ""
        rss += parse_kib(status, "VmRSS:") or 0
        threads += next((int(s.split()[1]) for s in status.splitlines() if s.startswith("Threads:")), 0)
        if pss:
            shares.append(parse_kib(_read(root / str(member.pid) / "smaps_rollup") or "", "Pss:"))
    known = [share for share in shares if share is not None]
    ticks = sum(member.ticks for member in family)
    seconds = ticks / os.sysconf("SC_CLK_TCK")
    return Usage(
        seconds, rss, sum(known) if known and len(known) == len(family) else None, threads, len(family)
    )


def busy(root: Path = PROC) -> float | None:
    """Processor time (s) that the whole machine has spent working."""
    text = _read(root / "stat")
    return parse_busy(text) / os.sysconf("SC_CLK_TCK") if text else None


def _pids(root: Path) -> list[int]:
    return [int(name) for name in os.listdir(root) if name.isdigit()] if root.is_dir() else []


def _links(folder: Path) -> set[str]:
    found = set()
    try:
        for name in os.listdir(folder):
            found.add(os.readlink(folder / name))
    except OSError:  # gone meanwhile, or another user's
        pass
    return found


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:  # gone meanwhile, or another user's
        return None
