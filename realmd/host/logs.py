"""Logs: one event one line, as text, as JSON, or as systemd's journal wants it.

The observers here are for twisted.logger.  Whatever an event holds, its line has no
newline or control character inside, is bounded, and shows no secret.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from string import Formatter
from typing import IO, Any, Final

from twisted.logger import FileLogObserver, ILogObserver, LogEvent, formatEvent
from twisted.python.failure import Failure

from ..primitives.masking import MASK, is_secret, scrub

#: Level → systemd's priority, from syslog(3): the less the graver.
PRIORITIES: Final = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
#: The journal splits lines longer than 48 KiB; a character takes at most 4 bytes.
LONGEST_LINE: Final = 12_000
LONGEST_FIELD: Final = 4000
LONGEST_TRACEBACK: Final = 64_000
#: What Twisted says at info that only a developer wants to read: of any factory, its own
#: class being the namespace, and under the library's own names.
NOISE: Final = re.compile(r"(?:Starting|Stopping) (?:factory|protocol) ")
LIBRARY_NOISE: Final = re.compile(
    r"Timing out client|.{0,200} starting on \S+$|\(?(?:\w+ )?Port \S+ Closed\)|Main loop terminated"
    r"|.{0,200}\) starting up\.$|reactor class: "
)
#: What Autobahn says of every client that does not manage a handshake, breaks the protocol or
#: hangs up: anybody could fill a disk with it.
HANDSHAKE_NOISE: Final = re.compile(
    r"failing WebSocket (?:opening handshake|connection)|dropping connection to peer "
    r"|Auto ping/pong: received non-pending pong"
)
LIBRARIES: Final = ("log_legacy", "twisted.", "autobahn.")
#: Fields of twisted.python.log's events that say nothing of their own.
_OLD: Final = frozenset(("message", "time", "system", "isError", "failure", "why", "format"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def observer(
    format: str, level: str, stream: IO[Any], environ: Mapping[str, str] = os.environ
) -> ILogObserver:
    """Write events of `level` (a LogLevel's name) or above to `stream`, as text, json or journal lines.

    For `auto` see `resolve`.  `stream` must be the one that was there before
    logging began: twistd replaces sys.stdout and sys.stderr by writers to the log.
    """
    least = PRIORITIES[level]
    line = LINES[resolve(format, environ, stream)]

    def wanted(event: LogEvent) -> str | None:
        return line(event) if PRIORITIES[level_of(event)] <= least else None

    return FileLogObserver(stream, wanted)


def resolve(format: str, environ: Mapping[str, str], stream: IO[Any]) -> str:
    """`format`, with `auto` made `journal` if systemd's journal reads `stream`, else `text`.

    The journal says so by the stream's device and inode in $JOURNAL_STREAM (systemd.exec(5));
    a stream that was redirected afterwards has others.
    """
    if format != "auto":
        return format
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return "text"
    return "journal" if environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}" else "text"


def level_of(event: LogEvent) -> str:
    """The name of the event's level; debug for what is noise."""
    level = event.get("log_level")
    if HANDSHAKE_NOISE.match(str(event.get("log_format") or "")):
        return "debug"
    if level is not None and level.name != "info":
        name: str = level.name
        return name
    said = str(event.get("log_text") or event.get("log_format") or "")
    library = str(event.get("log_namespace", "")).startswith(LIBRARIES)
    return "debug" if NOISE.match(said) or (library and LIBRARY_NOISE.match(said)) else "info"


def text_line(event: LogEvent) -> str:
    """Time (UTC), level, system and message."""
    return f"{_time(event)} {level_of(event):<8} {_system(event)} {_message(event)}\n"


def journal_line(event: LogEvent) -> str:
    """Priority, system and message: the journal keeps the time itself."""
    return f"<{PRIORITIES[level_of(event)]}>{_system(event)} {_message(event)}\n"


def json_line(event: LogEvent) -> str:
    """One object: time, level, system, event (the message), the event's simple fields, traceback."""
    entry: dict[str, Any] = {
        "time": _time(event),
        "level": level_of(event),
        "system": _system(event),
        "event": _whole(_text(event))[:LONGEST_LINE],
    }
    for name, value in _fields(event):
        entry[f"{name}_" if name in entry or name == "traceback" else name] = value
    if (failure := _failure(event)) is not None:
        entry["traceback"] = _whole(scrub(failure.getTraceback()))[-LONGEST_TRACEBACK:]
    # ASCII: whatever is in the text, a line stays one line, and every reader gets it back whole.
    return json.dumps(entry, ensure_ascii=True) + "\n"


LINES: Final[dict[str, Callable[[LogEvent], str]]] = {
    "text": text_line,
    "json": json_line,
    "journal": journal_line,
}


def _time(event: LogEvent) -> str:
    seconds = event.get("log_time")
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _system(event: LogEvent) -> str:
    name = event.get("log_system") or event.get("log_namespace") or "-"
    return _one_line(str(name))[:200].replace(" ", "_")


def _message(event: LogEvent) -> str:
    """The text on one line; with what failed, and from error up with the traceback."""
    text = _text(event)
    failure = _failure(event)
    if failure is not None:
        text += f": {type(failure.value).__name__}: {scrub(failure.getErrorMessage())}"
        if PRIORITIES[level_of(event)] <= PRIORITIES["error"]:
            text += f" | {scrub(failure.getTraceback().strip())}"
    line = _one_line(text)
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}… ({len(line)} characters)"


