"""`realmctl bench` against real servers, as an operator types it, however fast they are."""

from __future__ import annotations

import random
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest

from realmd.bench.machine import Machine
from realmd.bench.model import Result
from realmd.bench.spawn import Setting, Spawned
from realmd.bench.walk import Ground, Walker, ground_of
from realmd.ctl import main

from .classic_server import SEATS, ClassicServer

ROOT = Path(__file__).resolve().parents[2]


class Written(msgspec.Struct, forbid_unknown_fields=True):
    """What `--json` writes of one run."""

    machine: Machine
    run: Result


def bench(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], Result]:
    done = subprocess.run(
        [sys.executable, "-m", "realmd.ctl", "bench", "--json", "run.json", "--html", "run.html", *options],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, 3), done.stderr
    written = msgspec.json.decode((folder / "run.json").read_bytes(), type=Written)
    return done, written.run


@pytest.mark.parametrize(
    ("options", "sockets"),
    [
        (("--agents", "3", "--viewers", "5", "--chat", "2", "--churn", "2", "--looks", "1"), 0),
        (
            (
                "--agents",
                "4",
                "--viewers",
                "4",
                "--via",
                "ws",
                "--agents-view",
                "--deflate",
                "0.5",
                "--batch",
            ),
            4,
        ),
    ],
)
def test_a_realm_of_its_own_is_started_driven_and_measured(
    tmp_path: Path, options: tuple[str, ...], sockets: int
) -> None:
    """One command starts a realm, moves agents in it, sees them move, and tells what that cost."""
    done, run = bench(tmp_path, "--spawn", "--seconds", "2", "--ramp", "0", *options)
    moves = run.moves
    assert moves.seen > 0
    assert run.latency.samples >= moves.seen
    assert moves.sent == (
        sum(moves.refused.values()) + moves.seen + moves.collapsed + moves.unseen + moves.unwatched
    )
    assert (moves.unmatched, moves.refused, moves.errors, run.closes, run.not_connected) == (
        0,
        {},
        {},
        {},
        {},
    )
    assert run.viewers.sockets + run.deflated.sockets == run.plan.viewers
    assert (run.viewers.fewest > 0, run.agent_sockets.sockets) == (True, sockets)
    assert run.server is not None
    assert run.server.rss > 10_000_000
    assert len(run.series) >= 1
    assert "moves/s" in done.stderr
    assert "\r" not in done.stderr
    assert "move sent to position seen" in done.stdout
    page = (tmp_path / "run.html").read_text()
    assert "<svg" in page
    assert "src=" not in page
    assert "href=" not in page


def test_any_server_of_the_classic_protocol_can_be_driven(tmp_path: Path) -> None:
    """Chunked answers, other key orders and a full room are measured as well: refusals by their words."""
    with ClassicServer() as server:
        _, run = bench(
            tmp_path, "--url", server.url, "--agents", str(SEATS + 1), "--viewers", "2", "--seconds", "2"
        )
    assert run.moves.seen > 0
    assert run.latency.samples >= run.moves.seen
    assert server.commands["register"] == SEATS + 1
    assert server.commands["world-leave"] == SEATS
    assert run.not_connected == {f"register: Room is full ({SEATS} max)": 1}
    assert (run.moves.errors, run.moves.unseen) == ({}, 0)


def test_agents_walk_the_world_that_there_is() -> None:
    """They keep to the ground and out of the buildings that a realm tells of, else to the classic ones."""
    with Spawned(Setting(half=200)) as realm, urllib.request.urlopen(f"{realm.url}/api/world") as answer:
        large = ground_of(msgspec.json.decode(answer.read()))
    assert large == Ground(200.0, ())
    assert ground_of({"error": "Not found"}) == Ground()
    for ground, reach in ((Ground(), 60.0), (large, 500.0), (Ground(), 5.0)):
        walker = Walker(ground, reach, random.Random(1))
        steps = [walker.step(0.5) for _ in range(2000)]
        assert all(ground.free(x, z) for x, z, _ in steps)
        assert max(abs(x) for x, _, _ in steps) <= min(reach, ground.half)
        assert len({(round(x), round(z)) for x, z, _ in steps}) > 50


def test_nobody_there_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong address ends with 1 and a sentence, not a traceback."""
    assert main(["bench", "--url", "http://127.0.0.1:1"]) == 1
    error = capsys.readouterr().err
    assert "nobody answers at http://127.0.0.1:1" in error
    assert "Traceback" not in error


def test_without_its_packages_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The load tool is an extra; who lacks it is told the command that installs it."""
    monkeypatch.setitem(sys.modules, "picows", None)
    assert main(["bench"]) == 2
    assert "pip install -e '.[bench]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--agents", "-1"], ["--rate", "nan"], ["--seconds", "0"], ["--via", "x"]]
)
def test_wrong_options_are_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for numbers that make no sense."""
    with pytest.raises(SystemExit) as end:
        main(["bench", *options])
    assert end.value.code == 2
    assert options[0] in capsys.readouterr().err
