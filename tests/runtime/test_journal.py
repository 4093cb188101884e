"""The journal: nothing is shown or acknowledged before its commit, and what fails never happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from realmd.ops.checks import storage_check
from realmd.runtime import journal as journal_module
from realmd.storage.interface import IStore, StorageError
from realmd.world.commands import Command
from tests.fakes import Clockwork, FakeStore, act, chat, leave, message, move, register


def test_the_fake_store_keeps_the_interface() -> None:
    """What these tests show of a store holds for every store."""
    assert verifyObject(IStore, FakeStore([]))


def test_committed_then_published_then_acknowledged() -> None:
    """Nobody sees or is promised anything that is not on the medium."""
    works = Clockwork()
    works.tick(register("ann"))
    assert works.take() == ["commit join:ann [bodies:ann]"]
    works.store.land()
    assert works.take() == ["publish join:ann", "register ann: ok"]


def test_later_ticks_gather_while_one_commit_flies() -> None:
    """A slow disk makes for larger commits, not for a queue of them."""
    works = Clockwork()
    works.join("ann", "bob")
    works.tick(chat("ann"))
    works.tick(chat("bob"))
    works.tick(chat("ann"), chat("bob"))
    assert works.take() == ["commit chat:ann"]
    works.store.land()
    assert works.take() == [
        "publish chat:ann", "chat ann: ok",
        "commit chat:bob chat:ann chat:bob",
    ]  # fmt: skip
    works.store.land()
    assert works.take() == [
        "publish chat:bob chat:ann chat:bob",
        "chat bob: ok",
        "chat ann: ok",
        "chat bob: ok",
    ]
    assert [c.entry.seq for c in works.published] == [1, 2, 3, 4, 5, 6]


def test_a_failed_commit_undoes_all_that_was_built_on_it() -> None:
    """Its senders and those of every later tick are refused, nothing is published, nobody is left behind."""
    works = Clockwork()
    works.join("ann")
    works.tick(register("bob"))
    works.tick(chat("bob"), leave("ann"))
    works.take()
    with capturedLogs() as events:
        works.store.lose()
    assert works.take() == [
        "register bob: storage_unavailable", "chat bob: storage_unavailable",
        "leave ann: storage_unavailable",
    ]  # fmt: skip
    assert [(e["cause"], e["n"]) for e in events] == [("disk full", 3)]
    assert (set(works.world.tables.bodies), set(works.world.tables.profiles)) == ({"ann"}, {"ann"})
    assert (works.world.tables.seq, works.store.seq) == (1, 1)
    assert "bob" not in works.world.heard
    assert (works.journal.available, works.journal.idle, works.journal.failures) == (False, True, 1)


def test_while_the_store_is_away() -> None:
    """Durable commands are refused and leave no trace, ephemeral ones go on, a probe brings it back."""
    works = Clockwork()
    works.join("ann")
    works.tick(chat("ann"))
    works.store.lose()
    works.take()
    works.tick(chat("ann"), move("ann", 1, 1), act("ann"), register("bob"))
    assert works.take() == [
        "chat ann: storage_unavailable", "move ann: ok", "action ann: ok",
        "register bob: storage_unavailable",
    ]  # fmt: skip
    assert "bob" not in works.world.heard
    works.journal.probe()
    works.tick(chat("ann"))
    assert works.take() == ["probe", "chat ann: storage_unavailable"]
    works.store.well = True
    works.journal.probe()
    works.tick(chat("ann"))
    works.store.land()
    assert works.take() == ["probe", "commit chat:ann", "publish chat:ann", "chat ann: ok"]
    assert [c.entry.seq for c in works.published] == [1, 2]
    assert works.journal.probe() is None


def test_a_commit_that_took_place_after_all() -> None:
    """If a commit that failed is on the disk, the realm says so once and accepts nothing until restarted."""
    works = Clockwork()
    works.join("ann")
    works.tick(chat("ann"))
    works.store.lose()
    works.store.well, works.store.seq = True, 2
    with capturedLogs() as events:
        for _ in range(3):
            works.journal.probe()
    assert ["restart needed" in e["log_format"] for e in events] == [True]
    assert "restart needed" in storage_check(works.journal).reason
    assert not works.journal.accepting()
    works.store.seq = 1  # somebody put the older database back
    with capturedLogs() as events:
        works.journal.probe()
    assert [e["log_format"].split(" seq")[0] for e in events] == ["storage available again"]
    assert storage_check(works.journal).status == "ok"


def test_a_store_that_raises_what_it_should_not() -> None:
    """A programming error in the store is a failed commit like any other, and is in the log."""
    works = Clockwork()
    works.tick(register("ann"))
    works.take()
    with capturedLogs() as events:
        works.store.lose(ZeroDivisionError())
    assert works.take() == ["register ann: storage_unavailable"]
    assert [e["log_failure"].type for e in events if "log_failure" in e] == [ZeroDivisionError]


def test_a_commit_that_takes_too_long() -> None:
    """A disk that hangs stops durable commands, not the walkers; when it moves on, all is well."""
    works = Clockwork()
    works.join("ann")
    works.tick(chat("ann", "slow"))
    works.clock.advance(4.5)
    works.tick(chat("ann"))
    works.clock.advance(0.5)
    works.take()
    works.tick(chat("ann"), move("ann", 1, 1))
    assert works.take() == ["chat ann: storage_unavailable", "move ann: ok"]
    works.store.land()
    works.store.land()
    assert works.take() == [
        "publish chat:ann", "chat ann: ok", "commit chat:ann", "publish chat:ann", "chat ann: ok",
    ]  # fmt: skip
    works.tick(chat("ann"))
    assert works.take() == ["commit chat:ann"]


def test_what_waits_for_the_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too much gathered behind one commit, more is refused, and what was accepted is kept."""
    monkeypatch.setattr(journal_module, "BACKLOG", 3)
    works = Clockwork()
    works.join("ann")
    works.tick(chat("ann"))
    works.tick(*[chat("ann")] * 3)
    works.take()
    works.tick(chat("ann"))
    assert works.take() == ["chat ann: storage_unavailable"]
    works.store.land()
    works.store.land()
    assert works.take().count("chat ann: ok") == 4


