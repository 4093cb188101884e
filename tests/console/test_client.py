"""realmctl asks the realm, and only the realm: strangers and what they answer are told apart."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from realmd.console.client import Realm, Unreachable

HEALTH = b'{"status": "ok", "version": "3.0.0"}'


@contextmanager
def answering(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Whatever is asked of this port is answered so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plain, server_side=True) if context else plain as stream:
                        stream.recv(4096)
                        stream.sendall(answer)
                except OSError:
                    plain.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def http(code: int, body: bytes) -> bytes:
    return b"HTTP/1.0 %d x\r\nContent-Length: %d\r\n\r\n%b" % (code, len(body), body)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http(404, b"<html>\n<h1>404</h1>\n</html>"), "/metrics answers 404"),
        (http(200, b"<html>\n<h1>hello</h1>\n</html>"), "/metrics answers no metrics"),
        (http(200, b"\xff\xfe"), "/metrics answers no metrics"),
        (http(200, b"a{b=\n"), "/metrics answers no metrics"),
    ],
)
def test_metrics_that_are_none(answer: bytes, why: str) -> None:
    """A proxy's page in the place of the metrics is told, not parsed."""
    with answering(answer) as port, pytest.raises(Unreachable) as told:
        Realm(f"http://127.0.0.1:{port}").metrics()
    assert told.value.what == f"http://127.0.0.1:{port}{why}"


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"<html>"), http(200, b"[]"), http(200, b"{}"), http(200, b'{"status": 7}'),
        http(200, b'{"status": "ok", "checks": ["db"]}'), http(200, b'{"status": "ok", "checks": {"a": 1}}'),
        http(200, b'{"status": "ok", "uptime": "long", "health": {"status": null}}'), b"SSH-2.0-x\r\n",
    ],
)  # fmt: skip
def test_a_stranger_is_no_realm(answer: bytes) -> None:
    """Who answers in JSON, or in something else, but not as a realm does, is not taken for one."""
    with answering(answer) as port:
        for ask in (Realm(f"http://127.0.0.1:{port}").health, Realm(f"http://127.0.0.1:{port}").status):
            with pytest.raises(Unreachable, match=r"answers, but not .*\nIs that a realm\?"):
                ask()


def test_its_own_certificate_is_trusted_and_no_other(tmp_path: Path) -> None:
    """The certificate in the file is enough, whoever it names; another of the same authority is not."""
    authority = trustme.CA()
    files = []
    for name in ("own", "other"):
        made = authority.issue_cert("realm.example.org")
        files.append(tmp_path / name)
        files[-1].write_bytes(
            b"".join(pem.bytes() for pem in made.cert_chain_pems) + authority.cert_pem.bytes()
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.configure_cert(context)
    with answering(http(200, HEALTH), context) as port:
        url = f"https://127.0.0.1:{port}"
        assert Realm(url, str(files[1])).health()["status"] == "ok"
        with pytest.raises(Unreachable, match="systemctl reload realm-server"):
            Realm(url, str(files[0])).health()
        with pytest.raises(Unreachable, match=r"gone cannot be read: No such file or directory\nBe root"):
            Realm(url, str(tmp_path / "gone")).health()
