"""The files of the old system, read leniently: each entry that cannot be used is told, with the reason.

A file is a list of entries, or an object that holds one, or an object of entries by their id.
Times are ms since the epoch, seconds, or ISO 8601.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, field

from ..identity.bech32 import BadBech32, pubkey_of
from ..primitives.ids import AgentId
from ..world.model import (
    AVATAR_CUT,
    BIO_CUT,
    CAPABILITY_CUT,
    ID_CUT,
    NAME_CUT,
    PALETTE,
    Colour,
    Installed,
    Key,
    Post,
    Profile,
    Skill,
)
from ..world.rules.naming import skills_in
from ..world.text.clean import Cleaner
from ..world.text.leaks import mask_leaks
from ..world.text.visible import visible
from .manifest import BackupError

MOST_BYTES: Final = 64 * 1024 * 1024
#: Names under which an object may hold the list of entries.
_LISTS: Final = ("profiles", "agents", "posts", "installed", "skills", "workstations", "stations", "items")
_SECONDS: Final = 100_000_000_000  # a smaller number is no time in ms after 1973

Row = dict[str, Any]


class Unusable(Exception):
    """Why an entry cannot be taken."""


class Legacy(Struct):
    """What was found: entries that can be used, their texts cleaned, and a line for each that cannot."""

    cleaner: Cleaner

    profiles: list[Profile] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    installed: list[Installed] = field(default_factory=list)
    stations: list[Row] = field(default_factory=list)
    env_files: list[Path] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def read(paths: list[Path], now: int, blocked_words: Iterable[str] = ()) -> Legacy:
    """Read files of the old system, or folders that hold them; `now` (ms) bounds every time.

    Raises `BackupError` for a file that cannot be read or whose name says nothing.
    """
    found = Legacy(Cleaner(blocked_words))
    for path in _files(paths):
        reader = next((reader for start, reader in _READERS.items() if path.name.startswith(start)), None)
        if path.name == ".env" or path.name.endswith(".env"):
            found.env_files.append(path)
        elif reader is None:
            raise BackupError(
                f"{path}: what is in it must show in its name: .env, profiles.json, workstations*.json, "
                "moltbook.json or clawhub-installed.json."
            )
        else:
            _read_entries(found, path, reader, now)
    return found


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        known = [p for p in sorted(path.iterdir()) if p.name == ".env" or p.name.startswith(tuple(_READERS))]
        found = [p for p in known if p.name == ".env" or p.suffix == ".json"]
        if not found:
            raise BackupError(f"{path} holds no file of the old system.")
        yield from found


def _read_entries(
    found: Legacy, path: Path, reader: Callable[[Legacy, Row, int, int], None], now: int
) -> None:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BackupError(f"{path} is larger than {MOST_BYTES // 1048576} MB.")
        # What has no time of its own is as old as its file, so that importing twice is importing once.
        now = min(now, path.stat().st_mtime_ns // 1_000_000)
        document = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise BackupError(f"{path} cannot be read ({error.strerror}).") from error
    except msgspec.MsgspecError as error:
        raise BackupError(f"{path} is not JSON ({error}).") from error
    for number, (key, row) in enumerate(_entries(document), 1):
        label = f"{path.name}: entry {key or number}"
        try:
            if not isinstance(row, dict):
                raise Unusable("is no object")
            reader(found, {"id": key, **row} if key else row, now, number)
        except Unusable as reason:
            found.skipped.append(f"{label}: {reason}")


def _entries(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        inner = next((document[name] for name in _LISTS if isinstance(document.get(name), list | dict)), None)
        if inner is not None:
            yield from _entries(inner)
        else:
            yield from document.items()
    elif isinstance(document, list):
        yield from (("", row) for row in document)
    else:
        yield "", document


def _profile(found: Legacy, row: Row, now: int, number: int) -> None:
    agent_id = _valid(row.get("agentId", row.get("id")), AgentId, "its agentId")
    if mask_leaks(visible(agent_id)) != agent_id:
        raise Unusable("its agentId looks like a secret, or has characters that cannot be seen")
    colour = _or(row.get("color"), Colour, PALETTE[number % len(PALETTE)])
    seen = _time(row.get("lastSeen", row.get("joinedAt")), now)
    found.profiles.append(
        Profile(
            agent_id=agent_id,
            name=found.cleaner.line(_text(row.get("name")), NAME_CUT).strip() or agent_id[:NAME_CUT],
            pubkey=_pubkey(row.get("pubkey")),
            bio=found.cleaner.text(_text(row.get("bio")), BIO_CUT),
            capabilities=tuple(_capabilities(found.cleaner, row.get("capabilities"))),
            color=colour,
            joined_at=min(_time(row.get("joinedAt"), seen), seen),
            last_seen=seen,
            skills=skills_in(found.cleaner, tuple(_skills(row.get("skills")))) or UNSET,
            avatar=found.cleaner.line(_text(row.get("avatar")), AVATAR_CUT) or UNSET,
        )
    )


def _capabilities(cleaner: Cleaner, value: Any) -> Iterator[str]:
    for item in _list(value):
        if cleaned := cleaner.line(_text(item), CAPABILITY_CUT):
            yield cleaned


def _pubkey(value: Any) -> str:
    """A pubkey as the realm writes it; the old system took any text for one."""
    with suppress(BadBech32):
        return pubkey_of(value) if isinstance(value, str) else ""
    return ""


def _skills(value: Any) -> Iterator[Skill]:
    for item in _list(value):
        skill: Skill | None = _or(item, Skill, None)
        if skill is not None:
            yield skill


def _post(found: Legacy, row: Row, now: int, number: int) -> None:
    content = found.cleaner.text(_text(row.get("content", row.get("text"))), 2000)
    if not content:
        raise Unusable("has no content")
    title = found.cleaner.line(_text(row.get("title")) or content, 120)
    author = found.cleaner.line(_text(row.get("author", row.get("agentId"))), 64) or "unknown"
    found.posts.append(Post(str(row.get("id", "")), title, author, content, _time(row.get("createdAt"), now)))


def _installed(found: Legacy, row: Row, now: int, number: int) -> None:
    given = _valid(row.get("skillId", row.get("id")), Key, "its skillId")
    skill = found.cleaner.line(given, ID_CUT)
    if not skill:
        raise Unusable("its skillId has nothing that can be seen")
    version = found.cleaner.line(_text(row.get("version")), 64) or "0.0.0"
    found.installed.append(Installed(skill, version, _time(row.get("installedAt"), now)))


def _station(found: Legacy, row: Row, now: int, number: int) -> None:
    _valid(row.get("id", row.get("workstationId")), Key, "its id")
    found.stations.append(row)


_READERS: Final[dict[str, Callable[[Legacy, Row, int, int], None]]] = {
    "profiles": _profile,
    "workstations": _station,
    "moltbook": _post,
    "clawhub-installed": _installed,
}


def _valid(value: Any, kind: Any, what: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Unusable(f"{what} is missing or wrong ({str(error)[:1].lower()}{str(error)[1:]})") from None


def _or(value: Any, kind: Any, default: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return default


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value[:32] if isinstance(value, list) else []


def _time(value: Any, default: int) -> int:
    """A time in ms, not after `default`, which is also taken where there is none."""
    moment = default
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e14:
        moment = int(value if value >= _SECONDS else value * 1000)
    elif isinstance(value, str):
        try:
            read_time = datetime.fromisoformat(value)
        except ValueError:
            return default
        aware = read_time if read_time.tzinfo else read_time.replace(tzinfo=UTC)
        moment = int(aware.timestamp() * 1000)
    return min(moment, default)
