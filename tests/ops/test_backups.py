"""What the realm says of its backups, from before there is any."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from realmd.backup import record
from realmd.backup.record import Attempt
from realmd.ops.alerts import Notice, Watch
from realmd.ops.backups import Backups
from realmd.ops.metrics import Metrics
from realmd.settings.backup import Backup

HOUR = 3600
SUCCESS = 'realmd_backup_success_timestamp_seconds{what="%s"}'


def watched(folder: Path, config: Backup) -> tuple[Clock, Metrics, Watch, list[Notice]]:
    """A realm that began 5 h after 1970, looked at from then on."""
    clock, metrics, told = Clock(), Metrics(), []
    clock.advance(5 * HOUR)
    Backups(config, folder, lambda: 5 * HOUR * 1000, clock).watch(metrics)
    return clock, metrics, Watch(metrics.registry, clock, told.append), told


def test_a_realm_that_is_never_backed_up_raises_an_alert(tmp_path: Path) -> None:
    """Its age counts until there is a backup: a warning after a day, critical after three, then an end."""
    clock, _, watch, told = watched(tmp_path, Backup())
    raised = []
    for _ in range(76):
        watch.evaluate()
        raised.append({key for key, up in watch.raised().items() if up})
        clock.advance(HOUR)
    assert raised[26] == set()
    assert raised[27] == raised[74] == {"backup_old:warning"}
    assert raised[75] == {"backup_old:warning", "backup_old:critical"}
    assert told[0].text().startswith("warning: the newest backup is older than a day (now 27.0 h)")
    folder = Backup().folder(tmp_path)
    folder.mkdir()
    record.note_backup(folder, "full", Attempt(round(clock.seconds() * 1000), True))
    for _ in range(3):
        watch.evaluate()
        clock.advance(121)
    assert not any(watch.raised().values())


def test_every_metric_is_there_from_the_start(tmp_path: Path) -> None:
    """A rule over a series that is not there would never fire; copies elsewhere are there when some are."""
    _, metrics, _, _ = watched(tmp_path, Backup())
    lines = metrics.render().decode().splitlines()
    for line in (
        SUCCESS % "database" + " 18000.0", SUCCESS % "verify" + " 18000.0", "realmd_backup_kept 0.0",
        'realmd_backup_ok{what="full_backup"} 1.0', 'realmd_backup_ok{what="verify"} 1.0',
    ):  # fmt: skip
        assert line in lines


@pytest.mark.parametrize("hours", [30, 400])
def test_who_backs_up_by_other_means_is_left_alone(tmp_path: Path, hours: int) -> None:
    """With `backup.expected = false` a backup that was never made raises nothing."""
    clock, _, watch, told = watched(tmp_path, Backup(expected=False))
    watch.evaluate()
    clock.advance(hours * HOUR)
    watch.evaluate()
    assert told == []
