"""What `realmctl doctor` looks at in the realm: whether it is well, its files' modes, its backups."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..backup import record
from ..host.secrets import exposed
from ..settings import Config
from . import machine
from .client import Realm, Unreachable
from .finding import Finding, State, judged

#: Backups older than these (s) are too old: the newest, and the newest that was verified.
OLD, UNVERIFIED = 26 * 3600, 15 * 86_400
#: Files in the state folder that are secrets.
SECRETS: Final = ("*.key", "*-key", "*-keys", "*.nsec", "*.secret")
MOST_FILES: Final = 1000


def examine(config: Config, realm: Realm, now: float) -> Iterator[Finding]:
    """Everything of the realm; `now` in s since the epoch."""
    yield from health(realm, machine.running(config) is not None)
    yield from permissions(config)
    yield from backups(config, now)


def health(realm: Realm, running: bool) -> Iterator[Finding]:
    """What the realm says of itself, if it answers; `running` says whether its process is there."""
    try:
        report = realm.health()
    except Unreachable as error:
        # One that hangs is active to systemd, which then has nothing to start.
        verb = "restart" if running else "start"
        yield Finding("realm", "wrong", error.what, error.do or f"systemctl {verb} realm-server")
        return
    status = report["status"]
    yield judged(
        "realm", status == "ok", f"answers at {realm.url}", f"answers at {realm.url}, and is {status}",
        "realmctl status", "warning" if status == "degraded" else "wrong",
    )  # fmt: skip
    for name, check in report.get("checks", {}).items():
        if check["status"] != "ok":
            state: State = "wrong" if check["status"] == "failed" else "warning"
            yield Finding(f"  {name}", state, check.get("reason", ""), "see Health in docs/monitoring.rst")


def permissions(config: Config) -> Iterator[Finding]:
    """Whether others of this machine can read what is private."""
    folder = config.storage.state
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except FileNotFoundError:
        yield Finding("state folder", "warning", f"{folder} does not exist", "It is made at the first start.")
        return
    except OSError as error:
        yield Finding("state folder", "wrong", f"{folder}: {error.strerror}", f"ls -ld {folder}")
        return
    yield judged(
        "state folder", not mode & 0o007, f"{folder} is closed to others",
        f"{folder} has mode {mode:04o}: others can read the realm's messages", f"chmod o-rwx {folder}",
    )  # fmt: skip
    yield from _secrets(folder)
    if config.file is not None and (config.alerts.webhook or config.alerts.sentry_dsn):
        mode = stat.S_IMODE(config.file.stat().st_mode)
        yield judged(
            "configuration", not mode & 0o007, f"{config.file} is closed to others",
            f"{config.file} names a webhook or a DSN, and others can read it", f"chmod 640 {config.file}",
            "warning",
        )  # fmt: skip


def _secrets(folder: Path) -> Iterator[Finding]:
    """Whether each key is what only the realm can read; root looks with the owner's eyes."""
    found = sorted({path for pattern in SECRETS for path in folder.glob(pattern)})[:MOST_FILES]
    for path in found:
        try:
            status = path.stat()
        except OSError as error:
            yield Finding("key", "wrong", f"{path}: {error.strerror}", f"ls -l {path}")
            continue
        eyes = os.geteuid() or folder.stat().st_uid
        complaint = exposed(status, eyes)
        yield judged(
            "key", complaint is None, f"{path.name} is closed to others", f"{path}: {complaint}",
            f"chmod 600 {path}",
        )  # fmt: skip


def backups(config: Config, now: float) -> Iterator[Finding]:
    """Whether there is a way back: a backup of today, and one that was tried."""
    folder = config.backup.folder(config.storage.state)
    try:
        known = record.read(folder)
    except OSError as error:
        yield Finding("backup", "warning", f"{folder}: {error.strerror}", "sudo realmctl doctor")
        return
    if known.last_success is None:
        yield Finding("backup", "warning", f"none is known in {folder}", "realmctl backup")
        return
    age = now - known.last_success / 1000
    yield judged(
        "backup", age <= OLD, f"{age / 3600:.1f} h old, {known.kept} kept",
        f"the newest is {age / 3600:.0f} h old",
        "realmctl backup; systemctl list-timers 'realm-server*'",
    )  # fmt: skip
    for kind, attempt in known.backups.items():
        if not attempt.ok:
            yield Finding(
                "backup", "wrong", f"the last {kind} backup failed: {attempt.error}", "realmctl backup"
            )
    if known.left_out:
        names = ", ".join(Path(path).name for path in known.left_out)
        keygen = "realmctl backup keygen FILE; put [backup] public_key into realmd.toml, and FILE elsewhere"
        yield Finding(
            "backup", "warning", f"without its keys, {names}, a restored realm would be another one",
            "realmctl backup" if config.backup.public_key else keygen,
        )  # fmt: skip
    if not config.backup.offsite:
        yield Finding(
            "off-site", "warning", "no copy goes elsewhere: a backup on the same disk is none",
            'In realmd.toml: [backup] offsite = ["rclone", "copy", "{file}", "elsewhere:realm"]',
        )  # fmt: skip
    elif known.offsite is not None:
        failure = f"the last copy failed: {known.offsite.error}"
        yield judged(
            "off-site", known.offsite.ok, "the last copy succeeded", failure,
            "Try the command of backup.offsite by hand.",
        )  # fmt: skip
    verified = known.verify_ok.time / 1000 if known.verify_ok is not None else None
    failed = known.verify is not None and not known.verify.ok
    why = f"the last check failed: {known.verify.error}" if known.verify else ""
    yield judged(
        "verified", verified is not None and not failed and now - verified <= UNVERIFIED,
        "a backup was restored and compared lately",
        why if failed else "no backup was tried lately",
        "realmctl backup verify", "wrong" if failed else "warning",
    )  # fmt: skip
