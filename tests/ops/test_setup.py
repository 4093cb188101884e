"""`realmctl setup` makes an installed realm a public one, and breaks nothing that it finds."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.console.setup import ENABLED, HOOK, JAIL, SITE, Setup, SetupError, Wanted, with_settings
from realmd.console.setup_command import asked
from realmd.settings.reading import ConfigError
from realmd.settings.text import template

ROOT = Path(__file__).resolve().parent.parent.parent
ALL = Wanted(
    domain="realm.example.org",
    name='A "quoted" \\ Höhle # 1',
    relays=("wss://relay.example.org",),
    email="op@example.org",
    nginx=True,
    fail2ban=True,
)


class Bench:
    """An installed system below a folder of its own; commands are noted, not run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.toml = root / "etc/realm-server/realmd.toml"
        self.toml.parent.mkdir(parents=True)
        self.toml.write_text(template(), "utf-8")
        self.toml.chmod(0o640)
        templates = root / "usr/share/realm-server/nginx"
        templates.mkdir(parents=True)
        for name in ("realm-server.conf", "realm-server-plain.conf", "proxy.conf"):
            (templates / name).write_text((ROOT / "etc/nginx" / name).read_text("utf-8"), "utf-8")
        self.commands: list[tuple[str, ...]] = []
        self.said: list[str] = []
        self.refused: str | None = None
        self.missing: set[str] = set()

    def run(self, command: Sequence[str]) -> int:
        self.commands.append(tuple(command))
        return int(command[0] == self.refused)

    def setup(self, wanted: Wanted, dry_run: bool = False) -> None:
        self.commands, self.said = [], []
        made = Setup(wanted, self.root, dry_run, self.run, self.said.append)
        made.there = lambda program: program not in self.missing  # type: ignore[method-assign]
        made()

    def files(self) -> dict[Path, str]:
        return {path: path.read_text("utf-8") for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_settings_are_changed_in_place_and_comments_stay(bench: Bench) -> None:
    """The operator's file keeps its comments, order, owner and mode; only what was asked for differs."""
    before = bench.toml.read_text("utf-8").splitlines()
    bench.setup(ALL)
    after = bench.toml.read_text("utf-8").splitlines()
    assert len(after) == len(before)
    changed = [line for was, line in zip(before, after, strict=True) if was != line]
    assert all(not line.startswith("#") for line in changed)
    assert tomllib.loads("\n".join(changed)) == {
        "name": ALL.name,
        "relays": ["wss://relay.example.org"],
        "email": "op@example.org",
        "public_url": "http://realm.example.org",
        "trusted_proxies": ["127.0.0.1", "::1"],
    }
    assert bench.toml.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in bench.toml.parent.iterdir()] == ["realmd.toml"]


def test_twice_is_as_good_as_once(bench: Bench) -> None:
    """Whoever types it again restarts nothing, reloads nothing and writes nothing."""
    bench.setup(ALL)
    files = bench.files()
    assert ("nginx", "-t", "-q") in bench.commands
    bench.setup(ALL)
    assert bench.files() == files
    assert bench.commands == []


def test_a_dry_run_does_nothing(bench: Bench) -> None:
    """What would be done is said, each file and command, and nothing is done."""
    files = bench.files()
    bench.setup(ALL, dry_run=True)
    assert bench.files() == files
    assert bench.commands == []
    assert {f"write {bench.root / path}" for path in (SITE, HOOK, JAIL)} <= set(bench.said)


def test_tls_comes_with_the_certificate(bench: Bench) -> None:
    """Before certbot the site is plain and says what to type; run again after it, the site has TLS."""
    bench.setup(ALL)
    assert "ssl_certificate" not in (bench.root / SITE).read_text("utf-8")
    assert any("certbot certonly" in line for line in bench.said)
    live = bench.root / "etc/letsencrypt/live/realm.example.org"
    live.mkdir(parents=True)
    for name in ("fullchain.pem", "privkey.pem"):
        (live / name).touch()
    bench.setup(ALL)
    site = (bench.root / SITE).read_text("utf-8")
    assert "ssl_certificate /etc/letsencrypt/live/realm.example.org/fullchain.pem;" in site
    assert "@" not in site
    assert "include" not in site, "it must go on when the package's files are gone"
    assert "        proxy_pass http://realm_server;\n" in site
    assert "https://realm.example.org" in bench.toml.read_text("utf-8")
    assert os.readlink(bench.root / ENABLED) == f"/{SITE}"
    assert os.access(bench.root / HOOK, os.X_OK)


