"""What the realm knows of its machine: memory against its limit, and disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from realmd.host.resources import Memory, Resources, memory_limit, resident_bytes


def machine(tmp_path: Path, **groups: tuple[int, str, int]) -> Resources:
    """A kernel's files: `groups` are (current, max, inactive file pages) from the outermost in."""
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal:        1000 kB\nMemFree:          10 kB\n")
    (proc / "self/cgroup").write_text(f"0::/{'/'.join(groups)}\n")
    folder = cgroups
    for name, (current, limit, inactive) in groups.items():
        folder /= name
        folder.mkdir(parents=True)
        (folder / "memory.current").write_text(f"{current}\n")
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {inactive}\nactive_file 3\n")
    return Resources(tmp_path, cgroups=cgroups, proc=proc)


def test_the_limit_of_the_control_group_counts(tmp_path: Path) -> None:
    """With MemoryMax= in the unit, memory is what the kernel counts against it, less what it can drop."""
    made = machine(tmp_path, slice=(9000, "max", 0), unit=(900, "1000", 100))
    assert made.memory() == Memory(800, 1000)


def test_the_tightest_limit_counts(tmp_path: Path) -> None:
    """A container that is nearly full is what ends the realm, whatever the unit may use."""
    made = machine(tmp_path, box=(9500, "10000", 500), unit=(100, "1000", 0))
    assert made.memory() == Memory(9000, 10_000)


def test_without_any_limit_the_machine_is_it(tmp_path: Path) -> None:
    """On a machine without control groups, or with none limited, its memory is the limit."""
    assert machine(tmp_path / "a", unit=(900, "max", 0)).memory().limit == 1_024_000
    assert machine(tmp_path / "b").memory().limit == 1_024_000
    assert (
        Resources(tmp_path, cgroups=tmp_path / "none", proc=tmp_path / "a/proc").memory().limit == 1_024_000
    )


def test_the_operator_may_set_the_limit(tmp_path: Path) -> None:
    """alerts.memory_mb is the limit where it is set."""
    made = Resources(tmp_path, 50_000_000).memory()
    assert made.limit == 50_000_000
    assert made.used == pytest.approx(resident_bytes(), rel=0.2)


def test_disk_is_told_as_df_tells_it(tmp_path: Path) -> None:
    """Free is what the realm itself may write, even before its state folder exists."""
    free, size = Resources(tmp_path / "not" / "yet").disk()
    status = os.statvfs(tmp_path)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    assert free == pytest.approx(status.f_bavail * status.f_frsize, rel=0.05)
    assert size == pytest.approx(free + used, rel=0.05)


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    """On the real kernel, whatever control groups it has, the figures are those of a process."""
    memory = Resources(tmp_path).memory()
    assert 1_000_000 < memory.used < memory.limit


def test_what_the_process_may_use(tmp_path: Path) -> None:
    """The least limit of all control groups above it, of either version, or the machine has."""
    made = 0, tmp_path / "cgroup", tmp_path / "proc"
    machine(tmp_path, box=(1, "900000", 0), unit=(1, "max", 0))
    assert memory_limit(*made) == 900_000
    groups = made[2] / "self/cgroup"
    groups.write_text("9:name=systemd:/\n4:cpu,memory:/docker/box\n0::/nowhere\n")
    assert memory_limit(*made) == 1_024_000
    first = made[1] / "memory/docker/box"
    first.mkdir(parents=True)
    (first / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (first.parent / "memory.limit_in_bytes").write_text("800000\n")
    assert memory_limit(*made) == 800_000
    groups.unlink()
    assert memory_limit(*made) == 1_024_000
    assert memory_limit(3, *made[1:]) == 3 * 1_048_576
