# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command test: its suites, and the counts of all.

passed=0
failed=0
skipped=0

# count PASSED FAILED SKIPPED STATUS: adds to the totals. A step that failed without a failed
# test counts as one.
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
    (($4 == 0 || $2 > 0)) || failed=$((failed + 1))
}

# meson_counts LOG: prints passed, failed and skipped from Meson's summary.
meson_counts() {
    awk -f "$top/tests/meson-counts.awk" "$1"
}

# guest_counts LOG: the same from the last line of the guest's runner, or the matrix's.
guest_counts() {
    awk '
        /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { last = $1 " " $3 " " $5 }
        END { print last ? last : "0 1 0" }' "$1"
}

# tests_in_base RELEASE DIR WHAT LOG COMMAND...: runs tests in the base and shows what they say. That
# they fail is their result, no failure of the lab's. Returns their status.
tests_in_base() {
    local log=$4 status
    # shellcheck disable=SC2016 # for the shell in there
    in_base "${@:1:4}" sh -c '"$@"; echo "status: $?"' - "${@:5}" || true
    grep -v -e '^status: ' -e '^Full log' -e '^$' "$log" || true
    status=$(sed -n 's/^status: //p' "$log" | tail -n 1)
    return "${status:-1}"
}

# tests_built RELEASE DIR WHAT [ARG...]: runs tests of the build in DIR, those that Meson's ARGs say,
# and counts.
tests_built() {
    local log=$run/meson-test.log status=0 counts
    tests_in_base "${@:1:3}" "$log" setarch --addr-no-randomize \
        meson test -C /run/lab/work/build --no-rebuild --print-errorlogs "${@:4}" || status=$?
    read -ra counts < <(meson_counts "$log")
    count "${counts[@]}" "$status"
}

# build_tests RELEASE DIR: the project with its tests, under the sanitizers, in DIR, which is locked
# afterwards. A build that fails counts as a test that does.
build_tests() {
    lock_build "$2"
    if ! build_project "$1" sanitize "$2" --prefix=/usr --sysconfdir=/etc \
        --localstatedir=/var -Ddebug=true -Doptimization=1 -Dwerror=true -Db_lundef=false \
        -Db_sanitize=address,undefined -Dtests=enabled -Dexamples=disabled; then
        unlock_build
        count 0 1 0 1
        return 1
    fi
}

# test_build RELEASE SUITE...: unit and service tests, inside the base, under the sanitizers.
test_build() {
    local release=$1 dir
    shift
    dir=$(build_dir "$release" sanitize)
    build_tests "$release" "$dir" || return 0
    tests_built "$release" "$dir" "unit and service tests on $release" "${@/#/--suite=}"
    [[ " $* " != *" service "* ]] || test_as_root "$release" "$dir"
    unlock_build
}

# test_as_root RELEASE DIR: those of the service tests that leave something out where they are not
# root. Their log is a file of its own: the other belongs to the ordinary user.
test_as_root() {
    local in_base_as=(--root)
    tests_built "$@" "service tests as root on $1" --logbase=root \
        service-{client,command,manager,ping,session-classes}
}

# test_matrix RELEASE [LEG...]: the project built, tested and read in many ways, or in those, inside a
# base of its own. In there a worktree's .git would point to nowhere: what is committed comes as a
# bundle.
test_matrix() {
    local release=$1 purpose=matrix dir log=$run/matrix.log status=0 counts
    shift
    ensure_base "$release"
    dir=$(build_dir "$release" legs)
    lock_build "$dir"
    chown 1000:1000 "$dir"
    rm -f "$dir/head.bundle"
    git -c safe.directory="$top" -C "$top" bundle create --quiet "$dir/head.bundle" HEAD ||
        say "no release can be made from what is no checkout of git's"
    tests_in_base "$release" "$dir" "the matrix on $release" "$log" /run/lab/src/tests/matrix/run \
        --git /run/lab/work/head.bundle /run/lab/src /run/lab/work "$@" || status=$?
    unlock_build
    ((status == 0)) || say "what the logs call /run/lab/work is $dir"
    read -ra counts < <(guest_counts "$log")
    count "${counts[@]}" "$status"
}

# test_configuration RELEASE: what the project understands of multipathd's configuration, compared
# with the base's own multipath over files that are made up.
test_configuration() {
    local release=$1 dir log=$run/configuration.log status=0
    dir=$(build_dir "$release" sanitize)
    build_tests "$release" "$dir" || return 0
    local in_base_as=(--root) # not what builds: the ordinary user goes on with that
    tests_in_base "$release" "$dir" "comparing configurations on $release" "$log" \
        python3 -B /run/lab/src/tests/configuration/compare.py --files "$files" \
        /run/lab/work/build/tests/configuration/dump-configuration || status=$?
    unlock_build
    count $((status == 0)) 0 0 "$status"
}