def _failure(event: LogEvent) -> Failure | None:
    """What failed; twisted.python.log has it under a name of its own."""
    failure: Failure | None = event.get("log_failure") or (
        event.get("failure") if event.get("isError") else None
    )
    return failure


def _text(event: LogEvent) -> str:
    """The formatted message, with secrets masked."""
    if event.get("isError"):  # From twisted.python.log: its text has the traceback in it.
        text = scrub(str(event.get("why") or "Unhandled error"))
    else:
        text = scrub(formatEvent(_without_secrets(event)))
    failure = _failure(event)
    return f"out of memory: {text}" if failure is not None and failure.check(MemoryError) else text


def _without_secrets(event: LogEvent) -> LogEvent:
    """A copy that has the mask wherever its format names a secret, be it deep: `{request.token}`."""
    safe: LogEvent = {
        name: MASK if not name.startswith("log_") and is_secret(name) else value
        for name, value in event.items()
    }
    format = safe.get("log_format")
    if isinstance(format, str) and "log_flattened" not in safe:
        try:
            parts = list(Formatter().parse(format))
        except ValueError:
            return safe
        if any(field and is_secret(field) for _, field, _, _ in parts):
            safe["log_format"] = "".join(_part(*part) for part in parts)
    return safe


def _part(literal: str, field: str | None, spec: str | None, conversion: str | None) -> str:
    literal = literal.replace("{", "{{").replace("}", "}}")
    if field is None:
        return literal
    if is_secret(field):
        return literal + MASK
    return f"{literal}{{{field}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}"


def _fields(event: LogEvent) -> Iterator[tuple[str, Any]]:
    """The event's own fields of simple type; twisted's (log_…) and those of its old log are left out."""
    passed_over = _OLD if event.get("log_namespace") == "log_legacy" else ()
    for name, value in event.items():
        if name.startswith("log_") or name in passed_over:
            continue
        if is_secret(name):
            yield name, MASK
        elif isinstance(value, str):
            yield name, _whole(scrub(value[:LONGEST_FIELD]))
        elif value is None or isinstance(value, (bool, int)):
            yield name, value
        elif isinstance(value, float):
            yield name, value if value - value == 0 else str(value)  # JSON has no NaN or infinity.


def _whole(text: str) -> str:
    """`text` with lone surrogates escaped: strict readers of JSON refuse them."""
    return text.encode(errors="backslashreplace").decode()


def _one_line(text: str) -> str:
    return _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _SHORT.get(found[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
