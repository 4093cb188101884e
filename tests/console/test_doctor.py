"""`realmctl doctor`: each thing that may be wrong is found, and what to type is said."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from realmd.backup import record
from realmd.backup.manifest import listed
from realmd.backup.record import Attempt
from realmd.console import machine, reach, upkeep
from realmd.console.client import Realm
from realmd.console.finding import Finding
from realmd.console.look import colourful, plainly
from tests.realm import config

NOW = 1_700_000_000


def found(findings: list[Finding], what: str) -> list[tuple[str, str]]:
    return [(finding.state, finding.do) for finding in findings if finding.what == what]


def test_too_few_file_descriptors(tmp_path: Path) -> None:
    """The limit that counts is that of the running realm; the line to put into its unit is shown."""
    given = config(tmp_path, server={"port": 0, "max_connections": 2000})
    given.storage.state.mkdir()
    Path(f"{given.storage.database}.lock").write_text("4711\n")
    (tmp_path / "proc/4711").mkdir(parents=True)
    limits = tmp_path / "proc/4711/limits"
    limits.write_text("Limit   Soft Limit   Hard Limit   Units\nMax open files   1024   1024   files\n")
    finding = machine.files(given, tmp_path / "proc")
    assert (finding.state, finding.do) == (
        "wrong", "systemctl edit realm-server: [Service] LimitNOFILE=65536",
    )  # fmt: skip
    assert "of process 4711 1024" in finding.text
    limits.write_text("Max open files   65536   65536   files\n")
    assert machine.files(given, tmp_path / "proc").state == "ok"


def test_queues_of_the_kernel_that_are_too_short(tmp_path: Path) -> None:
    """A kernel with old defaults would drop bursts of clients."""
    core = tmp_path / "sys/net/core"
    core.mkdir(parents=True)
    (core / "somaxconn").write_text("128\n")
    first, unread = machine.sysctls(tmp_path)
    assert (first.state, unread.state) == ("warning", "ok")
    assert "net.core.somaxconn = 4096" in first.do


def test_an_nginx_that_passes_on_too_few(tmp_path: Path) -> None:
    """Debian's default ends at 384 clients, each being two connections; asked only if the site is on."""
    given = config(tmp_path, server={"port": 0, "max_connections": 2000})
    enabled = tmp_path / "etc/nginx/sites-enabled/realm-server"
    enabled.parent.mkdir(parents=True)
    file = tmp_path / "etc/nginx/nginx.conf"
    file.write_text("events {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n")
    assert list(machine.nginx(given, tmp_path)) == []
    enabled.symlink_to("/etc/nginx/sites-available/realm-server")
    [finding] = machine.nginx(given, tmp_path)
    assert finding.state == "warning"
    assert "768 is enough for 384 clients" in finding.text
    assert "worker_connections 4064;" in finding.do
    file.write_text("events { worker_connections 4096; } # worker_connections 1;\n")
    assert [f.state for f in machine.nginx(given, tmp_path)] == ["ok"]
    file.write_text("events {\n#\tworker_connections 4096;\n}\n")
    assert ["512" in f.text for f in machine.nginx(given, tmp_path)] == [True]


def test_what_others_can_read(tmp_path: Path) -> None:
    """An open state folder, an open key and an open configuration with a webhook in it are found."""
    given = config(tmp_path)
    assert [f.state for f in upkeep.permissions(given)] == ["warning"]  # not started yet
    state = given.storage.state
    state.mkdir(mode=0o750)
    key = state / "token-keys"
    key.touch(mode=0o600)
    assert [f.state for f in upkeep.permissions(given)] == ["ok", "ok"]
    state.chmod(0o755)
    key.chmod(0o644)
    findings = list(upkeep.permissions(given))
    assert found(findings, "state folder") == [("wrong", f"chmod o-rwx {state}")]
    assert found(findings, "key") == [("wrong", f"chmod 600 {key}")]


def test_backups_that_are_missing_old_failed_or_untried(tmp_path: Path) -> None:
    """No backup, an old one, a failed one and one that nobody tried to restore are told apart."""
    given = config(tmp_path, backup={"offsite": ("rclone",)})
    folder = given.backup.folder(given.storage.state)
    assert found(list(upkeep.backups(given, NOW)), "backup") == [("warning", "realmctl backup")]
    folder.mkdir(parents=True)
    record.note_backup(folder, "full", Attempt(1000 * (NOW - 3600), True))
    findings = list(upkeep.backups(given, NOW))
    assert [f.state for f in findings] == ["ok", "warning"]
    record.note_verify(folder, Attempt(1000 * (NOW - 60), True))
    assert [f.state for f in upkeep.backups(given, NOW)] == ["ok", "ok"]
    assert [f.state for f in upkeep.backups(given, NOW + 20 * 86_400)] == ["wrong", "warning"]
    record.note_backup(folder, "database", Attempt(1000 * NOW, False, error="disk full"))
    record.note_verify(folder, Attempt(1000 * NOW, False, error="hash differs"))
    record.note_offsite(folder, Attempt(1000 * NOW, False, error="rclone ended with 1"))
    told = "\n".join(f.lines(100, plainly) for f in upkeep.backups(given, NOW) if f.state == "wrong")
    for cause in ("database backup failed: disk full", "rclone ended with 1", "hash differs"):
        assert cause in told


