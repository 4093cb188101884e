"""Attacks on identity: speaking for an agent of another, of this host, of an inhabitant, of a visitor."""

from __future__ import annotations

import json
from itertools import count, cycle
from typing import Any, Final

from ..framing import ipc, request
from .field import Field, Stranger
from .siege import Attack
from .wire import post

VICTIM: Final = "198.51.100.1"
#: Refusals that say why somebody may not speak for an agent.
REFUSED: Final = {"token_required", "not_yours", "token_revoked", "reserved"}
#: Ways to claim to be a program of the realm's own host, or somebody.
CLAIMS: Final[tuple[dict[str, str], ...]] = (
    {}, {"x_forwarded_for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}, {"x_real_ip": "127.0.0.1"},
    {"x_forwarded_for": "127.0.0.1, 127.0.2.1"}, {"host": "127.0.0.1"}, {"via": "1.1 localhost"},
    {"authorization": "Basic cm9vdDpyb290"}, {"x_agent_id": "victim"},
)  # fmt: skip
#: What only the agent itself may do, with the arguments.
DEEDS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("world-chat", {"text": "I am the victim"}), ("world-move", {"x": 1, "z": 1}), ("world-leave", {}),
    ("world-emote", {}), ("register", {"name": "Mallory"}), ("agent-inbox", {}), ("login", {}),
    ("token-rotate", {}), ("disown", {}), ("moltbook-post", {"title": "a", "content": "b"}),
    ("agent-message", {"toAgentId": "homely", "content": "send money"}),
    ("clawhub-publish", {"id": "worm", "name": "Worm"}),
    ("go-to-workstation", {"workstationId": "vault-unlocker"}),
)  # fmt: skip


def enrol(field: Field, name: str, address: str | None = VICTIM, **args: Any) -> str:
    """Register an agent; its token."""
    with Stranger(field, address) as line:
        answer = line.ask(post("register", agentId=name, **args)).json
    assert answer["ok"], answer
    token: str = answer["token"]
    return token


def events_of(line: Stranger, name: str) -> list[dict[str, Any]]:
    """Everything public that the agent ever did, however much the others did since."""
    found: list[dict[str, Any]] = []
    after = 1  # the first event is an inhabitant's; 0 would mean the newest
    while page := line.ask(post("room-events", after=after, limit=200)).json["events"]:
        found += page
        after = page[-1]["seq"]
    return [event for event in found if event["agentId"] == name]


def impersonation(field: Field) -> None:
    """Each deed of each, by every door."""
    victim, mallory = enrol(field, "victim"), enrol(field, "mallory", "198.18.0.1")
    enrol(field, "homely", None)
    addresses, rounds = field.strangers(networks=50, hosts=20), count()
    with Stranger(field, VICTIM).upgrade() as visitor:
        visitor.tell(type="playerJoin", name="Nora")
        human = visitor.next("playerJoined")["agentId"]
        assert visitor.command("agent-message", agentId=human, toAgentId="victim", content="secret")["ok"]
        for name in cycle(("victim", "homely", "shalom", human)):
            by_http(field, next(addresses), name, mallory, next(rounds))
            by_websocket(field, next(addresses), name, mallory, next(rounds))
            if not field.going_on:
                break
        visitor.tell(type="playerChat", id="aloud", text="still me")
        assert visitor.next("ack")["ok"]
    check_victims(field, victim, human)


def by_http(field: Field, address: str, name: str, mallory: str, turn: int) -> None:
    """With nothing, with a claim, and with the token of another agent; all at once."""
    lines: list[tuple[Stranger, Any]] = []
    for number, (command, args) in enumerate(DEEDS):
        for headers in (CLAIMS[(turn + number) % len(CLAIMS)], {"authorization": f"Bearer {mallory}"}):
            line = Stranger(field, address)
            line.send(request("POST", "/ipc", ipc(command, agentId=name, **args), **headers))
            lines.append((line, (command, name, headers)))
    line = Stranger(field, address)
    skill = json.dumps({"agentId": name, "id": "worm", "name": "Worm"}).encode()
    line.send(request("POST", "/api/clawhub/skills", skill))
    lines.append((line, ("REST", name)))
    for line, what in lines:
        check_refused(line.answer().json, what)
        line.close()
        field.tally["tries"] += 1


def by_websocket(field: Field, address: str, name: str, mallory: str, turn: int) -> None:
    """As a stranger, as the speaker of another agent, and as a player."""
    with Stranger(field, address).upgrade(f"/ws?agent={name}", **CLAIMS[turn % len(CLAIMS)]) as line:
        line.tell(type="playerMove", x=0, z=0, agentId=name)
        assert line.next("error")["message"] == "playerJoin first"
        tried: dict[Any, Any] = {}
        for number, (command, args) in enumerate(DEEDS):
            if "id" not in args:  # of this one, it is the skill's
                tried[number] = command, name
                line.tell(
                    type=command, id=number, agentId=name, token=mallory if number % 2 else None, **args
                )
        while tried:
            ack = line.next("ack")
            check_refused(ack, tried.pop(ack["id"]))
            field.tally["tries"] += 1


def check_refused(answer: dict[str, Any], what: Any) -> None:
    assert not answer.get("ok"), (what, answer)
    assert answer.get("code") in REFUSED, (what, answer)


def check_victims(field: Field, token: str, human: str) -> None:
    """They have said nothing that they did not say, and the secret is one still."""
    with Stranger(field, VICTIM) as line:
        inbox = line.ask(post("agent-inbox", token, agentId="victim")).json["messages"]
        assert [message["content"] for message in inbox] == ["secret"]
        for name, said in (("victim", []), ("homely", []), (human, ["still me"])):
            deeds = [event for event in events_of(line, name) if event["worldType"] != "join"]
            assert [event.get("text") for event in deeds] == said
        assert line.ask(post("world-emote", token, agentId="victim")).json["ok"]


IMPERSONATION: Final = Attack(
    "impersonation", impersonation, "offence kind=identity door=(http|websocket) peer=198"
)
