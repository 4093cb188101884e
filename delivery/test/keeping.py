"""What the realm keeps: backups, upgrades, another machine, and what is left at the end."""

from __future__ import annotations

import json
import re

from .checks import DATABASE, ask, check, digest, expect, files, kept_all, live, said, schema_of, use
from .clients import TALK
from .machine import Machine
from .written import type_page

APT = "apt-get -qq --yes -o Dpkg::Options::=--force-confold"


def known(m: Machine) -> bool:
    """Whether the realm takes the token that it once gave to ada."""
    body = '{"command":"login","args":{"agentId":"ada"}}'
    answer = m.run(
        "curl -sS --max-time 10 http://127.0.0.1:18800/ipc -d @- "
        '-H "Authorization: Bearer $(cat /srv/scratch/token)"',
        input=body,
    )
    return '"ok":true' in answer


@check("keys are sealed to the operator's public key, whose secret half leaves the machine")
def sealed(m: Machine) -> None:
    line = m.run("realmctl backup keygen /root/realm-backup.key").strip().splitlines()[-1]
    m.run("mv /root/realm-backup.key /srv/scratch")
    toml = "/etc/realm-server/realmd.toml"
    m.run(f"sed -i 's|^#public_key = .*|{line}|' {toml} && grep -qFx '{line}' {toml}")
    m.run("systemctl restart realm-server.service")
    (m.scratch / "token").write_text(m.run("realmctl token ada").strip())
    expect(known(m), "ada's token is not known where it was given")


@check("timers, told to come soon, run a backup, its check, and the database's")
def backed_up(m: Machine) -> str:
    timers = m.run("systemctl list-timers --no-pager --all 'realm-server*'")
    for name in ("backup", "backup-database", "check"):
        expect(f"realm-server-{name}.timer" in timers, timers)
        due(m, f"realm-server-{name}")
    listed = m.run("realmctl backup list")
    expect("full" in listed and "database" in listed, listed)
    expect(m.run("ls /var/backups/realm-server").strip(), "no files")
    return m.seen_in_journal("backup verified", unit="realm-server-check.service").strip()


def due(m: Machine, name: str) -> None:
    """Wait until the timer, whose next time is near, has run its service to a good end."""
    soon = f"/run/systemd/system/{name}.timer.d"
    lines = "[Timer]", "OnCalendar=", "OnCalendar=*:*:0/5", "RandomizedDelaySec=0", "AccuracySec=1s", ""
    again = f"systemctl daemon-reload && systemctl restart {name}.timer"

    def ended() -> str:
        return m.show("ExecMainExitTimestampMonotonic", f"{name}.service")

    before = ended()
    m.run(f"mkdir {soon} && cat > {soon}/soon.conf", input="\n".join(lines))
    m.run(again)
    m.until(lambda: ended() not in ("0", before), f"{name} at its end")
    expect(m.show("Result", f"{name}.service") == "success", m.journal(f"{name}.service"))
    expect(m.show("LastTriggerUSec", f"{name}.timer"), "it was not the timer")
    m.run(f"rm -r {soon} && {again}")


@check("realmctl doctor finds nothing wrong, and status tells of the realm")
def well(m: Machine) -> None:
    told = m.ask("realmctl status")  # ends with 1 if anything is degraded, as a mind on a busy machine may be
    expect("seats taken" in told and "storage" in told, told)
    found = json.loads(m.ask("realmctl doctor --offline --json"))
    wrong = [finding for finding in found["findings"] if finding["state"] == "wrong"]
    expect(not wrong, json.dumps(wrong))


@check("a changed configuration is backed up")
def path_unit(m: Machine) -> None:
    m.run("printf '\\n# a note\\n' >> /etc/realm-server/realmd.toml")
    m.until(lambda: "configuration" in m.ask("realmctl backup list"), "a backup of the configuration", 20)


@check("man pages and the documents as HTML are there, and every command completes")
def documented(m: Machine) -> None:
    for page in (
        "man8/realm-server.8.gz",
        "man1/realmctl.1.gz",
        "man5/realmd.toml.5.gz",
        "man8/realm-setup.8.gz",
    ):
        m.run(f"test -s /usr/share/man/{page}")
    m.run("test -s /usr/share/doc/realm-server/html/index.html")
    helped = m.run("realmctl --help")
    known = set(re.findall(r"^  ([a-z-]+) ", helped, re.MULTILINE))
    completed = set(
        m.run(
            "bash -c '. /usr/share/bash-completion/completions/realmctl; "
            'COMP_WORDS=(realmctl ""); COMP_CWORD=1; _realmctl; echo ${COMPREPLY[*]}\''
        ).split()
    )
    expect(known and known <= completed, f"{known - completed}")


