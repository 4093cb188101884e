"""Every example of this folder, over real sockets: commands by HTTP and by WebSocket."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from realmd.world.commands import COMMANDS
from realmd.world.queries import QUERIES
from tests.framing import ipc
from tests.realm import Running, Socket, realm_up

EXAMPLES: dict[str, dict[str, Any]] = {
    f"{file.stem}: {example['name']}": example
    for file in sorted(Path(__file__).parent.glob("*.json"))
    for example in json.loads(file.read_text("utf-8"))
}
KINDS: dict[str, Any] = {
    "<any>": lambda value: True,
    "<text>": lambda value: isinstance(value, str) and value,
    "<int>": lambda value: type(value) is int,
    "<number>": lambda value: type(value) in (int, float),
    "<ms>": lambda value: type(value) is int and value > 1_600_000_000_000,
    "<colour>": lambda value: re.fullmatch("#[0-9a-f]{6}", value),
}
MORE = "<more>"


def written_out(example: Any) -> Any:
    """`example` with every "<600 x>" written out."""
    if isinstance(example, dict):
        return {key: written_out(value) for key, value in example.items()}
    if isinstance(example, list):
        return [written_out(value) for value in example]
    if isinstance(example, str) and (many := re.fullmatch("<([0-9]+) (.)>", example)):
        return many[2] * int(many[1])
    return example


def differences(expected: Any, found: Any, path: str = "$") -> list[str]:
    """Where `found` is not what is expected; a <placeholder> stands for any value of its kind."""
    if isinstance(expected, str) and expected in KINDS:
        return [] if KINDS[expected](found) else [f"{path}: {found!r} is no {expected}"]
    if isinstance(expected, str) and expected.startswith("<contains "):
        words = expected[10:-1]
        return [] if isinstance(found, str) and words in found else [f"{path}: {words!r} is not in {found!r}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = expected.keys() - {MORE}
        wrong = [f"{path}: {key} is missing" for key in sorted(keys - found.keys())]
        if MORE not in expected:
            wrong += [f"{path}: {key} is too much" for key in sorted(found.keys() - keys)]
        return wrong + [
            line
            for key in keys & found.keys()
            for line in differences(expected[key], found[key], f"{path}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list):
        if expected[-1:] == [MORE]:
            expected, found = expected[:-1], found[: len(expected) - 1]
        if len(expected) != len(found):
            return [f"{path}: {len(found)} entries, not {len(expected)}: {found!r}"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for i, (one, other) in pairs for line in differences(one, other, f"{path}[{i}]")]
    same = type(expected) is type(found) or {type(expected), type(found)} == {int, float}
    return [] if same and expected == found else [f"{path}: {found!r} is not {expected!r}"]


async def prepare(realm: Running, example: dict[str, Any]) -> None:
    for given in example.get("given", ()):
        watcher = await realm.socket()
        await watcher.next("snapshot")
        answer = await realm.ipc(given["command"], **given["args"])
        assert answer["ok"], answer
        if "until" in given:
            await watcher.event(given["until"])
        watcher.wire.hang_up()


async def check_told(watcher: Socket, tells: list[Any]) -> None:
    """The world messages told come in this order; others may come between them."""
    for expected in tells:
        while wrong := differences(expected, (await watcher.next("world"))["message"]):
            assert expected["worldType"] not in ("chat", "emote", "work", "join"), wrong


async def by_http(realm: Running, example: dict[str, Any]) -> None:
    asked = example.get("http") or {
        "method": "POST", "path": "/ipc", "body": {"command": example["command"], "args": example["args"]}
    }  # fmt: skip
    body = json.dumps(asked["body"]) if "body" in asked else asked.get("text", "")
    answer = await realm.http(asked["method"], asked["path"], body.encode(), **asked.get("headers", {}))
    assert answer.status == example.get("status", 200), answer
    for name, value in example.get("headers", {}).items():
        assert answer.headers.get(name) == value
    assert answer.headers["access-control-allow-origin"] == "*"
    if "answer" in example:
        assert differences(example["answer"], answer.json) == []
    else:
        assert answer.body == b""


async def by_message(realm: Running, example: dict[str, Any]) -> None:
    """The same command as a WebSocket message: what HTTP answers is in the ack."""
    socket = await realm.socket()
    ack = await socket.ask(example["command"], **example["args"])
    assert (ack.pop("type"), ack.pop("id")) == ("ack", example["args"].get("id", 1))
    if example.get("status", 200) == 400:
        assert ack["ok"] is False
        assert differences({**example["answer"], MORE: True}, ack) == []
    else:
        assert differences(example["answer"], ack) == []


async def converse(realm: Running, example: dict[str, Any]) -> None:
    socket = await realm.socket(example.get("path", "/ws"))
    for step in example["ws"]:
        if "send" in step:
            socket.send(step["send"])
        elif "text" in step:
            socket.send(step["text"].encode())
        elif "ipc" in step:
            assert (await realm.ipc(step["ipc"]["command"], **step["ipc"]["args"]))["ok"]
        else:
            expected = step["receive"]
            kind = expected.get("message", {}).get("worldType") if expected["type"] == "world" else None
            found = await socket.next(expected["type"])
            while kind is not None and found["message"]["worldType"] != kind:
                found = await socket.next("world")
            assert differences(expected, found) == []


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
@pytest_twisted.ensureDeferred
async def test_what_is_asked_gets_the_answer_of_the_example(example: dict[str, Any], tmp_path: Path) -> None:
    """What a client's author reads in an example is what a client gets, whichever door it takes."""
    example = written_out(example)
    ways = [converse] if "ws" in example else [by_http] if "http" in example else [by_http, by_message]
    for way in ways:
        async with realm_up(tmp_path / way.__name__, **example.get("realm", {})) as realm:
            await prepare(realm, example)
            watcher = await realm.socket() if "tells" in example else None
            if watcher is not None:
                await watcher.next("snapshot")
            await way(realm, example)
            if watcher is not None:
                await check_told(watcher, example["tells"])
            if then := example.get("then"):
                answer = (await realm.http("POST", "/ipc", ipc(then["command"], **then["args"]))).json
                assert differences(then["answer"], answer) == []


def test_every_command_and_question_has_an_example() -> None:
    """Nothing can be asked that is shown in no example, and no example shows what cannot be asked."""
    shown = {example["command"] for example in EXAMPLES.values() if "command" in example}
    assert sorted(shown) == sorted({*COMMANDS, *QUERIES})


def test_examples_say_in_a_sentence_what_they_show() -> None:
    """Every example has a name of its own that is a sentence."""
    names = [example["name"] for example in EXAMPLES.values()]
    assert [name for name in names if not name.endswith(".")] == []
    assert len(set(names)) == len(names)


def test_the_comparison_sees_a_difference() -> None:
    """An example that does not fit its answer fails."""
    for expected, found in [
        ({"ok": True}, {"ok": 1}),
        ({"ok": True}, {"ok": True, "x": 1}),
        ({"ok": True, MORE: True}, {"x": 1}),
        ({"n": "<int>"}, {"n": 1.5}),
        (["<any>"], []),
        ("<contains b>", "a"),
        ("<text>", ""),
    ]:
        assert differences(expected, found), (expected, found)
