"""A realm whose disk is gone comes back from a relay: what was published, byte for byte, and nothing else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.threads import deferToThread

from delivery.runbook import Step, pages
from realmd.identity.nostr_event import Event
from realmd.nostr.events import log
from tests.relay.scene import LocalRelay, until

from .agents import Agent
from .scene import logged, reader, realm_on, stored
from .test_remote import ready

REALMCTL = str(Path(sys.executable).with_name("realmctl"))


async def realmctl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with its state in `folder`/var, the reactor going on meanwhile."""
    environ = {"PATH": os.defpath, "HOME": str(folder), "STATE_DIRECTORY": str(folder / "var")}
    ended: subprocess.CompletedProcess[str] = await deferToThread(
        subprocess.run, [REALMCTL, *arguments], cwd=folder, env=environ, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    return ended


def public(folder: Path) -> list[tuple[Any, ...]]:
    """Every public event in the database, as it is kept."""
    with closing(sqlite3.connect(folder / "var" / "realm.sqlite")) as connection:
        return connection.execute("SELECT * FROM events WHERE to_agent_id IS NULL ORDER BY seq").fetchall()


def rows(folder: Path, table: str) -> dict[str, str]:
    with closing(sqlite3.connect(folder / "var" / "realm.sqlite")) as connection:
        return dict(connection.execute(f"SELECT key, body FROM {table}").fetchall())


async def some_life(tmp_path: Path, url: str) -> str:
    """A realm lives for a while, in several batches of the log; its pubkey."""
    async with realm_on(tmp_path, url, nostr={"publish_messages": False}) as (realm, bridge):
        for round in range(3):
            await realm.ipc("register", agentId="ada", name="Ada", bio=f"round {round} \u2028 \U0001f409")
            await realm.ipc("register", agentId="bob", name="Bob", capabilities=["memory"])
            await realm.ipc("world-chat", agentId="ada", text=f'said {round} \\ "quoted"')
            await realm.ipc("agent-message", agentId="ada", toAgentId="bob", content="between us")
            await realm.ipc("moltbook-post", agentId="bob", title=f"note {round}", content="read me")
            await realm.ipc("clawhub-publish", agentId="bob", id=f"plugin-{round}", name="P", description="d",
                            author="bob", version="1.0", tags=["x"])  # fmt: skip
            await until(lambda: bridge.logbook.head and bridge.logbook.lag == 0, "it is in the log")
        await realm.ipc("clawhub-install", skillId="plugin-1")
        await until(lambda: not len(bridge.outbox), "the relay has it")
        return bridge.key.pubkey


@pytest_twisted.ensureDeferred
async def test_a_realm_comes_back_from_its_relay(tmp_path: Path) -> None:
    """The state folder is deleted; one command brings back every published event and what follows."""
    with LocalRelay() as relay:
        pubkey = await some_life(tmp_path, relay.url)
        before, notes = public(tmp_path), rows(tmp_path, "posts")
        plugins, installed = rows(tmp_path, "plugins"), rows(tmp_path, "installed")
        assert len(before) > 12
        assert (await realmctl(tmp_path, "rebuild", "--from-nostr", relay.url)).returncode == 1, (
            "a state is there"
        )
        assert public(tmp_path) == before
        backed = await realmctl(tmp_path, "nostr", "key", "--backup", str(tmp_path / "key"))
        assert backed.returncode == 0
        assert "npub1" in backed.stdout
        assert "nsec1" not in backed.stdout + backed.stderr
        shutil.rmtree(tmp_path / "var")

        done = await realmctl(tmp_path, "rebuild", "--from-nostr", relay.url, "--key", str(tmp_path / "key"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "checkpoint=matched" in done.stdout
        assert public(tmp_path) == before
        assert (rows(tmp_path, "posts"), rows(tmp_path, "plugins")) == (notes, plugins)
        assert rows(tmp_path, "installed") == installed
        assert rows(tmp_path, "bodies") == rows(tmp_path, "claims") == {}
        assert "between us" not in (tmp_path / "var" / "realm.sqlite").read_bytes().decode(errors="replace")

        async with reader(relay.url) as scene:
            async with realm_on(tmp_path, relay.url) as (realm, bridge):
                assert bridge.key.pubkey == pubkey
                registered = await realm.ipc("register", agentId="cyd", name="Cyd")
                assert registered["seq"] > before[-1][0] + 900, "no number is given twice"
                await until(lambda: bridge.logbook.lag == 0 and not len(bridge.outbox), "the log goes on")
            batches = await stored(scene, relay.url, pubkey, log.KIND)
            numbers = [int(dict(event.tags)["seq"]) for event in batches]
            assert numbers == list(range(1, len(batches) + 1)), "in the same chain"
        shutil.rmtree(tmp_path / "var")
        again = await realmctl(tmp_path, "rebuild", "--from-nostr", relay.url, "--key", str(tmp_path / "key"))
        assert again.returncode == 0, again.stdout + again.stderr
        assert [row[0] for row in public(tmp_path)] == [*(row[0] for row in before), *(
            one["seq"] for one in logged(batches) if one["seq"] > before[-1][0]
        )]  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_an_agent_known_by_its_key_is_its_own_after_a_rebuild(tmp_path: Path) -> None:
    """Its key speaks for it as before; a stranger's key, this host and a token of before do not."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene:
            async with realm_on(tmp_path, relay.url) as (realm, bridge):
                key = await ready(bridge)
                ada, eve, zoe = Agent(scene, key), Agent(scene, key), Agent(scene, key)
                token = (await ada.ask("register", agentId="ada", name="Ada"))[1]["token"]
                await zoe.ask("register", agentId="zoe")
                assert (await realm.ipc("register", agentId="local"))["ok"]
                assert (await realmctl(tmp_path, "revoke", "zoe", "--keys")).returncode == 0
                await until(lambda: bridge.logbook.head and bridge.logbook.lag == 0, "it is in the log")
                await until(lambda: not len(bridge.outbox), "the relay has it")
            keep = [(tmp_path / "var" / name) for name in ("nostr-key", "token-keys")]
            kept = {path: path.read_bytes() for path in keep}
            (tmp_path / "key").touch(0o600)
            (tmp_path / "key").write_bytes(kept[keep[0]])
            shutil.rmtree(tmp_path / "var")
            done = await realmctl(
                tmp_path, "rebuild", "--from-nostr", relay.url, "--key", str(tmp_path / "key")
            )
            assert done.returncode == 0, done.stdout + done.stderr
            for path, data in kept.items():
                path.touch(0o600)
                path.write_bytes(data)
            async with realm_on(tmp_path, relay.url) as (realm, bridge):
                await ready(bridge)
                assert (await eve.ask("world-chat", agentId="ada", text="I am Ada"))[1]["code"] == "not_yours"
                assert (await eve.ask("register", agentId="ada"))[1]["code"] == "not_yours"
                assert (await zoe.ask("world-chat", agentId="zoe", text="Me"))[1]["code"] == "not_yours"
                for given in ({}, {"token": token}):
                    refused = await realm.ipc("world-chat", agentId="ada", text="By HTTP", **given)
                    assert not refused.get("ok"), refused
                _, answer = await ada.ask("world-chat", agentId="ada", text="Here again")
                assert answer["ok"], answer
                _, answer = await ada.ask("profile", agentId="ada")
                assert answer["profile"]["npub"].startswith("npub1")
                assert (await realm.ipc("world-chat", agentId="local", text="Me too"))["ok"]


@pytest_twisted.ensureDeferred
async def test_the_runbook_leads_back_from_a_lost_disk_without_a_backup(tmp_path: Path) -> None:
    """Whoever types that page on a fresh install, with the key kept elsewhere, has the realm again."""
    with LocalRelay() as relay:
        pubkey = await some_life(tmp_path, relay.url)
        before = public(tmp_path)
        assert (await realmctl(tmp_path, "nostr", "key", "--backup", str(tmp_path / "key"))).returncode == 0
        shutil.rmtree(tmp_path / "var")
        async with realm_on(tmp_path) as (realm, _):
            await realm.ipc("register", agentId="eve")
        for step in pages()["The disk is lost"]:
            if step.needs == "relay" and not step.command.startswith("systemctl"):
                await typed(tmp_path, step, relay.url)
        assert public(tmp_path) == before
        async with realm_on(tmp_path, relay.url) as (_, bridge):
            assert bridge.key.pubkey == pubkey


async def typed(folder: Path, step: Step, url: str) -> None:
    """Type it where the machine's folders are below `folder`, and see what it says."""
    command = step.command
    for place, real in (
        ("/var/lib/realm-server", folder / "var"), ("/root/realm-nostr.key", folder / "key"),
        ("/root", folder), ("wss://…", url), ("realmctl", REALMCTL),
    ):  # fmt: skip
        command = command.replace(place, str(real))
    environ = {"PATH": os.defpath, "HOME": str(folder), "STATE_DIRECTORY": str(folder / "var")}
    done = await deferToThread(
        subprocess.run, command, shell=True, cwd=folder, env=environ, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    shown = f"$ {command}\n{done.stdout}"
    assert done.returncode == 0, shown
    assert step.seen(done.stdout), shown


@pytest_twisted.ensureDeferred
async def test_a_gap_is_told_and_nothing_is_made_up(tmp_path: Path) -> None:
    """A relay that has lost a batch is found out; nothing is written unless the operator accepts that."""
    with LocalRelay() as relay, LocalRelay() as forgetful:
        pubkey = await some_life(tmp_path, relay.url)
        before = public(tmp_path)
        npub = (await realmctl(tmp_path, "nostr", "key")).stdout.split()[0]
        shutil.rmtree(tmp_path / "var")
        async with reader(relay.url, forgetful.url) as scene:
            batches: list[Event] = await stored(scene, relay.url, pubkey, log.KIND)
            checkpoints = [
                event
                for event in await stored(scene, relay.url, pubkey, log.CHECKPOINT)
                if ("d", log.checkpoint_tag("shalom-realm")) in event.tags
            ]
            assert len(batches) >= 3
            lost = batches[1]
            for event in (*batches, *checkpoints):
                if event is not lost:
                    await scene.pool.clients[forgetful.url].publish(event, fixed=True)
        gone = {one["seq"] for one in logged([lost])}

        told = await realmctl(tmp_path, "rebuild", "--from-nostr", forgetful.url, "--pubkey", npub)
        assert told.returncode == 3
        assert "GAP: batches 2 to 2 are missing" in told.stdout
        assert not (tmp_path / "var" / "realm.sqlite").exists()

        both = await realmctl(
            tmp_path, "rebuild", "--check", "--from-nostr", forgetful.url, relay.url, "--pubkey", npub
        )
        assert both.returncode == 0, "what one relay lost, another has"
        done = await realmctl(
            tmp_path, "rebuild", "--from-nostr", forgetful.url, "--pubkey", npub, "--accept-gaps"
        )
        assert done.returncode == 3
        assert public(tmp_path) == [row for row in before if row[0] not in gone]


@pytest_twisted.ensureDeferred
async def test_a_new_disk_does_not_write_over_the_log(tmp_path: Path) -> None:
    """Started by mistake instead of rebuilt, the realm adds nothing to the log and says what to do."""
    with LocalRelay() as relay:
        pubkey = await some_life(tmp_path, relay.url)
        secret = (tmp_path / "var" / "nostr-key").read_bytes()
        shutil.rmtree(tmp_path / "var")
        (tmp_path / "var").mkdir()
        (tmp_path / "var" / "nostr-key").touch(0o600)
        (tmp_path / "var" / "nostr-key").write_bytes(secret)
        async with reader(relay.url) as scene:
            before = await stored(scene, relay.url, pubkey, log.KIND)
            async with realm_on(tmp_path, relay.url) as (realm, bridge):
                await realm.ipc("register", agentId="eve", name="Eve")
                await until(lambda: bridge.logbook.foreign, "it finds the log")
                check = (await realm.http("GET", "/health")).json["checks"]["relays"]
                assert check["status"] == "degraded"
                assert "disk does not know" in check["reason"]
                assert realm.logged("realmctl rebuild")
            assert await stored(scene, relay.url, pubkey, log.KIND) == before
