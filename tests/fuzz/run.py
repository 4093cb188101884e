"""The fuzz of one daemon: many connections at once, and what must hold meanwhile and after."""

from __future__ import annotations

import selectors
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..attacks.field import CHUNK, Field, Stranger, hang_up
from ..attacks.siege import BEHIND_PROXIES, MIB, PROGRAM, resident
from ..process.audit import read
from ..process.daemon import Daemon, poll
from .answers import Wrong, check
from .cases import Case, make
from .json_text import OURS, SKILLS
from .witness import Witness, check_kept, check_shown

#: Cases under way at once.
AT_ONCE: Final = 24
#: Longest (s) that a connection may stay open: the time-outs below, and what a busy machine adds.
BOUND: Final = 12.0
#: What the daemon may grow by (MiB), however long the fuzz goes on.
GROWTH: Final = 96
#: Time-outs that end soon what waits for more; an agent may do much; all else is as it comes.
SETTINGS: Final[Mapping[str, str]] = {
    **BEHIND_PROXIES,
    "REALMD_SERVER_HANDSHAKE_TIMEOUT_S": "2", "REALMD_SERVER_IDLE_TIMEOUT_S": "3",
    "REALMD_SERVER_PING_INTERVAL_S": "2", "REALMD_SERVER_PING_TIMEOUT_S": "2",
    "REALMD_WORLD_TICK_MS": "20", "REALMD_WORLD_COMMANDS_PER_SECOND": "10000",
    "REALMD_WORLD_WALK_SPEED": "100",
}  # fmt: skip
#: What no log may have.
CONFESSIONS: Final = (
    r"Traceback|Unhandled|never (retrieved|awaited)|Exception ignored|failed| (error|critical) "
)


class Failed(AssertionError):
    """Something does not hold; the text says what, and which cases were under way."""


class Report(NamedTuple):
    """What was done: cases, by door, and what the daemon grew by (bytes)."""

    cases: int
    doors: dict[str, int]
    growth: int
    promised: int


class Line:
    """One case under way."""

    def __init__(self, case: Case, field: Field, control: Path) -> None:
        self.case = case
        self.left = list(case.pieces)
        self.got = bytearray()
        self._lines = b"".join(case.pieces).count(b"\n")
        self.deadline = time.monotonic() + BOUND
        if case.door == "control":
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(str(control))
            except OSError:
                self.socket.close()
                raise
            self.socket.setblocking(False)
        else:
            self.socket = field.open(case.address)

    def send(self) -> None:
        """Some of what is left."""
        sent = self.socket.send(self.left[0][:CHUNK])
        self.left[0] = self.left[0][sent:]
        if not self.left[0]:
            del self.left[0]
        self.hang_up_when_answered()

    def hang_up_when_answered(self) -> None:
        """The control socket waits for more orders: each line must have been answered first."""
        if self.case.door == "control" and not self.left and self.got.count(b"\n") >= self._lines:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)


