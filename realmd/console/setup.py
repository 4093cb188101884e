"""`realmctl setup`: make a fresh installation a public realm, one step at a time, none forced.

Each step says what it would do, does nothing when that is done already, and is undone when
the package is purged (debian/realm-server.postrm).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any, Final

from ..host.files import write_whole
from ..settings.reading import load
from ..settings.text import toml

HOST: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", re.IGNORECASE)
CONFIG: Final = Path("etc/realm-server/realmd.toml")
TEMPLATES: Final = Path("usr/share/realm-server/nginx")
SITE: Final = Path("etc/nginx/sites-available/realm-server")
ENABLED: Final = Path("etc/nginx/sites-enabled/realm-server")
HOOK: Final = Path("etc/letsencrypt/renewal-hooks/deploy/realm-server")
JAIL: Final = Path("etc/fail2ban/jail.d/realm-server.local")
INCLUDE: Final = re.compile(rf"^( *)include /{TEMPLATES}/proxy\.conf;\n", re.MULTILINE)
#: ufw's profile, in /etc/ufw/applications.d.
PROFILE: Final = "Realm Server"

HOOK_TEXT: Final = """\
#!/bin/sh
# Written by realm-setup: nginx takes up a renewed certificate without cutting anybody off.
exec systemctl reload nginx
"""
JAIL_TEXT: Final = """\
# Written by realm-setup: puts the jail of /etc/fail2ban/jail.d/realm-server.conf in force.
[realm-server]
enabled = true
"""
#: Debian 12 enables a jail for sshd that reads a file which only rsyslog writes.
FAIL2BAN_HINT: Final = """\
fail2ban does not accept its configuration: fail2ban-client --test
where it finds no log for sshd: printf '[sshd]\\nbackend = systemd\\n' > /etc/fail2ban/jail.d/sshd.local"""


class SetupError(Exception):
    """A step cannot be done; the text says why, and nothing of that step was changed."""


class Contradiction(SetupError):
    """What was asked for cannot be, on any machine."""


Run = Callable[[Sequence[str]], int]


def run(command: Sequence[str]) -> int:
    """Run a command for the operator to see; its exit status, 127 if there is no such program."""
    try:
        return subprocess.run(command, check=False, timeout=300, stdin=subprocess.DEVNULL).returncode
    except FileNotFoundError:
        return 127


@dataclass
class Wanted:
    """What the operator asked for; what is None or False is left as it is."""

    domain: str | None = None
    name: str | None = None
    relays: tuple[str, ...] | None = None
    email: str | None = None
    #: Given, these are used; else certbot's for the domain, once they are there.
    certificate: Path | None = None
    key: Path | None = None
    nginx: bool = False
    ufw: bool = False
    fail2ban: bool = False


@dataclass
class Setup:
    """Does the steps below `root`, or with `dry_run` only says them; `said` has a line for each."""

    wanted: Wanted
    root: Path = Path("/")
    dry_run: bool = False
    run: Run = run
    say: Callable[[str], None] = print
    changed: set[Path] = field(default_factory=set)

    def __call__(self) -> None:
        """All that is wanted, in order; raises SetupError at the first that cannot be done."""
        wanted = self.wanted
        if wanted.domain is not None and not HOST.fullmatch(wanted.domain):
            raise Contradiction(f"{wanted.domain}: is no domain like realm.example.org")
        if (wanted.certificate is None) != (wanted.key is None):
            raise Contradiction("a certificate needs its key, and a key its certificate")
        if wanted.nginx and not wanted.domain:
            raise Contradiction("nginx needs to know the domain")
        self.settings()
        if wanted.nginx:
            self.nginx(wanted.domain or "")
        if wanted.ufw:
            self.ufw()
        if wanted.fail2ban:
            self.fail2ban()

    # -- the steps -----------------------------------------------------------------------

    def settings(self) -> None:
        """Name, relays, address and mail into realmd.toml; the daemon is restarted if any is new."""
        wanted = self.wanted
        new: dict[str, Any] = {}
        if wanted.name is not None:
            new["room.name"] = wanted.name
        if wanted.relays is not None:
            new["room.relays"] = list(wanted.relays)
        if wanted.email is not None:
            new["alerts.email"] = wanted.email
        if wanted.nginx:
            new["server.trusted_proxies"] = ["127.0.0.1", "::1"]
        if wanted.domain is not None:
            scheme = "https" if self.certificate(wanted.domain) else "http"
            new["server.public_url"] = f"{scheme}://{wanted.domain}"
        path = self.root / CONFIG
        try:
            before = path.read_text("utf-8")
        except OSError as error:
            raise SetupError(f"{path}: {error.strerror}") from None
        after = with_settings(before, new)
        check(path, after)
        if self.write(path, after):
            self.command("systemctl", "try-restart", "realm-server.service")

    def nginx(self, domain: str) -> None:
        """The site, with TLS once there is a certificate, and certbot's hook."""
        pair = self.certificate(domain)
        template = self.root / TEMPLATES / ("realm-server.conf" if pair else "realm-server-plain.conf")
        try:
            text = template.read_text("utf-8").replace("@domain@", domain)
            shared = template.with_name("proxy.conf").read_text("utf-8")
        except OSError as error:
            raise SetupError(f"{error.filename}: {error.strerror}") from None
        # Not by `include`: the site outlives that file when the package is removed, and nginx must go on.
        text = INCLUDE.sub(lambda found: indent(shared, found[1]), text)
        if pair:
            text = text.replace("@certificate@", str(pair[0])).replace("@key@", str(pair[1]))
        site, enabled = self.root / SITE, self.root / ENABLED
        before, linked = site.read_text("utf-8") if site.is_file() else None, os.path.lexists(enabled)
        new = self.write(site, text)
        new |= self.link(enabled, Path("/") / SITE)
        self.write(self.root / HOOK, HOOK_TEXT, 0o755)
        if not self.there("nginx"):
            self.say("nginx is not installed: apt install nginx")
        elif new:
            if self.command("nginx", "-t", "-q"):
                # Left there, it would keep nginx from its next start, and look done at the next setup.
                if not linked:
                    enabled.unlink()
                site.unlink() if before is None else replace(site, before)
                raise SetupError(f"nginx does not accept its configuration with /{SITE}; that is as it was")
            self.command("systemctl", "reload-or-restart", "nginx")
        if not pair:
            if not self.there("certbot"):
                self.say("certbot is not installed: apt install certbot")
            mail = f" -m {self.wanted.email}" if self.wanted.email else ""
            self.say(
                f"for TLS: certbot certonly --webroot -w /var/www/html -d {domain}{mail}, then this again"
            )

    def ufw(self) -> None:
        """HTTP and HTTPS open; 18800 is never opened, and needs no rule where ufw denies by default."""
        if not self.there("ufw"):
            raise SetupError("ufw is not installed: apt install ufw")
        if self.command("ufw", "allow", PROFILE):
            raise SetupError(f"ufw did not take the profile {PROFILE}")

    def fail2ban(self) -> None:
        """The jail on the realm's own log lines."""
        new = self.write(self.root / JAIL, JAIL_TEXT)
        if not self.there("fail2ban-client"):
            self.say("fail2ban is not installed: apt install fail2ban")
        elif new:
            if self.command("fail2ban-client", "-q", "-t"):
                if not self.dry_run:
                    (self.root / JAIL).unlink()
                raise SetupError(FAIL2BAN_HINT)
            self.command("systemctl", "reload-or-restart", "fail2ban")

    # -- what steps are made of ----------------------------------------------------------

    def certificate(self, domain: str) -> tuple[Path, Path] | None:
        """Certificate and key as nginx is to find them."""
        if self.wanted.certificate and self.wanted.key:
            return self.wanted.certificate, self.wanted.key
        live = Path("/etc/letsencrypt/live") / domain
        pair = live / "fullchain.pem", live / "privkey.pem"
        return pair if all((self.root / path.relative_to("/")).exists() for path in pair) else None

    def there(self, program: str) -> bool:
        return shutil.which(program) is not None

    def command(self, *command: str) -> int:
        """Run it, or in a dry run only say it."""
        self.say(" ".join(command))
        return 0 if self.dry_run else self.run(command)

    def write(self, path: Path, text: str, mode: int = 0o644) -> bool:
        """Whether `path` had to be written to hold `text`; mode and owner of a file that was there stay."""
        if path.is_file() and path.read_text("utf-8") == text:
            return False
        self.say(f"write {path}")
        if not self.dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, text, mode)
        return True

    def link(self, path: Path, target: Path) -> bool:
        """Whether the symbolic link had to be made."""
        if path.is_symlink() and os.readlink(path) == str(target):
            return False
        self.say(f"link {path} to {target}")
        if not self.dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(target)
        return True


def replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Write `text` to `path`, whole; mode and owner of a file that was there stay."""
    owner = None
    if path.exists():
        was = path.stat()
        owner, mode = (was.st_uid, was.st_gid), was.st_mode & 0o7777
    write_whole(path, text.encode(), mode, owner)


def check(path: Path, text: str) -> None:
    """Raises ConfigError, before anything is written, if the daemon would not start with `text`."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder, path.name)
        trial.write_text(text, "utf-8")
        for map_ in path.parent.glob("world*.toml"):
            shutil.copy(map_, folder)
        load(trial, {}, {})


def with_settings(text: str, settings: Mapping[str, Any]) -> str:
    """realmd.toml with each "section.key" set to its value, everything else as it was.

    A key that stands in a comment, as in the installed file, is set in its place.  Raises
    SetupError where the file is written in a way that this cannot change.
    """
    before = parsed(text)
    lines = text.split("\n")
    for path, value in settings.items():
        section, key = path.split(".")
        table = before.setdefault(section, {})
        if table.get(key) == value:
            continue
        table[key] = value
        set_line(lines, section, key, f"{key} = {toml(value)}")
    after = "\n".join(lines)
    try:
        same = parsed(after) == before
    except SetupError:
        same = False
    if not same:
        raise SetupError(f"realmd.toml must be changed by hand: {', '.join(settings)}")
    return after


def parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"realmd.toml is not TOML: {error}") from None


def set_line(lines: list[str], section: str, key: str, line: str) -> None:
    """Put `line` where `key` of `section` stands, else where a comment has it, else below the heading."""
    first = next((n for n, text in enumerate(lines) if text.strip() == f"[{section}]"), None)
    if first is None:
        while lines and not lines[-1]:
            lines.pop()
        lines += ["", f"[{section}]", "", line, ""]
        return
    rest = range(first + 1, len(lines))
    end = next((n for n in rest if lines[n].startswith("[")), len(lines))
    for pattern in (rf"{key}\s*=", rf"#{key}\s*="):
        for number in range(first + 1, end):
            if re.match(pattern, lines[number].lstrip()):
                lines[number] = line
                return
    lines.insert(first + 1, line)


def listed(words: Iterable[str]) -> tuple[str, ...]:
    """Addresses given apart, or several with commas between them."""
    return tuple(part.strip() for word in words for part in word.split(",") if part.strip())
