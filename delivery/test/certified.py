"""Certificates: certbot as the operator types it, and an ACME server, Debian's pebble, beside the realm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from .checks import DOMAIN, check, expect, live
from .machine import Machine

SETUP = f"realm-setup --domain {DOMAIN} --email a@{DOMAIN} --nginx"
LIVE = f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem"
PEBBLE = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": "/srv/scratch/acme.pem",
    "privateKey": "/srv/scratch/acme.key",
    "httpPort": 80,
}
#: What certbot would ask at a terminal, and whom it asks: what is typed stays as realm-setup prints it.
ANSWERS = """\
server = https://127.0.0.1:14000/dir
no-verify-ssl = true
non-interactive = true
agree-tos = true
"""
#: Opens a WebSocket through TLS at argv[1]; after a line of input, prints the answer to a ping, and the
#: serial number of the certificate that it was opened with.
HOLD = """
import base64, os, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
plain = socket.create_connection(("127.0.0.1", 443), 10)
with context.wrap_socket(plain, server_hostname=sys.argv[1]) as line:
    line.sendall((f"GET /ws HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\nUpgrade: websocket\\r\\n"
        f"Connection: Upgrade\\r\\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\\r\\n"
        f"Sec-WebSocket-Version: 13\\r\\nOrigin: https://{sys.argv[1]}\\r\\n\\r\\n").encode())
    file = line.makefile("rb")
    print(file.readline().decode().strip(), flush=True)
    while file.readline().strip():
        pass
    sys.stdin.readline()
    line.sendall(bytes([0x89, 0x84, 0, 0, 0, 0]) + b"here")
    kind, said = 0, b""
    while kind != 0x8A:
        kind, size = file.read(2)
        if size > 125:
            size = int.from_bytes(file.read(2 if size == 126 else 8), "big")
        said = file.read(size)
    print(said.decode(), line.getpeercert()["serialNumber"])
"""


@contextmanager
def authority(m: Machine) -> Iterator[None]:
    """An ACME server that really asks for the answer to HTTP-01, and a certbot and a machine that know it."""
    m.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=acme -keyout /srv/scratch/acme.key -out /srv/scratch/acme.pem"
    )
    m.run("cat > /srv/scratch/acme.json", input=json.dumps({"pebble": PEBBLE}))
    m.run("cp /etc/hosts /srv/scratch/hosts && cp /etc/letsencrypt/cli.ini /srv/scratch/cli.ini")
    m.run(f"echo 127.0.0.1 {DOMAIN} >> /etc/hosts && cat >> /etc/letsencrypt/cli.ini", input=ANSWERS)
    # Every order is validated anew, at once, and none is refused by chance.
    m.run(
        "systemd-run --quiet --unit acme -E PEBBLE_AUTHZREUSE=0 -E PEBBLE_VA_NOSLEEP=1 "
        "-E PEBBLE_WFE_NONCEREJECT=0 pebble -config /srv/scratch/acme.json"
    )
    root = "curl -sSfk https://127.0.0.1:15000/roots/0 -o /srv/scratch/root.pem"
    try:
        m.until(lambda: not m.ask(root), "the ACME server", 10)
        yield
    finally:
        m.run("cp /srv/scratch/hosts /etc/hosts && cp /srv/scratch/cli.ini /etc/letsencrypt/cli.ini")
        m.run("systemctl stop acme")


def serial(m: Machine, certificate: str) -> str:
    """The serial number of what the command writes."""
    return m.ask(f"{certificate} 2>/dev/null | openssl x509 -noout -serial").strip().removeprefix("serial=")


def served(m: Machine) -> str:
    """The serial number of the certificate that nginx shows, if the ACME server answers for it."""
    return serial(
        m,
        f"openssl s_client -connect {DOMAIN}:443 -servername {DOMAIN} -verify_hostname {DOMAIN} "
        "-verify_return_error -CAfile /srv/scratch/root.pem </dev/null",
    )


@check("certbot as realm-setup prints it gets a certificate; nginx takes up the next one and cuts nobody off")
def certified(m: Machine) -> str:
    pair = "--certificate /etc/ssl/realm.pem --key /etc/ssl/realm.key"
    own = m.run(f"test ! -e /etc/ssl/realm.pem || echo {pair}").strip()
    m.run("systemctl start nginx")
    with authority(m):
        printed = m.run(SETUP).partition("for TLS: ")[2].partition(", then this again")[0]
        expect(printed.startswith("certbot certonly "), f"realm-setup says to type: {printed}")
        m.run(printed)
        m.run(SETUP)
        m.until(lambda: live(m), "the realm behind TLS", 10)
        first = serial(m, f"cat {LIVE}")
        expect(first and served(m) == first, f"{served(m)} is served, not {first}")
        told = json.loads(m.ask("SSL_CERT_FILE=/srv/scratch/root.pem realmctl doctor --json"))["findings"]
        front = [one for one in told if one["what"] in ("proxy", "certificate")]
        expect(len(front) == 4 and {one["state"] for one in front} == {"ok"}, json.dumps(front))
        with m.begin(HOLD, DOMAIN, str(m.scratch / "root.pem")) as held:
            expect(held.stdout and " 101 " in held.stdout.readline(), "no WebSocket")
            # What certbot.timer starts, as if the time had come.
            m.run("echo force-renewal = true >> /etc/letsencrypt/cli.ini && systemctl start certbot.service")
            second = serial(m, f"cat {LIVE}")
            expect(second != first, "not renewed")
            m.until(lambda: served(m) == second, "the renewed certificate", 10)
            said = held.communicate("\n", timeout=20)[0].strip()
        expect(said == f"here {first}", f"the WebSocket: {said}")
    m.run(f"certbot delete --non-interactive --cert-name {DOMAIN}")
    m.run(f"{SETUP} {own}")
    m.until(lambda: live(m), "the realm as it was", 10)
    return f"{first}, renewed {second}"