class Fuzz:
    """Cases of `seed` from number `first` on, against a daemon that runs."""

    def __init__(self, daemon: Daemon, seed: int, first: int = 0) -> None:
        self._daemon = daemon
        self._field = Field(daemon.port, daemon.folder)
        self._seed = seed
        self._next = first
        self._selector = selectors.DefaultSelector()
        self._lines: set[Line] = set()
        self._read = 0
        self._health: dict[str, Any] = {}
        self.doors: Counter[str] = Counter()

    def run(self, seconds: float, witness: Witness, last: int | None = None) -> None:
        """Go on for so long, or to the case of that number; raises `Failed`."""
        end = time.monotonic() + seconds
        while True:
            more = time.monotonic() < end and (last is None or self._next <= last)
            if not more and not self._lines:
                return
            while more and len(self._lines) < AT_ONCE and (last is None or self._next <= last):
                self._begin(make(self._seed, self._next))
                self._next += 1
            self._turn()
            self.look(witness)

    def _begin(self, case: Case) -> None:
        try:
            line = Line(case, self._field, self._daemon.state / "control.sock")
        except OSError as error:
            raise self._failed(case, f"no connection: {error}") from None
        self._lines.add(line)
        self._selector.register(line.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, line)
        self.doors[case.door] += 1

    def _turn(self) -> None:
        for key, ready in self._selector.select(0.05):
            self._serve(key.data, ready)
        now = time.monotonic()
        for line in self._lines:
            if now > line.deadline:
                raise self._failed(
                    line.case, f"neither answered nor closed; so far: {bytes(line.got[-500:])!r}"
                )

    def _serve(self, line: Line, ready: int) -> None:
        if ready & selectors.EVENT_WRITE:
            try:
                if line.left:
                    line.send()
            except BlockingIOError:
                pass
            except OSError:  # it has heard enough; what it said comes yet
                line.left.clear()
            if not line.left:
                self._selector.modify(line.socket, selectors.EVENT_READ, line)
        if ready & selectors.EVENT_READ:
            try:
                data, reset = line.socket.recv(CHUNK), False
            except BlockingIOError:
                return
            except OSError:
                data, reset = b"", True
            line.got += data
            line.hang_up_when_answered()
            if not data:
                self._end(line, reset)

    def _end(self, line: Line, reset: bool) -> None:
        self._selector.unregister(line.socket)
        self._lines.discard(line)
        hang_up(line.socket, hard=True)
        try:
            check(line.case, bytes(line.got), reset)
        except (Wrong, ValueError) as error:
            raise self._failed(line.case, f"{error}") from error

    def look(self, witness: Witness) -> None:
        """Raise `Failed` if the log, the daemon or its witness says that something went wrong."""
        log = self._daemon.log
        if len(log.lines) > self._read:
            self._read = len(log.lines)
            if found := log.find(CONFESSIONS):
                raise self._failed(None, f"in the log: {found[0]}")
        if self._daemon.process.poll() is not None:
            raise self._failed(None, "")
        if witness.wrong:
            raise self._failed(None, f"a witness: {witness.wrong[0]}")

    def check_end(self, growth: int) -> None:
        """Raise `Failed` unless it is well, has grown by no more than it may (bytes), and ends in order."""
        try:
            poll(self._well, "it is well again")
            assert growth <= GROWTH * MIB, f"{growth / MIB:.0f} MiB more"
            assert self._daemon.stop() == 0, "its exit status"
            assert self._daemon.log.find(CONFESSIONS) == []
        except AssertionError as error:
            raise self._failed(None, f"at the end: {error} {self._health}") from error

    def _well(self) -> bool:
        """All is well but what the alerts say, who have noticed that much went wrong."""
        status, self._health = self._daemon.health()
        checks = {name: check["status"] for name, check in self._health["checks"].items() if name != "alerts"}
        return status == 200 and set(checks.values()) == {"ok"}

    def _failed(self, case: Case | None, why: str) -> Failed:
        with suppress(subprocess.TimeoutExpired):  # connections end a moment before their process does
            self._daemon.process.wait(1.0)
            why = f"it has ended with {self._daemon.process.returncode}: {why}"
        if case is not None:
            return Failed(f"{why}\n{case}")
        numbers = sorted(line.case.number for line in self._lines)
        return Failed(f"{why}\nunder way: cases {numbers} of seed {self._seed}, the next is {self._next}")

    def close(self) -> None:
        """Hang up everywhere."""
        for line in self._lines:
            hang_up(line.socket, hard=True)
        self._selector.close()


def start(folder: Path, program: tuple[str, ...] = PROGRAM) -> Daemon:
    """A daemon for a fuzz."""
    return Daemon(folder, settings=SETTINGS, program=program).ready()


def fuzz(
    folder: Path,
    seconds: float,
    seed: int,
    first: int = 0,
    last: int | None = None,
    program: tuple[str, ...] = PROGRAM,
) -> Report:
    """Fuzz a daemon of its own for so long, stop it, start it again; raises `Failed`.

    The same `seed` makes the same cases; `first` and `last` choose some of them.
    """
    daemon = start(folder, program)
    attack = Fuzz(daemon, seed, first)
    try:
        for name in OURS:
            assert daemon.ask("register", agentId=name, capabilities=SKILLS)["ok"]
        with closing(Witness(Field(daemon.port, folder))) as witness:
            before = resident(daemon)
            attack.run(seconds, witness, last)
            growth = resident(daemon) - before
            witness.leave()
            attack.look(witness)
            attack.check_end(growth)
    finally:
        attack.close()
        daemon.kill()
    try:
        check_kept(read(daemon.database).events, witness)
        check_restart(folder, witness)
    except AssertionError as error:
        raise Failed(f"after it all: {error}") from error
    promised = len(witness.aloud) + len(witness.private)
    return Report(attack.doors.total(), dict(attack.doors), growth, promised)


def check_restart(folder: Path, witness: Witness) -> None:
    """Fails unless a daemon that starts now shows what the witness was promised."""
    again = start(folder)
    try:
        with Stranger(Field(again.port, folder), "192.0.2.3") as line:
            check_shown(line, witness)
        assert again.stop() == 0
    finally:
        again.kill()
