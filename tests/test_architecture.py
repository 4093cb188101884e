"""The rules of the house, read off the syntax trees of the code itself."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from realmd.world.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 400

#: The house, from the ground up: a room uses rooms of lower floors, never one above or beside it.
FLOORS = (
    {"primitives", "bench"},
    {"host", "settings", "world", "identity"},
    {"protocol", "storage"},
    {"runtime"},
    {"gateway", "backup"},
    {"ops"},
    {"nostr", "operator", "console", "options"},
    {"tap", "ctl"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
#: Of these, nobody but the roots knows.
KNOWN_TO_ROOTS = {"nostr", "operator", "console", "options", "tap", "ctl"}
#: Packages that are pure, whatever is around them.
PURE = ("realmd.primitives", "realmd.world", "realmd.protocol", "realmd.identity", "realmd.nostr.events")
#: The outside world, its clocks and its dice, which the pure rooms get as arguments or not at all.
IMPURE = {
    "asyncio", "autobahn", "concurrent", "datetime", "multiprocessing", "secrets", "select", "selectors",
    "os", "signal", "socket", "sqlite3", "ssl", "subprocess", "threading", "time", "twisted", "uuid",
}  # fmt: skip
LOG_LEVELS = {"debug", "info", "warn", "error", "critical", "failure", "emit"}

Offences = Iterator[tuple[int, str]]


class Source(Struct, frozen=True):
    """One Python file: its dotted name, text and syntax tree."""

    name: str
    text: str
    tree: ast.Module
    is_package: bool

    @property
    def room(self) -> str:
        """Second part of the dotted name: "world" for realmd.world.rules.speech."""
        return self.name.partition(".")[2].partition(".")[0]

    def imports(self, tree: ast.AST | None = None) -> Iterator[tuple[int, str]]:
        """Line and full dotted name of everything imported, relative imports resolved."""
        for node in ast.walk(tree or self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self.name.split(".")
                if node.level:
                    base = base[: len(base) - node.level + self.is_package]
                module = ".".join(base if node.level else []) + ("." if node.level and node.module else "")
                yield from ((node.lineno, f"{module}{node.module or ''}.{a.name}") for a in node.names)

    def rooms_imported(self) -> Iterator[tuple[int, str]]:
        """Line and name of every other room of realmd that is imported."""
        for line, name in self.imports():
            package, _, rest = name.partition(".")
            room = rest.split(".")[0]
            if package == "realmd" and room != self.room and not room.startswith("__"):
                yield line, room


def source(name: str, text: str, is_package: bool = False) -> Source:
    return Source(name, text, ast.parse(text), is_package)


@cache
def read(directory: str) -> list[Source]:
    sources = []
    for path in sorted((ROOT / directory).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        sources.append(source(name, path.read_text(encoding="utf-8"), is_package))
    return sources


def impure_imports(module: Source) -> Offences:
    if f"{module.name}.".startswith(tuple(f"{package}." for package in PURE)):
        for line, name in module.imports():
            if name.split(".")[0] in IMPURE:
                yield line, f"{name} has no place in a pure room"
            if name.startswith("random.") and name != "random.Random":
                yield line, f"{name} rolls dice of its own; take an rng as an argument"


def stairs_up(module: Source) -> Offences:
    """Imports of a room that is not below; a room that is on no floor has no place yet."""
    here = FLOOR.get(module.room, -1) if module.room else len(FLOORS)
    for line, room in module.rooms_imported():
        if FLOOR.get(room, len(FLOORS)) >= here:
            yield line, f"{module.room} must not know {room}"
        elif room in KNOWN_TO_ROOTS and here < len(FLOORS) - 1:
            yield line, f"only the roots know {room}"


def circles(sources: list[Source]) -> list[list[str]]:
    """Files that import each other in a circle, each circle sorted; what only types need counts too."""
    known = {module.name for module in sources}
    imports = {
        module.name: {
            target if target in known else target.rpartition(".")[0] for _, target in module.imports()
        }
        & known
        for module in sources
    }

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            fresh = imports[ahead.pop()] - found
            found |= fresh
            ahead.extend(fresh)
        return found

    reach = {name: reached(name) for name in imports}
    rings = {tuple(sorted(o for o in reach[n] if n in reach[o])) for n in reach if n in reach[n]}
    return [list(ring) for ring in sorted(rings)]


def early_reactors(module: Source) -> Offences:
    """Imports outside functions: the reactor must be free to be chosen until the daemon runs."""
    nodes: list[ast.AST] = [module.tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            for line, name in module.imports(node):
                if f"{name}.".startswith("twisted.internet.reactor."):
                    yield line, "the reactor is imported at module level"
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            nodes.extend(ast.iter_child_nodes(node))


def too_long(module: Source) -> Offences:
    if (lines := len(module.text.splitlines())) > MOST_LINES:
        yield lines, f"longer than {MOST_LINES} lines"


def no_docstring(module: Source) -> Offences:
    if not module.name.split(".")[-1].startswith("_") and not ast.get_docstring(module.tree):
        yield 1, "a public module says what it is for"


def silent_handlers(module: Source) -> Offences:
    nodes = list(ast.walk(module.tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    speakers = {function.name for function in functions if any(map(reports, ast.walk(function)))}
    for node in nodes:
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type):
            body = [part for statement in node.body for part in ast.walk(statement)]
            if not any(isinstance(n, ast.Raise) or reports(n) or called(n) in speakers for n in body):
                yield node.lineno, "catches every exception, and neither logs nor passes it on"
        if isinstance(node, ast.Call) and called(node) == "addErrback" and node.args:
            handler = node.args[0]
            if isinstance(handler, ast.Lambda) and isinstance(handler.body, ast.Constant):
                yield node.lineno, "an errback that drops every failure"


def is_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(map(is_broad, kind.elts))
    return kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))


def reports(node: ast.AST) -> bool:
    """Whether this calls a logger, fails a Deferred, or keeps the fault for one who has a logger."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        receiver = ast.unparse(node.func.value).split(".")[-1]
        kept = node.func.attr == "append" and receiver == "faults"
        return kept or node.func.attr == "errback" or (node.func.attr in LOG_LEVELS and "log" in receiver)
    return False


