"""The running realm, asked over its own HTTP door."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from ..config import load
from ..settings import Config

#: Longest wait (s) for an answer.
PATIENCE: Final = 5.0
MOST_BYTES: Final = 16 * 1_048_576


class Unreachable(Exception):
    """Nobody answers; the text says where, why and what to do."""


def add_realm(parser: argparse.ArgumentParser) -> None:
    """The options of every subcommand that asks the running realm."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="realmd.toml to read")
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=".env of NAME=VALUE lines to read")
    parser.add_argument("--url", metavar="URL", help="address of the realm (default: as configured)")


def configured(arguments: argparse.Namespace) -> Config:
    """The configuration that `add_realm` names, with the process environment."""
    return load(arguments.config, os.environ, {}, env_file=arguments.env_file)


def address(arguments: argparse.Namespace) -> str:
    """Where the realm listens on this machine, whatever its public address is."""
    if arguments.url:
        url: str = arguments.url
        return url.rstrip("/")
    server = configured(arguments).server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(server.host, server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


class Realm:
    """The realm at `url`; every method raises `Unreachable`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def health(self) -> dict[str, Any]:
        """The report of /health, be it good or bad."""
        report: dict[str, Any] = self._json("/health")
        return report

    def status(self) -> dict[str, Any]:
        """The report of /api/status: health, and the samples of the last half hour."""
        report: dict[str, Any] = self._json("/api/status")
        return report

    def metrics(self) -> dict[str, float]:
        """Every series of /metrics by its name, summed over its labels; buckets left out."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self._get("/metrics").decode()):
            for sample in family.samples:
                if not sample.name.endswith("_bucket"):
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self._get(path))
        except ValueError:
            raise Unreachable(f"{self.url}{path} answers no JSON: is that a realm?") from None

    def _get(self, path: str) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine
        try:
            with opener.open(self.url + path, timeout=PATIENCE) as answer:
                body: bytes = answer.read(MOST_BYTES)
                return body
        except urllib.error.HTTPError as error:
            with error:
                return error.read(MOST_BYTES)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"no realm answers at {self.url}: {reason}\n"
                "Is it running?  systemctl status realm-server; realmctl logs; realmctl doctor"
            ) from None
