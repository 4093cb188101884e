"""The parts of the Debian package agree with the code, and with one another."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from realmd import __version__, ctl
from realmd.backup.command import NOT_OFFSITE
from realmd.console import operator, rooms, status
from realmd.ctl import SUBCOMMANDS
from realmd.nostr.rebuild_command import INCOMPLETE
from realmd.settings.text import SETTINGS

ROOT = Path(__file__).resolve().parent.parent.parent
DEBIAN = ROOT / "debian"
UNITS = sorted((DEBIAN / "units").iterdir())
PAGES = sorted((ROOT / "docs/man").glob("*.rst"))


def made(script: str, *arguments: str) -> str:
    """What a script of delivery/ prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "delivery" / script, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_version_is_the_codes() -> None:
    """What `dpkg -l` shows is what `realmctl --version` says."""
    head = (DEBIAN / "changelog").read_text("utf-8").splitlines()[0]
    assert head.startswith(f"realm-server ({__version__})")


def test_the_lock_holds_what_setup_asks_for() -> None:
    """The package forgets no dependency, and holds what was tested; if not, run tools/lock-requirements."""
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)", (DEBIAN / "requirements.lock").read_text(), re.MULTILINE))
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    pinned = {plain(name): version for name, version in pins}
    assert {plain(name): version for name, version in lock.items()}.items() <= pinned.items()
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg", "utf-8")
    asked = re.findall(r"^([\w.-]+)", metadata["options"]["install_requires"], re.MULTILINE)
    assert {plain(name) for name in asked} <= {plain(name) for name in lock}
    hashed = re.findall(
        r"^\w\S+ \\\n    --hash=sha256:[0-9a-f]{64}", (DEBIAN / "requirements.lock").read_text(), re.MULTILINE
    )
    assert len(hashed) == len(lock)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_file_names_an_index_or_a_mirror() -> None:
    """The package builds wherever pip and apt are configured, offline too."""
    files = [*DEBIAN.rglob("*"), *(ROOT / "delivery").rglob("*"), *(ROOT / "tools").iterdir()]
    texts = [path.read_text("utf-8") for path in files if path.is_file() and path.suffix != ".pyc"]
    assert texts
    assert not re.search(r"pypi|index-url\b|deb\.debian\.org", "\n".join(texts))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_units_are_what_systemd_takes() -> None:
    """No unit has a word that systemd does not know, and the sandboxes leave an exposure of at most 1.5."""
    for unit in UNITS:
        if unit.suffix != ".service":
            continue
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        assert found, done.stderr
        assert float(found[1]) <= 1.5, unit.name
        assert "Unknown" not in done.stderr


def test_every_timer_starts_a_service_of_ours_with_a_command_that_is_there() -> None:
    """What a timer runs at night exists."""
    services = {unit.stem: unit.read_text("utf-8") for unit in UNITS if unit.suffix == ".service"}
    for unit in UNITS:
        if unit.suffix in (".timer", ".path"):
            room = " --room %i" if unit.stem.endswith("@") else ""
            text = services[unit.stem]
            command = re.search(rf"^ExecStart=/usr/bin/realmctl{room} (\w+)", text, re.MULTILINE)
            assert command, unit.name
            assert command[1] in SUBCOMMANDS
            # Those of rooms are the operator's to enable.
            assert (unit.name in (DEBIAN / "rules").read_text("utf-8")) == (not room)


def test_rooms_are_kept_as_the_main_room_is() -> None:
    """A room's units differ from the main room's in nothing but whose they are, and realmctl looks there."""
    units = {unit.name: unit.read_text("utf-8") for unit in UNITS}
    kept = [name for name in units if re.search(r"server-.+@\.", name)]
    assert len(kept) == 6
    for name in kept:
        text = units[name].replace(" --room %i", "").replace("-rooms/%i", "").replace("@%i", "")
        ours, theirs = (
            [line for line in one.splitlines() if not line.startswith("Description=")]
            for one in (text, units[name.replace("@", "")])
        )
        assert ours == theirs, name
    room = units["realm-server@.service"]
    assert f"StateDirectory={rooms.STATES.name}/%i\n" in room
    assert f"RuntimeDirectory={rooms.SOCKETS.name}/%i\n" in room
    assert f"Environment=REALMD_BACKUP_DIR={rooms.BACKUPS}/%i\n" in room
    assert f"--config {rooms.CONFIGURATIONS}/%i.toml\n" in room


