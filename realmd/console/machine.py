"""What `realmctl doctor` looks at on the machine: limits, nginx's and the kernel's settings, clock, disk."""

from __future__ import annotations

import ctypes
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..host.descriptors import RESERVED_FILES
from ..host.resources import PROC, Resources
from ..primitives.amounts import size
from ..settings import Config
from .finding import Finding, judged
from .setup import ENABLED

#: Kernel settings that bursts of clients need, and their least value: what the doors ask `listen` for.
SYSCTLS: Final = {"net.core.somaxconn": 1024, "net.ipv4.tcp_max_syn_backlog": 1024}
#: worker_connections of an nginx that is told nothing.
NGINX_DEFAULT: Final = 512
#: What adjtimex(2) returns of a clock that nothing keeps right.
TIME_ERROR: Final = 5
#: Shares of a disk that are free: below the first it is full soon, below the second now.
LOW, FULL = 0.20, 0.05


def examine(config: Config, proc: Path = PROC) -> Iterator[Finding]:
    """Everything of the machine."""
    yield files(config, proc)
    yield from nginx(config)
    yield from sysctls(proc)
    yield clock()
    yield disk("disk", config.storage.state, "Free some space, or lower storage.max_mb.")
    backups = config.backup.folder(config.storage.state)
    if os.path.exists(backups):  # no, too, where one may not look
        yield disk("backup disk", backups, "Free some space, or lower backup.max_mb.")


def running(config: Config, proc: Path = PROC) -> int | None:
    """The process id of the realm that holds the store, if it runs."""
    lock = Path(f"{config.storage.database}.lock")
    try:
        number = int(lock.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return number if (proc / str(number)).is_dir() else None


def files(config: Config, proc: Path = PROC) -> Finding:
    """Whether every connection that is allowed can have its file descriptor."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    of = "here"
    pid = running(config, proc)
    if pid is not None:
        try:
            lines = (proc / str(pid) / "limits").read_text().splitlines()
            row = next(line for line in lines if line.startswith("Max open files")).split()
            limit, of = int(row[4]), f"of process {pid}"
        except (OSError, StopIteration, ValueError):
            pass  # it ended, or is somebody else's
    need = config.server.max_connections + RESERVED_FILES
    return judged(
        "open files", limit >= need, f"limit {of} {limit}, needed {need}",
        f"limit {of} {limit}, but server.max_connections = {config.server.max_connections} needs {need}",
        f"systemctl edit realm-server: [Service] LimitNOFILE={max(65_536, need)}",
    )  # fmt: skip


def nginx(config: Config, root: Path = Path("/")) -> Iterator[Finding]:
    """Whether nginx, if the realm's site is on, passes on as many clients as the realm takes."""
    if not os.path.lexists(root / ENABLED):
        return
    file = root / "etc/nginx/nginx.conf"
    try:
        text = re.sub(r"#.*", "", file.read_text("utf-8", "replace"))
    except OSError as error:
        yield Finding("nginx", "warning", f"{file}: {error.strerror}", f"ls -l {file}")
        return
    told = re.search(r"\bworker_connections\s+(\d+)", text)
    value = int(told[1]) if told else NGINX_DEFAULT
    # One to the client and one to the realm, for each; a worker may have to carry them all.
    need = 2 * config.server.max_connections + RESERVED_FILES
    yield judged(
        "nginx", value >= need, f"worker_connections {value}",
        f"worker_connections {value} is enough for {value // 2} clients, "
        f"and server.max_connections = {config.server.max_connections}",
        f"In {file}: worker_rlimit_nofile {2 * need}; and events {{ worker_connections {need}; }} "
        "then nginx -t && systemctl reload nginx", "warning",
    )  # fmt: skip


def sysctls(proc: Path = PROC) -> Iterator[Finding]:
    """Whether bursts of new connections fit the kernel's queues."""
    for name, least in SYSCTLS.items():
        try:
            value = int((proc / "sys" / name.replace(".", "/")).read_text())
        except (OSError, ValueError):
            yield Finding("sysctl", "ok", f"{name} cannot be read here")
            continue
        yield judged(
            "sysctl", value >= least, f"{name} = {value}", f"{name} = {value}, should be {least} or more",
            f"echo '{name} = 4096' > /etc/sysctl.d/60-realm-server.conf && sysctl --system", "warning",
        )  # fmt: skip


def clock() -> Finding:
    """Whether something keeps the clock right: leases, tokens and Nostr events need it."""
    try:
        status = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        status = -1
    if status < 0:
        return Finding("clock", "ok", "cannot be asked here")
    return judged(
        "clock", status != TIME_ERROR, "synchronized", "nothing synchronizes it",
        "apt-get install systemd-timesyncd && timedatectl set-ntp true", "warning",
    )  # fmt: skip


def disk(what: str, folder: Path, do: str) -> Finding:
    """Whether there is room for what will be written."""
    free, whole = Resources(folder).disk()
    share = free / max(whole, 1)
    text = f"{size(free)} of {size(whole)} free at {folder}"
    return judged(what, share >= LOW, text, text, do, "wrong" if share < FULL else "warning")