def test_what_is_not_installed_is_named(bench: Bench) -> None:
    """Whoever lacks a program reads what to install, and has everything else."""
    bench.missing = {"nginx", "certbot", "fail2ban-client"}
    bench.setup(ALL)
    for name in ("nginx", "certbot", "fail2ban"):
        assert f"{name} is not installed: apt install {name}" in bench.said
    assert all((bench.root / path).exists() for path in (SITE, HOOK, JAIL))


def test_nothing_is_forced(bench: Bench) -> None:
    """Who wants a name only gets a name."""
    bench.setup(Wanted(name="Only this"))
    assert bench.commands == [("systemctl", "try-restart", "realm-server.service")]
    assert not any((bench.root / path).exists() for path in (SITE, HOOK, JAIL))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(domain="realm.example.org; include /etc/shadow"),
        Wanted(domain="realm.example.org", certificate=Path("/only.pem")),
        Wanted(nginx=True),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(bench: Bench, wanted: Wanted) -> None:
    """A wrong answer changes no file, and none of it reaches nginx."""
    files = bench.files()
    with pytest.raises(SetupError):
        bench.setup(wanted)
    assert bench.files() == files


def test_a_value_that_the_daemon_would_refuse_is_not_written(bench: Bench) -> None:
    """Setup never leaves a configuration with which the realm does not start."""
    files = bench.files()
    with pytest.raises(ConfigError, match=r"room\.relays"):
        bench.setup(Wanted(relays=("not a relay",)))
    assert bench.files() == files


def test_nginx_is_not_reloaded_with_what_it_refuses(bench: Bench) -> None:
    """A configuration that nginx does not accept takes down none of the sites that it serves."""
    wanted = Wanted(domain="realm.example.org", nginx=True)
    bench.refused = "nginx"
    with pytest.raises(SetupError, match="as it was"):
        bench.setup(wanted)
    assert not any("reload" in word for command in bench.commands for word in command if command[1] != "-t")
    assert not os.path.lexists(bench.root / ENABLED), "nginx would not start again"
    bench.refused = None
    bench.setup(wanted)
    assert ("systemctl", "reload-or-restart", "nginx") in bench.commands
    before = (bench.root / SITE).read_text("utf-8")
    bench.refused = "nginx"
    with pytest.raises(SetupError, match="as it was"):
        bench.setup(Wanted(domain="other.example.org", nginx=True))
    assert (bench.root / SITE).read_text("utf-8") == before
    assert os.path.lexists(bench.root / ENABLED)


def test_a_jail_that_fail2ban_refuses_is_not_called_done(bench: Bench) -> None:
    """Where fail2ban cannot start, setup says what to type, and does it all when it is typed again."""
    bench.refused = "fail2ban-client"
    with pytest.raises(SetupError, match=r"sshd\.local"):
        bench.setup(Wanted(fail2ban=True))
    assert not (bench.root / JAIL).exists()
    bench.refused = None
    bench.setup(Wanted(fail2ban=True))
    assert bench.commands[-1] == ("systemctl", "reload-or-restart", "fail2ban")


@given(
    st.dictionaries(st.sampled_from(["room.name", "room.id", "new.key"]), st.text(max_size=40)),
    st.sampled_from(["", "[room]\nname = 'x'\n", '[room]\nname = """\nid = 1\n"""\n', "[a]\n[room]\n[b]"]),
)
def test_any_file_is_changed_rightly_or_not_at_all(settings: dict[str, str], text: str) -> None:
    """Whatever is written where, TOML reads back what was asked for and everything else as it was."""
    before: dict[str, Any] = tomllib.loads(text)
    try:
        after = tomllib.loads(with_settings(text, settings))
    except SetupError:
        return
    for path, value in settings.items():
        section, key = path.split(".")
        before.setdefault(section, {})[key] = value
    assert after == before


def test_questions_leave_alone_what_is_not_answered() -> None:
    """Whoever presses return all the way has changed nothing."""
    assert asked(lambda question: "") == Wanted()
    answers = {"Domain": "realm.example.org", "Nostr": "wss://a.example, wss://b.example", "Put nginx": "y"}
    found = asked(lambda q: next((a for start, a in answers.items() if q.startswith(start)), ""))
    assert found == Wanted(
        domain="realm.example.org", relays=("wss://a.example", "wss://b.example"), nginx=True
    )
