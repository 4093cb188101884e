"""Attacks on identity with tokens and proofs: forged, changed, overheard, out of date."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any, Final

import msgspec

from realmd.identity import schnorr
from realmd.identity.keys import KeyRing

from ..framing import ipc, request
from ..identity.signers import OWNER, STRANGER, entropy, event
from ..process.daemon import run
from .field import Answer, Field, Stranger
from .siege import Attack
from .strangers import VICTIM, enrol
from .wire import post

#: Codes of tokens that prove nothing.
NO_TOKEN: Final = {"malformed", "unknown_key", "bad_signature", "expired", "not_yet"}
REALMCTL: Final = (sys.executable, "-m", "realmd.ctl")


def packed(data: bytes) -> str:
    """base64url as tokens have it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def forgeries(field: Field, token: str) -> Iterator[str]:
    """Tokens for the victim, made without the realm's key; `token` is a good one of another agent."""
    head, payload, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    key = KeyRing.create(said["issued"], entropy(), 86_400_000).newest
    lies: tuple[dict[str, Any], ...] = {}, {"serial": 0}, {"alg": "none"}, {"keyId": key.id}
    for statement in ({**said, "agentId": "victim", **lie} for lie in lies):
        text = f"{head}.{packed(json.dumps(statement, separators=(',', ':')).encode())}"
        for proof in (signature, "", packed(bytes(64)), packed(key.sign(text.encode()))):
            yield f"{text}.{proof}"
    for _ in range(30):
        at = field.rng.randrange(len(token))
        changed = token[:at] + field.rng.choice("AZaz09-_.") + token[at + 1 :]
        if changed != token:
            yield changed
    yield from (
        token + "A", token[:-1], f"{head}.{payload}", f"{payload}.{signature}", token.upper(), "null", "..",
        "realm1..", f"{token}.{signature}", f"{head}.{payload}=.{signature}", token.replace("1", "2", 1),
        "eyJhbGciOiJub25lIn0.eyJhZ2VudElkIjoidmljdGltIn0.", token * 7, f"realm1.{'A' * 900}.{'A' * 86}",
    )  # fmt: skip


def forgery(field: Field) -> None:
    """None opens the victim, in the header, in the command, or over a WebSocket; each is told why."""
    victim, mallory = enrol(field, "victim"), enrol(field, "mallory", "198.18.0.1")
    addresses = field.strangers(networks=50, hosts=20)
    for forged in cycle([*forgeries(field, mallory)]):
        if not field.going_on:
            break
        with Stranger(field, next(addresses)) as line:
            for asked in (
                post("agent-inbox", forged, agentId="victim"),
                post("agent-inbox", agentId="victim", token=forged),
            ):
                answer = line.ask(asked)
                assert (answer.status, answer.json["code"] in NO_TOKEN) == (401, True), (forged, answer)
            told = line.upgrade().command("agent-inbox", agentId="victim", token=forged)
            assert told["code"] in NO_TOKEN, (forged, told)
            field.tally["tries"] += 3
    with Stranger(field, VICTIM) as line:
        assert line.ask(post("agent-inbox", victim, agentId="victim")).json["ok"]


def replay(field: Field) -> None:
    """Tokens that were rotated or revoked are dead at every door, and on connections that are open."""
    tokens = [enrol(field, f"holder-{number}", "198.18.1.1") for number in range(10)]
    for number in cycle(range(10)):
        if not field.going_on:
            break
        name, old = f"holder-{number}", tokens[number]
        with Stranger(field, "198.18.2.1") as holder, Stranger(field).upgrade() as thief:
            assert thief.command("world-emote", agentId=name, token=old)["ok"]
            tokens[number] = holder.ask(post("token-rotate", old, agentId=name)).json["token"]
            check_dead(field, thief, name, old)
    with Stranger(field).upgrade() as thief:
        name, old = "holder-0", tokens[0]
        assert thief.command("world-emote", agentId=name, token=old)["ok"]
        settings = {"STATE_DIRECTORY": str(field.folder / "state")}
        done = run(field.folder, "revoke", name, settings=settings, program=REALMCTL)
        assert done.returncode == 0, done
        check_dead(field, thief, name, old)


def check_dead(field: Field, thief: Stranger, name: str, token: str) -> None:
    """Nothing is done, or shown, for this token any more."""
    assert thief.command("world-emote", agentId=name)["code"] == "token_revoked"
    assert thief.command("agent-inbox", agentId=name, token=token)["code"] == "token_revoked"
    with Stranger(field) as line:
        for command in ("agent-inbox", "login", "token-rotate"):
            answer = line.ask(post(command, token, agentId=name))
            assert (answer.status, answer.json["code"]) == (401, "token_revoked"), answer
            field.tally["tries"] += 1


# -- NIP-98 and NIP-42 ---------------------------------------------------------------------


def proof(
    url: str, body: bytes, kind: int = 27235, age: int = 0, secret: bytes = OWNER, **tags: str
) -> dict[str, Any]:
    """A signed event that proves the owner's key for POST `url` with `body`, but for what is given."""
    given = {"u": url, "method": "POST", "payload": hashlib.sha256(body).hexdigest(), **tags}
    signed = event(kind, *given.items(), secret=secret, created_at=int(time.time()) - age)
    made: dict[str, Any] = msgspec.to_builtins(signed)
    return made


