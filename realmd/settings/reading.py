"""Find the configuration, read it, and report everything that is wrong with it at once.

A value comes from the first of these that has it: twistd's options, the process
environment, the env file, realmd.toml, the default.  Within an environment a name
REALMD_<SECTION>_<KEY> goes before the names of the old system; an empty value of one of
those counts as not given, as it did there.

The configuration file is the one named; else $REALMD_CONFIG; else ./etc/realmd/realmd.toml;
else /etc/realm-server/realmd.toml; else there is none and the defaults hold.
"""

from __future__ import annotations

import difflib
import ipaddress
import os.path
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from . import ENVIRONMENT, OPTIONS, ORDERED, SECTIONS, Config, Origin, envfile
from .text import SETTINGS, Setting, one_line, parse, render, shown_briefly

__all__ = ["Config", "ConfigError", "load", "render", "world_file"]

SEARCHED = (Path("etc/realmd/realmd.toml"), Path("/etc/realm-server/realmd.toml"))
FILE_NAME = "REALMD_CONFIG"
#: REALMD_<SECTION>_<KEY> → "section.key".
OWN_NAMES = {f"REALMD_{s.section}_{s.key}".upper(): path for path, s in SETTINGS.items()}

#: "section.key" → its valid value and where it was found.
Values = dict[str, tuple[Any, Origin]]
#: A name, its text, and where it was found.
Texts = Iterable[tuple[str, str, Origin]]


class ConfigError(Exception):
    """The configuration is wrong: `problems` has a line for each thing to mend."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class _Problems:
    """What was found wrong so far: a line each, and the keys whose value cannot be used."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.keys: set[str] = set()

    def add(self, line: str) -> None:
        self.lines.append(one_line(line))

    def value(self, origin: Origin, path: str, value: Any, allowed: str) -> None:
        self.keys.add(path)
        self.add(f"{_place(origin)}: {path} = {shown_briefly(path, value)}: must be {allowed}")


def load(
    path: Path | None,
    environ: Mapping[str, str],
    options: Mapping[str, str | None],
    *,
    env_file: Path | None = None,
) -> Config:
    """Read the configuration; raises ConfigError with all that is wrong.

    `path` names the file (None: look for one); `options` are twistd's, by their long name:
    those not in `settings.OPTIONS`, and those that are None, are passed over.
    """
    problems = _Problems()
    entries = _read_env_file(env_file, problems) if env_file is not None else {}
    beside = [(n, e.value, Origin("env-file", f"{env_file}:{e.line} {n}")) for n, e in entries.items()]
    process = [(name, text, Origin("environment", name)) for name, text in environ.items()]
    file = path or find({name: text for name, text, _ in beside + process})

    values = _from_file(file, problems) if file is not None else {}
    values |= _from_environment(beside, problems)
    values |= _from_environment(process, problems)
    values |= _from_options(options, problems)
    config = _assemble(values, file, _ignored(entries, environ))
    _check_order(config, problems)
    _check_world_file(config, problems)
    _check_doors(config, problems)
    if problems.lines:
        raise ConfigError(problems.lines)
    return config


def find(environ: Mapping[str, str]) -> Path | None:
    """The configuration file to read when none was named on the command line."""
    if named := environ.get(FILE_NAME):
        return Path(named)
    for candidate in SEARCHED:
        try:
            candidate.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass  # It is there and out of reach: reading it says why, defaults would hide it.
        return candidate
    return None


def world_file(config: Config) -> Path:
    """The map to read, whether or not it is there.

    One that was named is taken as it is: relative to the configuration file's folder if that
    file named it, else to the working directory.  The default one is looked for beside the
    configuration file, where the package was installed, and in the repository.
    """
    named = Path(os.path.expanduser(config.world.file))
    beside = config.file.parent if config.file else None
    if config.world.file != SETTINGS["world.file"].default:
        origin = config.origins.get("world.file", Origin("default"))
        return beside / named if beside and origin.kind == "file" else named
    shared = [Path(sys.prefix, "share/realmd"), Path(__file__).parents[2] / "etc/realmd"]
    places = [folder / named for folder in ([beside] if beside else []) + shared]
    return next((place for place in places if os.path.isfile(place)), places[0])