def test_the_doors_agree_about_the_port() -> None:
    """nginx, the socket and the default of the settings mean one address."""
    address = f"{SETTINGS['server.host'].default}:{SETTINGS['server.port'].default}"
    assert f"ListenStream={address}\n" in (DEBIAN / "units/realm-server.socket").read_text("utf-8")
    for site in ("realm-server.conf", "realm-server-plain.conf"):
        assert f"server {address};" in (ROOT / "etc/nginx" / site).read_text("utf-8")


def test_completion_knows_every_command() -> None:
    """The first Tab after `realmctl` offers every command, a later one its options."""
    script = made("completion.py")

    def offered(*words: str) -> set[str]:
        listed = " ".join(f'"{word}"' for word in words)
        ask = f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _realmctl; echo ${{COMPREPLY[*]}}"
        done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert offered("realmctl", "") >= SUBCOMMANDS.keys()
    assert "--dry-run" in offered("realmctl", "setup", "--")
    assert offered("realmctl", "backup", "ver") == {"verify"}
    assert "--config" in offered("realmctl", "backup", "verify", "some.file", "--")
    assert "--dry-run" in offered("realmctl", "--room", "attic", "import", "--")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_manual_pages_are_whole(page: Path) -> None:
    """Every command and every setting stands in its manual page, which is for the version installed."""
    text = made("manual.py", str(page))
    assert f":Version: {__version__}" in text
    if page.name.startswith("realmctl."):
        assert all(f"**realmctl {name}**" in text for name in SUBCOMMANDS)
    if page.name.startswith("realmd.toml."):
        assert all(f"``{setting.path}``" in text for setting in SETTINGS.values())
    if rst2man := shutil.which("rst2man"):
        subprocess.run([rst2man, "--halt=2"], input=text, text=True, check=True, capture_output=True)


def test_the_manual_tells_every_exit_status() -> None:
    """Whoever writes a script around realmctl finds each number it ends with."""
    _, _, rest = (ROOT / "docs/man/realmctl.1.rst").read_text("utf-8").partition("EXIT STATUS")
    told = {int(number) for number in re.findall(r"\b\d+(?=\s(?:if|for)\s)", rest.partition("FILES")[0])}
    here = {ctl.FAILED, ctl.USAGE, ctl.INTERRUPTED, ctl.UNREAD}
    assert told == here | {status.WELL, status.AWAY, operator.AWAY, NOT_OFFSITE, INCOMPLETE}


def test_fail2ban_reads_the_lines_that_the_realm_writes() -> None:
    """An abuser's own address is found, and one that stands in what somebody wrote is not."""
    text = (ROOT / "etc/fail2ban/filter.d/realm-server.conf").read_text("utf-8")
    # As systemd.slice(5) has it: the lines of every instance of realm-server@.service.
    rooms_slice = r"_SYSTEMD_SLICE=system-realm\x2dserver.slice"
    assert f"journalmatch = _SYSTEMD_UNIT=realm-server.service + '{rooms_slice}'\n" in text
    after = text.partition("failregex =")[2].partition("ignoreregex")[0]
    patterns = [line.strip() for line in after.strip().splitlines()]
    assert len(patterns) == 4
    found = [re.compile(pattern.replace("<ADDR>", r"([0-9a-f.:]+)")) for pattern in patterns]
    gateway = "\n".join(path.read_text("utf-8") for path in (ROOT / "realmd").rglob("*.py"))
    for start in (
        "flood door={door} peer={peer} limit={limit}",
        "banned peer={peer} network={network}",
        "connection timeout door=",
        "connection limit reached limit={limit} peer={peer} refused={n}",
    ):
        assert start in gateway
        line = re.sub(r"\{peer\}", "2001:db8::7", start).replace("{door}", "http").replace("{n}", "3")
        line = line.replace("{limit}", "address").replace("{network}", "2001:db8::/64")
        line += "http peer=2001:db8::7" if line.endswith("door=") else ""
        assert [m[1] for one in found if (m := one.match(line))] == ["2001:db8::7"]
        assert not any(one.match(f"note left by=ada text={line}") for one in found)
