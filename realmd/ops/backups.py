"""What the backups' record says, for /health, the metrics and the alerts.

The record is a small file that `realmctl` writes; it is read again only when it changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from ..backup import record
from ..backup.manifest import KINDS
from ..backup.record import Attempt, Record
from ..host.clock import time_of_day
from ..settings.backup import Backup
from .checks import Check
from .metrics import Metrics

_HOUR: Final = 3600
#: What is tried by itself, each from the start among the metrics.
_UNTRIED: Final = {**{f"{kind}_backup": 1.0 for kind in KINDS}, "verify": 1.0}


class Backups:
    """The backups in the folder that `config` names, below the state folder or elsewhere.

    While there was none, the age of the newest is that of the realm, which began at `peopled` (ms): a restart
    does not make it younger.
    """

    def __init__(self, config: Backup, state: Path, peopled: Callable[[], int], clock: IReactorTime) -> None:
        self._expected = config.expected
        self._folder = config.folder(state)
        self._peopled = peopled
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self._record = Record()
        #: Why it cannot be read, if it is there.
        self._hidden = ""

    @property
    def record(self) -> Record:
        """The newest record."""
        try:
            status = (self._folder / record.NAME).stat()
            if self._seen != (status.st_mtime_ns, status.st_size):
                self._seen, self._record = (status.st_mtime_ns, status.st_size), record.read(self._folder)
            self._hidden = ""
        except FileNotFoundError:
            self._seen, self._record, self._hidden = None, Record(), ""
        except OSError as error:
            self._seen, self._record, self._hidden = None, Record(), f"{self._folder}: {error.strerror}"
        return self._record

    def check(self) -> Check:
        """Degraded when the last backup, check of one, or copy of one failed, or the realm may not look."""
        known = self.record
        if self._hidden:
            return Check("degraded", self._hidden)
        last = known.last_success
        figures: dict[str, Any] = {"kept": known.kept}
        if last is not None:
            figures["ageHours"] = round((time_of_day(self._clock) - last / 1000) / _HOUR, 1)
        failed = [f"{name}: {one.error or 'failed'}" for name, one in self._tries() if not one.ok]
        return Check("degraded", "; ".join(failed), figures) if failed else Check("ok", figures=figures)

    def _tries(self) -> list[tuple[str, Attempt]]:
        known = self.record
        tries = [(f"{kind} backup", one) for kind, one in known.backups.items()]
        tries += [(name, one) for name, one in (("verify", known.verify), ("offsite", known.offsite)) if one]
        return tries

    def _succeeded(self) -> dict[str, float]:
        known = self.record
        times = {
            "database": known.last_success,
            "verify": known.verify_ok.time if known.verify_ok else None,
            "offsite": known.offsite_ok.time if known.offsite_ok else None,
        }
        # Without any, age counts all the same: an alert on it must be able to come.
        never = dict.fromkeys(("database", "verify"), self._peopled() / 1000) if self._expected else {}
        return never | {name: at / 1000 for name, at in times.items() if at is not None}

    def watch(self, metrics: Metrics) -> None:
        """Show it at /metrics, from the start: what was never done counts as done when the realm began."""
        metrics.watch_each(
            "realmd_backup_success_timestamp_seconds", "When it last succeeded.", "what", self._succeeded
        )
        metrics.watch_each(
            "realmd_backup_ok", "0 if the last try failed.", "what",
            lambda: _UNTRIED | {name.replace(" ", "_"): float(one.ok) for name, one in self._tries()},
        )  # fmt: skip
        metrics.watch("realmd_backup_kept", "Backups in their folder.", lambda: self.record.kept)
        metrics.watch("realmd_backup_kept_bytes", "Their size.", lambda: self.record.kept_bytes)