def encoded(made: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(made).encode()).decode()


def misuses(field: Field, url: str, body: bytes) -> Iterator[tuple[str, set[str]]]:
    """Values for the Authorization header that prove nothing here, and the codes they may be refused with."""
    good = proof(url, body)
    for wrong in (f"{url}?a", url.replace("http", "https"), url.replace("/ipc", "/"), f"{url}/", ""):
        yield encoded(proof(wrong, body)), {"url"}
    for method in ("GET", "", "POST,GET"):
        yield encoded(proof(url, body, method=method)), {"method"}
    for payload in ("", hashlib.sha256(b"").hexdigest(), hashlib.sha256(body + b" ").hexdigest()):
        yield encoded(proof(url, body, payload=payload)), {"payload"}
    for kind in (1, 22242, 27236, 0):
        yield encoded(proof(url, body, kind=kind)), {"kind"}
    yield encoded(proof(url, body, age=3600)), {"stale"}
    yield encoded(proof(url, body, age=65)), {"stale"}
    yield encoded(proof(url, body, age=-65)), {"early"}
    theirs = proof(url, body, secret=STRANGER)
    for change in (
        {"pubkey": theirs["pubkey"]}, {"sig": theirs["sig"]}, {"id": theirs["id"]}, {"sig": "0" * 128},
        {"sig": good["sig"].upper()}, {"content": "x"}, {"created_at": good["created_at"] + 1},
        {"tags": [*good["tags"], ["x", "y"]]}, {"pubkey": "0" * 64},
    ):  # fmt: skip
        yield encoded({**good, **change}), {"id", "signature", "shape"}
    yield encoded({**good, "tags": [*good["tags"], ["u", url]]}), {"url", "id"}
    yield encoded({**good, "tags": good["tags"][1:]}), {"url", "id"}
    text = encoded(good)
    for value in (text[:-8], text + "!", text[1:], "e30=", "", "bnVsbA==", text * 20, "W" * 4000):
        yield value, {"encoding", "shape", "scheme", "too_long", "kind", "id"}


def nip98(field: Field) -> None:
    """No event that was made for something else, or was used, proves a key; no challenge of others does."""
    body = ipc("login", agentId="bound")
    url = f"http://127.0.0.1:{field.port}/ipc"
    claim = ipc("register", agentId="bound")
    with Stranger(field, VICTIM) as line:
        assert sent(line, claim, encoded(proof(url, claim))).json["ok"]
    addresses = field.strangers(networks=50, hosts=20)
    while field.going_on:
        for value, codes in misuses(field, url, body):
            with Stranger(field, next(addresses)) as line:
                answer = sent(line, body, value)
                assert (answer.status, answer.json["code"] in codes) == (401, True), (value, codes, answer)
            field.tally["tries"] += 1
            if not field.going_on:
                break
        overheard(field, url, next(addresses))
        challenges(field, next(addresses))


def sent(line: Stranger, body: bytes, value: str) -> Answer:
    return line.ask(request("POST", "/ipc", body, authorization=f"Nostr {value}"))


def overheard(field: Field, url: str, address: str) -> None:
    """The same proof on many connections at once: one of them is the first, and the only one."""
    body = ipc("login", agentId="bound", nonce=field.rng.getrandbits(60))
    value = encoded(proof(url, body))
    lines = [Stranger(field, address) for _ in range(8)]
    for line in lines:
        line.send(request("POST", "/ipc", body, authorization=f"Nostr {value}"))
    answers = [line.answer() for line in lines]
    for line in lines:
        line.close()
    assert sorted(a.json.get("code", "") for a in answers) == ["", *["replayed"] * 7], answers
    field.tally["tries"] += 8


def challenges(field: Field, address: str) -> None:
    """A challenge is its connection's, for one answer, with the right kind and address."""
    with Stranger(field, address).upgrade() as mine, Stranger(field, address).upgrade() as other:
        other.tell(type="challenge")
        given = other.next("challenge")
        for kind, changed, code in (
            (22242, {"challenge": given["challenge"]}, "challenge"),
            (22242, {"challenge": ""}, "challenge"),
            (22242, {"relay": "ws://evil.example/ws"}, "relay"),
            (27235, {}, "kind"),
        ):
            mine.tell(type="challenge")
            tags = {"challenge": mine.next("challenge")["challenge"], "relay": given["relay"], **changed}
            answer = msgspec.to_builtins(event(kind, *tags.items(), created_at=int(time.time())))
            assert mine.command("auth", event=answer)["code"] == code, code
            assert mine.command("auth", event=answer)["code"] in ("challenge", "kind")  # it is used up
            field.tally["tries"] += 2
        assert mine.command("agent-inbox", agentId="bound")["code"] == "token_required"
        taken = schnorr.public_key(OWNER).hex()
        assert mine.command("register", agentId="impostor", pubkey=taken)["code"] == "key_taken"


SAYS: Final = "offence kind=identity door=http peer=198"
FORGERY: Final = Attack("token_forgery", forgery, SAYS)
REPLAY: Final = Attack("token_replay", replay, SAYS)
NIP98: Final = Attack("nip98_misuse", nip98, SAYS)
