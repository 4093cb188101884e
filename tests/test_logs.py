"""Logs: one event one line, nothing secret, nothing of use to a forger."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python import log as old_log
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from realmd.host.logs import LONGEST_LINE, PRIORITIES, level_of, observer, resolve
from realmd.primitives.masking import is_secret, scrub

AT = 1_770_000_000.25


class Logs:
    """A logger, and the lines that its events became."""

    def __init__(self, format: str, level: str = "info") -> None:
        self.stream = io.StringIO()
        self.publisher = LogPublisher()
        self.publisher.addObserver(observer(format, level, self.stream))
        self.log = Logger("realmd.test", observer=self._at_a_known_time)

    def _at_a_known_time(self, event: dict[str, Any]) -> None:
        self.publisher({**event, "log_time": AT})

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().split("\n")[:-1]


def test_each_format_writes_its_line() -> None:
    """Text has time, level and system; the journal a priority and no time; JSON an object with the fields."""
    seen = {}
    for format in ("text", "journal", "json"):
        logs = Logs(format)
        logs.log.warn(
            "agent respawn agentId={agent_id} after={after}", agent_id="trade", after=2.5, mind=logs
        )
        (seen[format],) = logs.lines
    assert (
        seen["text"] == "2026-02-02T02:40:00.250Z warn     realmd.test agent respawn agentId=trade after=2.5"
    )
    assert seen["journal"] == "<4>realmd.test agent respawn agentId=trade after=2.5"
    assert json.loads(seen["json"]) == {
        "time": "2026-02-02T02:40:00.250Z",
        "level": "warn",
        "system": "realmd.test",
        "event": "agent respawn agentId=trade after=2.5",
        "agent_id": "trade",
        "after": 2.5,
    }


def test_only_the_level_asked_for_and_above_is_written() -> None:
    """The level is a threshold, and each level has its systemd priority."""
    for least in PRIORITIES:
        logs = Logs("journal", least)
        for level in LogLevel.iterconstants():
            logs.log.emit(level, "x")
        assert (
            logs.lines
            == [f"<{number}>realmd.test x" for number in PRIORITIES.values()][list(PRIORITIES).index(least) :]
        )


@given(st.text(), st.text())
def test_no_text_can_break_or_forge_a_line(text: str, system: str) -> None:
    """Whatever an agent says, its event stays one printable line; JSON gives the text back."""
    for format in ("text", "journal", "json"):
        logs = Logs(format)
        logs.log.info("chat text={text}", text=text, log_system=system)
        (line,) = logs.lines
        assert line.isprintable() or not any(
            ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u2028" for c in line
        )
        line.encode()
        if format == "json" and scrub(text) == text:
            assert json.loads(line)["text"] == text


def test_newlines_and_terminal_codes_are_shown_not_obeyed() -> None:
    """An escape sequence in a name cannot paint an operator's terminal."""
    logs = Logs("text")
    logs.log.info("chat text={text}", text="a\n<2>b\x1b[31m\r\u202ec\ud800")
    assert logs.lines[0].endswith(r"chat text=a\n<2>b\x1b[31m\r\u202ec\ud800")


def failed(message: str) -> Failure:
    try:
        raise ValueError(message)
    except ValueError:
        return Failure()


def test_a_failure_is_one_line_with_its_traceback() -> None:
    """From error up a line tells where it failed; below it only what; JSON has the whole traceback."""
    logs = Logs("text")
    logs.log.failure("tick failed", failure=failed("bad\nthing"))
    logs.log.failure("retry", failure=failed("soon"), level=LogLevel.warn)
    fatal, mild = logs.lines
    assert r"critical realmd.test tick failed: ValueError: bad\nthing | Traceback" in fatal
    assert r'\n  File "' in fatal
    assert mild.endswith("realmd.test retry: ValueError: soon")

    logs = Logs("json")
    logs.log.failure("tick failed", failure=failed("bad"))
    entry = json.loads(logs.lines[0])
    assert entry["event"] == "tick failed"
    assert entry["traceback"].startswith("Traceback")
    assert entry["traceback"].rstrip().endswith("ValueError: bad")