def _read(path: Path, problems: _Problems) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.add(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        problems.add(f"{path}: must be UTF-8 text, and byte {error.start} is not")
    return ""


def _read_env_file(path: Path, problems: _Problems) -> dict[str, envfile.Entry]:
    entries, malformed = envfile.parse(_read(path, problems))
    for line in malformed:
        problems.add(f"{path}:{line}: must be NAME=VALUE, with every quote closed")
    return entries


def _from_file(path: Path, problems: _Problems) -> Values:
    text = _read(path, problems)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.add(f"{path}: is not TOML: {error}")
        return {}
    lines = _line_numbers(text)
    values: Values = {}
    for section, table in document.items():
        origin = _file_origin(path, lines.get(section))
        if section not in SECTIONS:
            problems.add(
                f"{origin.place}: {section}: there is no such section{_did_you_mean(section, SECTIONS)}"
            )
        elif not isinstance(table, dict):
            problems.value(origin, section, table, f"a section, [{section}]")
        else:
            for key, value in table.items():
                name = f"{section}.{key}"
                _take(values, name, value, _file_origin(path, lines.get(name)), problems)
    return values


def _file_origin(path: Path, line: int | None) -> Origin:
    return Origin("file", f"{path}:{line}" if line else str(path))


def _line_numbers(text: str) -> dict[str, int]:
    """Line of each "section" and "section.key", as far as the plain way of writing them goes."""
    text = re.sub(r"('''|\"\"\").*?\1", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)
    numbers: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if head := re.match(r"\s*\[+\s*([\w.-]+)\s*\]", line):
            section = head[1]
            numbers.setdefault(section, number)
        elif key := re.match(r"\s*([\w.-]+)\s*=", line):
            numbers.setdefault(f"{section}.{key[1]}" if section else key[1], number)
    return numbers


def _from_environment(texts: Texts, problems: _Problems) -> Values:
    own: Values = {}
    old: Values = {}
    for name, text, origin in texts:
        if path := OWN_NAMES.get(name):
            _take(own, path, parse(SETTINGS[path], text), origin, problems)
        elif (path := ENVIRONMENT.get(name)) and text.strip():
            earlier = old.get(path)
            _take(old, path, parse(SETTINGS[path], text), origin, problems)
            if earlier and old[path][0] != earlier[0]:
                first, second = (shown_briefly(path, value) for value in (earlier[0], old[path][0]))
                problems.add(f"{earlier[1]}, {origin}: {path} = {first} and {second}: must agree")
        elif _mistyped(name):
            problems.add(f"{origin}: there is no such setting{_did_you_mean(name, OWN_NAMES)}")
    return old | own


def _from_options(options: Mapping[str, str | None], problems: _Problems) -> Values:
    values: Values = {}
    for name, path in OPTIONS.items():
        text = options.get(name)
        if text is not None:
            _take(values, path, parse(SETTINGS[path], text), Origin("option", f"--{name}"), problems)
    return values


def _mistyped(name: str) -> bool:
    """Whether `name` is meant for us and wrong.

    Only below the name of a section: a cluster's REALMD_SERVICE_HOST and the like are not ours.
    """
    return any(name.startswith(f"REALMD_{section}_".upper()) for section in SECTIONS)


def _ignored(entries: Iterable[str], environ: Iterable[str]) -> tuple[str, ...]:
    known = OWN_NAMES.keys() | ENVIRONMENT.keys() | {FILE_NAME}
    met = {*entries, *(name for name in environ if name.startswith("REALMD_"))}
    return tuple(sorted(met - known))


def _take(values: Values, path: str, value: Any, origin: Origin, problems: _Problems) -> None:
    """Validate one value; msgspec tells only the first error of a struct, so each goes alone."""
    setting = SETTINGS.get(path)
    if setting is None:
        problems.add(f"{_place(origin)}: {path}: there is no such setting{_did_you_mean_key(path)}")
        return
    try:
        values[path] = (_valid(setting, value), origin)
    except (msgspec.ValidationError, UnicodeEncodeError):
        problems.value(origin, path, value, setting.allowed)


def _valid(setting: Setting, value: Any) -> Any:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            text.encode()  # An environment that is not UTF-8 arrives as lone surrogates.
    return msgspec.convert(value, setting.type)


def _place(origin: Origin) -> str:
    return origin.place if origin.kind == "file" else str(origin)


def _did_you_mean(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _did_you_mean_key(path: str) -> str:
    section, key = path.split(".", 1)
    elsewhere = [known for known in SETTINGS if known.endswith(f".{key}")]
    here = [known for known in SETTINGS if known.startswith(f"{section}.")]
    return f"; did you mean {elsewhere[0]}?" if elsewhere else _did_you_mean(path, here)


def _assemble(values: Values, file: Path | None, ignored: tuple[str, ...]) -> Config:
    sections: dict[str, Any] = {}
    origins = {path: values[path][1] if path in values else Origin("default") for path in SETTINGS}
    for section, cls in SECTIONS.items():
        paths = {path.split(".")[1]: path for path in values if path.startswith(f"{section}.")}
        sections[section] = cls(**{key: values[path][0] for key, path in paths.items()})
    return Config(**sections, file=file, origins=origins, ignored=ignored)


def _check_order(config: Config, problems: _Problems) -> None:
    for low, high in ORDERED:
        least, most = _value(config, low), _value(config, high)
        if least > most and not problems.keys & {low, high}:
            allowed = f"at most {high} = {shown_briefly(high, most)} ({config.origins[high]})"
            problems.value(config.origins[low], low, least, allowed)


def _check_world_file(config: Config, problems: _Problems) -> None:
    origin = config.origins["world.file"]
    file = world_file(config)
    if origin.kind != "default" and "world.file" not in problems.keys and not os.path.isfile(file):
        problems.value(origin, "world.file", str(file), "a file that is there")


def _check_doors(config: Config, problems: _Problems) -> None:
    """What no pattern can tell: an address that is none, and half of a certificate."""
    path = "server.trusted_proxies"
    proxies = config.server.trusted_proxies
    if path not in problems.keys and not all(map(_is_network, proxies)):
        problems.value(config.origins[path], path, proxies, SETTINGS[path].allowed)
    for given, missing in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        value = getattr(config.server, given)
        if value and not getattr(config.server, missing) and f"server.{missing}" not in problems.keys:
            path = f"server.{given}"
            problems.value(config.origins[path], path, value, f"given together with server.{missing}")


def _is_network(text: str) -> bool:
    try:
        return text == "unix" or bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


def _value(config: Config, path: str) -> Any:
    section, key = path.split(".")
    return getattr(getattr(config, section), key)
