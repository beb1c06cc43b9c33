# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The machine we run on: root, the cache, the tools, and what is left when we end.

# What is ours to remove, the directory of this run, and the terminal as it was.
litter=()
run=""
terminal=""

cleanup() {
    local status=$? pid
    trap - EXIT
    trap '' INT TERM HUP
    settle
    for pid in "${!children[@]}"; do
        kill -s "${children[$pid]}" "$pid" 2>/dev/null || true
    done
    for pid in "${!children[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    [[ -z $terminal ]] || stty "$terminal" </dev/tty 2>/dev/null || true
    litter+=("$cache"/base/.*."$$".*)
    # A namespace takes a moment to empty; what it was writing to may need a second attempt.
    ((${#litter[@]} == 0)) || rm -rf "${litter[@]}" 2>/dev/null ||
        { sleep 0.5 && rm -rf "${litter[@]}"; } || true
    exit "$status"
}

become_root() {
    ((EUID != 0)) || return 0
    command -v sudo >/dev/null ||
        die "this needs root, for chroot and mounts: run it as root, or install sudo"
    say "going on as root, through sudo"
    exec sudo -- env ISCSI_WMI_LAB_CACHE="$cache" \
        ${ISCSI_WMI_LAB_MIRROR:+ISCSI_WMI_LAB_MIRROR="$ISCSI_WMI_LAB_MIRROR"} \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        "$top/lab" "$@"
}

# prepare: the cache, a directory for this run, and a share in the lock that `clean` takes.
prepare() {
    local dir pid
    mkdir -p "$cache"/{base,build,log,probe,run}
    chmod 700 "$cache"/{base,build,run}
    exec {lock_all}<"$cache"
    flock --shared --nonblock "$lock_all" || die "the cache is being cleaned; try again"
    for dir in "$cache"/run/*; do
        pid=${dir##*/}
        kill -0 "${pid%%.*}" 2>/dev/null || rm -rf "$dir"
    done
    run=$(mktemp -d "$cache/run/$$.XXXXXX")
    litter+=("$run")
}

# missing: prints the packages that have to be installed first.
missing() {
    local pair
    for pair in mmdebstrap:mmdebstrap qemu-system-x86_64:qemu-system-x86 mke2fs:e2fsprogs \
        mount:mount unshare:util-linux setpriv:util-linux flock:util-linux; do
        command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
    done
    [[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || echo debian-archive-keyring
    ! wants matrix || command -v git >/dev/null || echo git
}

# apt_get WHAT ARG...: runs apt-get.
apt_get() {
    DEBIAN_FRONTEND=noninteractive watched TERM "$1" "$run/apt.log" apt-get --yes --quiet "${@:2}"
}

install_missing() {
    local packages
    mapfile -t packages < <(missing | sort -u)
    ((${#packages[@]} > 0)) || return 0
    command -v apt-get >/dev/null ||
        die "missing: ${packages[*]} (Debian's names), and there is no apt to install them with"
    say "installing ${packages[*]}..."
    if apt-cache show "${packages[@]}" >/dev/null 2>&1; then
        ! apt_get "installing" install --no-install-recommends "${packages[@]}" || return 0
        say "the package lists may be old: once more with new ones"
    fi
    apt_get "reading the package lists" update ||
        die "apt-get update failed: see to this machine's package sources, then try again"
    apt_get "installing" install --no-install-recommends "${packages[@]}" ||
        die "could not install ${packages[*]}"
}

check_machine() {
    [[ $(uname -m) = x86_64 ]] || die "the guest is an amd64 one: this needs an x86_64 machine"
    install_missing
}
