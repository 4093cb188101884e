"""Attacks with Nostr keys, of which anybody has as many as it likes."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any, Final

import msgspec

from realmd.identity import bech32, schnorr

from ..identity.signers import OWNER, STRANGER, event
from ..process.daemon import run
from .field import Answer, Field, Stranger
from .forgeries import REALMCTL, SAYS, encoded, proof, sent
from .siege import Attack
from .strangers import VICTIM
from .wire import ipc, post, request

#: Signed logins that are sent at once.
BATCH: Final = 100
AD: Final = "Buy-Now"


def login(field: Field, address: str, secret: bytes, command: str = "login", **args: Any) -> Answer:
    """A command with a fresh proof of the key, from a connection of its own."""
    body = ipc(command, nonce=field.rng.getrandbits(60), **args)
    value = encoded(proof(f"http://127.0.0.1:{field.port}/ipc", body, secret=secret))
    with Stranger(field, address) as line:
        return sent(line, body, value)


# -- one address, many keys ----------------------------------------------------------------


def dated_ahead(field: Field) -> None:
    """One address signs with a new key each time, dated as far ahead as may be, until its share is full."""
    secrets, told = count(10**6), Counter[str]()
    # It goes on, besides, until it has had its share, which takes as long as the machine takes to sign.
    while field.going_on or not told["busy"]:
        with suppress(EOFError, ConnectionError):  # it is closed when it is too fast
            told += flood(field, secrets)
        for number in range(2):  # a neighbour, and somebody from elsewhere
            answer = login(field, ("198.18.1.2", VICTIM)[number], (OWNER, STRANGER)[number])
            assert answer.status == 200, (answer, told)
            field.tally["logins"] += 1
    field.tally["tries"] += told.total()
    assert told.keys() <= {"", "busy", "rate_limited"}, told


def flood(field: Field, secrets: Iterator[int]) -> Counter[str]:
    """A batch of good proofs from one address; how many were taken, and refused by which code."""
    body = ipc("login")
    url, told = f"http://127.0.0.1:{field.port}/ipc", Counter[str]()
    asked = b"".join(
        request("POST", "/ipc", body, authorization=f"Nostr {encoded(made)}")
        for made in (
            proof(url, body, age=-55, secret=next(secrets).to_bytes(32, "big")) for _ in range(BATCH)
        )
    )
    with Stranger(field, "198.18.1.1") as line:
        line.send(asked)
        for _ in range(BATCH):
            told[line.answer().json.get("code", "")] += 1
    return told


# -- the spelling of a key -----------------------------------------------------------------


def spellings(key: str) -> tuple[str, ...]:
    npub = bech32.encode("npub", bytes.fromhex(key))
    return (
        key, f" {key}", f"{key} ", f"\t{key}\n", f"\u00a0{key}\u3000", key.upper(), key.title(),
        npub, npub.upper(), f" {npub} ",
    )  # fmt: skip


def near_keys(key: str) -> tuple[str, ...]:
    """What is no key, though some would take it for one."""
    npub = bech32.encode("npub", bytes.fromhex(key))
    return (
        f"{key[:9]}\u200b{key[9:]}", f"0x{key}", key[:-1], f"{key}00", f"nostr:{npub}", npub[:-1],
        f"{npub[:20]}{npub[20:].upper()}", f"{key[:32]} {key[32:]}", key.replace("f", "\uff46"), AD,
    )  # fmt: skip


def respelled(field: Field) -> None:
    """However the key of another is written, by every door, it is taken, and what is no key is not shown."""
    assert login(field, VICTIM, OWNER, "register", agentId="bound").json["ok"]
    key = schnorr.public_key(OWNER).hex()
    addresses, names = field.strangers(networks=50, hosts=20), count()
    while field.going_on:
        for text in spellings(key):
            with Stranger(field, next(addresses)) as line:
                answer = line.ask(post("register", agentId="impostor", pubkey=text)).json
                assert answer.get("code") == "key_taken", (text, answer)
                told = line.upgrade().command("register", agentId="impostor", pubkey=text)
                assert told["code"] == "key_taken", (text, told)
                field.tally["tries"] += 2
        for text in near_keys(key):
            with Stranger(field, next(addresses)) as line:
                name = f"near-{next(names) % 10}"
                answer = line.ask(post("register", agentId=name, pubkey=text)).json
                # The name is another's in the second round, and there are only so many seats.
                assert answer.get("code") or answer["profile"]["pubkey"] == "", (text, answer)
                line.ask(post("world-leave", answer.get("token", ""), agentId=name))
        # Something for the log: a proof that is none.
        with Stranger(field, next(addresses)) as line:
            assert sent(line, ipc("login"), encoded(proof("http://elsewhere/", b""))).status == 401


# -- a key that is muted -------------------------------------------------------------------


def operate(field: Field, *order: str) -> None:
    """The operator gives an order."""
    settings = {"STATE_DIRECTORY": str(field.folder / "state")}
    done = run(field.folder, *order, settings=settings, program=REALMCTL)
    assert done.returncode == 0, done


def muted(field: Field) -> None:
    """A muted key tries each way to be read by others, who look on: nothing of it reaches them."""
    token = login(field, "198.18.0.1", STRANGER, "register", agentId="pest").json["token"]
    npub = bech32.encode("npub", schnorr.public_key(STRANGER))
    with Stranger(field, VICTIM).upgrade() as viewer:
        operate(field, "mute", npub.upper(), "--reason", "ads")
        addresses, rounds = field.strangers(networks=50, hosts=20), count()
        once(field, next(addresses), token, next(rounds))
        while field.going_on:
            once(field, next(addresses), token, next(rounds))
        with Stranger(field, VICTIM) as line:
            last = line.ask(post("register", agentId="quiet")).json
            assert last["ok"]
        seen: list[str] = []
        while not seen or "quiet" not in seen[-1]:
            seen.append(json.dumps(viewer.next("world")))
        assert [told for told in seen if AD in told] == []
        told = viewer.command("profiles")
        assert AD not in json.dumps(told)


def once(field: Field, address: str, token: str, turn: int) -> None:
    """New ids by key and by token, over HTTP and WebSocket; its own profile; a look at nobody."""
    new = {"agentId": f"{AD}-{turn}", "name": f"{AD} {turn}", "bio": AD}
    assert login(field, address, STRANGER, "register", **new).json["code"] == "muted"
    with Stranger(field, address) as line:
        assert line.ask(post("register", token, **new)).json["code"] == "muted"
        for changed in ({"name": AD}, {"bio": AD}, {"color": "#badbad"}, {"capabilities": [AD]}):
            assert line.ask(post("register", token, agentId="pest", **changed)).json["code"] == "muted"
        looked = line.ask(post("world-action", token, agentId="pest", action="wave", targetAgentId=AD)).json
        assert looked["ok"]
        assert line.ask(post("clawhub-publish", token, agentId=AD, id="x", name=AD)).json["code"] == "muted"
        line.upgrade().tell(type="challenge")
        given = line.next("challenge")
        tags = (("relay", given["relay"]), ("challenge", given["challenge"]))
        answer = event(22242, *tags, secret=STRANGER, created_at=int(time.time()))
        assert line.command("auth", event=msgspec.to_builtins(answer))["ok"]
        assert line.command("register", **new)["code"] == "muted"
        line.tell(type="playerJoin", id="visit", name=AD)
        told = line.next("ack", "error", "playerJoined")
        assert told["type"] != "playerJoined", told
    with Stranger(field, address) as line:  # and with nothing that tells who it is
        answer = line.ask(post("clawhub-publish", agentId=AD, id="x", name="x")).json
        assert not answer.get("ok"), answer
        field.tally["tries"] += 10
        assert sent(line, ipc("login"), encoded(proof("http://elsewhere/", b""))).status == 401


DATED_AHEAD: Final = Attack("signed_logins_dated_ahead", dated_ahead, SAYS)
RESPELLED: Final = Attack("taken_keys_respelled", respelled, SAYS)
MUTED: Final = Attack("muted_key", muted, SAYS)