def called(node: ast.AST) -> str | None:
    """Last name of what is called: "failure" for self.log.failure(…)."""
    return ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else None


def sleeping_tests(module: Source) -> Offences:
    if any(name == "time.sleep" for _, name in module.imports()):
        yield 1, "a test imports sleep"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep":
            yield node.lineno, "a test sleeps; use twisted.internet.task.Clock"


def untold_tests(module: Source) -> Offences:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            prefix = "Test" if isinstance(node, ast.ClassDef) else "test_"
            if node.name.startswith(prefix) and not ast.get_docstring(node):
                yield node.lineno, f"{node.name} does not say what is promised"


def offences(check: Callable[[Source], Offences], sources: list[Source]) -> list[str]:
    return [f"{module.name}:{line}: {text}" for module in sources for line, text in check(module)]


@pytest.mark.parametrize(
    "check", [impure_imports, stairs_up, early_reactors, too_long, no_docstring, silent_handlers]
)
def test_the_daemon_keeps_the_rules(check: Callable[[Source], Offences]) -> None:
    """Whoever changes realmd is told, by file and line, which rule of the house the change breaks."""
    assert offences(check, read("realmd")) == []


def test_no_files_import_each_other() -> None:
    """Whoever reads a file finds what it builds on below it, never himself again."""
    assert circles(read("realmd")) == []


def test_every_room_has_its_floor() -> None:
    """Whoever adds a room says where in the house it is."""
    rooms = {module.room for module in read("realmd")} - {""}
    assert rooms == set(FLOOR)


@pytest.mark.parametrize("check", [sleeping_tests, untold_tests, too_long])
def test_the_tests_keep_the_rules(check: Callable[[Source], Offences]) -> None:
    """Tests wait for no clock, and each says what it promises."""
    assert offences(check, read("tests")) == []


def commands_in(example: Any) -> Iterator[str]:
    """Every value of a "command" key, at any depth of a JSON document."""
    if isinstance(example, dict):
        if isinstance(example.get("command"), str):
            yield example["command"]
        example = list(example.values())
    if isinstance(example, list):
        for part in example:
            yield from commands_in(part)


def test_every_command_has_an_example() -> None:
    """A client's author finds every command that agents may send in tests/wire/."""
    files = sorted((ROOT / "tests" / "wire").glob("*.json"))
    shown = {name for file in files for name in commands_in(json.loads(file.read_bytes()))}
    assert sorted(set(COMMANDS) - shown) == []


