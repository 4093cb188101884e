"""The intake: bounded, in order, and closed at the end."""

from __future__ import annotations

from realmd.runtime.intake import Intake
from realmd.world.commands import LinkClosed, LinkOpened
from tests.fakes import chat, word


def test_commands_are_served_in_the_order_they_came() -> None:
    """What was sent first happens first, and a drained intake is empty."""
    intake = Intake(10)
    for text in "abc":
        intake.submit(chat("a", text))
    assert [command.text for command, _, _ in intake.drain()] == ["a", "b", "c"]  # type: ignore[attr-defined]
    assert intake.drain() == []


def test_a_full_intake_refuses_at_once() -> None:
    """Over its limit a command is answered `busy` at once, counted and not kept; a drain makes room."""
    intake, out = Intake(2), []
    for _ in range(4):
        intake.submit(chat("a"), lambda outcome: out.append(word(outcome)))
    assert (out, intake.refused, len(intake)) == (["busy", "busy"], 2, 2)
    intake.drain()
    intake.submit(chat("a"), lambda outcome: out.append(word(outcome)))
    assert (out, len(intake)) == (["busy", "busy"], 1)


def test_that_a_socket_closed_is_never_refused() -> None:
    """Under a flood the realm still learns which sockets closed: no seat is lost for ever."""
    intake, out = Intake(1), []
    intake.submit(chat("a"))
    for fact in (LinkOpened(agent_id="a"), LinkClosed(agent_id="a")):
        intake.submit(fact, lambda outcome: out.append(word(outcome)))
    assert (out, len(intake.drain())) == ([], 3)


def test_a_closed_intake_serves_what_waits_and_takes_no_more() -> None:
    """While stopping, new commands are answered `shutting_down`; those accepted before are still done."""
    intake, out = Intake(2), []
    intake.submit(chat("a"))
    intake.close()
    for command in (chat("b"), LinkClosed(agent_id="a")):
        intake.submit(command, lambda outcome: out.append(word(outcome)))
    assert (out, len(intake.drain())) == (["shutting_down"] * 2, 1)
