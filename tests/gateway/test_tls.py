"""TLS on the daemon itself: the same doors, certificates that are replaced, handshakes that end."""

from __future__ import annotations

import json
import signal
import socket as sockets
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from cryptography import x509
from twisted.internet import reactor as _reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock

from realmd.gateway.certificates import CertificateError, Certificates
from tests.framing import CLOSE, frame, ipc, request, upgrade
from tests.process.daemon import Daemon
from tests.realm import HANGS, Running, Socket, Wire, realm_up, turn

reactor: Any = _reactor


class Authority:
    """A certificate authority of its own, and the files that it makes."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.certificate = folder / "cert.pem"
        self.key = folder / "key.pem"
        self.settings = {"tls_certificate": str(self.certificate), "tls_key": str(self.key)}
        self.issue()

    def issue(self) -> None:
        """A new certificate and key in the files."""
        made = self.ca.issue_cert("localhost", "127.0.0.1")
        self.key.write_bytes(made.private_key_pem.bytes())
        self.key.chmod(0o600)
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))

    @property
    def serial(self) -> int:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).serial_number

    def context(self) -> ssl.SSLContext:
        """What a careful client uses."""
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority, and a certificate of it."""
    return Authority(tmp_path)


async def secure(realm: Running, authority: Authority) -> Wire:
    """A connection that checks the server's certificate."""
    root = Certificate.loadPEM(authority.ca.cert_pem.bytes())
    options = optionsForClientTLS("localhost", root)
    endpoint = wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", realm.port))
    wire: Wire = await connectProtocol(endpoint, Wire()).addTimeout(HANGS, reactor)
    realm.wires.append(wire)
    return wire


@pytest_twisted.ensureDeferred
async def test_https_and_wss_serve_what_http_and_ws_do(tmp_path: Path, authority: Authority) -> None:
    """A client that checks the certificate registers, talks, watches and is told https addresses and HSTS."""
    async with realm_up(tmp_path, server={"port": 0, **authority.settings}) as realm:
        wire = await secure(realm, authority)
        wire.write(request("POST", "/ipc", ipc("register", agentId="ada")))
        answer = await wire.answer()
        assert answer.json["ipcUrl"] == f"https://127.0.0.1:{realm.port}/ipc"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        wire.write(upgrade(sec_websocket_extensions="permessage-deflate"))
        assert (await wire.answer()).status == 101
        socket = Socket(wire)
        assert (await socket.next("roomInfo"))["type"] == "roomInfo"
        for number in range(300):  # many writes, and all in order
            socket.send({"type": "room-info", "id": number})
        acks = [await socket.next("ack") for _ in range(300)]
        assert [ack["id"] for ack in acks] == list(range(300))
        socket.send({"type": "world-chat", "agentId": "ada", "text": "secret"})
        assert (await socket.event("chat"))["text"] == "secret"
        socket.frame(CLOSE, b"\x03\xe8")
        assert (await socket.closed())[0] == 1000
        plain = await realm.wire()
        plain.write(request("GET", "/health/live"))
        await plain.end()  # no TLS, no answer
        while realm.factory.open:
            await turn()
        assert [event for event in realm.log if "log_failure" in event] == []


@pytest_twisted.ensureDeferred
async def test_a_reader_that_takes_nothing_is_closed_over_tls_too(
    tmp_path: Path, authority: Authority
) -> None:
    """The outbox is bounded behind TLS as it is before it: nothing grows, and the reader is let go."""
    server = {"port": 0, "outbox_patience_s": 0.2, "handshake_timeout_s": 0.3, **authority.settings}
    async with realm_up(tmp_path, server=server, world={"commands_per_second": 10_000}) as realm:
        stalled = await secure(realm, authority)
        stalled.write(upgrade())
        assert (await stalled.answer()).status == 101
        talker = await secure(realm, authority)
        talker.write(upgrade())
        assert (await talker.answer()).status == 101
        speaker = Socket(talker)
        await speaker.ask("register", agentId="ada")
        line: Any = stalled.transport
        line.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        line.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        stalled.pause()
        (ours,) = [c for c in realm.gateway.connections if not c.agents]
        ours.transport.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        while ours in realm.gateway.connections:
            assert (await speaker.ask("world-chat", agentId="ada", text="x" * 500))["ok"]
        assert realm.gateway.overflowed == 1


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_never_ends_is_cut(tmp_path: Path, authority: Authority) -> None:
    """Who connects and does not speak TLS, or not to its end, is hung up on in time and counted meanwhile."""
    server = {"port": 0, "handshake_timeout_s": 0.3, "max_connections": 4, **authority.settings}
    async with realm_up(tmp_path, server=server) as realm:
        hello = ssl.MemoryBIO()
        client = authority.context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        greeting = hello.read()
        silent, half, begun = await realm.wire(), await realm.wire(), await realm.wire()
        half.write(greeting[:50])
        begun.write(greeting)
        while realm.factory.open < 3:
            await turn()
        await silent.end()
        await half.end()
        await begun.end()
        assert realm.factory.open == 0
        assert realm.factory.losses.timeouts == 3


@pytest_twisted.ensureDeferred
async def test_who_is_turned_away_costs_no_handshake(tmp_path: Path, authority: Authority) -> None:
    """A full house closes at once; it neither negotiates keys nor waits for those who do not."""
    server = {"port": 0, "max_connections": 2, **authority.settings}
    async with realm_up(tmp_path, server=server) as realm:
        held = []
        for _ in range(2):
            wire = await secure(realm, authority)
            wire.write(upgrade())
            assert (await wire.answer()).status == 101
            held.append(wire)
        over = await realm.wire()
        assert await over.end() == b""
        assert realm.factory.crowd.refused["total"] == 1


