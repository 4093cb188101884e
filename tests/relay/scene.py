"""What the tests of relays share: relays as processes, a pool that speaks to them, a clean reactor."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import globalLogPublisher
from twisted.python.threadpool import ThreadPool

from realmd.identity import nostr_event, schnorr
from realmd.identity.nostr_event import Event
from realmd.nostr.relay.bounds import Bounds
from realmd.nostr.relay.pool import Pool
from realmd.nostr.relay.sending import Outcome, Signer

from .hostile import reactor

SECRET: Final = bytes(31) + b"\x07"
PUBKEY: Final = schnorr.public_key(SECRET).hex()
#: No test waits for this to pass (s): it ends one that would hang.
SOON: Final = 20.0
#: Everything that a public relay would be granted in seconds or minutes, in little time.
BRISK: Final = Bounds(
    retry_first=0.05, retry_longest=2.0, connecting=0.5, closing=0.5, describing=1.0, answer=0.5,
    pause_first=0.05, pause_longest=1.0, tries=3, rate=200.0, burst=50.0, ping_interval=0.3,
    ping_patience=5.0, work_bits=14,
)  # fmt: skip


def sign(draft: nostr_event.Unsigned) -> Event:
    """`draft` with the id and signature of `SECRET`."""
    return nostr_event.sign_draft(draft, SECRET, os.urandom(32))


SIGNER: Final = Signer(PUBKEY, sign)


def note(text: str, kind: int = 42, at: int | None = None, *tags: tuple[str, ...]) -> Event:
    """A signed event; `at` in seconds, now if None."""
    when = int(time.time()) if at is None else at
    return nostr_event.sign(SECRET, bytes(32), kind=kind, created_at=when, tags=tags, content=text)


class LocalRelay:
    """nostr-sdk's relay in a process of its own; for the options see `local_relay.py`."""

    def __init__(self, port: int = 0, **options: Any) -> None:
        program = str(Path(__file__).with_name("local_relay.py"))
        self._options = options
        self.process = subprocess.Popen(
            [sys.executable, program, str(port), json.dumps(options)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip().rstrip("/")
        assert self.url, "the relay did not start"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def again(self) -> LocalRelay:
        """Another relay in the place of this one, which was killed."""
        return LocalRelay(int(self.url.rpartition(":")[2]), **self._options)

    def __enter__(self) -> LocalRelay:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


async def until(condition: Callable[[], Any], what: str, within: float = SOON) -> Any:
    """Ask `condition`, the reactor going on between, until it says something true."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        await deferLater(reactor, 0.01)
    return found


class Scene:
    """A started pool, what it logged, and what became of the events that were published."""

    def __init__(self, pool: Pool, log: list[dict[str, Any]]) -> None:
        self.pool = pool
        self.log = log
        self.outcomes: list[Outcome] = []

    def publish(self, event: Event, **how: Any) -> Deferred[list[Outcome]]:
        return self.pool.publish(event, self.outcomes.append, **how)

    def outcome(self, event: Event, url: str) -> Outcome | None:
        """What became of it there, if that is known."""
        # Proof of work changes the id and nothing else that is looked at here.
        found = (o for o in self.outcomes if o.relay == url and o.event.content == event.content)
        return next(found, None)

    def failures(self, url: str) -> list[dict[str, Any]]:
        """The lines of the log that operators grep for."""
        said = [e for e in self.log if str(e.get("log_format")).startswith("relay connection failed ")]
        return [event for event in said if event["relay"] == url]


@asynccontextmanager
async def pool_up(*urls: str, bounds: Bounds = BRISK, trust: Any = None) -> AsyncIterator[Scene]:
    """A pool of relays, until the block ends; then nothing of it is left, and nothing went wrong inside."""
    log: list[dict[str, Any]] = []
    observer: Any = log.append
    globalLogPublisher.addObserver(observer)
    before = set(map(id, reactor.getDelayedCalls())), set(map(id, reactor.getReaders()))
    threads = ThreadPool(0, 1, name="relays")
    threads.start()
    pool = Pool(
        reactor, urls, signer=SIGNER, run=partial(deferToThreadPool, reactor, threads),
        now=lambda: int(time.time() * 1000), rng=random.Random(1), bounds=bounds, trust=trust,
    )  # fmt: skip
    pool.startService()
    try:
        yield Scene(pool, log)
    finally:
        await pool.stopService()
        threads.stop()
        globalLogPublisher.removeObserver(observer)

    def left() -> list[str]:
        calls = [call for call in reactor.getDelayedCalls() if id(call) not in before[0]]
        readers = [reader for reader in reactor.getReaders() if id(reader) not in before[1]]
        # The other ends of these connections are a test's own affair.
        return list(map(str, calls + [reader for reader in readers if not isinstance(reader, tcp.Server)]))

    left_over = left()
    assert left_over == [], left_over
    assert [event for event in log if "log_failure" in event] == []
