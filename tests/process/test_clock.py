"""The system's clock is set while the daemon runs (by libfaketime): who is there notices nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.identity.signers import event

from .daemon import Daemon, poll

HOUR: Final = 3600
pytestmark = pytest.mark.needs("faketime")


class Clock:
    """The time of day of a daemon, `offset` seconds from this machine's."""

    def __init__(self, folder: Path, offset: int = 0) -> None:
        self._file = folder / "offset"
        self.settings = {
            "LD_PRELOAD": str(next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
        }
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
        ("u", f"http://127.0.0.1:{daemon.port}/ipc"),
        ("method", "POST"),
        ("payload", hashlib.sha256(body).hexdigest()),
    )
    made = msgspec.json.encode(event(27235, *tags, created_at=now))
    return f"Nostr {base64.b64encode(made).decode()}"


def login(daemon: Daemon, value: str, body: bytes) -> Any:
    """The answer to a login with this proof: "ok" or the code of the refusal."""
    with daemon.http() as http:
        _, answer = http.post("/ipc", body, {"Authorization": value})
        return "ok" if answer.get("ok") else answer.get("code")


def jump(daemon: Daemon, clock: Clock, offset: int) -> None:
    """Set the clock, and wait until the daemon has seen it."""
    before = len(daemon.log.find("clock jumped"))
    clock.set(offset)
    poll(lambda: len(daemon.log.find("clock jumped")) > before, "it sees the jump")


def check_logins(daemon: Daemon, turn: int, used: list[tuple[str, bytes]]) -> None:
    """What is signed now counts, once; and nothing that was used before does."""
    now = now_of(daemon)
    for number in range(3):
        body = json.dumps({"command": "login", "args": {"nonce": [turn, number]}}).encode()
        value = signed(daemon, body, now + 1)
        assert login(daemon, value, body) == "ok", (turn, number)
        used.append((value, body))
    for value, body in used:
        assert login(daemon, value, body) in ("replayed", "stale", "early")


@pytest.mark.parametrize(("began", "jumps"), [(0, (HOUR, 0, HOUR)), (HOUR, (0, HOUR))])
def test_signed_logins_follow_a_clock_that_jumps(tmp_path: Path, began: int, jumps: tuple[int, ...]) -> None:
    """An hour ahead and back, or back after the start: fresh proofs count at once, used ones never."""
    clock = Clock(tmp_path, began)
    daemon = Daemon(tmp_path, settings=clock.settings)
    try:
        daemon.ready()
        assert daemon.ask("register", agentId="ann")["ok"]
        used: list[tuple[str, bytes]] = []
        check_logins(daemon, 0, used)
        for turn, offset in enumerate(jumps, 1):
            jump(daemon, clock, offset)
            check_logins(daemon, turn, used)
    finally:
        daemon.kill()
    assert daemon.faults() == []
