"""The old bridge's events: its readers understand ours, and its writers are understood."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realmd.nostr.events import classic
from realmd.nostr.events.draft import Draft, Unreadable
from realmd.primitives.errors import Fault
from realmd.protocol import encode
from realmd.world import commands, events
from tests.protocol.nostr.samples import (
    AGENT,
    CHANNEL,
    NOW,
    REALM,
    ROOM,
    STRANGER,
    TAGS,
    hostile,
    outcome,
    published,
)


def said(content: Any, channel: str = CHANNEL, kind: int = 42) -> Any:
    text = content if isinstance(content, str) else json.dumps(content)
    return published(Draft(kind, NOW, (("e", channel, "", "root"),), text), AGENT)


def test_the_channel_is_as_it_was() -> None:
    """A program that looks for the room's channel by its name finds it."""
    draft = classic.channel(ROOM, NOW)
    assert (draft.kind, draft.tags, draft.created_at) == (40, (), NOW)
    about = {"name": "openclaw-world-cavern", "about": "Shalom's hall", "picture": ""}
    assert json.loads(draft.content) == about


def test_our_own_channel_is_found_again() -> None:
    """Of channels of that name our own oldest is taken, then those of trusted keys, nobody else's."""
    ours, older = classic.channel(ROOM, NOW), classic.channel(ROOM, NOW - 5)
    other = classic.channel(structs.replace(ROOM, room_id="elsewhere"), NOW - 9)
    found = [
        published(structs.replace(older, created_at=1), STRANGER),
        published(structs.replace(older, created_at=2), AGENT),
        published(ours),
        published(other),
        published(older),
        published(Draft(40, 1, (), "[" * 50_000)),
        published(Draft(42, 1, (), older.content)),
    ]
    assert classic.find_channel(found, "cavern", [REALM, AGENT]) == published(older).id
    assert classic.find_channel(found[:2], "cavern", [REALM, AGENT]) == found[1].id
    assert classic.find_channel(found[:1], "cavern", [REALM]) is None
    assert classic.find_channel([], "cavern", [REALM]) is None


def test_what_old_readers_know_is_said_in_the_channel() -> None:
    """Durable events go out as the world message itself; what nobody reads there does not."""
    chat = encode.event(events.Chat(agent_id="a", timestamp=5, seq=7, text="hi"))
    draft = classic.message(ROOM, "chat", chat, NOW, 8192)
    assert draft is not None
    assert (draft.kind, draft.tags) == (42, (("e", CHANNEL, "wss://one.example", "root"),))
    message = {"worldType": "chat", "agentId": "a", "timestamp": 5, "seq": 7, "text": "hi"}
    assert json.loads(draft.content) == message
    own = classic.message(ROOM, "chat", chat, NOW, 8192, by="operator")
    assert own is not None
    assert own.tags == (*draft.tags, ("by", "operator"))
    assert classic.message(ROOM, "chat", chat, NOW, 300) is None
    assert classic.message(structs.replace(ROOM, channel_id=None), "chat", chat, NOW, 8192) is None
    for kind in ("position", "action", "message", "request", "response", "work"):
        assert classic.message(ROOM, kind, chat, NOW, 8192) is None


@pytest.mark.parametrize(
    ("message", "ask"),
    [
        ({"worldType": "chat", "text": "hi"}, commands.WorldChat(agent_id="a", text="hi")),
        ({"worldType": "chat", "text": "x", "by": "operator"}, commands.WorldChat(agent_id="a", text="x")),
        ({"worldType": "emote", "emote": "happy"}, commands.WorldEmote(agent_id="a")),
        ({"worldType": "action", "action": "wave"}, commands.WorldAction(agent_id="a", action="wave")),
        (
            {"worldType": "position", "x": 1, "y": 0, "z": 2, "rotation": 0.5},
            commands.WorldMove(agent_id="a", x=1, z=2, rotation=0.5),
        ),
        (
            {"worldType": "join", "name": "A", "color": "#aabbcc", "bio": "", "capabilities": ["x"]},
            commands.Register(agent_id="a", name="A", color="#aabbcc", bio="", capabilities=("x",)),
        ),
        ({"worldType": "profile", "name": "A"}, commands.Register(agent_id="a", name="A")),
        ({"worldType": "leave"}, commands.WorldLeave(agent_id="a")),
    ],
)
def test_old_writers_are_understood(message: dict[str, Any], ask: commands.Command) -> None:
    """Each message of the old bridge is the command it means."""
    assert classic.read_message(said({**message, "agentId": "a", "timestamp": 1}), CHANNEL) == ask


def test_what_was_said_before_is_no_command() -> None:
    """What a realm told is known by its number, and what happened long before by its time, whoever signs."""
    chat = {"worldType": "chat", "agentId": "a", "text": "hi"}
    for repeated in ({"seq": 7}, {"seq": None}, {"timestamp": NOW * 1000 - 60_001}):
        with pytest.raises(Unreadable) as caught:
            classic.read_message(said({**chat, **repeated}), CHANNEL)
        assert caught.value.code == "mirror"
    for now in ({"timestamp": NOW * 1000 - 60_000}, {"timestamp": NOW}, {"timestamp": "now"}):
        assert classic.read_message(said({**chat, **now}), CHANNEL) == commands.WorldChat(
            agent_id="a", text="hi"
        )


def test_messages_elsewhere_are_not_ours() -> None:
    """Another channel, another kind, a type that nobody knows: not read."""
    chat = {"worldType": "chat", "agentId": "a", "text": "hi"}
    for event, code in [
        (said(chat, "e" * 64), "room"),
        (said(chat, kind=1), "kind"),
        (said({**chat, "worldType": "message"}), "content"),
        (said("x" * 70_000), "content"),
    ]:
        with pytest.raises(Unreadable) as caught:
            classic.read_message(event, CHANNEL)
        assert caught.value.code == code
    with pytest.raises(Fault):
        classic.read_message(said({"worldType": "chat", "agentId": "a"}), CHANNEL)


@given(hostile("worldType", "agentId", "text", "x", "capabilities"), TAGS)
def test_any_content_is_a_command_or_refused(content: str, tags: tuple[tuple[str, ...], ...]) -> None:
    """Whoever writes nonsense into the channel or makes one of it stops nothing."""
    tagged = structs.replace(said(content), tags=tags)
    for event in (said(content), tagged, said('{"worldType":"chat",' + content[1:])):
        read = outcome(classic.read_message, event, CHANNEL)
        assert isinstance(read, commands.Command | Unreadable | Fault)
    assert classic.find_channel([published(Draft(40, NOW, tags, content))], "cavern", [REALM]) is None


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_discovery_has_what_old_readers_want(agents: int, seats: int) -> None:
    """A discovery entry has its five fields, whatever else is in it."""
    draft = classic.discovery(ROOM, agents, seats, NOW)
    assert (draft.kind, draft.tags) == (30078, (("d", "openclaw-world"),))
    assert json.loads(draft.content).items() >= {
        "roomId": "cavern",
        "name": "The Cavern",
        "agents": agents,
        "maxAgents": seats,
        "nostrChannelId": CHANNEL,
    }.items()  # fmt: skip
