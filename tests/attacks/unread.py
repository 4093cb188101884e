"""The attack on memory: let the realm make as much as it will, and take none of it, or all of it deflated.

    python -m tests.attacks.unread [--seconds 300] [--limit 512]

The long form: ten addresses of two networks do everything here at once, at full strength, to a daemon in a
control group of so many MiB (where one may be made; else only what it has resident is watched).  The test
is the same, shorter and with a third of the connections.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ..framing import upgrade
from ..process.daemon import Daemon
from .field import Field, Stranger, Swarm
from .siege import BEHIND_PROXIES, MIB, PROGRAM, Attack, besiege
from .wire import DEFLATE_OFFER, message, post, request

#: What the process may use (MiB), what it may have resident at most, and how long (s) the test's attack is.
LIMIT: Final = 512
RESIDENT: Final = 300
SECONDS: Final = 12.0
#: Connections of each kind at each address in a test; three times as many at full strength.
DEAF_VIEWERS, DEAF_READERS, DEFLATING = 18, 26, 7
#: Long profiles, and plugins; as long as the realm takes them.
PROFILES: Final = 50
PLUGINS: Final = 250
#: How often (s) all ask again, a commit is slow, and for how long it is.
AGAIN: Final = 1.0
SLOW_EVERY: Final = 30.0
SLOW: Final = 0.5
#: Answers of every size that ask for little: files packed and unpacked, lists, descriptions.
READERS: Final = (
    request("GET", "/vendor/three.core.min.js"),
    request("GET", "/vendor/three.core.min.js", accept_encoding="gzip"),
    request("GET", "/api/clawhub/skills"), post("profiles"), post("room-skills"), post("describe"),
    request("GET", "/api/events?limit=200"), post("moltbook-list"),
)  # fmt: skip
VIEWERS: Final = (
    message(type="requestProfiles", id=1) + message(type="subscribe"),
    message(type="clawhub-list", id=2),
    message(type="playerJoin", name="Nora"),
)


def addresses(field: Field) -> Iterator[str]:
    """Ten of two networks, again and again."""
    return field.strangers(networks=2, hosts=5)


def furnish(field: Field) -> None:
    """A world in which there is much to tell: profiles and plugins, as long as they may be."""
    at = addresses(field)
    lines = [Stranger(field, next(at)) for _ in range(10)]
    profiles = [*range(PROFILES)]
    for words in (30, 4):  # skills of 18 KB if those are taken, else what a person would write
        refused = ask(lines, [hoarder(number, words) for number in profiles])
        profiles = [profiles[at] for at in refused]
    ask(
        lines,
        [
            post(
                "clawhub-publish",
                id=f"plugin-{number}",
                name="n" * 90,
                description="d" * 490,
                tags=["t" * 60 + str(n) for n in range(20)],
            )
            for number in range(PLUGINS)
        ],
    )
    for line in lines:
        line.close(hard=True)


def hoarder(number: int, skills: int) -> bytes:
    """A profile with so many skills; all stand at the same place."""
    told = [{"skillId": f"s{n}", "name": "s" * 90, "description": "d" * 490} for n in range(skills)]
    return post("register", agentId=f"hoarder-{number}", bio="b" * 900, skills=told)


def ask(lines: list[Stranger], asked: list[bytes]) -> list[int]:
    """Ask all of it, on all lines at once; the numbers of what was refused."""
    for number, one in enumerate(asked):
        lines[number % len(lines)].send(one)
    return [n for n in range(len(asked)) if not lines[n % len(lines)].answer().json.get("ok")]


class Slow:
    """Makes a commit slow from time to time: another process of the operator's holds the database."""

    def __init__(self, field: Field) -> None:
        self._store = sqlite3.connect(field.folder / "state" / "realm.sqlite", isolation_level=None)
        self._due, self._held_since = time.monotonic() + 2.0, 0.0
        self.field = field

    def look(self) -> None:
        now = time.monotonic()
        if self._held_since and now >= self._held_since + SLOW:
            self._store.execute("ROLLBACK")
            self._held_since = 0.0
        elif not self._held_since and now >= self._due:
            with suppress(sqlite3.OperationalError):
                self._store.execute("BEGIN IMMEDIATE")
                self._held_since, self._due = now, now + SLOW_EVERY
                self.field.tally["slow commits"] += 1

    def close(self) -> None:
        self._store.close()


