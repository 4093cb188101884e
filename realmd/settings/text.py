"""Configuration as text: what a value may be, values to and from text, realmd.toml.

All of it is made from the declarations in `settings`.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from typing import Any, get_args

import msgspec
from msgspec import inspect as kinds

from ..primitives.masking import MASK, is_secret, scrub
from . import ALIASES, SECTIONS, Config, Origin
from .base import Section

_UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "bytes": "bytes",
    "mb": "megabytes",
    "days": "days",
}
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_LONGEST_SHOWN = 120

HEADER = """\
# Configuration of realmd.
#
# Every setting is here with its default, after a # without a space: take the # away to change it.
# The environment overrides this file (REALMD_<SECTION>_<KEY>, for instance REALMD_SERVER_PORT=8080,
# and the names of the old system, such as WORLD_PORT), and twistd's options override both.
# `realmctl config` shows what is in force and where each value comes from.
"""


class Setting(msgspec.Struct, frozen=True):
    """One declared key."""

    section: str
    key: str
    type: Any
    default: Any

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def description(self) -> str:
        told: str = next(m.description for m in get_args(self.type)[1:] if m.description)
        return told

    @property
    def allowed(self) -> str:
        """What a value may be, to follow "must be"."""
        words = self.key.rsplit("_", 1)
        return _allowed(self.type, _UNITS.get(words[-1], "") if len(words) > 1 else "")


def settings_of(section: str, cls: type[Section]) -> list[Setting]:
    return [Setting(section, f.name, f.type, f.default) for f in msgspec.structs.fields(cls)]


#: "section.key" → its declaration, in the order of realmd.toml.
SETTINGS: dict[str, Setting] = {
    setting.path: setting for section, cls in SECTIONS.items() for setting in settings_of(section, cls)
}


def _allowed(type_: Any, unit: str = "") -> str:
    extra: dict[str, str] = {}
    for meta in get_args(type_)[1:]:
        if isinstance(meta, msgspec.Meta):
            extra.update(meta.extra or {})
    kind = kinds.type_info(type_)
    if isinstance(kind, kinds.Metadata):
        kind = kind.type
    unit = extra.get("unit", unit)
    match kind:
        case kinds.VarTupleType():
            return f"a list of at most {kind.max_length} {_allowed(get_args(get_args(type_)[0])[0])}"
        case _ if "allowed" in extra:
            return extra["allowed"]
        case kinds.BoolType():
            return "true or false"
        case kinds.LiteralType():
            *first, last = (toml(value) for value in get_args(get_args(type_)[0]))
            return f"{', '.join(first)} or {last}" if first else last
        case kinds.StrType():
            shape = "one line" if kind.pattern else "text"
            return f"{shape} of {kind.min_length or 0} to {kind.max_length} characters"
        case kinds.IntType() | kinds.FloatType():
            whole = "whole " if isinstance(kind, kinds.IntType) else ""
            of = f" of {unit}" if unit else ""
            return f"a {whole}number{of} from {toml(kind.ge)} to {toml(kind.le)}"
    raise TypeError(f"settings of type {type_} are not supported")


def parse(setting: Setting, text: str) -> Any:
    """`text` (from the environment or an option) as a value to validate; as it is where it cannot be one."""
    kind = kinds.type_info(setting.type)
    if isinstance(kind, kinds.Metadata):
        kind = kind.type
    match kind:
        case kinds.VarTupleType():
            return [item.strip() for item in text.split(",") if item.strip()]
        case kinds.LiteralType():
            lowered = text.strip().lower()
            value = ALIASES.get(setting.path, {}).get(lowered, lowered)
            return value if value in kind.values else text
        case kinds.BoolType():
            return _BOOLEANS.get(text.strip().lower(), text)
        case kinds.IntType() if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", text):
            return int(text)
        case kinds.FloatType() if re.fullmatch(r"\s*[+-]?[0-9]{1,20}(\.[0-9]{0,20})?\s*", text):
            return float(text)
    return text


def toml(value: Any) -> str:
    """`value` as TOML, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case str():
            return '"' + _UNSAFE.sub(lambda c: _ESCAPES.get(c[0], f"\\u{ord(c[0]):04x}"), value) + '"'
        case list() | tuple():
            return "[" + ", ".join(map(toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return str(value)


def shown(path: str, value: Any) -> str:
    """`value` of the key `path` as TOML to show to people: secrets masked."""
    if isinstance(value, str) and value and is_secret(path):
        return toml(MASK)
    if isinstance(value, str):
        return toml(scrub(value))
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(path, item) for item in value) + "]"
    return toml(value)


def shown_briefly(path: str, value: Any) -> str:
    """`shown`, cut to what fits an error message."""
    text = shown(path, value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(text)} characters)"


def render(config: Config) -> str:
    """The effective configuration as valid TOML, each value with its origin; secrets masked."""
    lines = [f"# Effective configuration; file: {toml(str(config.file)) if config.file else 'none'}"]
    for section, cls in SECTIONS.items():
        lines += ["", f"[{section}]"]
        for setting in settings_of(section, cls):
            value = getattr(getattr(config, section), setting.key)
            origin = config.origins.get(setting.path, Origin("default"))
            lines.append(f"{setting.key} = {shown(setting.path, value)}  # {one_line(str(origin))}")
    if config.ignored and config.log.level == "debug":
        lines += ["", f"# ignored: {one_line(', '.join(config.ignored))}"]
    return "\n".join(lines) + "\n"


def values(config: Config) -> dict[str, dict[str, Any]]:
    """The effective configuration as data: section → key → its value and where it is from; secrets masked."""
    found: dict[str, dict[str, Any]] = {}
    for section, cls in SECTIONS.items():
        for setting in settings_of(section, cls):
            told = shown(setting.path, getattr(getattr(config, section), setting.key))
            origin = str(config.origins.get(setting.path, Origin("default")))
            found.setdefault(section, {})[setting.key] = {
                "value": tomllib.loads(f"v = {told}")["v"],
                "from": origin,
            }
    return found


def one_line(text: str) -> str:
    """`text` with control characters (and what no terminal can print) replaced by `?`."""
    return _UNSAFE.sub(lambda c: c[0] if c[0] in '"\\' else "?", text)


def template() -> str:
    """etc/realmd/realmd.toml: every setting, commented, with its meaning, range and default."""
    lines = [HEADER]
    for section, cls in SECTIONS.items():
        lines += [f"# {(cls.__doc__ or '').splitlines()[0]}", f"[{section}]", ""]
        for setting in settings_of(section, cls):
            for paragraph in (setting.description, f"Allowed: {setting.allowed}."):
                lines += textwrap.wrap(paragraph, 98, initial_indent="# ", subsequent_indent="# ")
            lines += [f"#{setting.key} = {toml(setting.default)}", ""]
    return "\n".join(lines)
