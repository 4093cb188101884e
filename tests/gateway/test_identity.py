"""Who is speaking, through the doors: tokens, Nostr proofs, and what others may not read."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest_twisted

from realmd.identity import bech32, schnorr
from tests.framing import ipc, request, upgrade
from tests.identity.signers import OWNER, STRANGER, event
from tests.realm import Answer, Running, Socket, realm_up

FAR: dict[str, str] = {"x_forwarded_for": "203.0.113.9"}
NPUB = bech32.encode("npub", schnorr.public_key(OWNER))


async def far(realm: Running, command: str, **args: Any) -> Answer:
    """Ask from another host; `bearer` and `nostr` among `args` go into the Authorization header."""
    headers = dict(FAR)
    for scheme in ("bearer", "nostr"):
        if scheme in args:
            headers["authorization"] = f"{scheme.capitalize()} {args.pop(scheme)}"
    return await realm.http("POST", "/ipc", ipc(command, **args), **headers)


async def far_socket(realm: Running, **headers: str) -> Socket:
    wire = await realm.wire()
    wire.write(upgrade("/ws", **FAR, **headers))
    assert (await wire.answer()).status == 101
    return Socket(wire)


def signed(realm: Running, body: bytes, secret: bytes = OWNER, age: int = 0, **tags: str) -> str:
    """A NIP-98 event for POST /ipc with this body, signed `age` s ago, in base64."""
    url = f"http://127.0.0.1:{realm.port}/ipc"
    given = {"u": url, "method": "POST", "payload": hashlib.sha256(body).hexdigest(), **tags}
    proof = event(27235, *given.items(), secret=secret, created_at=int(time.time()) - age)
    return base64.b64encode(msgspec.json.encode(proof)).decode()


@pytest_twisted.ensureDeferred
async def test_the_token_of_its_registration_speaks_for_an_agent_from_anywhere(tmp_path: Path) -> None:
    """Shown as a header or in the command a token opens the agent, its inbox included; nothing else does."""
    async with realm_up(tmp_path) as realm:
        token = (await far(realm, "register", agentId="ann")).json["token"]
        other = (await far(realm, "register", agentId="bob")).json["token"]
        for ways, status in (
            ({"bearer": token}, 200), ({"token": token}, 200), ({}, 401), ({"bearer": other}, 403),
            ({"bearer": token[:-4] + "AAAA"}, 401), ({"token": 7}, 400),
        ):  # fmt: skip
            for command, args in (("agent-inbox", {}), ("world-chat", {"text": "hi"})):
                answer = await far(realm, command, agentId="ann", **args, **ways)
                assert answer.status == status, (ways, command, answer)
                assert ("www-authenticate" in answer.headers) == (status == 401)
        assert token not in repr(realm.log)


@pytest_twisted.ensureDeferred
async def test_letters_are_read_over_rest_by_who_speaks_for_one_of_the_two(tmp_path: Path) -> None:
    """An old client's inbox and conversations open with its token, whichever of the two it is."""
    async with realm_up(tmp_path) as realm:
        tokens = {
            who: (await far(realm, "register", agentId=who)).json["token"] for who in ("ann", "bob", "cid")
        }
        await far(
            realm, "agent-message", agentId="ann", toAgentId="bob", content="Psst", bearer=tokens["ann"]
        )
        for path, readers in (
            ("inbox?agentId=bob", ("bob",)), ("conversation?agent1=ann&agent2=bob", ("ann", "bob")),
        ):  # fmt: skip
            for who, token in {**tokens, "nobody": ""}.items():
                shown = {"authorization": f"Bearer {token}"} if token else {}
                answer = await realm.http("GET", f"/api/a2a/{path}", **FAR, **shown)
                if who in readers:
                    assert [letter["content"] for letter in answer.json["messages"]] == ["Psst"], (path, who)
                else:
                    assert (answer.status, "Psst" in repr(answer)) == (403 if token else 401, False)


