"""What stands around the realm: nginx, certificates, ufw, fail2ban, and other rooms."""

from __future__ import annotations

import json
import re

from .checks import DOMAIN, ask, check, expect, live
from .clients import FLOOD, WATCH
from .machine import Machine


@check("realm-setup --dry-run changes nothing; twice is as good as once; settings keep their comments")
def sets_up(m: Machine) -> None:
    m.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
          f"-subj /CN={DOMAIN} -addext subjectAltName=DNS:{DOMAIN} "
          "-keyout /etc/ssl/realm.key -out /etc/ssl/realm.pem")  # fmt: skip
    m.run("cp /etc/ssl/realm.pem /srv/scratch/realm.pem")
    toml = "/etc/realm-server/realmd.toml"
    words = (f"realm-setup --domain {DOMAIN} --name 'Hall of \"Tests\"' --relays wss://relay.test "
             f"--email a@{DOMAIN} --certificate /etc/ssl/realm.pem --key /etc/ssl/realm.key "
             "--nginx --fail2ban --ufw")  # fmt: skip
    before = m.run(f"sha256sum {toml}; ls -R /etc/nginx /etc/fail2ban; stat -c '%U:%G %a' {toml}")
    m.run(f"{words} --dry-run")
    expect(
        m.run(f"sha256sum {toml}; ls -R /etc/nginx /etc/fail2ban; stat -c '%U:%G %a' {toml}") == before,
        "changed",
    )
    comments = m.run(f"grep -c '^# ' {toml}")
    m.run("systemctl start nginx")
    # What is typed where fail2ban does not start by itself, as on Debian 12.
    if hint := re.search(r"printf .*sshd\.local", m.ask(f"{words} 2>&1")):
        m.run(hint[0])
        m.run(words)
    expect("write" not in m.run(words), "the second time wrote something")
    expect(m.run(f"grep -c '^# ' {toml}") == comments, "comments are gone")
    expect(m.run(f"stat -c '%U:%G %a' {toml}").strip() == "root:realm-server 640", "owner or mode changed")
    m.until(lambda: live(m), "the realm after its settings changed", 10)
    expect(
        "Hall of" in m.run('curl -sS http://127.0.0.1:18800/ipc -d \'{"command":"room-info"}\''),
        "the name is old",
    )


@check("nginx in front: TLS, the page, HTTP redirected, /metrics hidden, WebSocket")
def proxied(m: Machine) -> None:
    curl = f"curl -sS --max-time 10 --cacert /srv/scratch/realm.pem --resolve {DOMAIN}:443:127.0.0.1"
    expect("<html" in m.run(f"{curl} https://{DOMAIN}/"), "no page")
    expect('"ok":true' in m.run(f'{curl} https://{DOMAIN}/ipc -d \'{{"command":"room-info"}}\''), "no answer")
    expect(
        m.run(f"{curl} -o /dev/null -w '%{{http_code}}' https://{DOMAIN}/metrics") == "404",
        "/metrics is open",
    )
    where = m.run(
        f"curl -sS -o /dev/null -w '%{{http_code}} %{{redirect_url}}' -H 'Host: {DOMAIN}' http://127.0.0.1/x"
    )
    expect(where == f"301 https://{DOMAIN}/x", where)
    watched = m.python(WATCH, DOMAIN, str(m.scratch / "realm.pem")).split()
    expect(watched[1] == "101", " ".join(watched))


@check("reload: SIGHUP neither ends the realm nor cuts anybody off")
def reloads(m: Machine) -> None:
    old = m.pid()
    m.run("systemctl reload realm-server.service")
    m.until(
        lambda: m.ask("systemctl is-active realm-server.service").strip() == "active", "an active unit", 5
    )
    expect(m.pid() == old and live(m), "it was restarted")


