"""A real Prometheus scrapes a real realm: the rules load, and every query of the dashboard is answered."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..relay.scene import LocalRelay
from .daemon import Daemon, Output, poll

pytestmark = pytest.mark.needs("prometheus")
ETC = Path(__file__).resolve().parents[2] / "etc"
CONFIGURATION = """
global: {{scrape_interval: 250ms, scrape_timeout: 200ms, evaluation_interval: 250ms}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: realm-server
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """A Prometheus of the system's, on a port that was free a moment before."""

    def __init__(self, folder: Path, realm_port: int) -> None:
        program = shutil.which("prometheus")
        assert program
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        rules = ETC / "prometheus/realm-server.rules.yml"
        file = folder / "prometheus.yml"
        file.write_text(CONFIGURATION.format(rules=rules, port=realm_port))
        self.process = subprocess.Popen(
            [
                program,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log = Output(self.process.stdout)
        self.log.wait("Server is ready to receive web requests")

    def ask(self, path: str, **params: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(params)}", timeout=10) as got:
            return json.loads(got.read())["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples that it has for the expression now."""
        result: list[dict[str, Any]] = self.ask("/api/v1/query", query=expression)["result"]
        return result

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.log.end()


def queries(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Title and expression of every target, as Grafana fills it in."""
    for panel in panels:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
            yield panel["title"], expression
        yield from queries(panel.get("panels", []))


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Prometheus]]:
    """A realm in which a little happened, and a Prometheus that has seen it."""
    tmp_path = tmp_path_factory.mktemp("prometheus")
    now = 1000 * int(time.time())
    attempt = {"time": now, "ok": True}
    backups = tmp_path / "state" / "backups"
    backups.mkdir(parents=True)
    (backups / "backup-status.json").write_text(
        json.dumps({"backups": {"full": attempt}, "backupsOk": {"full": attempt}, "verifyOk": attempt})
    )
    relay = LocalRelay()
    settings = {"REALMD_SERVER_PING_INTERVAL_S": "0.1", "REALMD_ROOM_RELAYS": relay.url}
    daemon = Daemon(tmp_path, settings=settings).ready()
    assert daemon.ask("register", agentId="ann")["ok"]
    prometheus = Prometheus(tmp_path, daemon.port)
    try:
        with daemon.websocket() as client:
            client.send(type="nonsense")
            for _ in range(30):
                client.receive()  # pongs go out meanwhile
            poll(lambda: prometheus.query("changes(realmd_tick_seconds_count[10s]) > 3"), "a few scrapes")
            yield daemon, prometheus
    finally:
        prometheus.end()
        daemon.kill()
        relay.kill()
    assert daemon.faults() == []


def test_the_dashboard_shows_what_a_real_realm_says(scraped: tuple[Daemon, Prometheus]) -> None:
    """Every panel of etc/grafana/realm-server.json gets data from a realm that Prometheus scrapes."""
    _, prometheus = scraped
    dashboard = json.loads((ETC / "grafana/realm-server.json").read_text("utf-8"))
    asked = list(queries(dashboard["panels"]))
    assert len(asked) > 40
    assert [expression for _, expression in asked if expression.startswith("realmd_relay_connected")]
    empty = {f"{title}: {expression}" for title, expression in asked if not prometheus.query(expression)}
    assert empty == set()
    [variable] = [v for v in dashboard["templating"]["list"] if v["type"] == "query"]
    name = re.search(r"label_values\((\w+), instance\)", variable["query"])
    assert name is not None
    assert prometheus.query(name[1])


def test_the_rules_are_evaluated_on_a_real_realm(scraped: tuple[Daemon, Prometheus]) -> None:
    """Prometheus takes the rules that are shipped, finds what they ask for, and no alert is up."""
    _, prometheus = scraped
    poll(
        lambda: all(rule["health"] == "ok" for rule in prometheus.ask("/api/v1/rules")["groups"][0]["rules"]),
        "every rule evaluated",
    )
    [group] = prometheus.ask("/api/v1/rules")["groups"]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    for rule in group["rules"]:
        # Each metric that it asks for is there.
        names = set(re.findall(r"\b(?:realmd_\w+|up)\b", rule["query"]))
        assert names, rule["query"]
        assert [name for name in names if not prometheus.query(name)] == [], rule["query"]
    assert [rule["name"] for rule in group["rules"] if rule["state"] == "firing"] == []


def test_prometheus_sees_that_the_realm_is_gone(scraped: tuple[Daemon, Prometheus]) -> None:
    """RealmDown is on its way as soon as the realm does not answer any more (which ends this module's)."""
    daemon, prometheus = scraped
    daemon.kill()
    poll(lambda: prometheus.query('up{job="realm-server"} == 0'), "the realm down")
