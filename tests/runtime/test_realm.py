"""The front desk: every question is answered once, and nothing is told that may yet be undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.logger import capturedLogs

from realmd.protocol.views import Room
from realmd.runtime.credentials import Credentials, Lifetimes
from realmd.runtime.history import History
from realmd.runtime.realm import Answer, Realm
from realmd.world import queries
from realmd.world.caller import INSIDE
from tests.fakes import Clockwork, chat, message, register

ROOM = Room("room", "Room", "", "http://localhost:1")


class Desk:
    """A realm over the clockwork; `answers` is what came back."""

    def __init__(self) -> None:
        self.works = Clockwork()
        self.history = History(self.works.store, size=2)
        self.realm = Realm(
            self.works.world,
            ROOM,
            self.works.intake,
            self.works.journal,
            self.works.store,
            self.history,
            lambda: [],
            18800,
            Credentials(Path("none"), Lifetimes(1, 1), bytes, lambda: 0),
        )
        self.answers: list[Answer] = []

    def ask(self, ask: Any) -> Any:
        """The fields of the answer, as JSON tells them; None while there is none."""
        self.answers.clear()
        self.realm.serve(ask, self.answers.append, INSIDE)
        return self.answer()

    def answer(self) -> Any:
        assert len(self.answers) <= 1
        return json.loads(msgspec.json.encode(self.answers[0].fields)) if self.answers else None


def ids(answer: Any) -> list[str]:
    return [profile["agentId"] for profile in answer["profiles"]]


def test_a_question_waits_for_the_commit_under_way() -> None:
    """What is still being committed is not told; once it is, the answer comes."""
    desk = Desk()
    desk.works.tick(register("ann"))
    assert desk.ask(queries.Profiles()) is None
    desk.works.store.land()
    assert ids(desk.answer()) == ["ann"]
    assert ids(desk.ask(queries.Profiles())) == ["ann"]


def test_those_who_wait_for_one_commit_share_an_answer() -> None:
    """However many ask the same while the disk is slow, one answer is kept; later ones get a new one."""
    desk = Desk()
    desk.works.tick(register("ann"))
    for _ in range(3):
        desk.realm.serve(queries.Profiles(), desk.answers.append, INSIDE)
    desk.works.store.land()
    assert len(desk.answers) == 3
    assert len({id(answer) for answer in desk.answers}) == 1
    desk.works.join("bob")
    assert ids(desk.ask(queries.Profiles())) == ["ann", "bob"]


def test_an_answer_that_was_undone_is_made_anew() -> None:
    """Nobody is told of an agent whose registration failed."""
    desk = Desk()
    desk.works.join("ann")
    desk.works.tick(register("bob"))
    desk.works.tick(register("cid"))
    assert desk.ask(queries.Profiles()) is None
    desk.works.store.lose()
    assert ids(desk.answer()) == ["ann"]


def test_a_command_is_answered_when_it_is_durable() -> None:
    """The answer carries its seq; a refusal its code and what that means."""
    desk = Desk()
    desk.works.join("ann")
    assert desk.ask(chat("ann")) is None
    desk.works.tick()
    assert desk.answer() is None
    desk.works.store.land()
    assert desk.answer() == {"ok": True, "seq": 2}
    desk.works.world.limits = msgspec.structs.replace(desk.works.world.limits, max_agents=1)
    desk.ask(register("bob"))
    desk.works.tick()
    answer = desk.answer()
    assert (answer["ok"], answer["error"], answer["code"]) == (False, "Room is full (1 max)", "room_full")
    assert answer["reason"]


def test_an_unknown_agent_is_the_senders_own_mistake() -> None:
    """As the old server had it, that alone is a fault (HTTP 400)."""
    desk = Desk()
    desk.ask(chat("nobody"))
    desk.works.tick()
    assert (desk.answers[0].fault, desk.answer()["code"]) == (True, "unknown_agent")


def test_nobody_else_speaks_for_an_inhabitant() -> None:
    """A command in the name of an inhabitant is refused at the desk."""
    desk = Desk()
    assert desk.ask(chat("imp"))["code"] == "reserved"
    assert len(desk.works.intake) == 0


QUESTIONS = [
    queries.Profiles(), queries.RoomInfo(), queries.RoomInvite(), queries.RoomSkills(), queries.Describe(),
    queries.OpenPreview(agent_id="ann"), queries.MoltbookList(), queries.ClawhubList(),
    queries.ClawhubInstalled(), queries.Workstations(), queries.WorkstationOf(workstation_id="anvil"),
    queries.WorldMap(), queries.ProfileOf(agent_id="ann"), queries.RoomEvents(),
    queries.AgentInbox(agent_id="ann"), queries.AgentConversation(agent_id="ann", to_agent_id="bob"),
    queries.Login(), queries.WorldsList(),
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: type(q).__name__)
def test_every_question_has_an_answer(question: queries.Query) -> None:
    """Each is answered with `ok` and JSON."""
    desk = Desk()
    desk.works.join("ann")
    assert desk.ask(question)["ok"] is True


def test_no_question_is_forgotten() -> None:
    """The list above is all that may be asked."""
    assert {type(question) for question in QUESTIONS} == set(queries.QUERIES.values())


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (queries.ProfileOf(agent_id="nobody"), "not_found"),
        (queries.WorkstationOf(workstation_id="nowhere"), "unknown_workstation"),
        (queries.AgentInbox(agent_id="nobody"), "unknown_agent"),
    ],
)
def test_a_question_about_nothing(question: queries.Query, code: str) -> None:
    """What is not there is named as such."""
    assert Desk().ask(question)["code"] == code


def test_an_inbox_is_read_from_the_store() -> None:
    """Messages come back oldest first; to ask for them is a sign of life."""
    desk = Desk()
    desk.works.join("ann", "bob")
    desk.works.settle(message("ann", "bob", "one"), message("ann", "bob", "two"))
    answer = desk.ask(queries.AgentInbox(agent_id="bob"))
    assert [m["content"] for m in answer["messages"]] == ["one", "two"]
    desk.works.clock.advance(5)
    heard = desk.works.world.heard["bob"]
    desk.works.tick()
    assert desk.works.world.heard["bob"] > heard


@pytest.mark.parametrize("wild", [0, -1, -1e308, 1e308, 0.5, 2.0**63, float("inf")])
def test_wild_numbers(wild: float) -> None:
    """Any number for a time or a limit gets an answer, and the store only numbers that it can hold."""
    desk = Desk()
    desk.works.join("ann")
    for number in range(4):
        desk.works.settle(chat("ann", f"{number}"))
        desk.history.add([desk.works.published[-1].entry])
    for question in (
        queries.RoomEvents(since=wild),
        queries.RoomEvents(limit=wild),
        queries.RoomEvents(after=2**64 - 1),
        queries.AgentInbox(agent_id="ann", since=wild),
        queries.AgentInbox(agent_id="ann", limit=wild),
    ):
        assert desk.ask(question)["ok"] is True
    numbers = [value for call in desk.works.store.asked for value in call if not isinstance(value, str)]
    assert all(isinstance(value, int) and 0 <= value < 2**63 for value in numbers)


def test_a_store_that_is_away() -> None:
    """A question that needs the store is refused like a command; the others are answered."""
    desk = Desk()
    desk.works.join("ann")
    desk.works.store.well = False
    assert desk.ask(queries.AgentInbox(agent_id="ann"))["code"] == "storage_unavailable"
    assert desk.ask(queries.Profiles())["ok"] is True


def test_a_question_that_goes_wrong() -> None:
    """A mistake of ours is logged, and told as one."""
    desk = Desk()
    desk.realm._catalogue = lambda: 1 // 0  # type: ignore[assignment, return-value]
    with capturedLogs() as events:
        assert desk.ask(queries.ClawhubList())["code"] == "internal_error"
    assert [e["log_failure"].type for e in events] == [ZeroDivisionError]


def test_a_full_or_closed_realm() -> None:
    """Too much at once is `busy`, a realm that stops says so; questions are still answered."""
    desk = Desk()
    desk.works.intake.limit = 0
    assert desk.ask(chat("ann"))["code"] == "busy"
    desk.works.intake.close()
    assert desk.ask(chat("ann"))["code"] == "shutting_down"
    assert desk.ask(queries.RoomInfo())["ok"] is True
