"""What the machine gives the realm: memory against its limit, and disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from ..primitives.figures import Figures

#: Where the unified hierarchy of control groups is mounted (cgroups(7)).
CGROUPS: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")


class Memory(Struct, frozen=True):
    """Bytes used, and the bytes at which the kernel ends somebody."""

    used: int
    limit: int


class Resources:
    """Asks the kernel.  `memory_limit` (bytes), if not 0, is taken for the limit, and `state` is a folder."""

    def __init__(
        self, state: Path, memory_limit: int = 0, cgroups: Path = CGROUPS, proc: Path = PROC
    ) -> None:
        self._state = state
        self._memory_limit = memory_limit
        self._cgroups = cgroups
        self._proc = proc
        self._group = _own_group(cgroups, proc)

    def memory(self) -> Memory:
        """Use and limit of whichever is the nearest to its end.

        These are our control group and those above it that have a ``memory.max``; what the
        kernel could drop at once (inactive pages of files) is not counted as used.  Without
        any, it is the process's resident memory, against that of the machine.
        """
        if self._memory_limit:
            return Memory(resident_bytes(), self._memory_limit)
        tightest = Memory(resident_bytes(), _machine_bytes(self._proc))
        share = 0.0
        group = self._group
        while group is not None and group != self._cgroups:
            try:
                limit = (group / "memory.max").read_text().strip()
                if limit.isdigit() and int(limit) > 0:
                    used = int((group / "memory.current").read_text()) - _droppable(group)
                    if used / int(limit) > share:
                        share, tightest = used / int(limit), Memory(used, int(limit))
            except (OSError, ValueError):
                pass  # the memory controller is not enabled at this level
            group = group.parent
        return tightest

    def disk(self) -> tuple[int, int]:
        """Bytes that the realm may still write in its state folder, and bytes in all, as df(1) counts."""
        folder = self._state
        # No, too, where one may not look.
        while not os.path.exists(folder) and folder != folder.parent:
            folder = folder.parent
        status = os.statvfs(folder)
        free = status.f_bavail * status.f_frsize
        return free, free + (status.f_blocks - status.f_bfree) * status.f_frsize

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_memory_used_bytes", "Memory that counts against the limit.", lambda: self.memory().used),
            ("realmd_memory_limit_bytes", "Memory the realm may use.", lambda: self.memory().limit),
            (
                "realmd_disk_free_bytes",
                "What may still be written in the state folder.",
                lambda: self.disk()[0],
            ),
            ("realmd_disk_size_bytes", "Size of the state folder's file system.", lambda: self.disk()[1]),
        ]


def memory_limit(told_mb: int = 0, cgroups: Path = CGROUPS, proc: Path = PROC) -> int:
    """The memory (bytes) that this process may use: `told_mb`, or its control groups' least limit, or all.

    Both hierarchies are looked at (cgroups(7)): version 2, and version 1's of the memory controller.
    """
    if told_mb:
        return told_mb * 1_048_576
    limits = [_machine_bytes(proc)]
    with suppress(OSError):
        for line in (proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                root, name = cgroups, "memory.max"
            elif "memory" in controllers.split(","):
                root, name = cgroups / "memory", "memory.limit_in_bytes"
            else:
                continue
            group = root / path.lstrip("/")
            for folder in (group, *group.parents):
                if not folder.is_relative_to(root):
                    break
                with suppress(OSError, ValueError):
                    limits.append(int((folder / name).read_text()))
    return min(limits)


def _own_group(cgroups: Path, proc: Path) -> Path | None:
    """Our control group's folder; None without a unified hierarchy."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    return None if path is None else cgroups / path.lstrip("/")


def _droppable(group: Path) -> int:
    for line in (group / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0


def _machine_bytes(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 1


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return _status_kib("VmRSS:") * 1024


def anonymous_bytes() -> int:
    """The part of it that no file backs: heap and stacks."""
    return _status_kib("RssAnon:") * 1024


def _status_kib(field: str) -> int:
    """A field of /proc/self/status, see proc(5)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0