def test_snapshot_rows_ride_with_a_commit() -> None:
    """Where agents stand is kept with the next commit, once, and alone when nothing else is to commit."""
    works = Clockwork()
    works.join("ann", "bob")
    works.tick(move("ann", 1, 1), chat("bob"))
    works.take()
    works.journal.snapshot()
    assert works.take() == []
    works.tick(move("bob", 2, 2))
    works.store.land()
    assert works.take() == [
        "move bob: ok", "publish chat:bob", "chat bob: ok", "commit [bodies:ann] [bodies:bob]",
    ]  # fmt: skip
    works.store.land()
    works.journal.snapshot()
    assert works.take() == []
    assert [works.store.rows["bodies", a].x for a in ("ann", "bob")] == [1.0, 2.0]  # type: ignore[attr-defined]


def test_snapshot_rows_outlive_a_failed_commit() -> None:
    """What a failed commit carried is carried by the first that succeeds; the undone agent is not in it."""
    works = Clockwork()
    works.join("ann", "cid")
    works.tick(chat("cid"))
    works.tick(move("ann", 1, 1), register("bob"), move("bob", 2, 2))
    works.journal.snapshot()
    works.store.land()
    assert works.take()[-1] == "commit join:bob [bodies:ann] [bodies:bob]"
    works.tick(move("bob", 3, 3))
    works.store.lose()
    works.take()
    works.store.well = True
    works.journal.probe()
    assert works.take() == ["probe", "commit [bodies:ann]"]
    works.store.land()
    assert works.store.rows["bodies", "ann"].x == 1.0  # type: ignore[attr-defined]
    assert ("bodies", "bob") not in works.store.rows


def test_who_did_not_leave_after_all_is_kept_where_it_stands() -> None:
    """An agent whose leaving could not be made durable is in the next snapshot, where it stood."""
    works = Clockwork()
    works.join("ann")
    works.tick(move("ann", 7, 7))
    works.tick(leave("ann"))
    works.store.lose()
    works.store.well = True
    works.journal.probe()
    works.journal.snapshot()
    works.store.land()
    assert works.store.rows["bodies", "ann"].x == 7.0  # type: ignore[attr-defined]


def test_a_listener_that_raises_does_not_stop_others() -> None:
    """One reply, listener or counter that fails is logged; every other listener and sender is told."""

    def broken(*news: object) -> None:
        raise RuntimeError("broken")

    works = Clockwork(observe=broken)
    works.journal.listen(broken)
    works.journal.listen(lambda committed: works.out.append("the last one hears"))
    works.join("ann")
    works.intake.submit(chat("ann"), broken)
    works.tick(chat("ann"))
    with capturedLogs() as events:
        works.store.land()
    told = ["commit chat:ann chat:ann", "publish chat:ann chat:ann", "the last one hears", "chat ann: ok"]
    assert works.take() == told
    assert [e["log_failure"].type for e in events] == [RuntimeError] * 3
    works.tick(chat("ann"))
    assert works.take() == ["commit chat:ann"]


def test_an_answer_that_rests_on_an_uncommitted_one() -> None:
    """To register again while the first is being committed is not a way to an earlier promise."""
    works = Clockwork()
    works.tick(register("ann"), register("ann"))
    works.tick(register("ann"))
    assert works.take() == ["commit join:ann [bodies:ann]"]
    works.store.lose()
    assert works.take() == ["register ann: storage_unavailable"] * 3
    works.store.well = True
    works.journal.probe()
    works.join("bob")
    works.tick(register("bob"))
    assert works.take() == ["register bob: ok"]


