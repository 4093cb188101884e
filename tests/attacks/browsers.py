"""Attacks by pages of other sites, in the browsers of those who may reach the realm."""

from __future__ import annotations

from itertools import cycle, product
from typing import Any, Final

from ..framing import ipc, request, upgrade
from .field import Field, Stranger
from .siege import Attack
from .strangers import enrol, events_of

#: The realm has a name, and one other site may use it.
NAMED: Final = {"REALMD_SERVER_HOSTS": "realm.example", "REALMD_SERVER_CORS_ORIGINS": "https://page.example"}
OURS: Final = "https://page.example"
OTHERS: Final = (
    "https://evil.example", "http://page.example", "https://page.example.evil.example", "null", "", "*",
    "https://evilpage.example", "https://page.example:444", "https://PAGE.example", "https://page.example/",
    "https://page.example@evil.example", "file://", "https://page.example, https://evil.example",
    "http://localhost.evil.example", "http://127.0.0.1.evil.example", "chrome-extension://abc",
)  # fmt: skip
#: Names that an attacker lets point at the realm's address.
REBOUND: Final = (
    "evil.example", "evil.example:80", "realm.example.evil.example", "evilrealm.example", "",
    "localhost.evil.example", "realm.example@evil.example", "127.0.0.1.evil.example", "2130706433.evil",
    "[::1].evil.example", "realm.example, evil.example", "realm.example evil.example",
)  # fmt: skip


def cross_site(field: Field) -> None:
    """A page of another site opens no WebSocket, and commands no agent of this host over HTTP.

    It does so from the browser of somebody on the realm's own host, whose programs need no token.
    """
    enrol(field, "homely", None)
    while field.going_on:
        asked = []
        for origin, address in product(OTHERS, (None, "198.18.3.3")):
            with Stranger(field, address) as line:
                assert line.ask(upgrade(origin=origin)).status == 403, origin
            line = Stranger(field, address)
            line.send(simple_request("world-chat", origin, agentId="homely", text="hijacked"))
            asked.append((origin, line))
        for origin, line in asked:
            answer = line.answer()
            line.close()
            assert (answer.status, answer.json["code"]) == (401, "token_required"), (origin, answer)
            assert "access-control-allow-origin" not in answer.headers, (origin, answer)
            field.tally["tries"] += 2
        with Stranger(field).upgrade(origin=OURS) as line:  # whom the configuration names may look on
            assert line.command("room-info")["ok"]
            assert line.command("world-chat", agentId="homely", text="x")["code"] == "token_required"
    check_homely(field)


def simple_request(command: str, origin: str, **args: Any) -> bytes:
    """What a form, or a fetch without preflight, may send to anywhere."""
    return request("POST", "/ipc", ipc(command, **args), origin=origin, content_type="text/plain")


def rebinding(field: Field) -> None:
    """A page whose own name is made to point at the realm is of its origin, but not of its name."""
    enrol(field, "homely", None)
    emote = ipc("world-emote", agentId="homely")
    for name in cycle(REBOUND):
        if not field.going_on:
            break
        for address in (None, "198.18.3.3"):
            for asked in (
                request("GET", "/api/room", host=name),
                request("GET", "/", host=name),
                request("POST", "/ipc", emote, host=name, origin=f"http://{name}"),
                upgrade(host=name, origin=f"http://{name}"),
                upgrade(host=name),
            ):
                with Stranger(field, address) as line:
                    answer = line.ask(asked)
                    assert answer.status in (400, 421), (name, answer)
                field.tally["tries"] += 1
    check_homely(field)


def check_homely(field: Field) -> None:
    """The agent of this host has said and done nothing, and its own program still commands it."""
    with Stranger(field, None) as line:
        assert [event["worldType"] for event in events_of(line, "homely")] == ["join"]
        assert line.ask(request("POST", "/ipc", ipc("world-emote", agentId="homely"))).json["ok"]


CROSS_SITE: Final = Attack(
    "cross_site_websocket", cross_site, "offence kind=origin door=websocket peer=", NAMED
)
REBINDING: Final = Attack("dns_rebinding", rebinding, "offence kind=host door=http peer=", NAMED)
