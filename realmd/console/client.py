"""The running realm, asked over its own HTTP door."""

from __future__ import annotations

import argparse
import json
import os
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field
from prometheus_client.parser import text_string_to_metric_families

from ..settings import Config
from ..settings.reading import load
from .control import Away, Line, Refusal

#: Longest wait (s) for an answer.
PATIENCE: Final = 5.0
MOST_BYTES: Final = 16 * 1_048_576
#: What to do about silence, about a stranger, and about a certificate that is not the one in its file.
DOWN: Final = "Is it running?  systemctl status realm-server; realmctl logs; realmctl doctor"
STRANGER: Final = "Is that a realm?  realmctl config shows where it should listen, ss -ltnp who does"
STALE: Final = "Renew it if it has ended; then systemctl reload realm-server"
END: Final = "-----END CERTIFICATE-----"


class Unreachable(Exception):
    """No realm answers: `what` says where and why; `do` what to do, when it is not that it may be down."""

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(f"{what}\n{do or DOWN}")
        self.what = what
        self.do = do


class Checked(Struct):
    """What is shown of a check in the report of /health."""

    status: str
    reason: str = ""


class Health(Struct):
    """What is shown of the report of /health."""

    status: str
    uptime: float = 0.0
    agents: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Checked] = field(default_factory=dict)


class Status(Struct):
    """What is shown of the report of /api/status."""

    health: Health
    samples: list[dict[str, Any]] = field(default_factory=list)


def add_realm(parser: argparse.ArgumentParser) -> None:
    """The options of every subcommand that asks the running realm."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read")
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=".env of NAME=VALUE lines to read")
    parser.add_argument(
        "--url", type=_url, metavar="URL", help="address of the realm (default: of the one that runs here)"
    )


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is no address like http://127.0.0.1:18800")
    return text


def configured(arguments: argparse.Namespace) -> Config:
    """The configuration that `add_realm` names, with the process environment."""
    return load(arguments.config, os.environ, {}, env_file=arguments.env_file)


def realm_of(arguments: argparse.Namespace) -> Realm:
    """The realm that `add_realm` names: as it listens on this machine, whatever its public address is.

    It says so itself over its control socket; where nobody may ask that, it is taken to be as configured.
    """
    if arguments.url:
        return Realm(arguments.url.rstrip("/"))
    config = configured(arguments)
    server = msgspec.structs.replace(config.server, public_url="")
    return Realm(listening_at(config) or server.url(), server.tls_certificate)


def listening_at(config: Config) -> str:
    """Where the realm of this configuration says that it listens; empty where none says so."""
    try:
        with Line(config) as line:
            return str(line.ask("status").get("address", ""))
    except (Away, Refusal):
        return ""


class Realm:
    """The realm at `url`; every method raises `Unreachable`.

    `certificate` is the file of its own certificate: that one is trusted then, and no other,
    whatever names it is for.
    """

    def __init__(self, url: str, certificate: str = "") -> None:
        self.url = url
        self._certificate = certificate

    def health(self) -> dict[str, Any]:
        """The report of /health, be it good or bad."""
        return self._report("/health", Health)

    def status(self) -> dict[str, Any]:
        """The report of /api/status: health, and the samples of the last half hour."""
        return self._report("/api/status", Status)

    def metrics(self) -> dict[str, float]:
        """Every series of /metrics by its name, summed over its labels; buckets left out."""
        found: dict[str, float] = {}
        code, body = self._get("/metrics")
        if code != 200:
            raise Unreachable(f"{self.url}/metrics answers {code}")
        try:
            for family in text_string_to_metric_families(body.decode()):
                for sample in family.samples:
                    if not sample.name.endswith("_bucket"):
                        found[sample.name] = found.get(sample.name, 0.0) + sample.value
        except (ValueError, LookupError):
            raise Unreachable(f"{self.url}/metrics answers no metrics") from None
        return found

    def _report(self, path: str, shape: type[Struct]) -> dict[str, Any]:
        """The object at `path`, which has at least what is shown of it."""
        try:
            report: dict[str, Any] = json.loads(self._get(path)[1])
            msgspec.convert(report, shape)
        except ValueError:
            raise Unreachable(f"{self.url}{path} answers, but not as a realm does", STRANGER) from None
        return report

    def _get(self, path: str) -> tuple[int, bytes]:
        """Status and body of the answer."""
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),  # it is on this machine
            urllib.request.HTTPSHandler(context=self._trust()),
        )
        try:
            try:
                answer = opener.open(self.url + path, timeout=PATIENCE)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                return answer.status, answer.read(MOST_BYTES)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            stale = self._certificate and isinstance(reason, ssl.SSLCertVerificationError)
            raise Unreachable(f"no realm answers at {self.url}: {reason}", STALE if stale else "") from None
        except HTTPException:
            raise Unreachable(f"{self.url} answers, but not in HTTP", STRANGER) from None

    def _trust(self) -> ssl.SSLContext | None:
        """What its certificate is held against; None: what this machine trusts."""
        if not self._certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        file = Path(self._certificate).expanduser()
        try:
            # What signed it stands after it, and signed others, too.
            own, end, _ = file.read_text("ascii", "ignore").partition(END)
            context.load_verify_locations(cadata=own + end)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise Unreachable(
                f"the realm's certificate {file} cannot be read: {why}",
                "Be root or the realm's user, or name the realm by --url",
            ) from None
        return context
