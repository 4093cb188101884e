"""`realmctl rebuild`: its options, and what runs for them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..backup.command import in_reactor
from ..backup.manifest import BackupError, WrongWords
from ..host.narration import add_json, narrated
from ..host.reactor import IReactor
from ..settings.reading import load
from .command import add_config_files, guarded, install, key_of, say

if TYPE_CHECKING:
    from ..settings.reading import Config
    from .events.chain import Report
    from .rebuild import Rebuilt

#: Exit code of a log that is not whole.
INCOMPLETE: Final = 3
#: What operators must not look for in a rebuilt realm.
_BESIDES: Final = (
    "not in the log, so not restored: tokens and who holds which agent (`realmctl token ID` gives an "
    "agent a new one), direct messages and requests, sanctions, where agents stood, keys and avatars of "
    "profiles"
)


def add_rebuild(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl rebuild`."""
    add_config_files(parser)
    add_json(parser)
    parser.add_argument(
        "--from-nostr", nargs="*", required=True, metavar="RELAY",
        help="relays to read (default: those of room.relays)",
    )  # fmt: skip
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument(
        "--key", type=Path, metavar="FILE",
        help="the realm's secret key, which is taken over (default: the one in the state folder)",
    )  # fmt: skip
    whose.add_argument("--pubkey", metavar="NPUB", help="whose log to read, if the secret key is lost")
    parser.add_argument("--state-dir", metavar="FOLDER", help="where the realm is made, if not as configured")
    parser.add_argument("--until", metavar="TIME|SEQ", help="up to a time (ISO 8601) or an event's seq")
    parser.add_argument("--branch", metavar="ID", help="of several chains, the one that this batch is in")
    parser.add_argument("--accept-gaps", action="store_true", help="rebuild although events are missing")
    parser.add_argument("--check", action="store_true", help="say what could be rebuilt, and write nothing")


@narrated
def rebuild(arguments: argparse.Namespace) -> int:
    """Make a realm anew from the log on its relays.  Only public events come back.

    Exit status: 0 rebuilt, 1 not, 2 wrong options, 3 the log is not whole (see --accept-gaps).
    """
    return guarded(_rebuild, arguments)


def _rebuild(arguments: argparse.Namespace) -> int:
    from ..backup.place import parts

    config = load(
        arguments.config, os.environ, {"state-dir": arguments.state_dir}, env_file=arguments.env_file
    )
    relays = list(dict.fromkeys(arguments.from_nostr or config.room.relays))
    if not relays:
        raise WrongWords("Name at least one relay after --from-nostr; the configuration has none.")
    target = config.storage.database
    if (there := parts(target)) and not arguments.check:
        raise BackupError(f"{there[0]} exists; a rebuild only makes a realm where there is none.")
    secret, author = _whose(arguments, config)
    return in_reactor(lambda reactor: _work(reactor, arguments, config, relays, secret, author))


def _whose(arguments: argparse.Namespace, config: Config) -> tuple[bytes | None, str]:
    """The secret key, if it is there, and the pubkey (hex)."""
    from ..host.secrets import read_secret
    from ..identity import bech32, schnorr
    from .bridge.key import parse_secret

    if (word := arguments.pubkey) is not None:
        try:
            pubkey = bech32.decode("npub", word) if word.startswith("npub") else bytes.fromhex(word)
        except ValueError:
            pubkey = b""
        if len(pubkey) != 32:
            raise WrongWords("--pubkey takes an npub1… or 64 hex digits.")
        return None, pubkey.hex()
    file = arguments.key or key_of(config).path
    if not file.exists():
        raise BackupError(f"{file}: there is no key; name one with --key, or whose log with --pubkey.")
    secret = parse_secret(read_secret(file), str(file))
    return secret, schnorr.public_key(secret).hex()


async def _work(
    reactor: IReactor, arguments: argparse.Namespace, config: Config, relays: list[str], secret: bytes | None,
    author: str,
) -> int:  # fmt: skip
    from ..backup.moment import parse
    from .bridge.key import new_secret
    from .events.chain import verify_chain
    from .fetch import TooMuch, fetch
    from .rebuild import entry_of, head_of, write

    moment = parse(arguments.until) if arguments.until else None
    try:
        found = await fetch(reactor, relays, author, config.room.id, secret or new_secret(os.urandom), say)
        report = verify_chain(
            found.batches.values(), author, config.room.id, found.checkpoint, branch=arguments.branch
        )
    except (TooMuch, ValueError) as error:
        raise BackupError(f"The log cannot be read: {error}.") from None
    tell(report)
    if found.silent:
        say(f"not heard: {', '.join(found.silent)}; they may have what is missing")
    if not report.entries:
        raise BackupError(f"These relays have no log of {config.room.id} that can be read.")
    if not report.complete and not (arguments.accept_gaps or arguments.check):
        say("nothing was written: the log is not whole (--accept-gaps rebuilds what is there)")
        return INCOMPLETE
    if not arguments.check:
        entries = [entry_of(public) for public in report.entries]
        if moment is not None:
            entries = [entry for entry in entries if not moment.reached(entry)]
        head = head_of(report, found.checkpoint)
        _done(await write(
            reactor, config.storage.engine, config.storage.database, head, entries,
            config.storage.board_posts,
        ), config)  # fmt: skip
        if secret is None:
            say("the secret key is not here: without it this realm is another one on relays")
        elif arguments.key is not None:
            install(key_of(config).path, secret)
    return 0 if report.complete else INCOMPLETE


def _done(made: Rebuilt, config: Config) -> None:
    say(
        f"rebuilt {config.storage.database}: events={made.events} last_seq={made.seq} agents={made.agents} "
        f"notes={made.notes} plugins={made.plugins}"
    )
    if made.unknown:
        say(f"{made.unknown} events are of kinds that this realmd does not know; they are kept as they are")
    say(_BESIDES)


def tell(report: Report) -> None:
    """Everything that a chain holds and lacks, a line each."""
    say(f"batches={report.batches} events={len(report.entries)} checkpoint={report.checkpoint}")
    for gap in report.gaps:
        first = gap.from_seq if gap.from_seq is not None else "?"
        say(f"GAP: batches {gap.from_batch} to {gap.to_batch} are missing, events {first} to {gap.to_seq}")
    for fork in report.forks:
        say(f"FORK: {len(fork.ids)} batches have number {fork.batch}: {', '.join(fork.ids)}")
    for tip in report.tips:
        say(f"a chain ends in {tip} (--branch {tip})")
    if report.strays:
        say(f"{len(report.strays)} sound batches are not part of this chain")
    for refused in report.refused:
        say(f"refused {refused.id}: {refused.code}")
    if report.omitted:
        say(f"{len(report.omitted)} events are named by the log, and not in it: too large, or pruned before")
