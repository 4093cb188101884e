"""The command line of realmctl: what is mistyped, misspelt or meant for somebody else."""

from __future__ import annotations

import pytest

from realmd import ctl
from realmd.console.operator import misspelt


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], "there is no command 'statsu'; did you mean 'status'?"),
        (["backup", "lst"], "there is no command 'lst'; did you mean 'list'?"),
        (["flubber"], "there is no command 'flubber'; realmctl --help lists them"),
        (["mute", "ada", "--as", "agnet"], "'agnet' is none of its values; did you mean 'agent'?"),
        (["ban", "10.0.0.0/99"], "no network: after the slash comes a number from 0 to 32, not 99"),
        (["unban", "10.0.0.300"], "10.0.0.300 is no address; if it is an agent: --as agent"),
        (["status", "--url", "here"], "'here' is no address like http://127.0.0.1:18800"),
        (["drain", "--seconds", "-1"], "-1: a number of seconds from 0 to 86400 is needed"),
        (["restore", "--until", "soon"], "'soon': give the seq of an event, or a time"),
        (["rebuild", "--from-nostr", "--pubkey", "me", "--state-dir", "/nowhere"], "Name at least one relay"),
        (["setup", "--domain", "x"], "x: is no domain like realm.example.org"),
        (["bench", "--only", "zz", "--figures"], "no figure's name holds 'zz'"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_ends_with_2_and_says_what_is_wrong(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the verb, a script learns from the status 2 that it, and not the realm, is wrong."""
    monkeypatch.delenv("REALMD_CONFIG", raising=False)
    try:
        code: object = ctl.main(words)
    except SystemExit as end:
        code = end.code
    assert (code, said in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    "target", ["ada", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "fe80::1/64", "::1", "10.0.0.1", "a.b.c.d"]
)
def test_what_can_be_meant_is_let_through(target: str) -> None:
    """An agent, an address and a network in each way to write it are no mistakes."""
    assert misspelt(target) == ""


@pytest.mark.parametrize("name", ctl.SUBCOMMANDS)
def test_every_example_can_be_typed(name: str) -> None:
    """What `realmctl COMMAND --help` gives as an example is understood, and is of that command."""
    import shlex

    words = shlex.split(ctl.EXAMPLES[name].removeprefix("sudo "))
    assert words[:2] == ["realmctl", name]
    ctl.parser().parse_args(words[1:])


@pytest.mark.parametrize("name", ctl.SUBCOMMANDS)
def test_every_command_answers_programs(name: str) -> None:
    """Each command can print JSON."""
    actions = {"backup": [], "alert": ["test"], "nostr": ["key"]}.get(name, [])
    parsed = ctl.parser().parse_args
    need = {
        "bench": ["--json", "FILE"], "ban": ["x"], "unban": ["x"], "mute": ["x"], "unmute": ["x"],
        "kick": ["x"], "say": ["x"], "token": ["x"], "revoke": ["x"], "keys": ["rotate"], "uninstall": ["x"],
        "import": ["x"], "rebuild": ["--from-nostr"],
    }  # fmt: skip
    words = [name, *actions, *need.get(name, [])]
    assert parsed(words if name == "bench" else [*words, "--json"]).json
