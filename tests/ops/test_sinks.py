"""How the operator is told: a webhook, a mail, Nostr, Sentry; and what becomes of those that fail."""

from __future__ import annotations

import email
import email.policy
import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, capturedLogs
from twisted.python.failure import Failure

from realmd.host.network import NotTaken, cause_of
from realmd.ops import post as posting
from realmd.ops import sinks
from realmd.ops.alerts import Notice
from realmd.ops.monitoring import sinks as configured
from realmd.ops.notifier import MOST_TRIES, MOST_WAITING, Notifier
from realmd.ops.sentry import AGAIN_AFTER, Dsn, Sentry
from realmd.ops.sentry import MOST_WAITING as MOST_EVENTS
from realmd.ops.sinks import Mail, Webhook
from tests.ops.receiver import receiver
from tests.realm import config, reactor

DISK = Notice(
    "raised", "disk", "critical", "97.0 %", "the disk is full", "Free some space.", 1_700_000_000_000
)
OVER = Notice(
    "cleared", "disk", "critical", "40.0 %", "the disk is full", "Free some space.", 1_700_000_060_000
)


def a_program(folder: Path, script: str) -> str:
    """An executable that stands where sendmail does."""
    program = folder / "sendmail"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


@pytest_twisted.ensureDeferred
async def test_a_webhook_gets_the_alert_as_json() -> None:
    """What is posted has a text that chat services show, and the alert in fields for programs."""
    async with receiver() as service:
        await Webhook(reactor, f"{service.url}/hook?x=1", "Forge", "https://r.example").send([DISK, OVER])
        path, headers, body = service.taken[0]
    told = json.loads(body)
    assert (path, headers["content-type"]) == ("/hook", "application/json")
    assert told["text"].splitlines() == [
        "[Forge] critical: the disk is full (now 97.0 %).  Free some space.",
        "[Forge] cleared: disk (critical), now 40.0 %",
    ]
    assert (told["room"], told["url"]) == ("Forge", "https://r.example")
    assert told["alerts"][0] == {
        "state": "raised", "name": "disk", "severity": "critical", "value": "97.0 %",
        "summary": "the disk is full", "advice": "Free some space.", "at": 1_700_000_000_000,
    }  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_a_webhook_that_does_not_take_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is no success, none in time, and a refused connection are failures with a cause."""
    async with receiver() as service:
        service.status = 500
        with pytest.raises(NotTaken, match="it answered 500"):
            await Webhook(reactor, service.url, "Forge", "").send([DISK])
        service.status = None
        with monkeypatch.context() as patch:
            patch.setattr(posting, "PATIENCE", 0.05)
            with pytest.raises(NotTaken, match="ETIMEDOUT: no answer within"):
                await Webhook(reactor, service.url, "Forge", "").send([DISK])
        url = service.url
    with pytest.raises(ConnectionRefusedError) as caught:
        await Webhook(reactor, url, "Forge", "").send([DISK])
    assert cause_of(caught.value) == "ECONNREFUSED"
    assert cause_of(NotTaken("it answered 500")) == "it answered 500"


@pytest_twisted.ensureDeferred
async def test_a_mail_goes_through_sendmail(tmp_path: Path) -> None:
    """sendmail gets a whole mail and the address as one argument; nothing in a name breaks out of it."""
    program = a_program(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/args; cat > {tmp_path}/mail')
    await Mail(reactor, program, "o@example.org", "Fo\r\nBcc: x@y\n$(touch pwned)é").send([DISK, OVER])
    assert (tmp_path / "args").read_text().splitlines() == ["-i", "--", "o@example.org"]
    mail = email.message_from_bytes((tmp_path / "mail").read_bytes(), policy=email.policy.default)
    assert mail["To"] == "o@example.org"
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[Fo Bcc: x@y $(touch pwned)é] raised: disk and 1 more"
    assert mail.get_content().count("critical: the disk is full") == 1
    assert not (tmp_path / "pwned").exists()


@pytest_twisted.ensureDeferred
async def test_a_sendmail_that_fails_hangs_or_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it complained of is passed on; one that hangs is killed; one that is missing is a failure too."""
    path = tmp_path / "sendmail"
    for script, told in (
        ("echo 'no route\nto mx' >&2; exit 75", f"{path} ended with status 75: no route to mx"),
        ("exit 1", f"{path} ended with status 1"),
        ("kill -9 $$", f"{path} ended with signal 9"),
    ):
        with pytest.raises(NotTaken) as caught:
            await Mail(reactor, a_program(tmp_path, script), "o@x", "R").send([DISK])
        assert cause_of(caught.value) == told
    monkeypatch.setattr(sinks, "MAIL_PATIENCE", 0.1)
    with pytest.raises(NotTaken, match="did not end within"):
        await Mail(reactor, a_program(tmp_path, "exec sleep 600"), "o@x", "R").send([DISK])
    path.chmod(0o644)
    for wrong, why in ((tmp_path / "nowhere", "No such file or directory"), (path, "Permission denied")):
        with pytest.raises(NotTaken) as caught:
            await Mail(reactor, str(wrong), "o@x", "R").send([DISK])
        assert cause_of(caught.value) == f"{wrong} cannot be run: {why}"