@pytest_twisted.ensureDeferred
async def test_rotation_ends_old_tokens_and_what_they_overhear(tmp_path: Path) -> None:
    """After a rotation the old token neither speaks nor listens, on connections that are open, too."""
    async with realm_up(tmp_path) as realm:
        token = (await far(realm, "register", agentId="ann")).json["token"]
        thief, holder = await far_socket(realm), await far_socket(realm)
        assert (await thief.ask("world-emote", agentId="ann", token=token))["ok"]
        rotated = await holder.ask("token-rotate", agentId="ann", token=token)
        assert rotated["ok"]
        assert (await thief.ask("world-emote", agentId="ann"))["code"] == "token_revoked"
        assert (await far(realm, "world-emote", agentId="ann", bearer=token)).status == 401
        assert (await far(realm, "world-emote", agentId="ann", bearer=rotated["token"])).json["ok"]
        await realm.ipc("register", agentId="bob")
        await realm.ipc("agent-message", agentId="bob", toAgentId="ann", content="psst")
        await realm.ipc("world-chat", agentId="bob", text="aloud")
        assert (await holder.event("message"))["content"] == "psst"
        assert (await thief.next("world", "private"))["message"]["worldType"] != "message"
        heard = [await thief.event("chat")]
        assert heard[0]["text"] == "aloud"


@pytest_twisted.ensureDeferred
async def test_who_registers_on_a_socket_speaks_on_it_without_a_token(tmp_path: Path) -> None:
    """A remote client of old needs no new step on the connection that registered; another connection does."""
    async with realm_up(tmp_path) as realm:
        client, other = await far_socket(realm), await far_socket(realm)
        client.send({"type": "register", "agentId": "ann"})
        client.send({"type": "world-chat", "agentId": "ann", "text": "in one breath"})
        assert (await client.event("chat"))["text"] == "in one breath"
        assert (await other.ask("world-chat", agentId="ann", text="I am ann"))["code"] == "token_required"
        assert (await other.ask("agent-inbox", agentId="ann"))["code"] == "token_required"


@pytest_twisted.ensureDeferred
async def test_a_key_proven_by_http_binds_and_recovers_an_agent(tmp_path: Path) -> None:
    """NIP-98: the key is shown in the profile, logs in without a token, and no proof works twice."""
    async with realm_up(tmp_path) as realm:
        body = ipc("register", agentId="ann", pubkey="anything")
        header = {**FAR, "authorization": f"Nostr {signed(realm, body)}"}
        answer = await realm.http("POST", "/ipc", body, **header)
        assert (answer.status, answer.json["profile"]["npub"]) == (200, NPUB)
        again = await realm.http("POST", "/ipc", body, **header)
        assert (again.status, again.json["code"]) == (401, "replayed")

        body = ipc("login")
        mine = await realm.http("POST", "/ipc", body, **FAR, authorization=f"Nostr {signed(realm, body)}")
        assert mine.json["agents"] == [{"agentId": "ann", "owned": False}]
        body = ipc("login", agentId="ann")
        back = await realm.http("POST", "/ipc", body, **FAR, authorization=f"Nostr {signed(realm, body)}")
        assert (await far(realm, "world-emote", agentId="ann", bearer=back.json["token"])).json["ok"]
        body = ipc("login", agentId="ann", nonce=1)
        theirs = f"Nostr {signed(realm, body, STRANGER)}"
        assert (await realm.http("POST", "/ipc", body, **FAR, authorization=theirs)).status == 403
        before = f"Nostr {signed(realm, body, age=30)}"  # the process before may have taken it
        assert (await realm.http("POST", "/ipc", body, **FAR, authorization=before)).json["code"] == "stale"
        wrong = f"Nostr {signed(realm, body, method='GET')}"
        assert (await realm.http("POST", "/ipc", body, **FAR, authorization=wrong)).json["code"] == "method"