def test_backups_without_keys_and_on_this_machine_alone(tmp_path: Path) -> None:
    """That a restored realm would be another one, or lost with its disk, is told before it is needed."""
    given = config(tmp_path)
    folder = given.backup.folder(given.storage.state)
    folder.mkdir(parents=True)
    record.note_backup(folder, "full", Attempt(1000 * NOW, True), ("/var/nostr-key", "/var/token-keys"))
    _, keys, elsewhere, _ = upkeep.backups(given, NOW)
    assert (keys.state, elsewhere.state) == ("warning", "warning")
    assert "nostr-key, token-keys" in keys.text
    assert "realmctl backup keygen FILE" in keys.do
    assert "[backup] offsite" in elsewhere.do
    record.note_backup(folder, "full", Attempt(1000 * NOW, True))
    cared_for = config(tmp_path, backup={"offsite": ("rclone",)})
    assert [f.state for f in upkeep.backups(cared_for, NOW)] == ["ok", "warning"]


def test_backups_that_one_may_not_look_at(tmp_path: Path) -> None:
    """Nobody is told that there is no backup who may not see whether there is one."""
    given = config(tmp_path)
    folder = given.backup.folder(given.storage.state)
    folder.mkdir(parents=True)
    record.note_backup(folder, "full", Attempt(1000 * NOW, True))
    mode = given.storage.state.stat().st_mode
    given.storage.state.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root sees everything
    try:
        [finding] = upkeep.backups(given, NOW)
        with pytest.raises(PermissionError):
            listed(folder)
    finally:
        if root:
            os.seteuid(0)
        given.storage.state.chmod(mode)
    assert (finding.state, finding.do) == ("warning", "sudo realmctl doctor")
    assert "Permission denied" in finding.text
    assert listed(folder / "none") == []


def test_a_hung_realm_is_restarted(tmp_path: Path) -> None:
    """`systemctl start` does nothing to a process that is there and does not answer."""
    given = config(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        realm = Realm(f"http://127.0.0.1:{taken.getsockname()[1]}")
    first = next(upkeep.examine(given, realm, NOW))
    assert (first.state, first.do) == ("wrong", "systemctl start realm-server")
    given.storage.state.mkdir()
    Path(f"{given.storage.database}.lock").write_text(f"{os.getpid()}\n")
    assert next(upkeep.examine(given, realm, NOW)).do == "systemctl restart realm-server"


def test_what_was_looked_at_stands_apart_from_what_was_found() -> None:
    """However long the one, a space comes before the other."""
    assert Finding("configuration", "ok", "/etc/x").lines(80, plainly) == "✓ configuration /etc/x"
    assert Finding("disk", "ok", "full").lines(80, plainly) == "✓ disk          full"
    bad = Finding("disk", "wrong", "it is full and nothing more can be written", "rm -r /tmp/*")
    assert bad.lines(40, colourful).splitlines() == [
        "\x1b[31m✗\x1b[0m disk          it is full and nothing",
        "                more can be written", "                rm -r /tmp/*",
    ]  # fmt: skip


def a_certificate(folder: Path, days: float) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For 127.0.0.1, good for so many days from now: what a server and a client need."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(
        made.public_bytes(encoding) + key.private_bytes(encoding, form, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


@contextmanager
def a_proxy(context: ssl.SSLContext, upgrade: int) -> Iterator[str]:
    """Answers GETs over TLS: 200, or `upgrade` to a WebSocket's handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            for _ in range(2):
                try:
                    plain, _ = listening.accept()
                    with context.wrap_socket(plain, server_side=True) as stream:
                        asked = stream.recv(4096)
                        status = upgrade if b"Upgrade: websocket" in asked else 200
                        stream.sendall(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://localhost:{listening.getsockname()[1]}"
    thread.join(10)


@pytest.mark.parametrize(
    ("days", "upgrade", "states"),
    [
        (60, 101, ["ok", "ok", "ok"]),
        (10, 101, ["warning", "ok", "ok"]),
        (2, 101, ["wrong", "ok", "ok"]),
        (60, 426, ["ok", "ok", "wrong"]),
    ],
)
def test_the_proxy_and_its_certificate(tmp_path: Path, days: float, upgrade: int, states: list[str]) -> None:
    """A certificate that ends soon, and a proxy that does not pass WebSockets on, are found by a visit."""
    server, client = a_certificate(tmp_path, days)
    with a_proxy(server, upgrade) as url:
        findings = list(reach.proxy(url, datetime.datetime.now().timestamp(), client))
    assert [(finding.what, finding.state) for finding in findings] == list(
        zip(("certificate", "proxy", "proxy"), states, strict=True)
    )


def test_a_certificate_nobody_trusts(tmp_path: Path) -> None:
    """What a browser would refuse is wrong here, too, with what to do."""
    server, _ = a_certificate(tmp_path, 60)
    with a_proxy(server, 101) as url:
        [finding] = reach.proxy(url, NOW)
    assert (finding.what, finding.state, finding.do) == ("certificate", "wrong", "certbot renew")


def test_nobody_there() -> None:
    """A relay and a proxy that cannot be reached are named, and the examination goes on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert reach.reachable(f"ws://127.0.0.1:{port}").state == "warning"
    [finding] = reach.proxy(f"http://127.0.0.1:{port}", NOW)
    assert finding.state == "wrong"
    assert "refused" in finding.text


def test_a_proxy_that_is_not_believed(tmp_path: Path) -> None:
    """With a public address and no trusted proxy, limits would count all clients as one."""
    behind = {"port": 0, "public_url": "https://realm.example"}
    assert reach.believed(config(tmp_path, server=behind)).state == "warning"
    trusted = config(tmp_path, server={**behind, "trusted_proxies": ("127.0.0.1",)})
    assert reach.believed(trusted).state == "ok"
