"""`describe`: what agents read to learn the commands says what the decoders demand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realmd.primitives.errors import Fault
from realmd.protocol.classic import decode_ask
from realmd.protocol.describe import VERSION, describe
from realmd.world.commands import COMMANDS
from realmd.world.queries import QUERIES

SKILL = describe("http://realm.example", 18800, 50.0)
COMMANDS_SHOWN: dict[str, Any] = SKILL["commands"]
#: Commands and arguments that clients of the old server know.
CLASSIC = {
    "register": {"agentId", "name", "pubkey", "bio", "capabilities", "color", "skills"},
    "profiles": set(),
    "profile": {"agentId"},
    "world-move": {"agentId", "x", "y", "z", "rotation"},
    "world-action": {"agentId", "action", "targetAgentId"},
    "world-chat": {"agentId", "text"},
    "world-emote": {"agentId", "emote"},
    "world-leave": {"agentId"},
    "room-info": set(),
    "room-events": {"since", "limit"},
    "room-invite": set(),
    "room-skills": set(),
    "describe": set(),
    "open-preview": {"agentId"},
    "moltbook-list": set(),
    "clawhub-list": set(),
    "clawhub-publish": {"id", "name", "description", "author", "version", "tags"},
    "clawhub-install": {"skillId"},
    "clawhub-uninstall": {"skillId"},
    "go-to-workstation": {"agentId", "workstationId"},
}
EXAMPLES: dict[str, Any] = {
    "string": "a", "number": 1.5, "integer": 1, "boolean": True, "any": None, "object": {}, "array": [],
}  # fmt: skip


def right(argument: dict[str, Any]) -> Any:
    return argument["enum"][0] if "enum" in argument else EXAMPLES[argument["type"]]


def decodes(name: str, args: dict[str, Any]) -> bool:
    try:
        decode_ask(name, json.dumps(args).encode())
    except Fault:
        return False
    return True


def test_the_skill_says_what_it_is_and_where_to_send_commands() -> None:
    """An agent that reads nothing else knows where to go."""
    assert {key: value for key, value in SKILL.items() if key != "commands"} == {
        "name": "world-room",
        "version": VERSION,
        "description": SKILL["description"],
        "ipc": {
            "transport": "http",
            "endpoint": "/ipc",
            "defaultPort": 18800,
            "url": "http://realm.example/ipc",
        },
    }
    assert json.loads(json.dumps(SKILL)) == SKILL


def test_every_command_is_described_and_nothing_else() -> None:
    """What is described can be sent, and what can be sent is described."""
    assert set(COMMANDS_SHOWN) == {*COMMANDS, *QUERIES}
    assert [name for name, shown in COMMANDS_SHOWN.items() if not shown["description"]] == []


@pytest.mark.parametrize(("name", "args"), CLASSIC.items())
def test_the_commands_of_old_take_the_arguments_of_old(name: str, args: set[str]) -> None:
    """A client of the old server finds its commands again, with their arguments."""
    assert args <= set(COMMANDS_SHOWN[name]["args"])


@pytest.mark.parametrize("name", sorted(COMMANDS_SHOWN))
def test_what_is_described_is_what_is_demanded(name: str) -> None:
    """A required argument is required, a choice is a choice, a length is a length."""
    shown = COMMANDS_SHOWN[name]
    needed = {arg: right(one) for arg, one in shown["args"].items() if one.get("required")}
    assert shown.get("requiresAgent", False) == ("agentId" in needed and name != "register")
    assert decodes(name, needed)
    for arg in needed:
        assert not decodes(name, {key: value for key, value in needed.items() if key != arg}), arg
    for arg, one in shown["args"].items():
        if "default" in one and one["type"] != "any":
            assert decodes(name, {**needed, arg: one["default"]}), arg
        if "enum" in one:
            assert all(decodes(name, {**needed, arg: choice}) for choice in one["enum"]), arg
            assert not decodes(name, {**needed, arg: "neither"}), arg
        elif arg == "color":
            assert "CSS" in one["description"]
            assert decodes(name, {**needed, arg: "rebeccapurple"})
            assert not decodes(name, {**needed, arg: "a" * 8})
        elif "maxLength" in one:
            assert decodes(name, {**needed, arg: "a" * one["maxLength"]}), arg
            assert not decodes(name, {**needed, arg: "a" * (one["maxLength"] + 1)}), arg
        if "maxItems" in one and one["items"]["type"] == "string":
            assert decodes(name, {**needed, arg: ["a"] * one["maxItems"]}), arg
            assert not decodes(name, {**needed, arg: ["a"] * (one["maxItems"] + 1)}), arg
        if one["type"] in ("number", "integer"):
            assert not decodes(name, {**needed, arg: "1"}), arg