@pytest_twisted.ensureDeferred
async def test_the_proxy_header_goes_before_tls(tmp_path: Path, authority: Authority) -> None:
    """A proxy that passes TLS on unopened says first who the client is."""
    more = {"proxy_protocol": True, "trusted_proxies": ("127.0.0.1",)}
    async with realm_up(tmp_path, server={"port": 0, **more, **authority.settings}) as realm:
        wire = await realm.wire()
        context = authority.context()
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(into, out, server_hostname="localhost")
        wire.write(b"PROXY TCP4 198.51.100.7 127.0.0.1 5678 443\r\n")

        async def exchange(step: Any) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    if sent := out.read():
                        wire.write(sent)
                    await wire.until(lambda: bool(wire.buffer))
                    into.write(wire.buffer)
                    wire.buffer = b""

        await exchange(tls.do_handshake)
        tls.write(upgrade())
        assert (await exchange(lambda: tls.read(12))) == b"HTTP/1.1 101"
        while not realm.gateway.connections:
            await turn()
        (connection,) = realm.gateway.connections
        assert (connection.client.address, connection.client.local) == ("198.51.100.7", False)


def test_a_certificate_is_replaced_when_it_changes_and_kept_when_the_new_one_is_broken(
    authority: Authority,
) -> None:
    """New files are seen within a minute; what cannot be used changes nothing, whatever is wrong with it."""
    store = Certificates(authority.certificate, authority.key, Clock())
    context = store._context
    store.look()
    assert store._context is context
    authority.issue()
    store.look()
    assert (store._context is context, store.reloads) == (False, 1)
    context = store._context
    good = authority.certificate.read_bytes(), authority.key.read_bytes()
    other = trustme.CA().issue_cert("localhost").private_key_pem.bytes()
    for number, (certificate, key, mode) in enumerate((
        (b"", good[1], 0o600), (b"no PEM", good[1], 0o600), (good[0], b"no PEM", 0o600),
        (good[0], b"", 0o600), (good[0], other, 0o600), (good[0], good[1], 0o644), (None, good[1], 0o600),
    ), 1):  # fmt: skip
        authority.certificate.unlink(missing_ok=True)
        if certificate is not None:
            authority.certificate.write_bytes(certificate)
        authority.key.write_bytes(key)
        authority.key.chmod(mode)
        store.look()
        assert (store.failures, store._context is context) == (number, True)
        store.look()  # said once, not each minute
        assert store.failures == number
    authority.issue()
    store.look()
    assert store.reloads == 2
    authority.key.chmod(0o644)
    with pytest.raises(CertificateError, match=r"key\.pem: mode 0644"):
        Certificates(authority.certificate, authority.key, Clock())


# -- a real daemon, and a client that shares no code with it ----------------------------


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Start a daemon; it is gone after the test."""
    started: list[Daemon] = []

    def start(authority: Authority) -> Daemon:
        settings = {f"REALMD_SERVER_{name.upper()}": value for name, value in authority.settings.items()}
        started.append(Daemon(tmp_path, settings=settings))
        return started[-1]

    yield start
    for daemon in started:
        daemon.kill()
        assert daemon.faults() == []


def connect(port: int, authority: Authority) -> ssl.SSLSocket:
    raw = sockets.create_connection(("127.0.0.1", port), 15)
    return authority.context().wrap_socket(raw, server_hostname="localhost")


def serial(connection: ssl.SSLSocket) -> int:
    shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def live(connection: ssl.SSLSocket) -> bool:
    connection.sendall(request("GET", "/health/live"))
    return b'{"status":"alive"}' in connection.recv(4096)


def test_sighup_gives_new_connections_the_new_certificate(authority: Authority, start: Any) -> None:
    """A renewed certificate needs no restart: old connections live on, and a broken one is not taken."""
    daemon = start(authority)
    port = int(daemon.log.wait(r"look at it: https://127\.0\.0\.1:(\d+)/")[1])
    with connect(port, authority) as old, connect(port, authority) as watching:
        assert (serial(old), old.version()) == (authority.serial, "TLSv1.3")
        watching.sendall(upgrade())
        assert watching.recv(12) == b"HTTP/1.1 101"
        authority.issue()
        daemon.send(signal.SIGHUP)
        daemon.log.wait(r"certificate replaced file=\S+ days_left=\d+")
        with connect(port, authority) as new:
            assert serial(new) == authority.serial != serial(old)
            assert live(new)
        assert live(old)
        authority.certificate.write_text("broken")
        daemon.send(signal.SIGHUP)
        daemon.log.wait(r"certificate not replaced, the old one stays: .*cert\.pem")
        with connect(port, authority) as new:
            assert live(new)
        watching.sendall(frame(1, json.dumps({"type": "describe", "id": "on"}).encode()))
        seen = b""
        while b'"on"' not in seen:
            seen += watching.recv(65536)
    old_fashioned = authority.context()
    with pytest.deprecated_call():
        old_fashioned.minimum_version = ssl.TLSVersion.TLSv1
        old_fashioned.maximum_version = ssl.TLSVersion.TLSv1_1
    old_fashioned.set_ciphers("DEFAULT@SECLEVEL=0")
    with sockets.create_connection(("127.0.0.1", port), 15) as raw, pytest.raises((ssl.SSLError, OSError)):
        old_fashioned.wrap_socket(raw, server_hostname="localhost")
    assert daemon.stop() == 0


def test_a_key_that_others_may_read_is_refused_at_start(authority: Authority, start: Any) -> None:
    """The daemon does not begin with an exposed key, and says in one line which file and what to do."""
    authority.key.chmod(0o640)
    daemon = start(authority)
    assert daemon.wait() == 2
    assert len(daemon.log.find(r"key\.pem: mode 0640 lets others at this secret")) == 1
    assert daemon.log.find("Traceback") == []
