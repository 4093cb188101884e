"""`realmctl nostr`: its options, and what runs for them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backup.command import FAILED, USAGE
from ..backup.manifest import BackupError, WrongWords
from ..settings.reading import load

if TYPE_CHECKING:
    from ..settings.reading import Config
    from .bridge.key import Key


def add_nostr(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl nostr`."""
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    key = actions.add_parser("key", help="show the realm's npub, import its key or back it up")
    add_config_files(key)
    key.add_argument(
        "--import", dest="source", metavar="FILE", help="take this key (nsec or hex); - reads it"
    )
    key.add_argument("--backup", type=Path, metavar="FILE", help="write the secret key to a new file")
    key.add_argument("--json", action="store_true", help="print the npub and where the key is as JSON")
    key.set_defaults(action=_key)


def nostr(arguments: argparse.Namespace) -> int:
    """Look after the realm's Nostr key."""
    return guarded(arguments.action, arguments)


def add_config_files(parser: argparse.ArgumentParser) -> None:
    """The options that say where the configuration is."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read")
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=".env of NAME=VALUE lines to read")


def guarded(run: Any, arguments: argparse.Namespace) -> int:
    """Run it; what an operator can mend is told in a line, with exit code 1."""
    from ..host.secrets import ExposedSecret
    from .bridge.key import BadKey

    try:
        code: int = run(arguments)
        return code
    except (BackupError, BadKey, ExposedSecret) as error:
        print(f"realmctl: {error}", file=sys.stderr)
        return USAGE if isinstance(error, WrongWords) else FAILED


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, flush=True)


# -- the key ------------------------------------------------------------------------------


def key_of(config: Config) -> Key:
    """The realm's key, where the configuration has it."""
    from .bridge.key import Key

    state = config.storage.state
    return Key(state, config.nostr.key_path(state), os.urandom, os.environ)


def _key(arguments: argparse.Namespace) -> int:
    from .bridge.key import npub_of, parse_secret, written

    config = load(arguments.config, os.environ, {}, env_file=arguments.env_file)
    key = key_of(config)
    if arguments.source is not None:
        _import(key, arguments.source)
    if not key.path.exists():
        raise BackupError(f"{key.path}: no key yet; the realm makes one at its first start.")
    secret = parse_secret(_read(key.path), str(key.path))
    if arguments.backup is not None:
        _write_new(arguments.backup, written(secret))
        say(f"the secret key is in {arguments.backup}: keep it where nobody else finds it")
    npub = npub_of(secret)
    say(json.dumps({"npub": npub, "file": str(key.path)}) if arguments.json else f"{npub}  ({key.path})")
    return 0


def _read(path: Path) -> bytes:
    from ..host.secrets import read_secret

    return read_secret(path)


def _import(key: Key, source: str) -> None:
    from .bridge.key import parse_secret

    text = sys.stdin.buffer.read(1024) if source == "-" else _read(Path(source))
    install(key.path, parse_secret(text, "standard input" if source == "-" else source))


def install(path: Path, secret: bytes) -> None:
    """Put a secret key in place; one that is there already is kept beside it."""
    from ..backup.files import adopt, make_folder
    from ..host.secrets import write_secret
    from .bridge.key import parse_secret, written

    make_folder(path.parent)
    if path.exists():
        old = _read(path)
        if parse_secret(old, str(path)) == secret:
            return
        aside = path.with_name(f"{path.name}.before")
        write_secret(aside, old)
        adopt(aside)
        say(f"the key that was there is in {aside}")
    write_secret(path, written(secret))
    adopt(path)
    say(f"key imported into {path}; a running realm takes it at its next start")


def _write_new(path: Path, data: bytes) -> None:
    """A new file for the owner alone; one that is there is not touched."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
