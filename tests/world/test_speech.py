"""What is said to everyone, and what reaches only two."""

from __future__ import annotations

import msgspec
import pytest

from realmd.world import commands as c
from realmd.world import events
from realmd.world.model import Claim, Skill
from tests.world.worlds import T0, again, body, done, news, pass_time, peopled, refusal, stand

DAY = 86_400_000


def test_everyone_hears_what_is_said_and_shown() -> None:
    """Chat is cut at 500 characters; an emote and a chat are durable, an action is not."""
    world = peopled("ann", "bob")
    seq = world.tables.seq
    (chat,) = done(world, c.WorldChat(agent_id="ann", text="é" * 501))
    (emote,) = done(world, c.WorldEmote(agent_id="ann", emote="laugh"))
    (action,) = done(world, c.WorldAction(agent_id="ann", action="wave", target_agent_id="bob"))
    assert (chat.text, chat.seq, emote.seq) == ("é" * 500, seq + 1, seq + 2)
    assert not isinstance(action, events.Durable)
    assert (body(world, "ann").action, action.target_agent_id, world.tables.seq) == ("wave", "bob", seq + 2)


def request(sender: str, receiver: str, payload: object = None) -> c.AgentRequest:
    return c.AgentRequest(agent_id=sender, to_agent_id=receiver, request_type="task", payload=payload)


def test_messages_requests_and_answers_concern_two_agents() -> None:
    """Each is private to its sender and receiver, whoever else is there, and needs no seat."""
    world = peopled("ann", "bob", "cyr")
    done(world, c.WorldLeave(agent_id="bob"))
    (message,) = done(world, c.AgentMessage(agent_id="ann", to_agent_id="bob", content="psst"))
    (asked,) = done(world, request("ann", "bob", {"n": [1, None]}))
    answer = c.AgentRespond(agent_id="bob", request_id=asked.request_id, response="done")
    (answered,) = done(world, answer)
    for event, pair in ((message, ("ann", "bob")), (asked, ("ann", "bob")), (answered, ("bob", "ann"))):
        assert isinstance(event, events.Private)
        assert (event.agent_id, event.to_agent_id) == pair
    assert (asked.payload, answered.response) == ({"n": [1, None]}, "done")
    assert "bob" not in world.tables.bodies
    assert refusal(world, answer) == "unknown_request"


def test_only_the_receiver_may_answer() -> None:
    """A request is answered by whom it was sent to, once; nobody else can, not even its sender."""
    world = peopled("ann", "bob", "cyr")
    (asked,) = done(world, request("ann", "bob"))
    for name in ("ann", "cyr"):
        respond = c.AgentRespond(agent_id=name, request_id=asked.request_id, response=1)
        assert refusal(world, respond) == "unknown_request"
    assert [*world.tables.requests] == [asked.request_id]
    assert refusal(world, request("ann", "nobody")) == "unknown_target"
    nobody = c.AgentMessage(agent_id="ann", to_agent_id="nobody", content="hello?")
    assert refusal(world, nobody) == "unknown_target"


def test_payloads_are_bounded() -> None:
    """A payload or answer over 8 KiB of JSON is refused, and the request stays open."""
    world = peopled("ann", "bob")
    assert refusal(world, request("ann", "bob", "x" * 8191)) == "too_long"
    (asked,) = done(world, request("ann", "bob", "x" * 8190))
    long = c.AgentRespond(agent_id="bob", request_id=asked.request_id, response=["x" * 8192])
    assert refusal(world, long) == "too_long"
    assert [*world.tables.requests] == [asked.request_id]


def test_an_inbox_can_be_full() -> None:
    """Nobody has more than so many requests open, sent or received, nor has the realm in all."""
    world = peopled("ann", "bob", "cyr", "dee", open_requests=2, requests=4)
    for sender in ("ann", "bob"):
        done(world, request(sender, "dee"))
    assert refusal(world, request("cyr", "dee")) == "inbox_full"
    (own,) = done(world, request("ann", "ann"))
    assert refusal(world, request("ann", "bob")) == "inbox_full"  # has sent two
    done(world, request("bob", "cyr"))
    assert refusal(world, request("cyr", "bob")) == "inbox_full"  # the realm has four
    done(world, c.AgentRespond(agent_id="ann", request_id=own.request_id, response=None))
    done(world, request("cyr", "bob"))


