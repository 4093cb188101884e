"""What is promised of the installed package: the list of checks, and what they are made of.

A check is a function that raises Failed if a promise is not kept.  They run on one machine, in the order
of __main__.ORDER and of their modules: each finds what those before it left.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from .machine import Failed, Machine

SOURCES = """\
Types: deb
URIs: file:/srv/{repo}
Suites: {suite}
Components: main
Signed-By: /srv/{repo}/realm-server.gpg
"""
DOMAIN = "realm.test"
DATABASE = "/var/lib/realm-server/realm.sqlite"
CHECKS: list[tuple[str, Callable[[Machine], str | None]]] = []


def check(sentence: str) -> Callable[[Callable[[Machine], str | None]], Callable[[Machine], str | None]]:
    def add(function: Callable[[Machine], str | None]) -> Callable[[Machine], str | None]:
        CHECKS.append((sentence, function))
        return function

    return add


def expect(condition: object, otherwise: str) -> None:
    if not condition:
        raise Failed(otherwise)


def ask(m: Machine, command: str, **args: object) -> dict[str, object]:
    """One command to the realm, with curl."""
    body = json.dumps({"command": command, "args": args})
    answer: dict[str, object] = json.loads(
        m.run("curl -sS --fail-with-body --max-time 10 http://127.0.0.1:18800/ipc -d @-", input=body)
    )
    return answer


def said(m: Machine, after: int = 0) -> list[dict[str, object]]:
    """All public events with a greater seq than `after`; with 0 the newest."""
    found: list[dict[str, object]] = []
    while True:
        answer = m.run(f"curl -sS --max-time 10 'http://127.0.0.1:18800/api/events?limit=200&after={after}'")
        page = json.loads(answer)["events"]
        found += page
        if not after or not page:
            return found
        after = page[-1]["seq"]


def kept_all(m: Machine, process: subprocess.Popen[str], patience: float) -> str:
    """Of what TALK sent, nothing failed, and what was acknowledged is there."""
    found = json.loads(process.communicate(timeout=patience)[0])
    expect(not found["failed"], f"{len(found['failed'])} of {found['sent']} failed: {found['failed'][:3]}")
    kept = {event.get("seq") for event in said(m, min(found["seqs"]) - 1)}
    expect(kept >= set(found["seqs"]), f"lost: {set(found['seqs']) - kept}")
    return f"{found['sent']} of {found['sent']}, slowest answer {found['slowest']} s"


def use(m: Machine, repo: str) -> None:
    """Let apt know the signed repository, and no other."""
    suite = m.run(". /etc/os-release; echo $VERSION_CODENAME").strip()
    m.run("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
    m.run("cat > /etc/apt/sources.list.d/realm-server.sources", input=SOURCES.format(repo=repo, suite=suite))
    m.run("apt-get -qq update")


def live(m: Machine) -> bool:
    return (
        m.ask("curl -s -o /dev/null -w '%{http_code}' --max-time 2 http://127.0.0.1:18800/health/ready")
        == "200"
    )


def schema_of(m: Machine) -> int:
    """The version of the schema of the realm's database."""
    script = """
import sqlite3
realm = sqlite3.connect("file:%s?mode=ro", uri=True)
print(realm.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()[0])
"""
    return int(m.run("python3 -", input=script % DATABASE))


def digest(m: Machine) -> str:
    """Of all events and profiles that the stopped realm keeps."""
    script = """
import hashlib, sqlite3
realm = sqlite3.connect("file:%s?mode=ro", uri=True)
events = realm.execute("SELECT seq, body FROM events ORDER BY seq").fetchall()
print(len(events), "events", hashlib.sha256(repr(events).encode()).hexdigest()[:16])
"""
    return m.run("python3 -", input=script % DATABASE).strip()


def files(m: Machine, name: str) -> None:
    """List every file of the machine into a file of that name."""
    m.run(
        "find / -xdev -path /proc -prune -o -path /srv -prune -o -path /run -prune -o -print "
        f"| sort > /srv/scratch/{name}"
    )
