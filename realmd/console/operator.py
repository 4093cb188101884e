"""`realmctl who`, `kick`, `mute`, `ban`, …: what an operator does to a running realm."""

from __future__ import annotations

import argparse
import ipaddress
import json
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from .client import configured
from .columns import ago, columns, moment, plain, seconds
from .control import Away, Line, Refusal
from .rooms import meant

#: Exit codes: done, refused, wrong command line (argparse's), and nobody there.
DONE, REFUSED, USAGE, AWAY = 0, 1, 2, 3
#: What looks like a pubkey, typing errors included: the daemon tells of those.
_KEY: Final = re.compile(r"npub1[0-9a-z]{58}|[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
#: What is meant for an IPv4 address, right or wrong.
_DOTTED: Final = re.compile(r"\d+(\.\d+){3}", re.ASCII)
SCOPES: Final = ("agent", "pubkey", "network")

Ask = Callable[[Line, argparse.Namespace], dict[str, Any]]
Show = Callable[[dict[str, Any]], str]


def run(arguments: argparse.Namespace, ask: Ask, show: Show) -> int:
    """Ask the running realm, and show the answer, or in one line why there is none."""
    try:
        with Line(configured(arguments)) as line:
            answer = ask(line, arguments)
    except Refusal as refusal:
        print(f"realmctl: {plain(refusal)} ({refusal.code})", file=sys.stderr)
        return USAGE if refusal.code == "malformed" else REFUSED
    except Away as away:
        print(meant(f"realmctl: {away}", arguments.room), file=sys.stderr)
        return AWAY
    print(json.dumps(answer) if arguments.json else show(answer))
    return DONE


# -- what one types ----------------------------------------------------------------------


def add_plain(parser: argparse.ArgumentParser) -> None:
    """The options of every subcommand here."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read")
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=".env of NAME=VALUE lines to read")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def add_target(parser: argparse.ArgumentParser) -> None:
    add_plain(parser)
    parser.add_argument("target", metavar="TARGET", help="an agentId, an npub, an address or a network")
    parser.add_argument("--as", choices=SCOPES, dest="scope", help="what TARGET is, if it could be several")


def add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", metavar="TEXT", help="what the sanctioned are told")


def add_sanction(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    add_reason(parser)
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--for", type=_seconds, dest="span", metavar="TIME", help="how long: 30m, 2h, 7d")
    end.add_argument("--until", type=_stamp, metavar="TIME", help="until when: 2026-12-24T18:00")


def add_kick(parser: argparse.ArgumentParser) -> None:
    add_plain(parser)
    add_reason(parser)
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("agent", nargs="?", metavar="AGENT", help="an agentId")
    whom.add_argument("--connection", type=int, metavar="NUMBER", help="one connection, as `who` numbers it")


def add_say(parser: argparse.ArgumentParser) -> None:
    add_plain(parser)
    parser.add_argument("text", nargs="+", metavar="TEXT", help="what everyone is to hear")


def add_uninstall(parser: argparse.ArgumentParser) -> None:
    add_plain(parser)
    parser.add_argument("plugin", metavar="PLUGIN", help="the id of a plugin")
    parser.add_argument("--unpublish", action="store_true", help="take it out of the catalogue, too")


def add_revoke(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("--keys", action="store_true", help="the agent's own key and its owner, too")


def add_token(parser: argparse.ArgumentParser) -> None:
    add_plain(parser)
    parser.add_argument("agent", metavar="AGENT", help="an agentId")


def add_keys(parser: argparse.ArgumentParser) -> None:
    add_plain(parser)
    parser.add_argument("action", choices=["rotate"], help="let a new key sign tokens from now on")


def add_drain(parser: argparse.ArgumentParser) -> None:
    add_plain(parser)
    add_reason(parser)
    parser.add_argument("--seconds", type=_wait, default=60.0, metavar="N", help="wait so long (default: 60)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", action="store_true", help="stop the realm then")
    what.add_argument("--undo", action="store_true", help="let everybody in again")


def _seconds(text: str) -> int:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _wait(text: str) -> float:
    if not 0 <= (wait := float(text)) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text}: a number of seconds from 0 to 86400 is needed")
    return wait


def _stamp(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 2026-12-24T18:00") from None


def aimed(arguments: argparse.Namespace) -> dict[str, Any]:
    """TARGET by what it is: as told, or as it looks."""
    target: str = arguments.target
    if arguments.scope is None and (wrong := misspelt(target)):
        print(f"realmctl: {wrong}", file=sys.stderr)
        raise SystemExit(USAGE)
    return {arguments.scope or scope_of(target): target}


def misspelt(target: str) -> str:
    """Why what looks like an address or a network is none, or "": the daemon would take it for an agentId."""
    address, slash, prefix = target.partition("/")
    try:
        most = ipaddress.ip_address(address).max_prefixlen
    except ValueError:
        if slash:
            return f"{target} is no network: {address or 'nothing'} is no address"
        return f"{target} is no address; if it is an agent: --as agent" if _DOTTED.fullmatch(target) else ""
    try:
        ipaddress.ip_network(target, strict=False)
    except ValueError:
        given = prefix or "nothing"
        return f"{target} is no network: after the slash comes a number from 0 to {most}, not {given}"
    return ""


def scope_of(target: str) -> str:
    """What a target looks like: a pubkey, an address or network, else an agentId."""
    if _KEY.fullmatch(target.strip()):
        return "pubkey"
    try:
        ipaddress.ip_address(target.partition("/")[0])  # a wrong prefix is a network all the same
    except ValueError:
        return "agent"
    return "network"


# -- the subcommands -----------------------------------------------------------------------


def who(arguments: argparse.Namespace) -> int:
    """Show the agents in the world and the connections."""
    return run(arguments, lambda line, _: line.ask("who"), lambda answer: show_census(answer, time.time()))


def kick(arguments: argparse.Namespace) -> int:
    """Send an agent out of the world and close its connections; it may come again."""
    given = {"agent": arguments.agent, "connection": arguments.connection, "reason": arguments.reason}
    return run(arguments, lambda line, _: line.ask("kick", **given), show_gone)


def mute(arguments: argparse.Namespace) -> int:
    """Let nobody hear an agent, or any agent of a pubkey."""
    return _impose(arguments, "mute")


def ban(arguments: argparse.Namespace) -> int:
    """Refuse everything to an agent, a pubkey, an address or a network."""
    return _impose(arguments, "ban")


def _impose(arguments: argparse.Namespace, command: str) -> int:
    until = arguments.until or (int((time.time() + arguments.span) * 1000) if arguments.span else 0)
    given = {**aimed(arguments), "reason": arguments.reason, "until": until}
    return run(arguments, lambda line, _: line.ask(command, **given), show_imposed)


def unmute(arguments: argparse.Namespace) -> int:
    """End a mute."""
    given = aimed(arguments)
    return run(arguments, lambda line, _: line.ask("unmute", **given), show_lifted)


def unban(arguments: argparse.Namespace) -> int:
    """End a ban."""
    given = aimed(arguments)
    return run(arguments, lambda line, _: line.ask("unban", **given), show_lifted)


def sanctions(arguments: argparse.Namespace) -> int:
    """Show who is muted and banned."""
    return run(arguments, _all_sanctions, show_sanctions)


def _all_sanctions(line: Line, _: argparse.Namespace) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    while page := line.ask("sanctions", after=found[-1]["id"] if found else "")["sanctions"]:
        found += page
    return {"sanctions": found}


def say(arguments: argparse.Namespace) -> int:
    """Say something to everyone, as the operator."""
    text = " ".join(arguments.text)
    return run(arguments, lambda line, _: line.ask("say", text=text), lambda answer: "said")


def uninstall(arguments: argparse.Namespace) -> int:
    """Take a plugin out of the room, whoever installed it; or out of the catalogue, too."""
    given = {"plugin": arguments.plugin, "unpublish": arguments.unpublish}
    return run(
        arguments, lambda line, _: line.ask("uninstall", **given),
        lambda answer: f"{plain(answer['plugin'])}: {', '.join(answer['phases'])}",
    )  # fmt: skip


def revoke(arguments: argparse.Namespace) -> int:
    """Take back an agent's tokens, or everything that the owner with this pubkey owns."""
    given = {**aimed(arguments), "keys": arguments.keys}
    return run(
        arguments, lambda line, _: line.ask("revoke", **given),
        lambda answer: f"revoked: {', '.join(map(plain, answer['agents']))}",
    )  # fmt: skip


def token(arguments: argparse.Namespace) -> int:
    """Print a fresh token for an agent whose holder lost it."""
    return run(arguments, lambda line, a: line.ask("token", agent=a.agent), lambda answer: answer["token"])


def keys(arguments: argparse.Namespace) -> int:
    """Let a new key sign tokens; those signed by older ones live out."""
    return run(
        arguments, lambda line, _: line.ask("keys-rotate"), lambda answer: f"new key {answer['key']} signs"
    )


def drain(arguments: argparse.Namespace) -> int:
    """Let nobody in any more, and wait until all have gone or time is up."""
    given = {
        "seconds": arguments.seconds, "stop": arguments.stop, "undo": arguments.undo,
        "reason": arguments.reason,
    }  # fmt: skip
    return run(
        arguments, lambda line, _: line.ask("drain", patience=arguments.seconds, **given), show_drained
    )


# -- what one sees -------------------------------------------------------------------------


def show_census(answer: dict[str, Any], now: float) -> str:
    agents = "no agent is here" if not answer["agents"] else columns(
        ("AGENT", "NAME", "CONNECTIONS", "ADDRESSES", "RATE", "SEEN", "KNOWN FOR"),
        [
            (
                a["agentId"], a["name"], " ".join(map(str, a["connections"])) or "-",
                " ".join(a["addresses"]) or "-", f"{a['rate']:g}/s",
                f"{ago(a['lastSeen'], now)} ago", ago(a["joinedAt"], now),
            )
            for a in answer["agents"]
        ],
    )  # fmt: skip
    connections = "nobody is connected" if not answer["connections"] else columns(
        ("CONNECTION", "ADDRESS", "OPEN FOR", "MESSAGES", "AGENTS"),
        [
            (
                c["connection"], c["address"] or "-", ago(c["since"], now), c["messages"],
                " ".join(c["agents"]) or "-",
            )
            for c in answer["connections"]
        ],
    )  # fmt: skip
    totals = answer["totals"]
    total = (
        f"{totals['agents']} of {totals['seats']} agents, {totals['known']} known; {totals['websockets']} "
        f"WebSockets, {totals['connections']} connections in all; {totals['sanctions']} sanctions"
    )
    return f"{agents}\n\n{connections}\n\n{total}"


def show_gone(answer: dict[str, Any]) -> str:
    gone = ", ".join(map(plain, answer["departed"])) or "nobody"
    return f"sent out: {gone}; connections closed: {answer['closed']}"


def show_imposed(answer: dict[str, Any]) -> str:
    sanction = answer["sanction"]
    end = f" until {moment(sanction['until'])}" if sanction["until"] else ""
    first = f"{sanction['kind']} of {sanction['scope']} {plain(sanction['target'])}{end}"
    return f"{first}\n{show_gone(answer)}" if "closed" in answer else first


def show_lifted(answer: dict[str, Any]) -> str:
    sanction = answer["sanction"]
    return f"{sanction['kind']} of {sanction['scope']} {plain(sanction['target'])} lifted"


def show_sanctions(answer: dict[str, Any]) -> str:
    if not answer["sanctions"]:
        return "nobody is muted or banned"
    return columns(
        ("KIND", "OF", "TARGET", "SINCE", "UNTIL", "BY", "REASON"),
        [
            (
                s["kind"], s["scope"], s["target"], moment(s["since"]), moment(s["until"]), s["by"] or "-",
                s["reason"] or "-",
            )
            for s in answer["sanctions"]
        ],
    )  # fmt: skip


def show_drained(answer: dict[str, Any]) -> str:
    left = f"{answer['left']} still inside"
    if answer.get("stopping"):
        return f"stopping, {left}"
    return f"draining: nobody comes in, {left}" if answer["draining"] else f"open to everybody, {left}"
