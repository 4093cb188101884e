"""The documents say what is: their tables are made from the code, and what they name is there."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
import twisted.internet.tcp
from twisted.internet.testing import MemoryReactorClock

from realmd import options, tap
from realmd.ctl import SUBCOMMANDS
from realmd.gateway.page import Page
from realmd.primitives.errors import REFUSALS
from realmd.protocol.control import ORDERS
from realmd.settings import ENVIRONMENT, SECTIONS
from realmd.settings.reading import OWN_NAMES, load
from realmd.world.commands import COMMANDS
from realmd.world.queries import QUERIES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "CONTRIBUTING.rst",
    "README.rst",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.rst")),
)
TEXTS = {name: (ROOT / name).read_text("utf-8") for name in DOCUMENTS}
ALL = "\n".join(TEXTS.values())
#: Logging methods and their levels.
LOUD = {"warn": "warn", "error": "error", "critical": "critical", "failure": "critical"}
LITERALS = [" ".join(found.split()) for found in re.findall(r"``([^`]+)``", ALL)]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The metrics and the HTTP door of a daemon that was built, and not started."""
    made: dict[str, Any] = {}

    def kept(kind: type) -> Any:
        def make(*args: Any) -> Any:
            made[kind.__name__] = kind(*args)
            return made[kind.__name__]

        return make

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tap, "Metrics", kept(tap.Metrics))
        patch.setattr(tap, "Door", kept(tap.Door))
        patch.setattr(tap, "raise_file_limit", lambda: 1024)
        config = load(None, {"STATE_DIRECTORY": str(tmp_path_factory.mktemp("state"))}, {})
        tap.build(config, options.read_atlas(config), MemoryReactorClock())
    return made


def test_generated_tables_are_fresh(generate: ModuleType) -> None:
    """What a client's author reads is what validates; if not, run `python docs/generate.py`."""
    texts = {document: TEXTS[f"docs/{document}"] for document in generate.PARTS}
    assert [name for name, text in texts.items() if generate.rendered(name, text) != text] == []


def test_every_metric_is_explained_and_exists(parts: dict[str, Any]) -> None:
    """Who writes an alert finds every metric in the documents, and none that is not there."""
    exported = set(re.findall(r"^# TYPE (\w+)", parts["Metrics"].render().decode(), re.MULTILINE))
    explained = {word for word in LITERALS if re.fullmatch(r"realmd_[a-z_]+", word)}
    assert explained == exported


def test_every_path_exists(parts: dict[str, Any]) -> None:
    """No document sends anybody to a path that the realm does not serve, and none is left out."""
    door = parts["Door"]
    served = {f"GET {path.decode()}" for path in door._get} | {f"POST {p.decode()}" for p in door._post}
    named = {found.partition("?")[0] for found in re.findall(r"``((?:GET|POST) /[^`]*)``", ALL)}
    files = {f"GET {path.decode()}" for path in Page(ROOT / "realmd/web").pages() if b"." in path}
    assert named == served - files
    curled = set(re.findall(r"(?:\$R|127\.0\.0\.1:\d+)(/[\w/]*[\w])", ALL))
    assert {path for path in curled if not {f"GET {path}", f"POST {path}"} & served} == set()


def test_every_command_has_its_answer_told() -> None:
    """Each command and query stands in a table of answers, and none is shown that is not there."""
    rows = re.findall(r"^   \* - ``([a-z-]+)``$", TEXTS["docs/protocol.rst"], re.MULTILINE)
    known = COMMANDS.keys() | QUERIES.keys()
    assert {name for name in known if rows.count(name) < 2} == set()
    sent = re.findall(r'"command":\s*"([a-z-]+)"', ALL) + re.findall(r'"type":"([a-z]+-[a-z-]+)"', ALL)
    orders = {str(order.__struct_config__.tag) for order in get_args(ORDERS)}
    assert set(sent) - known - orders == set()


def test_every_refusal_named_is_one() -> None:
    """A program that looks for a code from the documents can meet it."""
    told = TEXTS["docs/protocol.rst"]
    rows = re.findall(r"^   \* - ``[a-z-]+``\n     -.*?(?=^   \* - |^[^\s])", told, re.MULTILINE | re.DOTALL)
    codes = {word for row in rows for word in re.findall(r"``([a-z]+_[a-z_]+)``", row)}
    assert codes - REFUSALS.keys() == set()


