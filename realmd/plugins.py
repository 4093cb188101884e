"""The plugin folders: reads what is installed on this machine, for the room's catalogue.

A plugin is a folder below the configured directory with ``openclaw.plugin.json`` (or
``plugin/openclaw.plugin.json``): name, version, description, and skills, a list of folders
that each hold a ``skill.json`` or a ``SKILL.md`` with front matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

MAX_PLUGINS: Final = 500
MAX_SKILLS: Final = 50
MAX_FILE: Final = 65_536
MANIFESTS: Final = ("openclaw.plugin.json", "plugin/openclaw.plugin.json")


class _Manifest(Struct):
    name: str = ""
    version: str = "0.0.0"
    description: str = ""
    skills: list[str] = []


class _Skill(Struct):
    name: str = ""
    description: str = ""


def read(directory: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The plugins below `directory`, and a sentence for each unreadable one.  Blocks: call in a thread."""
    found: list[dict[str, Any]] = []
    wrong: list[str] = []
    try:
        folders = sorted(entry for entry in directory.iterdir() if entry.is_dir())[:MAX_PLUGINS]
    except OSError:
        return found, wrong  # no such folder: no plugins
    for folder in folders:
        for manifest in MANIFESTS:
            path = folder / manifest
            if path.is_file():
                try:
                    found.append(_plugin(folder.name, path))
                except (OSError, ValueError, msgspec.MsgspecError) as error:
                    wrong.append(f"{path}: {error}")
                break
    return found, wrong


def _plugin(plugin_id: str, path: Path) -> dict[str, Any]:
    manifest = msgspec.json.decode(_text(path), type=_Manifest)
    skills = [_skill(path.parent / folder) for folder in manifest.skills[:MAX_SKILLS]]
    return {
        "id": plugin_id,
        "name": manifest.name or plugin_id,
        "version": manifest.version,
        "description": manifest.description,
        "skills": [skill for skill in skills if skill is not None],
    }


def _skill(folder: Path) -> dict[str, str] | None:
    if (folder / "skill.json").is_file():
        skill = msgspec.json.decode(_text(folder / "skill.json"), type=_Skill)
    elif (folder / "SKILL.md").is_file():
        skill = _front_matter(_text(folder / "SKILL.md"))
    else:
        return None
    return {"id": folder.name, "name": skill.name or folder.name, "description": skill.description}


def _front_matter(text: str) -> _Skill:
    """``name:`` and ``description:`` between the first two ``---`` lines."""
    fields: dict[str, str] = {}
    lines = iter(text.splitlines())
    if next(lines, "").strip() == "---":
        for line in lines:
            if line.strip() == "---":
                break
            key, _, value = line.partition(":")
            fields[key.strip()] = value.strip().strip("\"'")
    return _Skill(fields.get("name", ""), fields.get("description", ""))


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"larger than {MAX_FILE} bytes")
    return path.read_text("utf-8")
