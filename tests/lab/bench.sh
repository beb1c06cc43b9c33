# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command bench.

# bench_guest SIZE ARG...: measures in a guest of that size.
bench_guest() {
    luns=${1%x*}
    portals=${1#*x}
    shift
    say "measuring with $luns LUNs x $portals portals"
    ready "$release"
    run_job "$release" /dev/null "$guest/bench/run" "$@"
}

# bench_generated ARG...: measures on a host that is made up, in the base.
bench_generated() {
    local dir status=0 in=/run/lab/work/build/tests
    ready "$release"
    dir=$(build_dir "$release" plain)
    # shellcheck disable=SC2016 # for the shell in there
    in_base "$release" "$dir" "measuring on a host that is made up" "$run/generated.log" \
        sh -c 'meson compile -C /run/lab/work/build calls fake-host >&2 &&
            "$@" >/run/lab/work/generated.rows' - \
        python3 /run/lab/src/tests/bench/generated/bench.py "$@" \
        --fake "$in/host/fake-host.so" --calls "$in/bench/generated/calls" \
        --service /run/lab/work/build/iscsi-wmid || status=$?
    unlock_build
    ((status != 0)) || cat "$dir/generated.rows"
    return "$status"
}

# do_bench [ITEM...]: a guest for each size, and what no guest is large enough for. What cannot be
# measured in one leaves the others.
do_bench() {
    local each result=0 words=(--repetitions "$repetitions") in_guest=() made_up=()
    for each in "$@"; do
        one_of "bench's item" "$each" change io query events undone start rest clients volumes
        [[ $each = @(clients|volumes) ]] || in_guest+=("$each")
        [[ $each = @(change|io|undone) ]] || made_up+=("$each")
    done
    [[ $json = no ]] || words+=(--json)
    if ((${#sizes[@]} == 0)); then
        sizes=(32x4 64x8)
        [[ $* != undone ]] || sizes=(4x4 "${sizes[@]}")
        [[ -z $luns ]] || sizes=("${luns}x$portals")
    fi
    if (($# == 0 || ${#in_guest[@]} > 0)); then
        for each in "${sizes[@]}"; do
            bench_guest "$each" "${words[@]}" --seconds "$seconds" "${in_guest[@]}" || result=$?
        done
    fi
    if (($# == 0 || ${#made_up[@]} > 0)); then
        bench_generated "${words[@]}" "${made_up[@]}" || result=$?
    fi
    return "$result"
}