def test_the_old_log_of_twisted_is_written_the_same_way() -> None:
    """What libraries log by twisted.python.log is one line too, with an error's traceback once."""
    logs = Logs("text")
    publisher = old_log.LogPublisher(observerPublisher=logs.publisher, publishPublisher=logs.publisher)
    publisher.msg("hello\nthere", system="lib")
    publisher.msg(failure=failed("old"), isError=1, why="it broke")
    said, broke = logs.lines
    assert said.endswith(r"info     lib hello\nthere")
    assert ("critical - it broke: ValueError: old | Traceback" in broke, broke.count("Traceback")) == (
        True,
        1,
    )


class Request:
    """Something an event may refer to, with a secret in it."""

    token = "hush"
    path = "/ipc"


def test_secrets_are_masked_wherever_they_stand() -> None:
    """No token, key or password reaches a log: not as a field, in a nested field, in text or a traceback."""
    for format in ("text", "journal", "json"):
        logs = Logs(format)
        logs.log.info("join {{}} key={key!r} by={r.token:>9} at={r.path!r:>8}", key="hush", r=Request())
        logs.log.info("headers={headers}", headers={"api-key": b"hush", "Authorization": "Bearer hush"})
        logs.log.info("relay url={url}", url="wss://me:hush@relay.example", apiKey="hush", password=b"hush")
        logs.log.failure("login", failure=failed("password=hush"))
        logs.log.info("broken {nothing.here}", secret="hush")
        assert len(logs.lines) == 5
        assert "hush" not in logs.stream.getvalue()
        assert "join {} key=*** by=*** at=  '/ipc'" in logs.lines[0]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("token", True), ("api_key", True), ("apiKey", True), ("privateKey", True), ("x-auth-token", True),
        ("request.password", True), ("pubkey", False), ("public_key", False), ("monkey", False),
    ],
)  # fmt: skip
def test_a_secret_is_told_by_its_name(name: str, secret: bool) -> None:
    """Names of secrets are known in every spelling; public keys are not among them."""
    assert is_secret(name) is secret


def test_chatter_of_libraries_is_debug() -> None:
    """What Twisted says of its factories does not fill the log; what the realm says of itself stays."""
    chatter = [
        ("twisted.web.http", "Timing out client: {peer}"),
        ("realmd.gateway.websocket.Gate", "Starting factory {factory!r}"),
        ("log_legacy", "Site starting on 18800"),
        ("log_legacy", "(TCP Port 18800 Closed)"),
    ]
    for level, written in (("info", 0), ("debug", len(chatter))):
        logs = Logs("journal", level)
        for namespace, text in chatter:
            Logger(namespace, observer=logs.publisher).info(text, peer="p", factory="f")
        assert [line[:3] for line in logs.lines] == ["<7>"] * written
    logs = Logs("journal")
    logs.log.info("realm starting on 18800")
    Logger("twisted.internet", observer=logs.publisher).error("Timing out client")
    assert [line[:3] for line in logs.lines] == ["<6>", "<3>"]


def test_a_line_is_bounded() -> None:
    """A huge message is cut, and says how long it was."""
    logs = Logs("text")
    logs.log.info("{text}", text="x" * 100_000)
    assert len(logs.lines[0]) < LONGEST_LINE + 200
    assert logs.lines[0].endswith("… (100000 characters)")


def test_auto_is_journal_only_when_the_journal_reads_the_stream(tmp_path: Any) -> None:
    """Under systemd lines get priorities; redirected to a file or typed by hand they are plain text."""
    with open(tmp_path / "log", "w") as stream:
        status = os.fstat(stream.fileno())
        here = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert resolve("auto", here, stream) == "journal"
        assert resolve("auto", {"JOURNAL_STREAM": "1:2"}, stream) == "text"
        assert resolve("auto", {}, stream) == "text"
        assert resolve("json", here, stream) == "json"
        observer("auto", "info", stream, here)({"log_format": "hello", "log_namespace": "realmd"})
    assert (tmp_path / "log").read_text() == "<6>realmd hello\n"
    assert resolve("auto", here, io.StringIO()) == "text"


def test_it_is_an_observer_for_twistd() -> None:
    """The application can install it as its ILogObserver."""
    assert verifyObject(ILogObserver, observer("text", "info", io.StringIO()))


def test_failed_handshakes_fill_no_log() -> None:
    """What Autobahn says of each client that fails a handshake is for developers only."""
    for level, text in (
        (LogLevel.info, "failing WebSocket opening handshake ('{reason}')"),
        (LogLevel.warn, "dropping connection to peer {peer} with abort={abort}: {reason}"),
    ):
        assert level_of({"log_level": level, "log_format": text}) == "debug"
