"""`realmctl import`: its options, and what runs for them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..host.narration import add_json, narrated
from ..runtime.terms import blocked_words
from ..settings.reading import ConfigError, load, world_file
from ..settings.text import template
from .manifest import BackupError

if TYPE_CHECKING:
    from ..settings.reading import Config
    from .importing import Plan
    from .legacy import Legacy


def add_import(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl import`."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read, and to add to")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE",
        help=".env, profiles.json, workstations*.json, moltbook.json, clawhub-installed.json, "
        "or a folder that has them",
    )  # fmt: skip
    add_json(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")


@narrated
def run_import(arguments: argparse.Namespace) -> int:
    """Take over what the old system kept; the realm must be stopped.  Doing it twice changes nothing."""
    from ..world.atlas import AtlasError
    from .legacy import read

    try:
        config = load(arguments.config, os.environ, {})
        legacy = read(arguments.files, time.time_ns() // 1_000_000, blocked_words(config.chat))
        for line in legacy.skipped:
            print(f"skipped  {line}")
        # What may be refused is found out before anything is written.
        edits = [*_settings(config, arguments.config, legacy), *_stations(config, legacy)]
        _tables(config, legacy, arguments.dry_run)
        for edit in edits:
            _tell([f"{line}  ({edit.file})" for line in edit.taken], edit.left, arguments.dry_run)
            if edit.taken and not arguments.dry_run:
                _replace_text(edit.file, edit.text)
    except (BackupError, AtlasError) as error:
        print(f"realmctl: {error}", file=sys.stderr)
        return 1
    if arguments.dry_run:
        print("nothing was changed (--dry-run)")
    return 0


class Edit(NamedTuple):
    """The new text of a file that people edit: what it takes over, and what it leaves with the reason."""

    file: Path
    text: str
    taken: list[str]
    left: list[str]

    def writable(self) -> Edit:
        """This, or a `BackupError`."""
        if self.taken and not os.access(self.file.absolute().parent, os.W_OK):
            raise BackupError(f"{self.file} cannot be written.")
        return self


def _tell(taken: list[str], left: list[str], dry: bool) -> None:
    for line in taken:
        print(f"{'would import' if dry else 'imported'} {line}")
    for line in left:
        print(f"skipped  {line}")


def _tables(config: Config, legacy: Legacy, dry: bool) -> None:
    from ..runtime.map import read_atlas
    from ..world.tables import Tables
    from . import journal
    from .command import in_reactor
    from .files import adopt
    from .importing import carry_out, plan
    from .place import held, no_daemon, parts

    if not (legacy.profiles or legacy.posts or legacy.installed):
        no_daemon(config.storage.database)
        return
    inhabitants, most, target = (
        read_atlas(config).inhabitants,
        config.storage.board_posts,
        config.storage.database,
    )
    made: Plan
    if dry:
        no_daemon(target)
        made = plan(journal.load(target) if target.exists() else Tables(), legacy, inhabitants, most)
    else:
        with held(target):
            pass  # makes the folder, and refuses before anything is opened
        try:
            made = in_reactor(
                lambda reactor: carry_out(
                    str(target), config.storage.engine, reactor, legacy, inhabitants, most
                )
            )
        finally:
            for part in parts(target):  # root's, the daemon could not open it
                adopt(part)
    _tell(made.taken, made.left, dry)
    if made.unchanged:
        print(f"{made.unchanged} entries are in the realm already")


def _settings(config: Config, named: Path | None, legacy: Legacy) -> Iterator[Edit]:
    from .legacy_text import with_settings

    if len(legacy.env_files) > 1:
        raise BackupError(f"Take these over one after the other: {', '.join(map(str, legacy.env_files))}")
    file = config.file or named
    for env_file in legacy.env_files:
        if file is None:
            raise BackupError(f"{env_file}: there is no realmd.toml to add to; name one with --config.")
        there = file if file.exists() else None
        text = file.read_text("utf-8") if there else template()
        try:
            new, taken, left = with_settings(text, there, env_file)
        except ConfigError as error:
            raise BackupError(str(error)) from error
        if not (taken or left):
            left = [f"{env_file}: nothing new is in it"]
        yield Edit(file, new, taken, left).writable()


def _stations(config: Config, legacy: Legacy) -> Iterator[Edit]:
    from .legacy_text import with_stations

    if not legacy.stations:
        return
    source = world_file(config)
    new, taken, left = with_stations(source.read_text("utf-8"), str(source), legacy.stations)
    # The map that came with the package stays as it is: one beside realmd.toml goes before it.
    beside = config.file.absolute().parent if config.file else source.parent
    target = (
        source
        if source.parent == beside or config.origins["world.file"].kind != "default"
        else beside / source.name
    )
    yield Edit(target, new, taken, left).writable()


def _replace_text(file: Path, text: str) -> None:
    """Write the file, keeping the one before beside it."""
    from ..host.files import write_whole
    from .files import heir

    mode = 0o644
    try:
        if file.exists():
            mode = file.stat().st_mode & 0o777
            write_whole(file.with_name(f"{file.name}.before-import"), file.read_bytes(), mode, heir(file))
        write_whole(file, text.encode(), mode, heir(file))
    except OSError as error:
        raise BackupError(f"{file} cannot be written ({error.strerror}).") from error
