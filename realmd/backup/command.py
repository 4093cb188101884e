"""`realmctl backup`, `restore` and `rollback`: their options, and what runs for them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import to_builtins

from ..host.narration import add_json, narrated
from ..primitives.amounts import size, span
from ..settings.reading import load
from .manifest import KINDS, BackupError, WrongWords, listed

if TYPE_CHECKING:
    from ..host.reactor import IReactor
    from ..settings.reading import Config
    from .moment import Moment

T = TypeVar("T")
#: Exit codes: it did not work; it was asked wrongly; the backup is there, and its copy elsewhere is not.
FAILED: Final = 1
USAGE: Final = 2
NOT_OFFSITE: Final = 3


def add_backup(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl backup` and of what follows it."""
    _add_config_files(parser, None)
    parser.add_argument("--kind", choices=KINDS, default="full", help="what to back up (default %(default)s)")
    parser.add_argument(
        "--with", dest="also", action="append", type=Path, default=[], metavar="PATH",
        help="also this file or folder (an nginx site, certificates); may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--if-changed", action="store_true", help="with --kind configuration: only if the last one differs"
    )
    parser.set_defaults(action=_make)
    actions = parser.add_subparsers(title="instead of making one", metavar="ACTION")
    keygen = _action(actions, "keygen", _keygen, "make a key pair; shows the public key to configure")
    keygen.add_argument("file", type=Path, metavar="FILE", help="where the secret key goes; take it away")
    check = _action(actions, "verify", _verify, "restore a backup into a scratch folder and compare it")
    check.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the backup (default: the newest)")
    _action(actions, "list", _list, "list the backups")
    _action(actions, "prune", _prune, "take away what is older or more than is to be kept")


