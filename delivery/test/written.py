"""docs/runbook.rst, typed as it stands on a machine with the package, the trouble made where it can be.

The pages whose trouble is not made here are typed by tests, against a daemon without systemd; of those,
what only systemd has is typed here.
"""

from __future__ import annotations

import signal

from ..runbook import Step, pages
from .checks import check, expect, live
from .machine import Machine

PAGES = pages()


def typed(m: Machine, step: Step, **instead: str) -> None:
    """Type one step, other words `instead` of some, and see what it says."""
    command = step.command
    for word, other in instead.items():
        command = command.replace(f"{word}=…", f"{word}={other}")
    shown = m.run(f"exec 2>&1; {command}")
    expect(step.seen(shown), f"$ {command}\n{shown}")


def type_page(m: Machine, title: str, **instead: str) -> None:
    """Type a page whole, after which the realm is well."""
    for step in PAGES[title]:
        typed(m, step, **instead)
    m.until(lambda: live(m), "the realm", 10)


@check("the runbook, typed as written: it hangs, it crashed, it runs out of memory")
def runbook(m: Machine) -> None:
    m.run(f"kill -{signal.SIGSTOP.value} {m.pid()}")
    type_page(m, "It hangs")
    m.run(f"kill -{signal.SIGKILL.value} {m.pid()}")
    m.until(lambda: live(m), "the realm, started again", 10)
    type_page(m, "It crashed")
    type_page(m, "It runs out of memory")
    expect(m.show("MemoryMax") == str(1 << 30), "the limit is as it was")
    m.run("systemctl revert realm-server")


@check("the runbook's words for systemd are understood, on the pages whose trouble tests make")
def runbook_of_systemd(m: Machine) -> str:
    told = ""
    for title in ("The disk is full", "The clock jumped", "The database is damaged", "The disk is lost"):
        for step in PAGES[title]:
            if step.needs == "systemd" and "set-ntp" in step.command:
                told = "no NTP in a container, so set-ntp was not typed"
            elif step.needs == "systemd":
                typed(m, step)
    return told
