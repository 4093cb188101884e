"""What the realm keeps: backups, upgrades, another machine, and what is left at the end."""

from __future__ import annotations

import json
import re

from .checks import ask, check, digest, expect, files, kept_all, live, use
from .clients import TALK
from .machine import Machine


@check("the timers are there, and run a backup, its check, and the database's")
def backed_up(m: Machine) -> None:
    timers = m.run("systemctl list-timers --no-pager --all 'realm-server*'")
    for name in ("backup", "backup-database", "check"):
        expect(f"realm-server-{name}.timer" in timers, timers)
        # What the timer would start when its time comes.
        m.run(f"systemctl start realm-server-{name}.service", within=120)
    listed = m.run("realmctl backup list")
    expect("full" in listed and "database" in listed, listed)
    expect(m.run("ls /var/backups/realm-server").strip(), "no files")


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


@check("man pages are there and every command completes")
def documented(m: Machine) -> None:
    for page in (
        "man8/realm-server.8.gz",
        "man1/realmctl.1.gz",
        "man5/realmd.toml.5.gz",
        "man8/realm-setup.8.gz",
    ):
        m.run(f"test -s /usr/share/man/{page}")
    helped = m.run("realmctl --help")
    known = set(re.findall(r"^    ([a-z-]+) ", helped, re.MULTILINE))
    completed = set(m.run(
        "bash -c '. /usr/share/bash-completion/completions/realmctl; "
        "COMP_WORDS=(realmctl \"\"); COMP_CWORD=1; _realmctl; echo ${COMPREPLY[*]}'"
    ).split())  # fmt: skip
    expect(known and known <= completed, f"{known - completed}")


@check("upgrade and downgrade under load: nothing acknowledged is lost, nothing refused, my edits stay")
def upgraded(m: Machine) -> str:
    was = m.run("sha256sum /etc/realm-server/realmd.toml")
    version = m.run("dpkg-query -Wf '${Version}' realm-server")
    use(m, "next")
    process = m.begin(TALK, "190", "8", "upgrade")
    m.run("apt-get -qq --yes -o Dpkg::Options::=--force-confold install realm-server", within=120)
    newer = m.run("dpkg-query -Wf '${Version}' realm-server")
    expect(newer != version, "it was not upgraded")
    use(m, "repo")
    m.run(
        "apt-get -qq --yes --allow-downgrades -o Dpkg::Options::=--force-confold "
        f"install realm-server={version}"
    )
    kept = kept_all(m, process, 90)
    expect(m.run("sha256sum /etc/realm-server/realmd.toml") == was, "realmd.toml was overwritten")
    m.until(
        lambda: m.ask("systemctl is-active realm-server.service").strip() == "active", "an active unit", 5
    )
    return f"{version} to {newer} and back, {kept}"


@check("autopkgtest: the test of the package's own source")
def own_test(m: Machine) -> None:
    m.run("mkdir /tmp/own && cp -r /srv/source/debian /tmp/own/")
    m.run("autopkgtest --no-built-binaries /tmp/own/ -- null", within=180)


@check("the backup restores the same realm on another machine")
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
        other.run("systemctl stop realm-server.socket realm-server.service")
        other.run("cp /srv/scratch/realm.backup /var/lib/realm-server/")
        other.run("cd /tmp && setpriv --reuid realm-server --regid realm-server --clear-groups "
                  "realmctl restore /var/lib/realm-server/realm.backup --force --without-keys")  # fmt: skip
        there = digest(other)
        expect(there == here, f"{here} here, {there} there")
        other.run("systemctl start realm-server.socket realm-server.service")
        other.until(lambda: live(other), "the restored realm", 10)
        expect(ask(other, "profile", agentId="ada").get("ok"), "ada is not there")
    return here


@check("remove keeps the realm, and installing again finds it")
def removed(m: Machine) -> None:
    m.run("apt-get -qq --yes remove realm-server")
    expect(not live(m), "it still runs")
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
        path for path in m.run("comm -13 /srv/scratch/before /srv/scratch/after").splitlines()
        if "realm" in path and path != "/etc/apt/sources.list.d/realm-server.sources"
        and not re.match(r"/var/(lib/(apt|dpkg|systemd)|cache|log)/|/etc/ssl/realm\.|/tmp/", path)
    ]  # fmt: skip
    expect(not left, "\n".join(left))
    expect(not m.ask("systemctl list-units --no-legend --all 'realm-server*'").strip(), "units are left")
