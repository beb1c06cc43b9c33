# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The commands, but for test and bench.

# ready RELEASE: the guest and what of the project goes into it.
ready() {
    ensure_base "$1"
    "build_$contents" "$1"
    choose_accel "$1"
}

# run_job RELEASE LOG FILE [ARG...]: boots the guest with a job. Returns the job's status.
run_job() {
    local release=$1 log=$2 result
    shift 2
    make_payload "$release" job "$@"
    unlock_build
    boot "$release" "$log"
    return "$result"
}

do_run() {
    (($# > 0)) || die "run needs a file: ./lab run FILE [ARG...]"
    [[ -f $1 && -r $1 ]] || die "cannot read $1"
    ready "$release"
    run_job "$release" /dev/null "$@"
}

do_demo() {
    [[ -f $guest/demo ]] || die "tests/guest/demo is missing: there is nothing to show"
    ready "$release"
    run_job "$release" /dev/null "$guest/demo"
}

do_shell() {
    local result="" running
    [[ -t 0 && -t 1 ]] || die "shell needs a terminal"
    ready "$release"
    make_payload "$release" shell
    unlock_build
    terminal=$(stty -g)
    mkfifo "$run/status"
    exec {status_fd}<>"$run/status"
    : >"$run/out"
    : >"$run/err"
    say "leave the shell to end the guest"
    start_qemu "$release" -chardev stdio,id=console,signal=off -serial chardev:console
    follow "booting the $release guest ($accel)" 0
    end_qemu
    stty "$terminal"
    cat "$run/err" >&2
}

do_build() {
    local each
    ensure_bases
    for each in $(releases); do
        ready "$each"
        unlock_build
        say "the $each guest is ready"
    done
}

do_packages() {
    local each
    ensure_bases
    for each in $(releases); do
        build_packages "$each"
        unlock_build
        printf '%s\n' "$(build_dir "$each" packages)"/*.deb
    done
}

do_clean() {
    [[ -e $cache ]] || return 0
    exec {lock_all}<"$cache"
    flock --exclusive --nonblock "$lock_all" || die "another lab is running: end it first"
    rm -rf "${cache:?}"/{base,build,log,probe,run}
    rmdir "$cache" 2>/dev/null || true
    say "removed $cache"
}
