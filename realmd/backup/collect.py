"""What goes into a backup beside the database: configuration, map, keys, and what was asked for."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from ..host.secrets import MODE as SECRET_MODE
from ..host.secrets import ExposedSecret, read_secret
from ..settings.reading import Config, world_file
from .manifest import BackupError, Member, Role
from .seal import seal

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_FILES: Final = 5000
#: Files of the state folder that are the store's or in the making.
_NO_KEYS: Final = ("-wal", "-shm", "-journal", ".lock", ".partial")


class Collection(Struct):
    """Members and their contents, and the paths of the secrets that could not be sealed."""

    public_key: str
    members: list[Member] = field(default_factory=list)
    contents: dict[str, bytes | Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    size: int = 0

    def add(
        self, role: Role, path: Path, data: bytes, *, secret: bool = False, place: Path | None = None
    ) -> None:
        """Take in the file `path` that holds `data`; a secret only if it can be sealed.

        `place` is where it goes back to, if not to `path`.
        """
        if secret and not self.public_key:
            self.left_out.append(str(path))
            return
        self.size += len(data)
        if self.size > MOST_BYTES or len(self.members) >= MOST_FILES:
            raise BackupError(
                f"More than {MOST_FILES} files or {MOST_BYTES // 1048576} MB beside the database; "
                "name fewer with --with."
            )
        status = path.stat()
        held = seal(data, self.public_key) if secret else data
        name = f"{role}{path}" if role == "file" else f"{role}/{path.name}"
        if name in self.contents:
            name = f"{name}.{len(self.members)}"
        self.contents[name] = held
        self.members.append(
            Member(
                name=name,
                path=str(place or path),
                role=role,
                mode=stat.S_IMODE(status.st_mode),
                bytes=len(held),
                sha256=hashlib.sha256(held).hexdigest(),
                size=status.st_size,
                mtime=status.st_mtime_ns,
                sealed=secret,
            )
        )

    def link(self, path: Path) -> None:
        """Take in a symbolic link."""
        target = os.readlink(path)
        self.members.append(
            Member(name=f"file{path}", path=str(path), role="link", mode=0o777, target=target)
        )


def keys_in(state: Path, database: Path) -> Iterator[Path]:
    """The files in the state folder that hold secrets: those that nobody else may read."""
    for path in sorted(state.iterdir()) if state.is_dir() else ():
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == SECRET_MODE:
            own = path.name.startswith((".", database.name)) or path.name.endswith(_NO_KEYS)
            if not own and path != database:
                yield path


def collect(
    config: Config, *, keys: bool, configuration: bool, also: Iterable[Path], env_file: Path | None
) -> Collection:
    """Read what was asked for; raises `BackupError` for what cannot be read."""
    found = Collection(config.backup.public_key)
    try:
        if keys:
            for path in keys_in(config.storage.state, config.storage.database):
                found.add("key", path, read_secret(path), secret=True)
            named = config.nostr.key_path(config.storage.state)
            if named is not None and named.parent != config.storage.state and named.exists():
                found.add("file", named, read_secret(named), secret=True)
        if configuration:
            _configuration(found, config, env_file)
        _walk(found, also)
    except OSError as error:
        raise BackupError(f"{error.filename or 'a file'} cannot be read ({error.strerror}).") from error
    except ExposedSecret as error:
        raise BackupError(str(error)) from error
    return found


def _configuration(found: Collection, config: Config, env_file: Path | None) -> None:
    if config.file is not None:
        path = config.file.absolute()
        found.add("configuration", path, path.read_bytes())
    path = world_file(config).absolute()
    if path.is_file():
        found.add("map", path, path.read_bytes(), place=_place_of_map(config, path))
    if env_file is not None:  # files of this kind hold passwords
        path = env_file.absolute()
        found.add("file", path, path.read_bytes(), secret=True)


def _place_of_map(config: Config, path: Path) -> Path:
    """Where the map is to go back to: the package's own is the package's, one beside realmd.toml ours."""
    packaged = config.file is not None and config.origins["world.file"].kind == "default"
    return config.file.absolute().parent / path.name if packaged and config.file else path


def _walk(found: Collection, also: Iterable[Path]) -> None:
    """Everything at and below the paths named, and what links there point to."""
    waiting = [Path(os.path.abspath(path)) for path in also]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found.link(path)
            target = Path(os.path.abspath(path.parent / os.readlink(path)))
            waiting += [target] if target.exists() else []
        elif stat.S_ISDIR(mode):
            waiting += sorted(path.iterdir())
        elif stat.S_ISREG(mode):
            if path.stat().st_size > MOST_BYTES:
                raise BackupError(f"{path} is larger than {MOST_BYTES // 1048576} MB.")
            data = path.read_bytes()
            found.add("file", path, data, secret=_is_secret(mode, data))


def _is_secret(mode: int, data: bytes) -> bool:
    """Whether others on the machine may not read it, or it holds a private key all the same."""
    return not mode & stat.S_IROTH or b"PRIVATE KEY-----" in data