def unread(field: Field) -> None:
    """All of it at once; who is hung up on comes again."""
    furnish(field)
    at = addresses(field)
    slow = Slow(field)
    with Swarm(field, deaf=True) as deaf, Swarm(field) as reading:
        kinds = [(deaf, kind) for kind in viewers(field) for _ in range(DEAF_VIEWERS // 3)]
        kinds += [
            (deaf, (again, again)) for n in range(DEAF_READERS) for again in [READERS[n % len(READERS)]]
        ]
        kinds += [(reading, kind) for kind in [deflating(field) for _ in range(DEFLATING)]]
        for swarm, (first, again) in kinds * field.strength(1):
            for _ in range(10):
                swarm.open(next(at), first, again)
            deaf.turn(0)
            reading.turn(0)
        again_at = time.monotonic()
        while field.going_on:
            slow.look()
            if time.monotonic() >= again_at:
                again_at += AGAIN
                deaf.repeat()
                reading.repeat()
                field.tally["peak MiB"] = max(field.tally["peak MiB"], peak(field) // MIB)
            for swarm in (deaf, reading):
                for _ in range(swarm.turn(0.01)):
                    first, again = field.rng.choice([kind for of, kind in kinds if of is swarm])
                    swarm.open(next(at), first, again)
                    field.tally["came again"] += 1
    slow.close()
    assert field.tally["slow commits"]
    assert field.tally["peak MiB"] < RESIDENT, f"{field.tally['peak MiB']} MiB resident"


def viewers(field: Field) -> list[tuple[bytes, bytes]]:
    return [(upgrade() + again, again) for again in VIEWERS]


def deflating(field: Field) -> tuple[bytes, bytes]:
    """A viewer that reads all it asks for, of a place of its own."""
    place = {"x": field.rng.uniform(-50, 50), "z": field.rng.uniform(-50, 50)}
    again = message(type="viewport", **place) + message(type="subscribe")
    head = {"sec_websocket_extensions": DEFLATE_OFFER, "sec_websocket_protocol": "realm.batch.1"}
    return upgrade(**head) + again, again


def peak(field: Field) -> int:
    """The most memory (bytes) that the daemon had resident so far."""
    pid = (field.folder / "state" / "realm.sqlite.lock").read_text().strip()
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


@contextmanager
def confined(limit: int) -> Iterator[tuple[str, ...]]:
    """What to put before a program so that it may use `limit` MiB; nothing where that is not allowed."""
    roots = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))
    for root, name in roots:
        group = root / f"realmd-unread-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(limit * MIB))
            yield "sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"
        except OSError:
            break
        finally:
            with suppress(OSError):
                group.rmdir()
        return
    yield ()


SETTINGS: Final = {
    "REALMD_LIMITS_IN_FLIGHT_BYTES": str(LIMIT * MIB // 4),
    "REALMD_ROOM_MAX_AGENTS": "200",
    "REALMD_LIMITS_ADDRESS_REGISTRATIONS": "10000",
}
UNREAD: Final = Attack(
    "unread_answers",
    unread,
    "(memory for clients is used up|buffer overflow|connection timeout|ECONNRESET)",
    SETTINGS,
    growth=230,
    lines=200,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--limit", type=int, default=LIMIT, help="of memory, in MiB")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, confined(arguments.limit) as prefix:
        print(f"in a control group of {arguments.limit} MiB" if prefix else "no control group may be made")
        daemon = Daemon(Path(folder), settings={**BEHIND_PROXIES, **SETTINGS}, program=(*prefix, *PROGRAM))
        try:
            attack = UNREAD._replace(lines=int(UNREAD.lines * (1 + arguments.seconds / 60)))
            figures = besiege(daemon.ready(), attack, full=True, seconds=arguments.seconds)
        finally:
            daemon.kill()
    for field, value in figures._asdict().items():
        print(f"{field:12} {value}")


if __name__ == "__main__":
    main()
