"""realmctl beside a running realm, typed as an operator types it."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import trustme

from .conftest import Start
from .daemon import SOON, Daemon, environment, run

REALMCTL = (sys.executable, "-m", "realmd.ctl")


def of(daemon: Daemon) -> dict[str, str]:
    """The settings that lead realmctl to it."""
    return {
        "STATE_DIRECTORY": str(daemon.state), "REALMD_SERVER_PORT": str(daemon.port),
        "REALMD_SERVER_MAX_CONNECTIONS": "100",
    }  # fmt: skip


def test_status_tells_at_a_glance_and_by_its_exit_code(start: Start, tmp_path: Path) -> None:
    """0 and a screen while the realm is well; 3 and what to do when nobody answers."""
    daemon = start().ready()
    assert daemon.ask("register", agentId="ann")["ok"]
    done = run(tmp_path, "status", settings=of(daemon), program=REALMCTL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 50 seats taken" in done.stdout
    told = json.loads(run(tmp_path, "status", "--json", settings=of(daemon), program=REALMCTL).stdout)
    assert (told["health"]["status"], told["metrics"]["realmd_seats_taken"]) == ("ok", 1)
    daemon.kill()
    done = run(tmp_path, "status", settings=of(daemon), program=REALMCTL)
    assert (done.returncode, done.stdout) == (3, "")
    assert "systemctl status realm-server" in done.stderr


def test_a_realm_with_tls_of_its_own_is_asked_over_tls(start: Start, tmp_path: Path) -> None:
    """`status`, `top` and `doctor` find it well, though nobody on this machine trusts its certificate."""
    made = trustme.CA().issue_cert("realm.example.org")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.cert_chain_pems[0].bytes())
    key.touch(0o600)
    key.write_bytes(made.private_key_pem.bytes())
    tls = {"REALMD_SERVER_TLS_CERTIFICATE": str(certificate), "REALMD_SERVER_TLS_KEY": str(key)}
    daemon = start(wait=False, settings=tls)
    daemon.port = int(daemon.log.wait(r"look at it: https://127\.0\.0\.1:(\d+)/")[1])
    done = run(tmp_path, "status", settings=of(daemon) | tls, program=REALMCTL)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"at https://127.0.0.1:{daemon.port}, up" in done.stdout
    for words in (("top", "--once"), ("doctor", "--offline")):
        done = run(tmp_path, *words, settings=of(daemon) | tls, program=REALMCTL)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_realm_that_runs_here_is_the_one_that_is_meant(start: Start, tmp_path: Path) -> None:
    """Started on another port than configured, it is found by the socket in its state folder."""
    daemon = start().ready()
    given = {"STATE_DIRECTORY": str(daemon.state)}  # and the port that is configured is 18800
    for words in (("status",), ("top", "--once"), ("doctor", "--offline"), ("config",)):
        done = run(tmp_path, *words, settings=given, program=REALMCTL)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert f"http://127.0.0.1:{daemon.port}" in done.stdout
    done = run(tmp_path, "ban", "10.0.0.0/3", settings=given, program=REALMCTL)
    assert (done.returncode, done.stdout) == (2, "")
    assert "10.0.0.0/3 is no address or network" in done.stderr or "too wide" in done.stderr


def test_output_that_nobody_takes(start: Start, tmp_path: Path) -> None:
    """A reader that went away is no fault worth a word; a full disk is told in a line."""
    given = environment(tmp_path, of(start().ready()))
    unread, pipe = os.pipe()
    os.close(unread)
    full = os.open("/dev/full", os.O_WRONLY)
    for words, output, expected in (
        ("status", pipe, (141, "")), ("--help", pipe, (141, "")), ("config", pipe, (141, "")),
        ("status", full, (1, "realmctl: No space left on device\n")),
    ):  # fmt: skip
        done = subprocess.run(
            [*REALMCTL, words], cwd=tmp_path, env=given, stdout=output, stderr=subprocess.PIPE, text=True,
            timeout=SOON, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == expected, words
    os.close(pipe)
    os.close(full)


def test_the_operator_has_waited_long_enough(tmp_path: Path) -> None:
    """Ctrl-C while nothing comes, and Ctrl-D at a question, end it with the code of an interrupt."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        hung.settimeout(SOON)
        url = f"http://127.0.0.1:{hung.getsockname()[1]}"
        process = subprocess.Popen(
            [*REALMCTL, "status", "--url", url], env=environment(tmp_path), stderr=subprocess.PIPE
        )
        asked, _ = hung.accept()
        with asked:
            asked.recv(1024)
            process.send_signal(signal.SIGINT)
            assert (process.communicate(timeout=SOON)[1], process.returncode) == (b"\n", 130)
    ours, theirs = pty.openpty()
    os.write(ours, b"\x04")
    done = subprocess.run(
        [*REALMCTL, "setup", "--root", str(tmp_path)], env=environment(tmp_path), stdin=theirs, stdout=theirs,
        stderr=subprocess.PIPE, timeout=SOON, check=False,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, b"Traceback" in done.stderr) == (130, False)


