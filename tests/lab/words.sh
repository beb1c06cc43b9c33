# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Words and waiting: what the lab says, and how it waits for its children.

# The processes that are ours to end, and the signal that ends each.
declare -A children=()

say() {
    settle
    printf 'lab: %s\n' "$*" >&2
}

die() {
    say "$@"
    exit 125
}

# live WHAT SECONDS: a sign of life, in place on a terminal, else a line each ten seconds.
live_next=10
live_shown=no
live() {
    if [[ -t 2 ]]; then
        (($2 < 2)) || { printf '\r\033[Klab: %s: %d s' "$1" "$2" >&2 && live_shown=yes; }
    elif (($2 >= live_next)); then
        printf 'lab: %s: %d s\n' "$1" "$2" >&2
        live_next=$(($2 + 10))
    fi
}

# settle: clears what live left on the terminal.
settle() {
    [[ $live_shown = no ]] || printf '\r\033[K' >&2
    live_shown=no
    live_next=10
}

# await PID WHAT: waits for a child of ours, showing signs of life. Returns its status.
await() {
    local start=$SECONDS status=0
    while kill -0 "$1" 2>/dev/null; do
        sleep 0.2
        live "$2" $((SECONDS - start))
    done
    settle
    wait "$1" || status=$?
    return "$status"
}

# watched SIGNAL WHAT LOG COMMAND...: runs a command with signs of life; SIGNAL ends it when
# we are interrupted. On failure shows the end of its log.
watched() {
    local signal=$1 what=$2 log=$3 pid status=0
    shift 3
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    children[$pid]=$signal
    await "$pid" "$what" || status=$?
    unset "children[$pid]"
    if ((status != 0)); then
        say "$what: failed; the end of its log:"
        tail -n 40 "$log" >&2
    fi
    return "$status"
}

# contained WHAT LOG COMMAND...: like watched, in namespaces of its own, so that nothing of the
# command, process or mount, outlives us.
contained() {
    local what=$1 log=$2
    shift 2
    watched KILL "$what" "$log" setpriv --pdeathsig KILL \
        unshare --mount --pid --fork --kill-child --mount-proc -- "$@"
}
