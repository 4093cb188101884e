# Root file systems of Debian 12 and 13, made once and kept; sourced by the scripts beside it.
# They stay as they were made: whoever runs something in one lays an overlay over it.

SUITES=(bookworm trixie)
CACHE=${REALM_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/realm-server}

# bookworm → deb12
release() { case $1 in bookworm) echo deb12;; trixie) echo deb13;; *) echo "unknown suite: $1" >&2; return 1;; esac; }
python_of() { case $1 in bookworm) echo 3.11;; trixie) echo 3.13;; esac; }

need() {
    local tool missing=()
    for tool; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    if [ ${#missing[@]} -gt 0 ]; then echo "needed and not found: ${missing[*]}" >&2; return 1; fi
    if [ "$(id -u)" != 0 ]; then echo "only root may make and enter a chroot" >&2; return 1; fi
}

# What wheels both Debians can take: those for glibc 2.36 and before.
PLATFORMS=(--platform=manylinux{2014,_2_17,_2_28,_2_34}_x86_64)

# copy_source FOLDER: put the source there, without what was made in it.
copy_source() {
    mkdir -p "$1"
    tar -c --exclude-vcs --exclude=./.venv --exclude=./node_modules --exclude=./build --exclude=./var \
        --exclude=__pycache__ --exclude='./.*_cache' --exclude=./.hypothesis --exclude='*.egg-info' \
        --exclude=dropin.cache --exclude=./debian/build --exclude=./debian/realm-server . | tar -x -C "$1"
}

# The mirror that this machine's apt is configured with.
mirror() {
    awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null | grep . ||
        awk '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' /etc/apt/sources.list
}

# tree SUITE: path of the bare system, made if it is not there.
tree() {
    local path=$CACHE/$1
    if [ ! -d "$path" ]; then
        mkdir -p "$CACHE"
        rm -rf "$path.new"
        debootstrap --variant=minbase \
            --include=systemd,systemd-sysv,dbus,ca-certificates,procps,iproute2,curl,adduser,python3,apt-utils \
            "$1" "$path.new" "$(mirror)" >"$path.log" 2>&1 || { tail -5 "$path.log" >&2; return 1; }
        mv "$path.new" "$path"
    fi
    echo "$path"
}

# tree_with SUITE NAME PACKAGE…: path of a copy that has those packages, too.
tree_with() {
    local suite=$1 name=$2 path=$CACHE/$1-$2 bare
    shift 2
    if [ "$(cat "$path.packages" 2>/dev/null)" != "$*" ]; then
        bare=$(tree "$suite") || return
        rm -rf "$path" "$path.new" "$path.packages"
        cp -a "$bare" "$path.new"
        cp -L /etc/resolv.conf "$path.new/etc/resolv.conf"
        printf '#!/bin/sh\nexit 101\n' >"$path.new/usr/sbin/policy-rc.d"
        chmod 755 "$path.new/usr/sbin/policy-rc.d"
        chroot "$path.new" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive sh -ec "apt-get -q update; \
            apt-get -q --yes --no-install-recommends -o Acquire::Check-Date=false install $*; apt-get clean" \
            >"$path.log" 2>&1 || { tail -5 "$path.log" >&2; return 1; }
        rm "$path.new/usr/sbin/policy-rc.d"
        mv "$path.new" "$path"
        echo "$*" >"$path.packages"
    fi
    echo "$path"
}

# within TREE SCRIPT FOLDER…: run the shell SCRIPT as root in an overlay over TREE that is gone
# afterwards, without a network.  Each FOLDER is HERE:THERE and can be written there.
within() {
    local tree=$1 script=$2 scratch
    shift 2
    scratch=$(mktemp -d)
    TREE=$tree SCRIPT=$script SCRATCH=$scratch unshare --mount --net --pid --fork --kill-child --propagation private \
        bash -euc '
        mount -t tmpfs -o mode=755 tmpfs "$SCRATCH"
        root=$SCRATCH/root
        mkdir "$SCRATCH/upper" "$SCRATCH/work" "$root"
        mount -t overlay overlay -o "lowerdir=$TREE,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work" "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        for folder; do
            mkdir -p "$root${folder##*:}"
            mount --bind "${folder%:*}" "$root${folder##*:}"
        done
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive sh -euc "$SCRIPT"' within "$@"
    local status=$?
    rmdir "$scratch"
    return $status
}