def test_status_and_who_count_alike(start: Start, tmp_path: Path) -> None:
    """`status` says that it counts the connection by which it asks; `who`, which needs none, has one less."""
    daemon = start().ready()
    with daemon.websocket():
        asked = {
            word: run(tmp_path, word, settings=of(daemon), program=REALMCTL).stdout
            for word in ("status", "who")
        }
    assert "connections  1 WebSockets (expected: 75 at most), 2 in all, this one too" in asked["status"]
    assert "known; 1 WebSockets, 1 connections in all; 0 sanctions" in asked["who"]


def test_top_is_live_and_leaves_the_terminal_as_it_was(start: Start, tmp_path: Path) -> None:
    """It draws on a screen of its own until q is pressed, and then gives the old one back."""
    daemon = start().ready()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*REALMCTL, "top"], cwd=tmp_path, env=environment(tmp_path, of(daemon) | {"COLUMNS": "80"}),
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + SOON
    while b"loop late" not in shown and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.5)[0]:
            shown += os.read(ours, 4096)
    os.write(ours, b"q")
    assert process.wait(SOON) == 0
    while select.select([ours], [], [], 0)[0]:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # nobody holds the other end
            break
    os.close(ours)
    assert b"q quits" in shown
    assert shown.index(b"\x1b[?1049h") < shown.index(b"q quits") < shown.index(b"\x1b[?1049l")


def test_doctor_says_what_to_type(start: Start, tmp_path: Path) -> None:
    """All is well with a new realm; with a key that others can read it ends with 1 and says what mends it."""
    daemon = start().ready()
    done = run(tmp_path, "doctor", "--json", settings=of(daemon), program=REALMCTL)
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == (0, True), told
    assert {"open files", "sysctl", "clock", "disk", "realm", "state folder", "key", "backup"} <= {
        finding["what"] for finding in told["findings"]
    }
    key = daemon.state / "token-keys"
    key.chmod(0o644)
    done = run(tmp_path, "doctor", settings=of(daemon), program=REALMCTL)
    assert done.returncode == 1
    assert f"{' ' * 16}chmod 600 {key}" in done.stdout.splitlines()
    key.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_alert_test_says_what_happened_to_each(tmp_path: Path) -> None:
    """Each configured way is tried, one that fails is named with its cause, and the exit code says so."""
    program = tmp_path / "sendmail"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/mail\n")
    program.chmod(0o755)
    mail = {"REALMD_ALERTS_EMAIL": "o@example.org", "REALMD_ALERTS_SENDMAIL": str(program)}
    done = run(tmp_path, "alert", "test", settings=mail, program=REALMCTL)
    assert (done.returncode, done.stdout) == (0, "email: sent\n")
    assert done.stderr.startswith("No realm runs here")
    assert "nothing is wrong" in (tmp_path / "mail").read_text()
    hook = mail | {"REALMD_ALERTS_WEBHOOK": "http://127.0.0.1:1/"}
    done = run(tmp_path, "alert", "test", settings=hook, program=REALMCTL)
    assert (done.returncode, done.stdout) == (1, "webhook: NOT sent: ECONNREFUSED\nemail: sent\n")
    done = run(tmp_path, "alert", "test", program=REALMCTL)
    assert done.returncode == 1
    assert "Nobody is told" in done.stdout


def test_logs_without_systemd_says_where_they_are(tmp_path: Path) -> None:
    """Where there is no journal, the operator is told how to keep and read the log."""
    done = run(tmp_path, "logs", settings={"PATH": str(tmp_path)}, program=REALMCTL)
    assert done.returncode == 1
    assert "standard error" in done.stderr


def test_running_out_of_memory_is_logged_and_survived(start: Start) -> None:
    """`out of memory` is in the log when an allocation fails; the request gets 500 and the realm goes on."""
    daemon = start(settings={"REALMD_SERVER_BODY_BYTES": "16777216"}).ready()
    daemon.expected_failures = "out of memory"
    assert daemon.ask("register", agentId="ann")["ok"]
    limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_AS)
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    taken = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmSize:"))
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (taken + 8 * 1_048_576, limits[1]))
    with daemon.http() as http:
        got, _ = http._request("POST", "/ipc", b'{"command":"' + b"x" * 15_000_000 + b'"}')
    assert got == 500
    daemon.log.wait("out of memory: request failed path=/ipc")
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, limits)
    assert daemon.say("ann", "still here")["ok"]
