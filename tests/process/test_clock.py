"""The system's clock is set while the daemon runs (by libfaketime): who is there notices nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.identity.signers import OWNER, event

from .daemon import Daemon, poll

FAKETIME: Final = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
HOUR: Final = 3600
needs_faketime = pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (Debian: faketime)")


class Clock:
    """The time of day of a daemon, `offset` seconds from this machine's."""

    def __init__(self, folder: Path, offset: int = 0) -> None:
        self._file = folder / "offset"
        self.settings = {
            "LD_PRELOAD": str(FAKETIME), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
        }  # fmt: skip
        self.set(offset)

    def set(self, offset: int) -> None:
        self._file.write_text(f"{offset:+d}")


def now_of(daemon: Daemon) -> int:
    """The daemon's time of day, in seconds, by what it dates."""
    done = daemon.ask("world-chat", agentId="ann", text="What time is it?")
    assert done["ok"], done
    return int(daemon.events()[-1]["timestamp"]) // 1000


def signed(daemon: Daemon, body: bytes, now: int) -> str:
    tags = (
        ("u", f"http://127.0.0.1:{daemon.port}/ipc"), ("method", "POST"),
        ("payload", hashlib.sha256(body).hexdigest()),
    )  # fmt: skip
    made = msgspec.json.encode(event(27235, *tags, created_at=now))
    return f"Nostr {base64.b64encode(made).decode()}"


def login(daemon: Daemon, value: str, body: bytes) -> Any:
    """The answer to a login with this proof: "ok" or the code of the refusal."""
    with daemon.http() as http:
        _, answer = http.post("/ipc", body, {"Authorization": value})
        return "ok" if answer.get("ok") else answer.get("code")


@needs_faketime
def test_signed_logins_follow_a_clock_that_jumps(tmp_path: Path) -> None:
    """An hour ahead and back, or an hour back after the start: fresh proofs count at once, used ones never."""
    for began, jumps in ((0, (HOUR, 0, HOUR)), (HOUR, (0, HOUR))):
        folder = tmp_path / str(began)
        folder.mkdir()
        clock = Clock(folder, began)
        daemon = Daemon(folder, settings=clock.settings)
        try:
            daemon.ready()
            assert daemon.ask("register", agentId="ann")["ok"]
            used: list[tuple[str, bytes]] = []
            for turn, offset in enumerate((began, *jumps)):
                before = len(daemon.log.find("clock jumped"))
                clock.set(offset)
                if turn:
                    poll(lambda before=before: len(daemon.log.find("clock jumped")) > before, "it sees the jump")
                for number in range(3):
                    body = json.dumps({"command": "login", "args": {"nonce": [turn, number]}}).encode()
                    value = signed(daemon, body, now_of(daemon) + 1)
                    assert login(daemon, value, body) == "ok", (began, offset)
                    used.append((value, body))
                for value, body in used:
                    assert login(daemon, value, body) in ("replayed", "stale", "early")
        finally:
            daemon.kill()
        assert daemon.faults() == []
