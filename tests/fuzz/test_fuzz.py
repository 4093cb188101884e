"""A minute of the fuzz, and that it would notice."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Final

import pytest

from .cases import DOORS, make
from .run import Failed, fuzz

#: How long it lasts (s) if nobody says otherwise; with what is planted below, a minute.
SECONDS: Final = float(os.environ.get("REALM_FUZZ_SECONDS", "30"))
#: Longest time (s) until what is planted is found.
SOON: Final = 60.0
#: Bugs to plant in a daemon: code that makes one, and what the fuzz says of it.
PLANTED: Final = {
    "an exception for rare input": (
        "from realmd.gateway import http\n"
        "parse = http.parse_qs\n"
        "http.parse_qs = lambda query: parse(query) if b'%ff' not in query else 1 / 0",
        "internal_error|request failed",
    ),
    "an answer that never comes": (
        "from realmd.gateway.guard import Guard\n"
        "from realmd.world.commands import WorkFinish\n"
        "serve = Guard.serve\n"
        "Guard.serve = lambda self, ask, *rest, **how: "
        "isinstance(ask, WorkFinish) or serve(self, ask, *rest, **how)",
        "neither answered nor closed",
    ),
    "private messages for all": (
        "from realmd.runtime.fanout import Fanout\n"
        "Fanout._speaking_for = lambda self, agent_id: "
        "[each for some in self._links.values() for each in some]",
        "a message in private|a witness: _look",
    ),
    "an end without a word": (
        "import os\n"
        "from realmd.operator import control\n"
        "decode = control.decode\n"
        "control.decode = lambda line: decode(line) if b'unban' not in line else os._exit(0)",
        "it has ended with 0",
    ),
}


def test_the_doors_withstand_a_fuzz(tmp_path: Path) -> None:
    """Whatever strangers send, the realm answers it well, others notice nothing, and nothing is lost."""
    seed = 20 if "CI" in os.environ else secrets.randbelow(10**9)
    try:
        report = fuzz(tmp_path, SECONDS, seed)
    except AssertionError as error:
        pytest.fail(f"python -m tests.fuzz --seed {seed} does it again: {error}")
    assert set(report.doors) == set(DOORS)


def test_a_seed_makes_the_same_cases() -> None:
    """What failed once can be sent again, byte by byte."""
    assert [make(7, number) for number in range(300)] == [make(7, number) for number in range(300)]
    assert make(7, 1) != make(8, 1)


@pytest.mark.parametrize("bug", PLANTED)
def test_what_is_wrong_is_found(bug: str, tmp_path: Path) -> None:
    """The fuzz can fail: a daemon with a bug does not get through it."""
    code, found = PLANTED[bug]
    run = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"
    with pytest.raises(Failed, match=f"(?s){found}"):
        fuzz(tmp_path, SOON, seed=20, program=("setsid", sys.executable, "-c", f"{code}\n{run}"))