@pytest.mark.parametrize(
    ("check", "name", "text"),
    [
        (impure_imports, "realmd.world.engine", "from twisted.internet.defer import Deferred"),
        (impure_imports, "realmd.protocol.classic", "def now():\n    import time"),
        (impure_imports, "realmd.world.minds.rest", "from random import choice"),
        (impure_imports, "realmd.identity.keys", "from os import urandom"),
        (impure_imports, "realmd.nostr.events.log", "from time import time"),
        (impure_imports, "realmd.primitives", "import socket"),
        (stairs_up, "realmd.world.engine", "from ..protocol import classic"),
        (stairs_up, "realmd.world.minds.rest", "from ...settings.reading import Config"),
        (stairs_up, "realmd.protocol.classic", "from realmd import storage"),
        (stairs_up, "realmd.identity.proof", "from ..protocol import classic"),
        (stairs_up, "realmd.gateway.http", "import realmd.ops.health"),
        (stairs_up, "realmd.runtime.fanout", "from ..gateway.outbox import Outbox"),
        (stairs_up, "realmd.operator.desk", "from ..nostr.bridge import bridge"),
        (stairs_up, "realmd.cellar.jar", "from ..world import model"),
        (early_reactors, "realmd.tap", "from twisted.internet import defer, reactor"),
        (early_reactors, "realmd.tap", "class A:\n    if True:\n        import twisted.internet.reactor"),
        (too_long, "realmd.tap", "pass\n" * (MOST_LINES + 1)),
        (no_docstring, "realmd.tap", "from . import config  # explained nowhere"),
        (silent_handlers, "realmd.tap", "try:\n    f()\nexcept Exception:\n    pass"),
        (silent_handlers, "realmd.tap", "try:\n    f()\nexcept (OSError, BaseException):\n    n.error = 1"),
        (silent_handlers, "realmd.tap", "try:\n    f()\nexcept:\n    count.info('x')"),
        (silent_handlers, "realmd.tap", "d.addErrback(lambda failure: None)"),
        (sleeping_tests, "tests.test_x", "import time\ntime.sleep(1)"),
        (sleeping_tests, "tests.test_x", "from time import sleep as wait"),
        (untold_tests, "tests.test_x", "async def test_x():\n    # nothing said\n    pass"),
        (untold_tests, "tests.test_x", "class TestX:\n    pass"),
    ],
)
def test_a_broken_rule_is_seen(check: Callable[[Source], Offences], name: str, text: str) -> None:
    """A guard that would let its own example pass is no guard."""
    assert len(list(check(source(name, text)))) == 1


def test_a_circle_is_seen() -> None:
    """Three files that import each other are named, whatever way round, and what hangs on them is not."""
    texts = {
        "a": "from .b import x",
        "b": "from . import c",
        "c": "from realmd.a import y",
        "d": "from . import a",
    }
    assert circles([source(f"realmd.{n}", t) for n, t in texts.items()]) == [
        ["realmd.a", "realmd.b", "realmd.c"]
    ]


@pytest.mark.parametrize(
    ("check", "name", "text"),
    [
        (impure_imports, "realmd.runtime.ticker", "import time\nfrom twisted.internet import task"),
        (impure_imports, "realmd.world.engine", "from random import Random"),
        (stairs_up, "realmd.world.minds.rest", "from ..model import Body\nfrom ...primitives import errors"),
        (stairs_up, "realmd.protocol.classic", "from ..world import commands\nfrom . import describe"),
        (stairs_up, "realmd.tap", "from . import gateway, nostr, storage"),
        (early_reactors, "realmd.tap", "def makeService():\n    from twisted.internet import reactor"),
        (silent_handlers, "realmd.tap", "try:\n    f()\nexcept Exception:\n    self._log.failure('x')"),
        (silent_handlers, "realmd.tap", "try:\n    f()\nexcept Exception as e:\n    raise Fault from e"),
        (silent_handlers, "realmd.tap", "try:\n    f()\nexcept OSError:\n    pass"),
        (
            silent_handlers,
            "realmd.tap",
            "def fail():\n    log.warn('x')\ntry:\n    f()\nexcept Exception:\n    fail()",
        ),
        (untold_tests, "tests.fakes", "class Text:\n    pass\ndef testimony():\n    pass"),
    ],
)
def test_a_rule_kept_is_left_alone(check: Callable[[Source], Offences], name: str, text: str) -> None:
    """Nobody has to write around a rule that the code already keeps."""
    assert list(check(source(name, text))) == []