@check("fail2ban bans an abuser from the realm's own log lines, and nobody whom an abuser names")
def banned(m: Machine) -> str:
    m.until(lambda: "realm-server" in m.ask("fail2ban-client status"), "the jail", 20)
    # A share so small that this machine can ask for more; the abuser is at the end of a line of its own.
    m.run("echo REALMD_LIMITS_ADDRESS_RATE=20 > /etc/default/realm-server")
    m.run("systemctl restart realm-server.service")
    m.run(
        "ip netns add outside && ip link add inner type veth peer name outer netns outside && "
        "ip addr add 198.51.100.1/24 dev inner && ip link set inner up && "
        "ip -n outside addr add 198.51.100.7/24 dev outer && ip -n outside link set outer up"
    )
    ask(m, "world-chat", agentId="ada", text="realmd.gateway flood door=http peer=198.51.100.9 limit=address")
    words = (FLOOD, DOMAIN, str(m.scratch / "realm.pem"), "198.51.100.1")
    m.python(*words, "2000", space="outside")
    m.seen_in_journal(r"flood door=\w+ peer=198\.51\.100\.7 ")
    m.until(lambda: "198.51.100.7" in m.ask("fail2ban-client status realm-server"), "a ban", 40)
    status = m.run("fail2ban-client status realm-server")
    expect("198.51.100.9" not in status, status)
    rules = m.ask("nft list ruleset; iptables-save")
    expect("198.51.100.7" in rules, "no rule of the firewall")
    expect(m.python(*words, "1", space="outside").strip() == "0", "the banned still get through")
    m.run("fail2ban-client set realm-server unbanip 198.51.100.7")
    expect(m.python(*words, "1", space="outside").strip() == "1", "nobody gets through")
    m.run("rm /etc/default/realm-server && systemctl restart realm-server.service")
    return "198.51.100.7"


@check("an alert reaches the operator's mailbox through the machine's mail server")
def mailed(m: Machine) -> None:
    # Debian leaves it without a protocol where it is installed without a network.
    m.run("useradd operator-here && postconf -e inet_protocols=ipv4 && systemctl restart postfix")
    toml = "/etc/realm-server/realmd.toml"
    m.run(f"cp -p {toml} /srv/scratch/as-it-was.toml")
    m.run(f"sed -i -E 's/^#?email = .*/email = \"operator-here@localhost\"/' {toml}")
    m.run("systemctl restart realm-server.service")
    told = m.run("realmctl alert test")
    m.until(lambda: "nothing is wrong" in m.ask("cat /var/mail/operator-here"), f"the mail\n{told}", 20)
    m.run(f"cp -p /srv/scratch/as-it-was.toml {toml} && systemctl restart realm-server.service")


@check("another room beside: realm-server@NAME, with its own port and state")
def second_room(m: Machine) -> None:
    # A copy of the main room's file, its places included.
    attic = 's/^#*id = .*/id = "attic"/;s/^#*port = .*/port = 18801/'
    m.run(f"sed '{attic}' /etc/realm-server/realmd.toml > /etc/realm-server/attic.toml")
    m.run("systemctl start realm-server@attic.service")
    told = m.run('curl -sS --max-time 10 http://127.0.0.1:18801/ipc -d \'{"command":"room-info"}\'')
    expect("attic" in told, told)
    m.run("test -s /var/lib/realm-server-rooms/attic/realm.sqlite")
    joined = '{"command":"register","args":{"agentId":"upstairs"}}'
    m.run("curl -sS --fail-with-body --max-time 10 http://127.0.0.1:18801/ipc -d @-", input=joined)
    who = m.run("realmctl --room attic who")
    expect("upstairs" in who and "ada" not in who, who)
    expect("upstairs" not in m.run("realmctl who"), "the main room knows the attic's agents")
    before = m.run("realmctl backup list --json")
    m.run("systemctl start realm-server-backup@attic.service && realmctl --room attic backup --kind database")
    own = [each["file"] for each in json.loads(m.run("realmctl --room attic backup list --json"))["backups"]]
    expect(len(own) == 2 and all("/var/backups/realm-server/attic/realm-" in file for file in own), str(own))
    expect(m.run("realmctl backup list --json") == before, "the attic's backups are among the main room's")
    m.run("systemctl start realm-server-check@attic.service")
    # By this fail2ban finds the lines of every room.
    rooms = "'_SYSTEMD_SLICE=system-realm\\x2dserver.slice'"
    line = m.run(f"journalctl --quiet --lines=1 --grep='is ready' {rooms}")
    expect("is ready" in line, line)
    m.run("systemctl stop realm-server@attic.service && rm /etc/realm-server/attic.toml")


@check("ufw: 80 and 443 are allowed, 18800 is not, and the realm does not listen beyond loopback")
def firewalled(m: Machine) -> None:
    rules = m.run("ufw show added")
    expect("Realm Server" in rules and "18800" not in rules, rules)
    expect("80,443/tcp" in m.run("ufw app info 'Realm Server'").replace("\n", ""), "wrong ports")
    listening = m.run("ss -Hltn sport = :18800")
    expect(listening.split()[3] == "127.0.0.1:18800", listening)