@pytest_twisted.ensureDeferred
async def test_a_key_proven_by_a_challenge_speaks_on_that_socket_only(tmp_path: Path) -> None:
    """NIP-42: the challenge is the connection's own and is answered once."""
    async with realm_up(tmp_path) as realm:
        client, other = await far_socket(realm), await far_socket(realm)
        client.send({"type": "challenge"})
        given = await client.next("challenge")
        tags = (("relay", given["relay"]), ("challenge", given["challenge"]))
        answer = msgspec.to_builtins(event(22242, *tags, created_at=int(time.time())))
        assert (await other.ask("auth", event=answer))["code"] == "challenge"
        assert (await client.ask("auth", event=answer))["npub"] == NPUB
        assert (await client.ask("auth", event=answer))["code"] == "challenge"
        assert (await client.ask("register", agentId="ann"))["profile"]["npub"] == NPUB
        assert (await other.ask("register", agentId="ann"))["code"] == "token_required"


@pytest_twisted.ensureDeferred
async def test_an_owner_is_delegated_once_and_may_then_log_in(tmp_path: Path) -> None:
    """The agent's holder shows what the owner signed; from then on the owner's key opens the agent."""
    async with realm_up(tmp_path) as realm:
        token = (await far(realm, "register", agentId="ann")).json["token"]
        now = int(time.time())
        tags = (("d", "realm-delegation:ann"), ("room", "shalom-realm"), ("expiration", str(now + 3600)))
        stated = msgspec.to_builtins(event(30078, *tags, created_at=now))
        assert (await far(realm, "delegate", agentId="ann", event=stated)).status == 401
        other = msgspec.to_builtins(event(30078, ("d", "realm-delegation:bob"), *tags[1:], created_at=now))
        refused = await far(realm, "delegate", agentId="ann", event=other, bearer=token)
        assert refused.json["code"] == "bad_delegation"
        assert (await far(realm, "delegate", agentId="ann", event=stated, bearer=token)).json["ok"]
        body = ipc("login")
        mine = await realm.http("POST", "/ipc", body, **FAR, authorization=f"Nostr {signed(realm, body)}")
        assert mine.json["agents"] == [{"agentId": "ann", "owned": True}]
        body = ipc("disown", agentId="ann")
        await realm.http("POST", "/ipc", body, **FAR, authorization=f"Nostr {signed(realm, body)}")
        gone = await far(realm, "delegate", agentId="ann", event=stated, bearer=token)
        assert gone.json["code"] == "bad_delegation"


@pytest_twisted.ensureDeferred
async def test_tokens_outlive_the_daemon_and_only_its_own_count(tmp_path: Path) -> None:
    """After a restart tokens still count; those of another realm never do; the key file is the daemon's."""
    async with realm_up(tmp_path / "one") as realm:
        token = (await far(realm, "register", agentId="ann")).json["token"]
    keys = tmp_path / "one/var/token-keys"
    assert keys.stat().st_mode & 0o777 == 0o600
    async with realm_up(tmp_path / "one") as realm:
        assert (await far(realm, "world-emote", agentId="ann", bearer=token)).json["ok"]
    async with realm_up(tmp_path / "two") as realm:
        await far(realm, "register", agentId="ann")
        answer = await far(realm, "world-emote", agentId="ann", bearer=token)
        assert (answer.status, answer.json["code"]) == (401, "unknown_key")


@pytest_twisted.ensureDeferred
async def test_pages_of_other_sites_are_not_programs_of_this_host(tmp_path: Path) -> None:
    """A site that a browser on this host visits cannot command local agents."""
    async with realm_up(tmp_path) as realm:
        await realm.ipc("register", agentId="ann")
        for origin, host, status in (
            ("https://evil.example", "localhost", 401),
            ("http://evil.example", "evil.example", 401),
            ("http://localhost", "localhost", 200),
        ):
            wire = await realm.wire()
            text = request("POST", "/ipc", ipc("world-emote", agentId="ann"), origin=origin)
            wire.write(text.replace(b"Host: localhost", f"Host: {host}".encode()))
            assert (await wire.answer()).status == status, origin
