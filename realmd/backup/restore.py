"""Restoring a realm from an archive, to now or to a moment; nothing is touched before all is checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from nacl.public import PrivateKey

from ..settings.reading import Config
from ..storage import schema
from ..storage.head import head_file
from . import archive, database, moment
from .archive import Opened
from .files import make_folder, scratch
from .manifest import BackupError, Manifest, Member
from .place import held, last_given, last_seq, parts, replace_files, settle
from .scatter import check_paths, scatter
from .seal import read_key, unseal

Say = Callable[[str], None]


class Wish(Struct, frozen=True, kw_only=True):
    """What to restore.

    `file` None: the newest backup that fits.  `key` opens the sealed; `without_keys` does without.
    `force` moves aside what is there.  `files_to` is the folder below which everything that is not
    in the state folder gets its old path back ("/": where it was).
    """

    file: Path | None = None
    key: Path | None = None
    without_keys: bool = False
    force: bool = False
    until: moment.Moment | None = None
    journal: Path | None = None
    files_to: Path | None = None


def restore(config: Config, wish: Wish, spawn: tuple[float, float], now: int, say: Say) -> None:
    """Do it; raises `BackupError`, the realm being as it was.  `now` (ms) names what is moved aside."""
    target = config.storage.database
    folder = config.backup.folder(config.storage.state)
    path = wish.file or moment.choose(folder, wish.until)
    make_folder(config.storage.state)
    with held(target), scratch(target.parent) as stage, scratch(config.storage.state) as vault:
        opened = archive.unpack(path, stage)
        manifest = opened.manifest
        keys = _open_keys(opened, wish, vault)
        places = {key: config.storage.state / Path(member.path).name for member, key in keys}
        modes = dict.fromkeys(places, 0o600)
        new = _database(opened)
        old = _in_the_way(target, list(places.values()), new is not None)
        if old and not wish.force:
            raise BackupError(
                f"{target.parent} is not empty: {', '.join(p.name for p in old)}. With --force they are "
                "moved aside, not deleted."
            )
        if new is not None:
            _check_database(new, manifest, path)
            if wish.until is not None:
                _go_on(new, wish, manifest, folder, target, stage, spawn, say)
            _keep_numbers(new, target, say)
            places |= {new: target, database.renew(new): head_file(target)}
        plain = _plain_files(opened, wish, stage)
        if wish.files_to is not None:
            check_paths(manifest, wish.files_to)
        for staged in places:
            staged.chmod(modes.get(staged, 0o640))
        if new is not None:
            settle(target)
        asides = replace_files(places, [path for path in old if os.path.lexists(path)], now)
        _report(path, manifest, target, asides, say)
        if wish.files_to is not None:
            scatter(manifest, plain, wish.files_to, now, say)
    _remind(manifest, wish, say)


def _open_keys(opened: Opened, wish: Wish, vault: Path) -> list[tuple[Member, Path]]:
    """Every key of the realm as a file in `vault`; refuses when keys would be lost unnoticed."""
    sealed = opened.manifest.members_of("key")
    if not sealed or wish.without_keys:
        return []
    if wish.key is None:
        raise BackupError(
            f"The backup has keys, sealed ({', '.join(Path(m.path).name for m in sealed)}). Give --key FILE "
            "to open them, or --without-keys: then those in the state folder stay, or the realm makes new "
            "ones, and tokens and the realm's identity are no longer the old ones."
        )
    secret = read_key(wish.key)
    return [(member, _unsealed(opened, member, secret, vault)) for member in sealed]


def _unsealed(opened: Opened, member: Member, secret: PrivateKey, stage: Path) -> Path:
    held_bytes = opened.files[member.name].read_bytes()
    opened_file = stage / f"opened-{len(list(stage.iterdir()))}"
    handle = os.open(opened_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as file:
        file.write(unseal(held_bytes, secret, opened.manifest.sealed_to))
        file.flush()
        os.fsync(handle)
    return opened_file


def _plain_files(opened: Opened, wish: Wish, stage: Path) -> dict[str, Path]:
    """Member name → contents in clear, of what has a path of its own."""
    found: dict[str, Path] = {}
    secret = read_key(wish.key) if wish.key else None
    for member in opened.manifest.members_of("configuration", "map", "file"):
        if not member.sealed:
            found[member.name] = opened.files[member.name]
        elif secret is not None:
            found[member.name] = _unsealed(opened, member, secret, stage)
        elif wish.files_to is not None and not wish.without_keys:
            raise BackupError(f"{member.path} is sealed. Give --key FILE to open it, or --without-keys.")
    return found


def _database(opened: Opened) -> Path | None:
    members = opened.manifest.members_of("database")
    return opened.files[members[0].name] if members else None


def _in_the_way(target: Path, keys: list[Path], with_database: bool) -> list[Path]:
    found = [key for key in keys if os.path.lexists(key)]
    return [*(parts(target) if with_database else []), *found]


def _check_database(new: Path, manifest: Manifest, path: Path) -> None:
    """It is sound, is what was backed up, and this code can read it."""
    database.check(new)
    content = database.describe(new)
    if content != manifest.content:
        raise BackupError(f"{path}: the database holds something else than the manifest says.")
    newest = schema.read(schema.DIRECTORY)[-1].version
    if content.compatible > newest:
        raise BackupError(
            f"{path} was made by a newer realmd (schema {content.schema}; this one reads up to {newest}); "
            "install that one first."
        )


def _go_on(
    new: Path,
    wish: Wish,
    manifest: Manifest,
    folder: Path,
    target: Path,
    stage: Path,
    spawn: tuple[float, float],
    say: Say,
) -> None:
    """Bring the database forward to the moment asked for."""
    until = wish.until
    assert until is not None
    if not until.covers(manifest):
        raise BackupError(
            f"The backup was taken after {until.text}, and nothing brings it back before that; "
            "name an earlier one."
        )
    source = wish.journal or (target if last_seq(target) else moment.later(folder, manifest, until))
    assert manifest.content is not None
    if source is None:
        if until.seq == manifest.content.seq:
            return
        raise BackupError(
            f"The backup ends at event {manifest.content.seq}. What came after is in no other database here; "
            "give one with --journal, or leave --until out."
        )
    if source.name.endswith(".tar.gz"):
        place = stage / "journal"
        place.mkdir()
        journal = _database(archive.unpack(source, place))
        if journal is None:
            raise BackupError(f"{source} holds no database.")
    else:
        journal = stage / "journal.sqlite"
        database.snapshot(source, journal)
    done = moment.replay(new, journal, until, spawn)
    say(f"restore replayed events={done.events} up_to_seq={done.seq} from={source}")
    if until.seq is not None and done.seq < until.seq:
        raise BackupError(f"{source} ends at event {done.seq}, before {until.seq}.")


def _keep_numbers(new: Path, target: Path, say: Say) -> None:
    given, last = last_given(target), int(database.meta(new)["seq"])
    if given > last:
        database.pass_over(new, given)
        say(f"restore passed over seq={last + 1} to={given}: the realm has given these numbers before")


def _report(path: Path, manifest: Manifest, target: Path, asides: list[Path], say: Say) -> None:
    say(f"restored file={path} kind={manifest.kind} into={target.parent}")
    for aside in asides:
        say(f"restore moved what was there aside into={aside}")


def _remind(manifest: Manifest, wish: Wish, say: Say) -> None:
    """What did not come back by itself."""
    if manifest.left_out:
        say(
            f"WARNING: not in this backup, for no public key was configured: {', '.join(manifest.left_out)}. "
            "If they are gone, the realm makes new keys: tokens given out before are worth nothing, and on "
            "relays it is another realm."
        )
    elsewhere = manifest.members_of("configuration", "map", "file", "link")
    if elsewhere and wish.files_to is None:
        say(
            "not restored (with --files-to / they go where they were): "
            + ", ".join(member.path for member in elsewhere)
        )