def test_every_setting_and_variable_exists() -> None:
    """A name copied from a document into a configuration means something."""
    keys = {f"{section}.{field}" for section, cls in SECTIONS.items() for field in cls.__struct_fields__}
    sections = "|".join(SECTIONS)
    named = {word for word in LITERALS if re.fullmatch(rf"(?:{sections})\.[a-z_]+", word)}
    assert named - keys - {"world.toml", "control.sock"} == set()
    variables = set(re.findall(r"\bREALMD_[A-Z_]*[A-Z]\b", ALL)) - {"REALMD_CONFIG"}
    assert variables - OWN_NAMES.keys() == set()
    assert {name for name in ENVIRONMENT if name not in TEXTS["docs/settings.rst"]} == set()


def test_every_tool_exists() -> None:
    """Each make target, realmctl command and file that a document names is there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^ *(?:\$ )?make ([a-z-]+)", ALL, re.MULTILINE)) - targets == set()
    assert set(re.findall(r"\brealmctl ([a-z]+)\b", ALL)) - SUBCOMMANDS.keys() == set()
    paths = [word for word in LITERALS if re.match(r"(?:realmd|tests|twisted|etc)/[\w/.]+$", word)]
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_every_link_leads_somewhere() -> None:
    """A link from a document to a file, or to a section of another document, arrives there."""
    lost = []
    for name, document in TEXTS.items():
        for target, part in re.findall(r"<([^>:`\s#]+)(?:#([\w-]+))?>`__?", document):
            file = (ROOT / name).parent / target
            text = file.read_text("utf-8") if part and file.exists() else ""
            titles = re.findall(r"^(.+)\n[=-]{3,}$", text, re.MULTILINE)
            parts = {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in titles}
            if not file.exists() or (part and part not in parts):
                lost.append(f"{name}: {target}#{part}")
    assert lost == []


def test_every_room_is_told_of() -> None:
    """Who looks for the place of something new finds every room of the house in its plan."""
    packages = {path.parent.relative_to(ROOT) for path in (ROOT / "realmd").glob("*/__init__.py")}
    files = {path.relative_to(ROOT) for path in (ROOT / "realmd").glob("*.py")} - {Path("realmd/__init__.py")}
    rows = TEXTS["docs/architecture.rst"].partition("From the top:")[2].partition("A tick\n")[0]
    assert {path for path in packages if f"``{path}/``" not in rows} == set()
    assert {path for path in files if f"``{path}``" not in rows} == set()


def log_table() -> dict[str, set[str]]:
    """What the monitoring document tells of the log: pattern → levels."""
    table = TEXTS["docs/monitoring.rst"].partition("What to look for")[2]
    rows = re.findall(r"^   \* - (``.*?)\n     - (.*?)\n", table, re.MULTILINE | re.DOTALL)
    return {one: set(levels.split(", ")) for cell, levels in rows for one in re.findall(r"``([^`]+)``", cell)}


def loud_lines() -> Iterator[tuple[str, str]]:
    """Level and text of what the daemon's code logs as a warning or worse."""
    for path in (ROOT / "realmd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(ast.Attribute(owner, how), [ast.Constant(str(text)), *_]) if how in LOUD:
                    if re.search(r"log|say|overflows", ast.unparse(owner)):
                        yield LOUD[how], text
                case ast.FunctionDef(name="warnings"):
                    for said in ast.walk(node):
                        if isinstance(said, ast.Yield):
                            words = ast.walk(said)
                            yield "warn", "".join(str(w.value) for w in words if isinstance(w, ast.Constant))


def test_every_log_line_is_one_that_is_written() -> None:
    """Who greps the log for a pattern of the documents finds it when it happens."""
    sources = [*(ROOT / "realmd").rglob("*.py"), Path(twisted.internet.tcp.__file__)]
    code = "\n".join(path.read_text("utf-8") for path in sources)
    assert len(log_table()) > 20
    assert [pattern for pattern in log_table() if pattern not in code] == []


def test_every_warning_is_explained() -> None:
    """Who is woken by a line of the log, a warning or worse, finds it in the document, with its level."""
    told, loud = log_table(), set(loud_lines()) - {("warn", "{warning}")}
    assert len(loud) > 60
    assert {
        (level, text)
        for level, text in loud
        if not any(pattern in text and level in levels for pattern, levels in told.items())
    } == set()


def test_every_answer_shown_is_json() -> None:
    """An answer in the README, once its omissions are taken out, is what a JSON reader accepts."""
    blocks = re.findall(r'^    (\{"ok".*(?:\n     .*)*)', TEXTS["README.rst"], re.MULTILINE)
    assert blocks
    for block in blocks:
        whole = re.sub(r"\n\s+", " ", block)
        json.loads(re.sub(r",?\s*…(?=[\]}])|(?<=[\[{])…,?|,…(?=,)", "", whole))
