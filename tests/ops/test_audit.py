"""The audit log: a line a deed, never changed, never without bound."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from realmd.operator.audit import Audit, Deed, Operator

ADA = Operator(1000, "ada", 42)


def test_a_deed_is_a_line_that_stays(tmp_path: Path) -> None:
    """What one did is noted after what was done before, readable by the realm's group and nobody else."""
    path = tmp_path / "audit.log"
    Audit(path).write(1_790_000_000.5, ADA, Deed(action="ban", result="ok", target="agent x", reason="a\nb"))
    Audit(path).write(1_790_000_001.0, ADA, Deed(action="unban", result="not_found"))
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "at": "2026-09-21T14:13:20.500+00:00", "uid": 1000, "user": "ada", "pid": 42, "action": "ban",
        "result": "ok", "target": "agent x", "reason": "a\nb",
    }  # fmt: skip
    assert second["result"] == "not_found"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_eldest_deeds_make_room(tmp_path: Path) -> None:
    """However much is done, there are so many files of so many bytes, and the newest deeds are in them."""
    audit = Audit(tmp_path / "audit.log", most_bytes=1000, files=3)
    for number in range(200):
        audit.write(float(number), ADA, Deed(action="say", result="ok", detail=f"word {number}"))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["audit.log", "audit.log.1", "audit.log.2"]
    assert all(file.stat().st_size <= 1000 for file in files)
    kept = [json.loads(line)["detail"] for file in reversed(files) for line in file.read_text().splitlines()]
    assert kept == [f"word {number}" for number in range(200 - len(kept), 200)]
    assert len(kept) > 10
