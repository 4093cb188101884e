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
#: Entries of the catalogue, plugins and skills; skills beyond are told with their plugin only.
MAX_ENTRIES: Final = 1500
#: Longer texts are cut, as long as a published plugin's may be.
MAX_KEY: Final = 64
MAX_NAME: Final = 100
MAX_VERSION: Final = 32
MAX_TEXT: Final = 500
MANIFESTS: Final = ("openclaw.plugin.json", "plugin/openclaw.plugin.json")


class _Manifest(Struct):
    name: str = ""
    version: str = "0.0.0"
    description: str = ""
    skills: list[str] = []


class _Skill(Struct):
    name: str = ""
    description: str = ""
    version: str = ""


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
            try:
                if path.is_file():
                    found.append(_plugin(folder, path))
                    break
            except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
                wrong.append(f"{path}: {error}".encode(errors="replace").decode())
                break
    return found, wrong


def entries(plugins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The plugins, and each of their skills under its old id: `<plugin's name>/<its name>`."""
    found = {plugin["id"]: plugin for plugin in plugins}
    for plugin in plugins:
        for skill in plugin["skills"]:
            entry = {
                **skill, "id": f"{plugin['name']}/{skill['name']}"[:MAX_KEY],
                "version": skill.get("version", plugin["version"]), "tags": ["skill", plugin["name"]],
                **{name: plugin[name] for name in ("author", "publishedAt", "source", "pluginName")},
            }  # fmt: skip
            if len(found) < MAX_ENTRIES:
                found.setdefault(entry["id"], entry)
    return [*found.values()]


def _plugin(home: Path, path: Path) -> dict[str, Any]:
    home.name.encode()  # a name that is not UTF-8 cannot be told
    manifest = msgspec.json.decode(_text(path), type=_Manifest)
    skills = [_skill(home, path.parent / folder) for folder in manifest.skills[:MAX_SKILLS]]
    return {
        "id": home.name[:MAX_KEY],
        "name": manifest.name[:MAX_NAME] or home.name[:MAX_KEY],
        "version": manifest.version[:MAX_VERSION],
        "description": manifest.description[:MAX_TEXT],
        "skills": [skill for skill in skills if skill is not None],
        "author": "openclaw",
        "tags": ["plugin"],
        "publishedAt": int(path.stat().st_mtime * 1000),
        "source": "local",
        "pluginName": manifest.name[:MAX_NAME] or home.name[:MAX_KEY],
    }


def _skill(home: Path, folder: Path) -> dict[str, str] | None:
    folder = folder.resolve()
    if not folder.is_relative_to(home.resolve()):
        raise ValueError(f"skill outside of the plugin's folder: {folder}")
    if (folder / "skill.json").is_file():
        skill = msgspec.json.decode(_text(folder / "skill.json"), type=_Skill)
    elif (folder / "SKILL.md").is_file():
        skill = _front_matter(_text(folder / "SKILL.md"))
    else:
        return None
    return {
        "id": folder.name[:MAX_KEY],
        "name": skill.name[:MAX_NAME] or folder.name[:MAX_KEY],
        "description": skill.description[:MAX_TEXT],
        **({"version": skill.version[:MAX_VERSION]} if skill.version else {}),
    }


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