def test_settled() -> None:
    """Who asks learns when all that happened by then is committed or undone."""
    works = Clockwork()
    out: list[bool] = []
    works.journal.settled().addCallback(out.append)
    assert out == [True]
    works.tick(register("ann"))
    works.journal.settled().addCallback(out.append)
    works.tick(register("bob"))
    works.journal.settled().addCallback(out.append)
    assert out == [True]
    works.store.land()
    assert out == [True, True]
    works.tick(register("cid"))
    works.journal.settled().addCallback(out.append)
    works.store.lose()
    assert out == [True, True, False, False]


def test_the_flush_at_the_end() -> None:
    """A stop commits all that was accepted, then where everybody stands, and waits for both."""
    works = Clockwork()
    works.join("ann", "bob")
    works.tick(chat("ann"))
    works.tick(chat("bob"), move("ann", 3, 3))
    works.take()
    flushed = Deferred.fromCoroutine(works.journal.flush())
    works.store.land()
    assert works.take() == [
        "publish chat:ann", "chat ann: ok", "commit chat:bob [bodies:ann]",
    ]  # fmt: skip
    assert not flushed.called
    works.store.land()
    assert flushed.called
    assert works.journal.idle


@pytest.mark.parametrize("moved", [True, False])
def test_the_flush_of_a_quiet_realm(moved: bool) -> None:
    """With no commit under way, a stop writes the snapshot if there is one to write."""
    works = Clockwork()
    works.join("ann")
    if moved:
        works.tick(move("ann", 3, 3))
    works.take()
    flushed = Deferred.fromCoroutine(works.journal.flush())
    assert works.take() == (["commit [bodies:ann]"] if moved else [])
    assert flushed.called is not moved


def test_a_flush_behind_a_snapshot_under_way() -> None:
    """Who moved since the snapshot under way began is in another, before the stop ends."""
    works = Clockwork()
    works.join("ann")
    works.tick(move("ann", 3, 3))
    works.journal.snapshot()
    works.tick(move("ann", 4, 4))
    flushed = Deferred.fromCoroutine(works.journal.flush())
    works.store.land()
    assert not flushed.called
    works.store.land()
    assert flushed.called
    assert works.store.rows["bodies", "ann"].x == 4.0  # type: ignore[attr-defined]


def test_a_flush_that_fails_ends() -> None:
    """A dead disk does not keep the realm from stopping."""
    works = Clockwork()
    works.tick(register("ann"))
    flushed = Deferred.fromCoroutine(works.journal.flush())
    works.store.lose()
    assert flushed.called


NAMES = st.sampled_from("abc")
COMMANDS = st.one_of(
    st.builds(register, NAMES), st.builds(chat, NAMES), st.builds(act, NAMES), st.builds(leave, NAMES),
    st.builds(message, NAMES, NAMES), st.builds(move, NAMES, st.integers(-9, 9), st.integers(-9, 9)),
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.lists(COMMANDS, max_size=4),
        st.sampled_from(["land", "lose", "raise", "heal", "probe", "snapshot", "late"]),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens(steps: list[list[Command] | str]) -> None:
    """In any run of commands, commits, failures and recoveries, the four promises of the journal hold.

    Published is exactly what the store has, in its order; every command is answered once; a
    promise never comes before its event is kept; and in the end the store and the world agree.
    """
    works = Clockwork()
    asked = 0
    for step in steps:
        match step:
            case list():
                asked += len(step)
                works.tick(*step)
            case "land" if works.store.flights:
                works.store.land()
            case "lose" if works.store.flights:
                works.store.lose()
            case "raise" if works.store.flights:
                works.store.lose(ZeroDivisionError())
            case "heal":
                works.store.well = True
            case "probe":
                works.journal.probe()
            case "snapshot":
                works.journal.snapshot()
            case "late":
                works.clock.advance(6)
        assert [c.entry for c in works.published] == works.store.entries
        assert len(works.store.flights) <= 1
    works.store.well = works.store.prompt = True
    while works.store.flights:
        works.store.land()
    works.journal.probe()
    Deferred.fromCoroutine(works.journal.flush())
    assert [c.entry for c in works.published] == works.store.entries
    seqs = [entry.seq for entry in works.store.entries]
    assert seqs == sorted(set(seqs))
    assert sum(": " in line for line in works.out) == asked
    tables = works.world.tables
    kept = {
        (kind, key): row
        for kind in ("profiles", "bodies", "identities")
        for key, row in tables.rows(kind).items()
    }
    assert works.store.rows == kept
    assert works.store.seq == tables.seq == (seqs[-1] if seqs else 0)
    assert set(works.world.heard) <= set(tables.profiles)


def test_a_refusal_names_its_cause() -> None:
    """The operator reads in the log why commits fail, once a failure."""
    works = Clockwork()
    works.tick(register("ann"))
    with capturedLogs() as events:
        works.store.lose(StorageError("/var/lib/realmd is read-only; remount it"))
    assert [e["cause"] for e in events] == ["/var/lib/realmd is read-only; remount it"]
