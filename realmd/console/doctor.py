"""`realmctl doctor`: looks over the machine, the realm and what is around it, and says what to type."""

from __future__ import annotations

import argparse
import json
import time

from msgspec import structs, to_builtins

from . import look, machine, reach, upkeep
from .client import add_realm, configured, realm_of
from .finding import Finding
from .rooms import meant


def add_doctor(parser: argparse.ArgumentParser) -> None:
    add_realm(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--offline", action="store_true", help="ask nobody but this machine")


def examined(arguments: argparse.Namespace, now: float) -> list[Finding]:
    """Every finding, in the order in which to mend them."""
    config = configured(arguments)
    findings = [*machine.examine(config), *upkeep.examine(config, realm_of(arguments), now)]
    if not arguments.offline:
        findings += reach.examine(config, now)
    return [structs.replace(finding, do=meant(finding.do, arguments.room)) for finding in findings]


def doctor(arguments: argparse.Namespace) -> int:
    """Look for what is wrong, or soon will be, and say what to type; ends with 1 if something is wrong."""
    findings = examined(arguments, time.time())
    wrong = sum(finding.state == "wrong" for finding in findings)
    if arguments.json:
        print(json.dumps({"ok": not wrong, "findings": to_builtins(findings)}))
        return int(bool(wrong))
    columns, paint = look.width(), look.paint()
    print("\n".join(finding.lines(columns, paint) for finding in findings))
    worth = sum(finding.state == "warning" for finding in findings)
    print(f"\n{wrong} wrong, {worth} worth a look, {len(findings) - wrong - worth} well")
    return int(bool(wrong))
