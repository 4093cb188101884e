"""What the tests of the store keep in it."""

from __future__ import annotations

from collections.abc import Sequence

from realmd.storage.interface import Entry
from realmd.world.model import (
    Body,
    Claim,
    Identity,
    Installed,
    Plugin,
    Post,
    Profile,
    Request,
    Sanction,
    Skill,
    Walk,
)

EVERYTHING = "nul \x00, astral 🐉, right-to-left \u202e, quote ' \" ; -- \ud7ff"
ROWS = {
    ("profiles", "a"): Profile(
        "a", EVERYTHING, "", "bio", ("k",), "#112233", 1, 2, skills=(Skill("s", "S"),)
    ),
    ("bodies", "a"): Body("a", 1.5, -2.25, walk=Walk(((0.0, 1.0), (2.0, 3.0)), workstation_id="w")),
    ("claims", "w"): Claim("w", "a", 5, 6),
    ("posts", EVERYTHING): Post("p", "title", "a", EVERYTHING, 7),
    ("requests", "r"): Request("r", "a", "b", "task", 8),
    ("plugins", "p"): Plugin("p", "P", "", "", "1.0.0", ("t",), 9),
    ("installed", "p"): Installed("p", "1.0.0", 10),
    ("identities", "a"): Identity(
        "a", 11, local=True, pubkey="02", owner="03", signed=4, delegated_until=12, disowned=3
    ),
    ("sanctions", "1"): Sanction("1", "ban", "network", "192.0.2.0/24", EVERYTHING, 14, 15),
}


def entry(seq: int, ts: int | None = None, sender: str = "a", to: str | None = None, text: str = "") -> Entry:
    body = f'{{"seq":{seq},"text":"{text}"}}'.encode()
    return Entry(seq, seq if ts is None else ts, "message" if to else "chat", sender, to, body)


def seqs(bodies: Sequence[bytes]) -> list[int]:
    return [int(body.split(b",")[0].split(b":")[1]) for body in bodies]