def test_requests_survive_a_restart_and_expire() -> None:
    """An open request can be answered after a restart, until it is too old; then it is forgotten."""
    world = peopled("ann", "bob", request_age=DAY)
    (asked,) = done(world, request("ann", "bob"))
    (later,) = done(world, request("ann", "bob"), T0 + 1000)
    world = again(world, T0 + DAY)
    pass_time(world, T0 + DAY, 1)
    assert [*world.tables.requests] == [later.request_id]
    answer = c.AgentRespond(agent_id="bob", request_id=asked.request_id, response=1)
    assert refusal(world, answer, T0 + DAY + 1000) == "unknown_request"
    done(world, c.AgentRespond(agent_id="bob", request_id=later.request_id, response=1), T0 + DAY + 1000)
    world.durable = False
    pass_time(world, T0 + DAY + 1000, 5)
    assert world.seal().after == {("requests", "r3"): None, ("requests", later.request_id): None}


@pytest.mark.parametrize(
    "command",
    [
        c.WorldChat(agent_id="ann", text="?"), c.WorldEmote(agent_id="ann"), request("ann", "bob"),
        c.AgentMessage(agent_id="ann", to_agent_id="bob", content="?"), c.WorldLeave(agent_id="ann"),
        c.MoltbookPost(agent_id="ann", title="?", content="?"), c.Register(agent_id="ann", name="Anna"),
        c.ClawhubPublish(id="p", name="P"), c.WorldAction(agent_id="gone"), c.Inhabit(agent_id="daily"),
    ],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_nothing_durable_happens_while_the_store_is_away(command: c.Command) -> None:
    """What cannot be kept is refused and leaves nothing behind; what needs no keeping goes on."""
    world = peopled("ann", "bob", "gone")
    done(world, c.WorldLeave(agent_id="gone"))
    world.seal()
    seq = world.tables.seq
    before = {kind: dict(world.tables.rows(kind)) for kind in ("profiles", "bodies", "posts", "requests")}
    world.durable = False
    assert refusal(world, command) == "storage_unavailable"
    assert {kind: world.tables.rows(kind) for kind in before} == before
    assert (world.tables.seq, world.seal().after) == (seq, {})
    stand(world, "ann", 1, 1)
    done(world, c.WorldAction(agent_id="ann", action="spin"))
    done(world, c.WorldWalk(agent_id="ann", x=2.0, z=1.0))
    assert done(world, c.Register(agent_id="ann", capabilities=world.profile("ann").capabilities)) == ()
    assert news(pass_time(world, T0, 400)) == []
    world.durable = True
    done(world, command, T0 + 1)


KEY = "AKIA" + "IOSFODNN7EXAMPLE"
LEAK, SEEN = f"a\u202e {KEY} darn\u200b", "a *** ****"


@pytest.mark.parametrize(
    "command",
    [
        c.WorldChat(agent_id="ann", text=LEAK), c.WorkFinish(agent_id="ann", note=LEAK),
        c.MoltbookPost(agent_id="ann", title=LEAK, content=LEAK), c.Register(agent_id="ann", bio=LEAK),
        c.AgentMessage(agent_id="ann", to_agent_id="bob", content=LEAK),
        request("ann", "bob", {LEAK: [LEAK]}),
        c.AgentRespond(agent_id="ann", request_id="r3", response=LEAK), c.Register(agent_id="ann", name=LEAK),
        c.Register(agent_id="ann", pubkey=LEAK, avatar=LEAK, capabilities=(LEAK,)),
        c.Register(agent_id="ann", skills=(Skill("s", LEAK, LEAK),)),
        c.ClawhubPublish(id="p", name=LEAK, description=LEAK, author=LEAK, tags=(LEAK,)),
    ],
)  # fmt: skip
def test_no_leaked_key_is_journalled(command: c.Command) -> None:
    """Whatever text an agent gives away, keys, blocked words and hidden characters are not kept or told."""
    world = peopled("ann", "bob", blocked_words=("darn",))
    done(world, request("bob", "ann"))
    claimed = Claim("memory-archive", "ann", T0, T0)
    world.tables.put("claims", "memory-archive", claimed)
    world.holding["ann"] = "memory-archive"
    world.seal()
    kept = msgspec.json.encode([done(world, command), list(world.seal().after.values())]).decode()
    assert SEEN in kept
    assert not any(part in kept for part in (KEY, "darn", "\u202e", "\u200b"))


def test_text_of_nothing_visible_is_refused() -> None:
    """Who says only what cannot be seen is told so, and nobody hears an empty line."""
    world = peopled("ann", "bob")
    for command in (
        c.WorldChat(agent_id="ann", text="\u200b\u202e"),
        c.AgentMessage(agent_id="ann", to_agent_id="bob", content="\x07"),
        c.MoltbookPost(agent_id="ann", title="t", content="\u2060"),
    ):
        assert refusal(world, command) == "nothing_said"
