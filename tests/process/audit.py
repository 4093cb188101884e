"""What a realm's store must hold, held against what agents were promised."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from .client import Http
from .load import WORDS, Agent, Viewer

Events = dict[int, dict[str, Any]]
KINDS: Final = ("profiles", "bodies", "claims", "posts", "requests")
#: What a command without words of its own does at a workstation.
PHASES: Final = {("work-start", "started"), ("workstation-leave", "left")}
#: Type of an event → where the agent's own words are in it.
FIELDS: Final = {
    "join": "bio", "profile": "bio", "chat": "text", "board": "content", "message": "content", "work": "note",
}  # fmt: skip


class Kept(NamedTuple):
    """What the store held at one moment: events by seq, and the world's tables."""

    events: Events
    tables: dict[str, dict[str, dict[str, Any]]]


def read(database: Path) -> Kept:
    """Read the store in one transaction, beside a running daemon."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        rows = connection.execute("SELECT seq, body FROM events ORDER BY seq").fetchall()
        tables = {name: connection.execute(f"SELECT key, body FROM {name}").fetchall() for name in KINDS}
    decoded = {name: {key: json.loads(body) for key, body in rows} for name, rows in tables.items()}
    return Kept({seq: json.loads(body) for seq, body in rows}, decoded)


def check_promises(events: Events, agents: Iterable[Agent], viewers: Iterable[Viewer] = ()) -> None:
    """Fails unless every acknowledged and every shown event is kept, once and unchanged."""
    assert [*events] == [*range(1, len(events) + 1)], "numbers are missing"
    assert all(event["seq"] == seq for seq, event in events.items())
    words = Counter(event.get(FIELDS.get(event["worldType"], "")) for event in events.values())
    owners: dict[int, str] = {}
    for agent in agents:
        for seq, wish in agent.acked.items():
            assert owners.setdefault(seq, agent.id) == agent.id, f"{seq} was given to two agents"
            assert seq in events, f"acknowledged and lost: {seq} {wish}"
            assert events[seq]["agentId"] == agent.id, f"{wish} became {events[seq]}"
            if wish.words:
                assert events[seq][WORDS[wish.command][0]] == wish.words, f"{wish} became {events[seq]}"
                assert events[seq].get("toAgentId") == wish.args.get("toAgentId")
            else:
                assert (wish.command, events[seq]["phase"]) in PHASES
        assert [text for text in agent.sent if words[text] > 1] == [], "done twice"
    for viewer in viewers:
        lost = {seq: event for seq, event in viewer.seen.items() if events.get(seq) != event}
        assert lost == {}, "shown and lost"


def check_tables(kept: Kept, agents: Iterable[Agent]) -> None:
    """Fails unless the tables are what the journal says they must be."""
    tables = kept.tables
    bios: dict[str, str] = {}
    holders: dict[str, tuple[str, bool] | None] = {}
    posts: set[str] = set()
    for event in kept.events.values():
        match event["worldType"]:
            case "join" | "profile":
                bios[event["agentId"]] = event["bio"]
            case "work":
                holder = None if event["phase"] == "left" else (event["agentId"], event["phase"] == "started")
                holders[event["workstationId"]] = holder
            case "board":
                posts.add(event["content"])
    assert {name: profile["bio"] for name, profile in tables["profiles"].items()} == bios
    assert {agent.id for agent in agents if agent.registered} <= set(tables["bodies"]), "someone is gone"
    held = {station: holder for station, holder in holders.items() if holder is not None}
    assert {key: (c["agentId"], c["workingSince"] > 0) for key, c in tables["claims"].items()} == held
    assert {post["content"] for post in tables["posts"].values()} == posts


def check_doors(events: Events, http: Http, agents: Iterable[Agent], after: int) -> None:
    """Fails unless room-events and the inboxes show what the store holds beyond `after`."""
    new = {seq: event for seq, event in events.items() if seq > after}
    public = [event for event in new.values() if "toAgentId" not in event]
    shown: list[dict[str, Any]] = []
    at = max(after, 1)
    while page := http.ask("room-events", after=at, limit=200)["events"]:
        shown += page
        at = page[-1]["seq"]
    assert [event for event in shown if event["seq"] in events] == [e for e in public if e["seq"] > 1]
    for agent in agents:
        if agent.registered:
            letters = [event for event in new.values() if "toAgentId" in event]
            private = [e for e in letters if agent.id in (e["agentId"], e["toAgentId"])]
            kept = inbox(http, agent.id, private[0]["timestamp"] - 1 if private else 0)
            told = [event for event in kept if event["seq"] in new]
            # An inbox has each event whole, and the words of the later old server beside it.
            assert [{key: event[key] for key in new[event["seq"]]} for event in told] == private


def inbox(http: Http, agent_id: str, since: int) -> list[dict[str, Any]]:
    """All messages to and from the agent after a time, page by page."""
    found: dict[int, dict[str, Any]] = {}
    while True:
        page = http.ask("agent-inbox", agentId=agent_id, since=since, limit=200)["messages"]
        fresh = {message["seq"]: message for message in page if message["seq"] not in found}
        if not fresh:
            return [found[seq] for seq in sorted(found)]
        found |= fresh
        since = page[-1]["timestamp"] - 1