@check("upgrade and downgrade under load: nothing acknowledged is lost, nothing refused, my edits stay")
def upgraded(m: Machine) -> str:
    was = m.run("sha256sum /etc/realm-server/realmd.toml")
    version, schema = m.run("dpkg-query -Wf '${Version}' realm-server"), schema_of(m)
    use(m, "next")
    process = m.begin(TALK, "190", "8", "upgrade")
    m.run(f"{APT} install realm-server", within=120)
    newer = m.run("dpkg-query -Wf '${Version}' realm-server")
    expect(newer != version, "it was not upgraded")
    m.seen_in_journal(f"store upgraded: version={schema + 1}")
    m.run(f"test -s {DATABASE}.before-{schema + 1:04}")
    use(m, "repo")
    m.run(f"{APT} --allow-downgrades install realm-server={version}", within=120)
    kept = kept_all(m, process, 90)
    expect(m.run("sha256sum /etc/realm-server/realmd.toml") == was, "realmd.toml was overwritten")
    m.until(
        lambda: m.ask("systemctl is-active realm-server.service").strip() == "active", "an active unit", 5
    )
    expect(schema_of(m) == schema + 1, "the schema went back")
    return f"{version} to {newer} and back, schema {schema} to {schema + 1}, {kept}"


@check("a downgrade that the schema does not bear is refused, and the way back that it names works")
def refused(m: Machine) -> str:
    version = m.run("dpkg-query -Wf '${Version}' realm-server")
    before = ask(m, "world-chat", agentId="ada", text="before the upgrade")
    use(m, "later")
    m.run(f"{APT} install realm-server", within=120)
    m.until(lambda: live(m), "the later version", 10)
    after = ask(m, "world-chat", agentId="ada", text="after it")
    expect(before.get("ok") and after.get("ok"), f"{before} {after}")
    use(m, "repo")
    m.run(f"{APT} --allow-downgrades install realm-server={version}", within=120)
    line = m.seen_in_journal("cannot start stage=storage: .* newer realmd .* realmctl rollback")
    m.until(lambda: m.show("ActiveState") == "failed", "an end of the trying", 10)
    type_page(m, "An upgrade went wrong", **{"realm-server": version})
    again = ask(m, "world-chat", agentId="ada", text="again")
    seqs = [event["seq"] for event in said(m)]
    expect(before["seq"] in seqs and after["seq"] not in seqs, f"{before} {after} {seqs}")
    expect(again["seq"] not in (*seqs[:-1], after["seq"]), f"a number was given twice: {after} {again}")
    return line[line.index("was written") :].strip()


@check("autopkgtest: the test of the package's own source")
def own_test(m: Machine) -> None:
    m.run("mkdir /tmp/own && cp -r /srv/source/debian /tmp/own/")
    m.run("autopkgtest --no-built-binaries /tmp/own/ -- null", within=180)


@check("the backup restores the same realm, its keys too, on another machine")
def restored(m: Machine) -> str:
    m.run(
        "systemctl stop realm-server.socket realm-server.service && "
        "systemctl start realm-server-backup.service"
    )
    newest = m.run("ls -t /var/backups/realm-server/*full* | head -1").strip()
    m.run(f"cp {newest} /srv/scratch/realm.backup && chmod 644 /srv/scratch/realm.backup")
    here = digest(m)
    m.run("systemctl start realm-server.socket realm-server.service")
    with Machine(m.tree, m.scratch, **m.shared) as other:
        use(other, "repo")
        other.run("apt-get -qq --yes install realm-server", within=300)
        other.until(lambda: live(other), "the empty realm", 10)
        expect(not known(other), "another machine knows ada's token")
        other.run("systemctl stop realm-server.socket realm-server.service")
        other.run("realmctl restore /srv/scratch/realm.backup --force --key /srv/scratch/realm-backup.key")
        there = digest(other)
        expect(there == here, f"{here} here, {there} there")
        other.run("systemctl start realm-server.socket realm-server.service")
        other.until(lambda: live(other), "the restored realm", 10)
        expect(known(other), "ada's token is not known to the restored realm")
    return here


@check("remove keeps the realm, and installing again finds it")
def removed(m: Machine) -> None:
    m.run("apt-get -qq --yes remove realm-server")
    expect(not live(m), "it still runs")
    m.run("nginx -t -q")  # whose other sites must go on
    m.run("test -s /var/lib/realm-server/realm.sqlite && test -s /etc/realm-server/realmd.toml")
    m.run("apt-get -qq --yes install realm-server")
    m.until(lambda: live(m), "the realm", 10)
    expect(ask(m, "profile", agentId="ada").get("ok"), "ada is gone")


@check("purge leaves nothing")
def purged(m: Machine) -> None:
    m.run("apt-get -qq --yes purge realm-server")
    expect(not live(m), "it still runs")
    files(m, "after")
    left = [
        path
        for path in m.run("comm -13 /srv/scratch/before /srv/scratch/after").splitlines()
        if "realm" in path
        and path != "/etc/apt/sources.list.d/realm-server.sources"
        and not re.match(r"/var/(lib/(apt|dpkg|systemd)|cache|log)/|/etc/ssl/realm\.|/tmp/", path)
    ]
    expect(not left, "\n".join(left))
    rules = m.run("ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules")
    expect("Realm" not in rules and "443" not in rules, rules)
    expect(not m.ask("systemctl list-units --no-legend --all 'realm-server*'").strip(), "units are left")
