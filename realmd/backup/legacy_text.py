"""What of the old system belongs into files that people edit: `.env` → realmd.toml, stations → world.toml.

Both functions return the new text and say what they did; whoever calls them writes it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from ..settings.reading import Config, load
from ..settings.text import toml
from ..world.atlas import Atlas, AtlasError, Workstation, parse
from .legacy import Row


def with_settings(text: str, file: Path | None, env_file: Path) -> tuple[str, list[str], list[str]]:
    """`text` of realmd.toml (at `file`, if it is there) with what `env_file` sets and it does not.

    Returns the text, what was taken, and what was left with the reason.  Raises `ConfigError` for
    values that are wrong.
    """
    there = load(file, {}, {}) if file is not None else Config()
    wanted = load(file, {}, {}, env_file=env_file)
    taken, left = [], []
    for path, origin in wanted.origins.items():
        if origin.kind != "env-file":
            continue
        section, key = path.split(".")
        value, known = (getattr(getattr(config, section), key) for config in (wanted, there))
        if value == known:
            continue
        source = there.origins.get(path)
        if source is not None and source.kind == "file":
            left.append(f"{path}: {source.place} says {toml(known)} already")
            continue
        text = _set(text, section, key, toml(value))
        taken.append(f"{path} = {toml(value)}")
    left += [f"{name}: means nothing to this realm" for name in wanted.ignored]
    return text, taken, left


def _set(text: str, section: str, key: str, value: str) -> str:
    """Give the key its value: at its commented default, else below its section, else at the end."""
    head = re.search(rf"^\[{section}\][ \t]*$", text, re.MULTILINE)
    if head is None:
        return f"{text.rstrip()}\n\n[{section}]\n{key} = {value}\n".lstrip()
    end = re.compile(r"^\[", re.MULTILINE).search(text, head.end())
    inner = text[head.end() : end.start() if end else len(text)]
    put, count = re.subn(rf"^#{key} = .*$", lambda _: f"{key} = {value}", inner, count=1, flags=re.MULTILINE)
    if not count:
        put = f"\n{key} = {value}{inner}"
    return text[: head.end()] + put + (text[end.start() :] if end else "")


def with_stations(text: str, source: str, rows: list[Row]) -> tuple[str, list[str], list[str]]:
    """`text` of world.toml with the stations that it lacks and that can stand on its map."""
    atlas = parse(text, source)
    taken, left = [], []
    for row in rows:
        name = str(row.get("id", row.get("workstationId")))
        if name in atlas.workstations:
            continue
        try:
            longer = text.rstrip("\n") + "\n\n" + _table(_station(row, name, atlas))
            atlas = parse(longer, source)
        except msgspec.ValidationError as error:
            left.append(f"workstation {name}: {error}")
        except AtlasError as error:
            left.append(f"workstation {name}: {error.problems[0]}")
        else:
            text = longer
            taken.append(f"workstation {name}")
    return text, taken, left


def _station(row: Row, name: str, atlas: Atlas) -> Workstation:
    place: Any = row.get("position")
    row = {**place, **row} if isinstance(place, dict) else dict(row)
    row["id"] = name
    row.setdefault("name", name)
    row.setdefault("skill", row.get("requiredSkill", row.get("type")))
    if isinstance(row.get("x"), int | float) and isinstance(row.get("z"), int | float):
        found = atlas.zones.get(str(row.get("zone"))) or atlas.zone_at(row["x"], row["z"])
        row["zone"] = found.id
    known = {key: row[key] for key in Workstation.__struct_fields__ if row.get(key) is not None}
    return msgspec.convert(known, Workstation)


def _table(station: Workstation) -> str:
    lines = [f"{key} = {toml(value)}" for key, value in msgspec.to_builtins(station).items()]
    return "[[workstations]]\n" + "\n".join(lines) + "\n"