def test_only_what_is_configured_is_used(tmp_path: Path) -> None:
    """No sink by default; each appears when it is set, Nostr once somebody can send it."""
    assert list(configured(config(tmp_path), reactor)) == []
    npub = "npub1" + "q" * 58
    given = config(tmp_path, alerts={"webhook": "http://h/", "email": "o@x", "operator_npub": npub})
    assert [sink.name for sink in configured(given, reactor)] == ["webhook", "email"]

    async def send(text: str) -> None:
        """Nobody is told."""

    assert [sink.name for sink in configured(given, reactor, send)] == ["webhook", "email", "nostr"]


class Fickle:
    """A sink that does what the test decides."""

    name = "fickle"

    def __init__(self) -> None:
        self.got: list[list[str]] = []
        self.flights: list[Deferred[None]] = []

    async def send(self, notices: Any) -> None:
        self.got.append([notice.value for notice in notices])
        self.flights.append(Deferred())
        await self.flights[-1]


def notice(number: int) -> Notice:
    return Notice("raised", "disk", "warning", str(number), "", "", 0)


def test_each_sink_has_its_own_pace() -> None:
    """One message in `interval` at most, with all that gathered; a slow sink holds up no other."""
    clock, slow, quick = Clock(), Fickle(), Fickle()
    notifier = Notifier([slow, quick], clock, 60.0)
    notifier.tell(notice(1))
    clock.advance(0)
    quick.flights[0].callback(None)
    notifier.tell(notice(2))
    notifier.tell(notice(3))
    clock.advance(59)
    assert (slow.got, quick.got) == ([["1"]], [["1"]])
    clock.advance(1)
    assert (slow.got, quick.got) == ([["1"]], [["1"], ["2", "3"]])
    slow.flights[0].callback(None)
    clock.advance(60)
    assert slow.got == [["1"], ["2", "3"]]
    assert [outlet.sent for outlet in notifier.outlets] == [1, 1]


def test_a_sink_that_fails_is_tried_again_and_given_up() -> None:
    """Its failures are logged and counted, its pauses grow, what waits stays bounded."""
    clock, sink = Clock(), Fickle()
    notifier = Notifier([sink], clock, 60.0)
    notifier.tell(notice(0))
    clock.advance(0)
    for number in range(1, MOST_WAITING + 10):
        notifier.tell(notice(number))
    pauses = []
    with capturedLogs() as events:
        for _ in range(MOST_TRIES):
            sink.flights[-1].errback(OSError(111, "refused"))
            tries, pause = len(sink.got), 0
            while len(sink.got) == tries and pause < 10_000:
                clock.advance(10)
                pause += 10
            pauses.append(pause)
    assert pauses == [120, 240, 480, 960, 1920, 10_000]  # after the last, nothing is left to be tried
    assert all(len(batch) <= MOST_WAITING for batch in sink.got)
    assert [event["cause"] for event in events] == ["ECONNREFUSED"] * MOST_TRIES
    assert notifier.outlets[0].failed == MOST_TRIES
    assert notifier.outlets[0].dropped == MOST_WAITING + 10
    notifier.tell(notice(99))
    clock.advance(3600)
    assert sink.got[-1] == ["99"]


