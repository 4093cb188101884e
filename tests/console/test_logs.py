"""`realmctl logs`: journalctl with the words that find what one looks for."""

from __future__ import annotations

import argparse

import pytest

from realmd.console.logs import add_logs, command


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ([], ["--lines=100"]),
        (["-f"], ["--follow", "--lines=100"]),
        (["--since", "1 hour ago"], ["--since=1 hour ago"]),
        (["--since", "today", "-n", "5"], ["--lines=5", "--since=today"]),
        (["--level", "error"], ["--lines=100", "--priority=3"]),
        (["--grep", "alert raised; rm -rf /"], ["--lines=100", "--grep=alert raised; rm -rf /"]),
    ],
)
def test_what_is_asked_of_the_journal(typed: list[str], asked: list[str]) -> None:
    """Each option becomes one word of journalctl's command line, whatever is in it."""
    parser = argparse.ArgumentParser()
    add_logs(parser)
    words = command(parser.parse_args(typed))
    assert words[:2] == ["journalctl", "--unit=realm-server.service"]
    assert [word for word in words[3:] if word != "--no-pager"] == asked
