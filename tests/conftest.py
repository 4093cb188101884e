"""What holds for every test; CONTRIBUTING.rst says how a test asks for what it needs."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

ROOT: Final = Path(__file__).resolve().parent.parent
#: What a test may need beside Python → the make target that brings it where it may.
TOOLS: Final = {
    "browser": ".venv/browser",
    "faketime": ".venv/faketime",
    "node": "node_modules/ready",
    "prometheus": ".venv/prometheus",
}
#: Folders whose tests run one after another, in one process: sieges, for each is to have what the machine
#: can do, and those that share a browser.  They begin first, for they take longest.
TOGETHER: Final = ("tests/web", "tests/attacks")

# Two slow cores are no fault of the code, and a build that fails must fail again when repeated.
settings.register_profile("realmd", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("realmd")

# What a shell starts in the background ignores Ctrl-C; the programs that tests start must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"needs(tool, ...): one of {', '.join(TOOLS)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left with it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(TOGETHER))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process a file at a time, or a folder of `TOGETHER`, in the order they were collected."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)

    config.option.loadscopereorder = False
    return Files(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Bring the tools that the test needs, before any fixture looks for them; fail if that cannot be."""
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            if complaint := missing(tool):
                pytest.fail(complaint, pytrace=False)


@cache
def missing(tool: str) -> str:
    """Why there is no such tool here, with what to type; nothing if it is there."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    with (ROOT / "Makefile").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # other workers want it, too
        made = subprocess.run(
            ["make", "--silent", TOOLS[tool]],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    return f"{made.stdout}{made.stderr}".strip() if made.returncode else ""