# test_counts RELEASE: what planning, a query and an event cost, of the project as it is installed.
test_counts() {
    local release=$1 dir log=$run/meson-counts.log status=0 counts
    build_installed "$release"
    dir=$(build_dir "$release" plain)
    tests_in_base "$release" "$dir" "counting on $release" "$log" \
        meson test -C /run/lab/work/build --print-errorlogs --suite=counts || status=$?
    unlock_build
    read -ra counts < <(meson_counts "$log")
    count "${counts[@]}" "$status"
}

# test_guest RELEASE REBOOTS [ARG...]: the tests that need a kernel; REBOOTS: whether they may
# reboot the guest. The runner adds up what it counts before and after.
test_guest() {
    local release=$1 reboots=$2 log=$run/guest-test.log status=0 counts
    shift 2
    [[ $again = no ]] || set -- --again "$@"
    ready "$release"
    run_job "$release" "$log" "$machine/run-tests" "$@" || status=$?
    read -ra counts < <(guest_counts "$log")
    count "${counts[@]}" "$status"
}

# test_suite RELEASE NAME [ARG...]: one that has a guest to itself. That of the package suite has
# nothing of us but the packages, that of the shapes next to no target but those that it makes.
test_suite() {
    local release=$1 name=$2 contents=installed reboots=no purpose=guest
    local luns=$luns portals=$portals memory=$memory timeout=$timeout
    shift 2
    case $name in
    package) contents=packages ;;
    shapes) purpose=shapes luns=1 portals=1 memory=${memory:-4096} timeout=$((timeout * 3)) ;;
    esac
    [[ ! -d $guest/$name/after_reboot ]] || reboots=yes
    echo "== $release: $name tests"
    test_guest "$release" "$reboots" --suite "$name" "$@"
}

# test_events RELEASE: the events, in a guest of a lab of their own that runs beside this one. Its
# PID is in $beside, its output comes as it is written, and is in $run/events.log.
test_events() {
    local more=()
    [[ $again = no ]] || more+=(--again)
    [[ -z $memory ]] || more+=(--memory "$memory")
    ready "$1" # once for both
    unlock_build
    : >"$run/events.log"
    "$top/lab" --release "$1" --accel "$accel" --luns "$luns" --portals "$portals" \
        --timeout "$timeout" "${more[@]}" --suite events test \
        >"$run/events.log" </dev/null &
    beside=$!
    children[$beside]=TERM
    tail -n +1 -f --pid="$beside" "$run/events.log" &
    children[$!]=TERM
}

# join_events: waits for them, and counts.
join_events() {
    local status=0 counts
    await "$beside" "the events in their guest" || status=$?
    unset "children[$beside]"
    read -ra counts < <(guest_counts "$run/events.log")
    count "${counts[@]}" "$status"
}

test_release() {
    local release=$1 built=() beside="" reboots=no each
    shift
    ensure_base "$release"
    if (($# == 0)); then
        wants guest && wants events && test_events "$release"
        for each in unit service; do
            ! wants "$each" && ! wants matrix || built+=("$each")
        done
    fi
    if ((${#built[@]} > 0)); then
        echo "== $release: ${built[*]} tests"
        test_build "$release" "${built[@]}"
    fi
    if wants guest; then
        echo "== $release: guest tests"
        (($# == 0)) || reboots=yes # names may be those of tests after a reboot
        test_guest "$release" "$reboots" "$@"
        [[ -z $beside ]] || join_events
    elif wants events; then
        test_suite "$release" events "$@"
    fi
    for each in agents documentation package endurance hostile shapes; do
        ! wants "$each" || test_suite "$release" "$each" "$@"
    done
    if wants counts && (($# == 0)); then
        echo "== $release: counts"
        test_counts "$release"
    fi
    if wants configuration && (($# == 0)); then
        echo "== $release: configuration"
        test_configuration "$release"
    fi
    # With "all", names are those of guest tests.
    if wants matrix && [[ $# = 0 || " ${suites[*]} " != *" all "* ]]; then
        echo "== $release: matrix"
        test_matrix "$release" "$@"
    fi
}

do_test() {
    local each
    ((${#suites[@]} > 0)) || suites=(unit service guest events)
    ensure_bases
    for each in $(releases); do
        test_release "$each" "$@"
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    ((failed == 0))
}