def add_restore(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl restore`."""
    _add_config_files(parser, None)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the backup (default: the newest)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the secret key that `backup keygen` wrote")
    parser.add_argument("--without-keys", action="store_true", help="leave the sealed keys of the backup out")
    parser.add_argument(
        "--force", action="store_true", help="move aside what is in the state folder; nothing is deleted"
    )
    parser.add_argument(
        "--until",
        type=_moment,
        metavar="TIME|SEQ",
        help="up to a time (ISO 8601) or an event's seq, by a journal",
    )
    parser.add_argument(
        "--journal", type=Path, metavar="FILE",
        help="database or later backup with the events after the backup "
        "(default: the database that is there, else the next backup)",
    )  # fmt: skip
    parser.add_argument(
        "--files-to", type=Path, metavar="FOLDER",
        help='also restore configuration, map and other files below this folder ("/": where they were)',
    )  # fmt: skip


def add_rollback(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl rollback`."""
    _add_config_files(parser, None)
    parser.add_argument("--force", action="store_true", help="even if the database can be opened as it is")


@narrated
def backup(arguments: argparse.Namespace) -> int:
    """Make a backup of the realm, which may be running; or do one of the other actions."""
    return _guarded(arguments.action, arguments)


@narrated
def restore(arguments: argparse.Namespace) -> int:
    """Restore a realm from a backup; the realm must be stopped."""
    return _guarded(_restore, arguments)


@narrated
def rollback(arguments: argparse.Namespace) -> int:
    """Go back to the database as it was before the last upgrade; the realm must be stopped."""
    return _guarded(_rollback, arguments)


def _add_config_files(parser: argparse.ArgumentParser, default: Any) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", default=default, help="realmd.toml to read")
    parser.add_argument(
        "--env-file", type=Path, metavar="FILE", default=default, help=".env of NAME=VALUE lines to read"
    )
    add_json(parser, False if default is None else default)


def _action(
    actions: Any, name: str, run: Callable[[argparse.Namespace], int], help: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=help, description=help)
    _add_config_files(parser, argparse.SUPPRESS)  # else its default would undo what stood before it
    parser.set_defaults(action=run)
    return parser


def _moment(text: str) -> Moment:
    from .moment import parse

    try:
        return parse(text)
    except BackupError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _guarded(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    try:
        return run(arguments)
    except BackupError as error:
        print(f"realmctl: {error}", file=sys.stderr)
        return USAGE if isinstance(error, WrongWords) else FAILED


def _loaded(arguments: argparse.Namespace) -> Config:
    return load(arguments.config, os.environ, {}, env_file=arguments.env_file)


def _folder(config: Config) -> Path:
    return config.backup.folder(config.storage.state)


def _now() -> int:
    return time.time_ns() // 1_000_000


def say(text: str) -> None:
    """One line for the operator, or for the journal of the timer that runs this."""
    print(text, file=sys.stderr if text.startswith("WARNING") else sys.stdout, flush=True)


def _make(arguments: argparse.Namespace) -> int:
    from .make import Order, make

    config = _loaded(arguments)
    order = Order(
        kind=arguments.kind, also=tuple(arguments.also), env_file=arguments.env_file,
        if_changed=arguments.if_changed,
    )  # fmt: skip
    made = make(config, order, _now(), say)
    if arguments.json:
        arguments.told = {
            "file": str(made.file) if made.file else None, "manifest": to_builtins(made.manifest),
        }  # fmt: skip
    if made.manifest.left_out:
        say(
            f"WARNING: secrets are NOT in this backup: {', '.join(made.manifest.left_out)}. Without them a "
            "restored realm has new keys. Run `realmctl backup keygen FILE`, set backup.public_key to what "
            "it shows, and keep FILE elsewhere."
        )
    return NOT_OFFSITE if made.offsite_error else 0


def _keygen(arguments: argparse.Namespace) -> int:
    from .seal import keygen

    public = keygen(arguments.file)
    print(f'public_key = "{public}"')
    print(
        f"Put that line under [backup] in realmd.toml. Take {arguments.file} away from this machine and keep "
        "it safe: without it the keys in the backups are lost, and with it anybody can open them.",
        file=sys.stderr,
    )
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from ..runtime.map import read_atlas
    from ..world.atlas import AtlasError
    from . import record
    from .make import newest, remember
    from .verify import verify

    config, began, now = _loaded(arguments), time.monotonic(), _now()
    folder = _folder(config)
    path = arguments.file or newest(folder)
    known = path.parent.resolve() == folder.resolve()

    def note(error: str) -> None:
        size = path.stat().st_size if path.is_file() else 0
        attempt = record.Attempt(now, not error, time.monotonic() - began, path.name, size, error)
        if known:
            remember(lambda: record.note_verify(folder, attempt), say)

    try:
        atlas = read_atlas(config)
        place = folder if folder.is_dir() else path.parent
        found = in_reactor(lambda reactor: verify(path, atlas, reactor, place, now))
    except (BackupError, AtlasError, OSError) as error:
        note(str(error))
        say(f"backup verify failed file={path}: {error}")
        return FAILED
    note("")
    if arguments.json:
        arguments.told = {"file": str(path), "rows": found.rows, "events": found.events, "seq": found.seq}
    say(
        f"backup verified file={path} kind={found.manifest.kind} rows={found.rows} events={found.events} "
        f"seq={found.seq} seconds={time.monotonic() - began:.2f}"
    )
    return 0


def in_reactor(work: Callable[[IReactor], Coroutine[Any, Any, T]]) -> T:
    """Run `work(reactor)` in a reactor of its own, to its end."""
    from twisted.internet import reactor as twisteds
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..host.clock import make_steady

    reactor = make_steady(twisteds)
    outcome: list[Any] = []

    def begin() -> None:
        done: Deferred[Any] = Deferred.fromCoroutine(work(reactor))
        done.addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        raise KeyboardInterrupt  # the reactor took the signal
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    result: T = outcome[0]
    return result


def _list(arguments: argparse.Namespace) -> int:
    from . import record

    folder = _folder(_loaded(arguments))
    known = record.read(folder)
    verified = known.verify_ok.file if known.verify_ok else ""
    sent = known.offsite_ok.file if known.offsite_ok else ""
    found = listed(folder)
    if arguments.json:
        fields = [
            {
                "file": str(one.path), "kind": one.kind, "taken": one.taken, "bytes": one.bytes,
                "verified": one.path.name == verified, "offsite": one.path.name == sent,
            }
            for one in found
        ]  # fmt: skip
        arguments.told = {"backups": fields}
        return 0
    if found:
        print(f"in {folder}:")
    else:
        print(f"there is no backup in {folder}; `realmctl backup` makes one")
    now = _now()
    for one in found:
        marks = [word for name, word in ((verified, "verified"), (sent, "off-site")) if name == one.path.name]
        old = f"{span((now - one.taken) / 1000)} ago"  # its name has the moment, and the kind
        print(f"{old:>15}  {size(one.bytes):>8}  {one.path.name}  {' '.join(marks)}".rstrip())
    return 0


def _prune(arguments: argparse.Namespace) -> int:
    from . import record
    from .files import alone
    from .keep import prune
    from .make import ages, remember

    config = _loaded(arguments)
    folder = _folder(config)
    if not folder.is_dir():
        raise BackupError(f"There is no backup in {folder}.")
    with alone(folder):
        gone = prune(folder, _now(), ages(config), config.backup.max_mb * 1_048_576)
    for one in gone:
        say(f"backup removed file={one.path.name}: older or more than what is kept")
    remember(lambda: record.note_kept(folder), say)
    kept = listed(folder)
    if arguments.json:
        arguments.told = {"kept": len(kept), "removed": [one.path.name for one in gone]}
    stay, went = (size(sum(one.bytes for one in some)) for some in (kept, gone))
    removed = f"{len(gone)} removed ({went})" if gone else "none was too many"
    say(f"backups kept={len(kept)} ({stay}); {removed}")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from ..runtime.map import read_atlas
    from ..world.atlas import AtlasError
    from .restore import Wish, restore

    config = _loaded(arguments)
    wish = Wish(
        file=arguments.file, key=arguments.key, without_keys=arguments.without_keys, force=arguments.force,
        until=arguments.until, journal=arguments.journal,
        files_to=arguments.files_to,
    )  # fmt: skip
    spawn = (0.0, 0.0)
    if wish.until is not None:
        try:
            first = read_atlas(config).spawns[0]
        except AtlasError as error:
            raise BackupError(str(error)) from error
        spawn = (first.x, first.z)
    restore(config, wish, spawn, _now(), say)
    return 0


def _rollback(arguments: argparse.Namespace) -> int:
    from .rollback import rollback

    rollback(_loaded(arguments).storage.database, _now(), say, arguments.force)
    return 0
