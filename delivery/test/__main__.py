"""`make package-test`: build realm-server, and see it keep its promises on booted Debian 12 and 13.

One line a check; exit status 0 if all passed, 77 if this machine has not the tools for it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import around, certified, keeping, running, written
from .checks import CHECKS
from .machine import Failed, Machine, needed
from .versions import COMING, overlay

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
TOOLS = (
    "debootstrap",
    "systemd-nspawn",
    "nsenter",
    "unshare",
    "reprepro",
    "gpg",
    "lintian",
    "piuparts",
    "python3",
)
#: What a server has beside realm-server: the neighbours it is tested with.
NEIGHBOURS = (
    "autopkgtest dpkg-dev nginx fail2ban python3-systemd ufw openssl iptables nftables sudo certbot pebble"
    " postfix"
)
#: Each finds what those before it left.
ORDER = [module.__name__ for module in (running, around, certified, written, keeping)]
RELEASES = {"bookworm": "deb12", "trixie": "deb13"}


class Score:
    """Runs checks, says how each went, and counts."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def run(self, sentence: str, work: Callable[[], str | None]) -> bool:
        began = time.monotonic()
        try:
            found = work()
        except Exception as error:
            self.failed += 1
            if not isinstance(error, (Failed, subprocess.TimeoutExpired)):
                traceback.print_exc()
            print(f"FAIL {sentence}: {error}", flush=True)
            return False
        self.passed += 1
        took = time.monotonic() - began
        print(f"ok   {sentence} ({took:.0f} s){': ' + found if found else ''}", flush=True)
        return True


def command(*words: str | Path, **environ: str) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environ}
    )
    if done.returncode:
        raise Failed(f"{words[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def build(suite: str, folder: str, **environ: str) -> str:
    return command(ROOT / "delivery/deb", suite, OUT=str(BUILD / folder), **environ).strip()


def build_version(suite: str, name: str) -> str:
    version, files = COMING[name]
    with overlay(ROOT, files) as more:
        return build(suite, f"deb-{name}", VERSION=version, OVERLAY=str(more))


def package(suite: str, folder: str = "deb") -> Path:
    return max((BUILD / folder).glob(f"realm-server_*~{RELEASES[suite]}u1_amd64.deb"))


def same(suite: str) -> str:
    """The second build of the same source gives the same file."""
    build(suite, "deb-again")
    sums = {
        hashlib.sha256(package(suite, folder).read_bytes()).hexdigest() for folder in ("deb", "deb-again")
    }
    if len(sums) != 1:
        raise Failed(f"two builds differ: {sums}")
    return f"{sums.pop()[:16]}…, {package(suite).stat().st_size / 1e6:.1f} MB"


def lintian(suite: str) -> str:
    said = command("lintian", "--allow-root", "--fail-on", "error", package(suite).with_suffix(".changes"))
    return f"{said.count('W: ')} warnings"


def repository(folder: str, name: str) -> None:
    command(ROOT / "delivery/repo", OUT=str(BUILD / folder), REPO=str(BUILD / name))


def tree(suite: str) -> Path:
    script = f"source delivery/trees.bash; tree_with {suite} test {NEIGHBOURS}"
    return Path(command("bash", "-c", script).strip().splitlines()[-1])


def piuparts(suite: str) -> None:
    command(
        "piuparts",
        "--existing-chroot",
        tree(suite),
        "--no-upgrade-test",
        "--distribution",
        suite,
        "--warn-on-leftovers-after-purge",
        "--no-check-valid-until",
        package(suite),
    )


def on_machine(score: Score, suite: str, only: str) -> None:
    """The checks of the installed package, in order; what was installed goes with the container."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        with Machine(
            tree(suite),
            Path(scratch),
            repo=BUILD / "repo",
            next=BUILD / "repo-next",
            later=BUILD / "repo-later",
            source=ROOT,
        ) as machine:
            for number, (sentence, work) in enumerate(CHECKS):
                if not only or number == 0 or re.search(only, work.__name__):
                    good = score.run(f"{suite}: {sentence}", partial(work, machine))
                    if not good and number == 0:
                        print(machine.ask("systemctl status realm-server; journalctl -n 50 --no-pager"))
                        return


def main() -> int:
    parser = argparse.ArgumentParser(prog="make package-test", description=__doc__)
    parser.add_argument("suites", nargs="*", default=[*RELEASES], metavar="SUITE")
    parser.add_argument("--built", action="store_true", help="take the packages of the last run")
    parser.add_argument("--only", default="", help="checks whose function is named like this")
    options = parser.parse_args()
    if missing := needed(*TOOLS):
        print(f"not run: this machine has no {', '.join(missing)}")
        return 77
    score = Score()
    CHECKS.sort(key=lambda one: ORDER.index(one[1].__module__))
    for suite in options.suites:
        if not options.built:
            if not score.run(f"{suite}: builds", partial(build, suite, "deb")):
                continue
            for name in COMING:
                score.run(f"{suite}: builds the {name} version", partial(build_version, suite, name))
            score.run(f"{suite}: two builds are the same", partial(same, suite))
        if not options.only:
            score.run(f"{suite}: lintian has no errors", partial(lintian, suite))
            score.run(f"{suite}: piuparts", partial(piuparts, suite))
    for end in ("", "-next", "-later"):
        score.run(f"repo{end}: signed", partial(repository, f"deb{end}", f"repo{end}"))
    for suite in options.suites:
        on_machine(score, suite, options.only)
    print(f"{score.passed} passed, {score.failed} failed")
    return 1 if score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
