"""Nobody speaks for another, whatever is claimed, forged, overheard or out of date."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.framing import ipc
from tests.realm import realm_up

from . import forgeries, keys, posing, strangers
from .conftest import Withstands


def test_impersonation(withstands: Withstands) -> None:
    """By no door does a stranger do or read anything of an agent that is not its own."""
    withstands(strangers.IMPERSONATION)


def test_posing(withstands: Withstands) -> None:
    """No stranger has a name that is read as an inhabitant's or the realm's own, nor the operator's mark."""
    withstands(posing.POSING)


def test_token_forgery(withstands: Withstands) -> None:
    """No token counts but those that the realm has signed, as it has written them."""
    withstands(forgeries.FORGERY)


def test_token_replay(withstands: Withstands) -> None:
    """Who has overheard a token loses it when its holder rotates it, or the operator revokes it."""
    withstands(forgeries.REPLAY)


def test_nip98_misuse(withstands: Withstands) -> None:
    """A signed event proves its key once, in time, for the request or connection that it was made for."""
    withstands(forgeries.NIP98)


def test_signed_logins_dated_ahead(withstands: Withstands) -> None:
    """However many keys one address signs with, others log in with theirs."""
    withstands(keys.DATED_AHEAD)


def test_taken_keys_respelled(withstands: Withstands) -> None:
    """A key that somebody has proven is shown by nobody else, however it is spelt."""
    withstands(keys.RESPELLED)


def test_muted_key(withstands: Withstands) -> None:
    """Nothing that a muted key sends, under whatever name, is read by others."""
    withstands(keys.MUTED)


@pytest_twisted.ensureDeferred
async def test_token_expiry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token counts for its days and not a moment longer, on connections that are open, too."""
    async with realm_up(tmp_path, auth={"token_days": 2, "mode": "required"}) as realm:
        token = (await realm.ipc("register", agentId="ann"))["token"]
        bearer, now = f"Bearer {token}", time.time()
        body = ipc("world-emote", agentId="ann")
        socket = await realm.socket()
        for days, good in ((1.99, True), (2.0, False), (400.0, False)):
            later = now + days * 86_400
            monkeypatch.setattr(reactor, "time_of_day", lambda later=later: later, raising=False)
            answer = await realm.http("POST", "/ipc", body, authorization=bearer)
            told = await socket.ask("agent-inbox", agentId="ann", token=token)
            shown = await realm.http("POST", "/ipc", ipc("agent-inbox", agentId="ann", token=token))
            assert (answer.status, told["ok"], shown.status) == (
                (200, True, 200) if good else (401, False, 401)
            )
            if not good:
                assert {answer.json["code"], told["code"], shown.json["code"]} == {"expired"}
