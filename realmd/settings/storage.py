"""Settings of what the realm writes: its store and its logs."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from .base import PATH, Days, Seconds, Section


class Storage(Section, frozen=True):
    """Storage: where the realm is kept, and for how long."""

    engine: Annotated[Literal["sqlite"], Meta(description="Kind of store.")] = "sqlite"
    path: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=PATH,
            description="The database, relative to state_dir.",
            extra={"allowed": "a path"},
        ),
    ] = "realm.sqlite"
    state_dir: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=PATH,
            description="Folder of all that the realm writes, relative to the working directory.",
            extra={"allowed": "a path"},
        ),
    ] = "var"
    snapshot_interval_s: Annotated[Seconds, Meta(description="How often positions are kept.")] = 5.0
    events_days: Annotated[Days, Meta(description="How long public events are kept.")] = 30
    messages_days: Annotated[Days, Meta(description="How long direct messages and requests are kept.")] = 30
    max_mb: Annotated[
        int, Meta(ge=16, le=1_048_576, description="Size of the store; beyond it the oldest events go first.")
    ] = 1024
    board_posts: Annotated[
        int, Meta(ge=1, le=100_000, description="Notes kept on the bulletin board; the oldest goes first.")
    ] = 500
    commit_timeout_s: Annotated[
        Seconds, Meta(description="A commit that takes longer counts as failed storage.")
    ] = 10.0

    @property
    def state(self) -> Path:
        """The state directory as an absolute path."""
        return Path(os.path.expanduser(self.state_dir)).absolute()

    @property
    def database(self) -> Path:
        """The SQLite file as an absolute path."""
        return self.state / os.path.expanduser(self.path)


class Log(Section, frozen=True):
    """Logs: how much is said, and in what shape."""

    level: Annotated[
        Literal["debug", "info", "warn", "error", "critical"],
        Meta(description="The least level that is written."),
    ] = "info"
    format: Annotated[
        Literal["auto", "text", "json", "journal"],
        Meta(description="Shape of a line; auto: journal under systemd, else text."),
    ] = "auto"
