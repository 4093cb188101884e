"""The journal, and changes that make no event."""

from __future__ import annotations

from realmd.world.commands import Revoke
from tests.fakes import Clockwork, chat


def test_what_makes_no_event_is_durable_before_it_is_acknowledged() -> None:
    """A token taken back stays taken back: the answer waits for the commit, and fails with it."""
    works = Clockwork()
    works.join("ann")
    serial = works.world.tables.identities["ann"].serial
    works.tick(Revoke(agent_id="ann"))
    assert works.take() == ["commit"]
    assert not works.journal.idle
    works.store.land()
    assert works.take() == ["revoke ann: ok"]
    works.tick(chat("ann"))
    works.tick(Revoke(agent_id="ann"))
    kept = works.world.tables.identities["ann"].serial
    assert kept > serial
    works.take()
    works.store.lose()
    assert works.take() == ["chat ann: storage_unavailable", "revoke ann: storage_unavailable"]
    assert works.world.tables.identities["ann"].serial < kept
