"""The installed package runs: it starts, stays, is closed in, and comes back."""

from __future__ import annotations

import re
import time

from .checks import ask, check, expect, files, kept_all, live, said, use
from .clients import TALK
from .machine import Machine


@check("apt install from the signed repository; the unit is active within 5 s of it")
def installs(m: Machine) -> str:
    use(m, "repo")
    files(m, "before")
    m.run("apt-get -qq --yes install realm-server", within=300)
    began = time.monotonic()
    m.until(
        lambda: m.ask("systemctl is-active realm-server.service").strip() == "active", "an active unit", 5
    )
    active = time.monotonic() - began
    m.until(lambda: live(m), "an answer to a health check", 5)
    took = m.run(
        "systemctl show --value -p ActiveEnterTimestampMonotonic -p InactiveExitTimestampMonotonic "
        "realm-server"
    )
    start, end = sorted(int(line) for line in took.split())
    return f"start to ready {(end - start) / 1e6:.2f} s; active {active:.2f} s after apt"


@check("nothing failed, and the journal has no error")
def clean(m: Machine) -> None:
    failed = m.run("systemctl list-units --failed --no-legend --plain 'realm-server*'")
    expect(not failed.strip(), failed)
    grave = m.run("journalctl --no-pager -o cat -p err -u 'realm-server*'")
    expect(not grave.strip(), grave)


@check("systemd-analyze security: exposure of at most 1.5")
def sandbox(m: Machine) -> str:
    scores = {}
    for unit in ("realm-server.service", "realm-server-backup.service"):
        line = m.run(f"systemd-analyze security --no-pager {unit}").strip().splitlines()[-1]
        found = re.search(r"([0-9]+\.[0-9]+)", line)
        scores[unit] = float(found[1]) if found else 10.0
    expect(scores["realm-server.service"] <= 1.5, str(scores))
    return ", ".join(f"{unit} {score}" for unit, score in scores.items())


@check("the sandbox holds: the daemon can write its state, and neither /etc, /usr nor homes")
def enforced(m: Machine) -> None:
    inside = f"nsenter -t {m.pid()} -m"  # as root: so it is the sandbox that refuses, not a file's mode
    m.run(f"{inside} touch /var/lib/realm-server/try && rm /var/lib/realm-server/try")
    for place in (
        "/etc/realm-server/try",
        "/usr/lib/realm-server/try",
        "/home/try",
        "/root/try",
        "/var/backups/try",
    ):
        refused = m.ask(f"{inside} touch {place}")
        expect(
            "Read-only file system" in refused or "Permission denied" in refused,
            f"{place} can be written: {refused}",
        )
    status = m.run(f"cat /proc/{m.pid()}/status")
    expect("NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, status)
    expect("CapBnd:\t0000000000000000" in status, status)
    expect("Uid:\t0" not in status, status)


@check("curl registers an agent, which talks to Daily, who answers")
def talks(m: Machine) -> None:
    answer = ask(m, "register", agentId="ada", name="Ada")
    expect(answer.get("ok"), str(answer))
    expect(ask(m, "world-chat", agentId="ada", text="Daily, what are you doing?").get("ok"), "no chat")

    def answered() -> bool:
        return any(e.get("agentId") == "daily" and e.get("worldType") == "chat" for e in said(m))

    m.until(answered, "an answer of Daily", 20)


@check("kill -9: back within 2 s, with the conversation")
def killed(m: Machine) -> str:
    before, old = said(m), m.pid()
    m.run(f"kill -9 {old}")
    began = time.monotonic()
    m.until(lambda: m.pid() not in (0, old) and live(m), "a new process that answers", 10)
    took = time.monotonic() - began
    expect(took < 2, f"{took:.2f} s")
    expect(before[-1] in said(m), "the conversation is gone")
    expect(ask(m, "profile", agentId="ada").get("present"), "ada is gone")
    return f"{took:.2f} s"


@check(
    "what keeps the realm from starting is outlived: it comes when that is over, and nobody types anything"
)
def outlived(m: Machine) -> str:
    # Somebody else holds its database, longer than twenty starts in a row would take.
    m.run("systemctl stop realm-server.socket realm-server.service")
    m.run("systemd-run --unit=holder flock /var/lib/realm-server/realm.sqlite.lock sleep 25")
    m.until(lambda: m.ask("systemctl is-active holder").strip() == "active", "a holder", 5)
    m.ask("systemctl start --no-block realm-server.socket realm-server.service")
    m.seen_in_journal("cannot start stage=storage: .* in use by another realmd")
    m.until(lambda: live(m), "the realm", 45)
    return f"after {m.show('NRestarts')} starts"


@check("a hung reactor: the watchdog ends it, the journal names the line, and it is back")
def hung(m: Machine) -> str:
    # The reactor reads its own memory from /proc: a FIFO there, which nobody writes, hangs it for real.
    old = m.pid()
    m.run("mkfifo /run/never")
    m.run(f"nsenter -t {old} -m mount --bind /run/never /proc/{old}/status")
    began = time.monotonic()
    m.ask("curl -s --max-time 1 http://127.0.0.1:18800/metrics")
    m.until(lambda: m.pid() not in (0, old) and live(m), "a new process after the watchdog", 40)
    took = time.monotonic() - began
    m.run("rm /run/never")
    m.seen_in_journal(r"Watchdog timeout")
    m.seen_in_journal(r"Fatal Python error: Aborted")
    line = m.seen_in_journal(r'File ".*/realmd/.*", line \d+ in ')
    expect(ask(m, "profile", agentId="ada").get("ok"), "ada is gone")
    return f"back {took:.1f} s after it hung; journal: {line.strip()}"


@check("200 of 200 requests succeed over two restarts")
def activated(m: Machine) -> str:
    process = m.begin(TALK, "200", "16", "restart")
    for pause in (3, 4):
        time.sleep(pause)
        m.run("systemctl restart realm-server.service")
    return kept_all(m, process, 60)