def test_stopping_leaves_nothing_behind() -> None:
    """Neither a timer nor a message under way outlives the daemon, and no failure is left unseen."""
    clock, sink = Clock(), Fickle()
    notifier = Notifier([sink], clock, 60.0)
    notifier.startService()
    notifier.tell(notice(1))
    clock.advance(0)
    notifier.tell(notice(2))
    notifier.stopService()
    assert clock.getDelayedCalls() == []
    assert sink.got == [["1"]]


def broken(secret: str) -> Failure:
    try:
        raise ValueError(f"bad token={secret}")
    except ValueError:
        return Failure()


@pytest_twisted.ensureDeferred
async def test_sentry_gets_what_fails() -> None:
    """An error of the log is an event with its frames, in Sentry's envelope, with no secret in it."""
    log = Logger(namespace="realmd.test")
    async with receiver() as service:
        dsn = Dsn.parse(service.url.replace("http://", "http://abc@") + "/sub/42")
        sentry = Sentry(dsn, reactor, "Forge", reactor, lambda: "e" * 32)
        with capturedLogs() as events:
            log.failure("mind failed agent={agent}", broken("hunter2"), agent="daily")
            log.warn("only a warning")
            log.failure("mind failed agent={agent}", broken("hunter2"), agent="trade")
        for event in events:
            sentry(event)
        sending = sentry.send()
        assert sending is not None
        await sending
        assert sentry.send() is None  # the same fault a moment later is no news
        path, headers, body = service.taken[0]
    assert path == "/sub/api/42/envelope/"
    assert "sentry_key=abc" in headers["x-sentry-auth"]
    head, item, text = body.split(b"\n", 2)
    assert json.loads(head)["event_id"] == "e" * 32
    assert json.loads(item) == {"type": "event", "length": len(text) - 1}
    told = json.loads(text)
    assert (told["level"], told["logger"]) == ("fatal", "realmd.test")
    assert told["logentry"] == {"formatted": "mind failed agent=daily"}
    [fault] = told["exception"]["values"]
    assert (fault["type"], fault["value"]) == ("ValueError", "bad token=***")
    assert fault["stacktrace"]["frames"][-1]["function"] == "broken"
    assert b"hunter2" not in body.replace(b'f\\"bad token={secret}\\"', b"")


def test_sentry_is_bounded() -> None:
    """A flood of errors makes a few events, and the same one comes again only after a while."""
    clock = Clock()
    sentry = Sentry(Dsn("http://h/", "k"), clock, "Forge", clock, lambda: "0")
    for number in range(100):
        sentry({"log_level": LogLevel.error, "log_format": f"fault {number}", "log_namespace": "x"})
    assert (len(sentry._waiting), sentry.dropped) == (MOST_EVENTS, 100 - MOST_EVENTS)
    sentry._waiting.clear()
    again: Any = {"log_level": LogLevel.error, "log_format": "fault 1", "log_namespace": "x"}
    sentry(again)
    assert len(sentry._waiting) == 0
    clock.advance(AGAIN_AFTER)
    sentry(again)
    assert len(sentry._waiting) == 1


@pytest.mark.parametrize(
    ("dsn", "address", "key"),
    [
        ("https://k@sentry.example/7", "https://sentry.example/api/7/envelope/", "k"),
        ("http://k:old@h:9000/deep/path/7", "http://h:9000/deep/path/api/7/envelope/", "k"),
        ("https://k@[::1]:9/7", "https://[::1]:9/api/7/envelope/", "k"),
    ],
)
def test_a_dsn_is_understood(dsn: str, address: str, key: str) -> None:
    """Self-hosted Sentries live on ports and below paths."""
    assert Dsn.parse(dsn) == Dsn(address, key)
