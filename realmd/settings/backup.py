"""Settings of the backups: where they go, how long they stay, and how copies go elsewhere."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from .base import PATH, Days, Seconds, Section

Word = Annotated[
    str,
    Meta(
        min_length=1,
        pattern=PATH,
        extra={"allowed": 'words of a command, such as "rclone", "copy", "{file}", "elsewhere:realm"'},
    ),
]


class Backup(Section, frozen=True):
    """Backup: what `realmctl backup` keeps, and for how long."""

    dir: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=PATH,
            description="Folder of the backups, relative to state_dir; better on another disk.",
            extra={"allowed": "a path"},
        ),
    ] = "backups"
    expected: Annotated[
        bool, Meta(description="Whether to raise an alert while there is no backup, or only an old one.")
    ] = True
    public_key: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9+/]{43}=)?$",
            description="Key that `realmctl backup keygen` showed; secrets are sealed to it. Empty: none.",
            extra={"allowed": "44 characters as `realmctl backup keygen` shows them, or nothing"},
        ),
    ] = ""
    daily_keep_days: Annotated[Days, Meta(description="How long full backups are kept.")] = 30
    hourly_keep_days: Annotated[
        Days, Meta(description="How long backups of the database alone are kept.")
    ] = 7
    max_mb: Annotated[
        int, Meta(ge=1, le=16_777_216, description="Size of all backups; beyond it the oldest go first.")
    ] = 10_240
    offsite: Annotated[
        tuple[Word, ...],
        Meta(
            max_length=64,
            description="Command that copies each new backup elsewhere, run without a shell; "
            "{file} stands for its path. Empty: none.",
        ),
    ] = ()
    offsite_timeout_s: Annotated[Seconds, Meta(description="How long that command may take.")] = 1800.0

    def folder(self, state: Path) -> Path:
        """The folder of the backups as an absolute path."""
        return state / os.path.expanduser(self.dir)
