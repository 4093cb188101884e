"""`realmctl setup`: its options, its questions, and what runs for them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ..host.narration import add_json, narrated
from .setup import Contradiction, Setup, SetupError, Wanted, listed

QUESTIONS = (
    ("domain", "Domain under which the realm is to be reached (empty: none yet)"),
    ("name", "Name of the room (empty: as it is)"),
    ("relays", "Nostr relays, with commas between them (empty: as they are)"),
    ("email", "Mail address for alerts (empty: none)"),
)
OFFERS = (
    ("nginx", "Put nginx in front of it?"),
    ("ufw", "Open ports 80 and 443 in ufw?"),
    ("fail2ban", "Ban abusers with fail2ban?"),
)


def add_setup(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl setup`."""
    parser.add_argument("--domain", metavar="NAME", help="domain under which the realm is reached")
    parser.add_argument("--name", metavar="TEXT", help="name of the room")
    parser.add_argument(
        "--relays", metavar="URL", action="append", help="Nostr relay; may be repeated, or hold commas"
    )
    parser.add_argument("--email", metavar="ADDRESS", help="where alerts go, and certbot's mails")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="certificate, if not certbot's")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key")
    parser.add_argument("--nginx", action="store_true", help="enable the site, and certbot's deploy hook")
    parser.add_argument("--ufw", action="store_true", help="allow 80 and 443")
    parser.add_argument("--fail2ban", action="store_true", help="enable the jail on the realm's log")
    add_json(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--root", type=Path, default=Path("/"), help="another system's root (default /)")


@narrated
def setup(arguments: argparse.Namespace) -> int:
    """Make an installed realm a public one: settings, nginx, ufw and fail2ban, each only if asked for.

    Without options it asks.  What is done already is left alone; purging the package undoes it.
    """
    wanted = Wanted(
        arguments.domain, arguments.name, listed(arguments.relays) if arguments.relays else None,
        arguments.email, arguments.certificate, arguments.key,
        arguments.nginx, arguments.ufw, arguments.fail2ban,
    )  # fmt: skip
    if wanted == Wanted():
        if arguments.json or not sys.stdin.isatty():
            print("realmctl: setup has nothing to do; see realmctl setup --help", file=sys.stderr)
            return 2
        wanted = asked(input)
    try:
        Setup(wanted, arguments.root, arguments.dry_run)()
    except (SetupError, PermissionError) as error:
        print(f"realmctl: {error}", file=sys.stderr)
        return 2 if isinstance(error, Contradiction) else 1
    return 0


def asked(ask: Callable[[str], str]) -> Wanted:
    """What the operator answers; what is left empty is left as it is."""
    wanted = Wanted()
    for name, question in QUESTIONS:
        if answer := ask(f"{question}: ").strip():
            setattr(wanted, name, listed([answer]) if name == "relays" else answer)
    for name, question in OFFERS:
        if name != "nginx" or wanted.domain:
            setattr(wanted, name, ask(f"{question} [y/N] ").strip().lower() in ("y", "yes"))
    return wanted
