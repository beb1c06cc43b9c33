#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# set-policy.sh TARGET POLICY [PORTAL...]: sets the load-balance policy of the session to a target,
# by Windows' number; the paths through these portals are the primaries. Needs jq.

set -euo pipefail

service=com.open_iscsi.WMI1
root=/com/open_iscsi/WMI1

die() {
    echo "set-policy.sh: $*" >&2
    exit 1
}

# ask COMMAND ARG...: busctl's answer, with strings in place of numbers: IDs have 64 bits, and jq
# takes numbers for floating-point ones. (A string has quotes, so a number is what stands between
# the name, if there is one, and the end of its line.) With a dead path, setting a policy can take
# several SCSI timeouts, so it waits.
ask() {
    busctl --json=pretty --timeout=600 "$@" |
        sed -E 's/^([[:space:]]*("[^"]*"[[:space:]]*:[[:space:]]*)?)([0-9]+)(,?)$/\1"\3"\4/'
}

# The session's entry of MSiSCSI_QueryLBPolicy, which has one for each session of the adapter:
# UniqueSessionId, LoadBalancePolicy, iSCSI_PathCount, and the ISCSI_Paths: UniqueConnectionId,
# EstimatedLinkSpeed, PathWeight, PrimaryPath, ConnectionStatus, TCPOffLoadAvailable.
query() {
    ask get-property "$service" "$adapter" "$service.MSiSCSI_QueryLBPolicy" LoadBalancePolicies |
        jq --arg id "$session_id" '.data[] | select(.[0] == $id)'
}

# show WHEN ENTRY
show() {
    echo "$1: policy $(jq -r '.[1]' <<<"$2")"
    # shellcheck disable=SC2046,SC2183 # three words a line
    printf '  path %016x weight %s primary %s\n' $(jq -r '.[3][] | .[0], .[2], .[3]' <<<"$2")
}

(($# >= 2)) || die "usage: set-policy.sh TARGET POLICY [PORTAL...]"
target=$1
policy=$2
shift 2

# The session of a target is found by the target's name; an adapter's object is named by its ID.
session=$(ask call "$service" "$root" org.freedesktop.DBus.ObjectManager GetManagedObjects |
    jq --arg interface "$service.Session" --arg target "$target" '
        [.data[0][][$interface] | values | map_values(.data) | select(.TargetName == $target)]
        | first // empty')
[[ -n $session ]] || die "no session to $target"
session_id=$(jq -r .UniqueSessionId <<<"$session")
adapter=$root/adapter/$(printf %016x "$(jq -r .UniqueAdapterId <<<"$session")")

# The UniqueConnectionIds of its connections through these portals.
primaries=()
for portal; do
    ids=$(jq -r --arg portal "$portal" '.Connections[] | select(.[3] == $portal)[0]' <<<"$session")
    [[ -n $ids ]] || die "no connection through $portal"
    # shellcheck disable=SC2206 # an ID is a word
    primaries+=($ids)
done

before=$(query)
[[ -n $before ]] || die "the session has gone"
show before "$before"

# What was read goes back with another policy and other primaries. Each path of the session has to
# be there, once; their order is the order of a failover. PrimaryPath counts for policies 1 to 3,
# PathWeight for policy 5: the lowest is the best, unless Manager.PathWeightOrder says otherwise.
# busctl wants the number of entries before those of an array.
# shellcheck disable=SC2016 # for jq
words=$(jq -r --arg policy "$policy" '
    [.[0], $policy, .[2], (.[3] | length),
     (.[3][] | .[0:3][], (if IN(.[0]; $ARGS.positional[]) then 1 else 0 end), .[4:6][])] | .[]' \
    --args "${primaries[@]}" <<<"$before")
# shellcheck disable=SC2086 # each is a word
status=$(ask call "$service" "$adapter" "$service.MSiSCSI_LB_Operations" SetLoadBalancePolicy \
    '(tuua(ttuuuu))' $words | jq -r '.data[0]')
description=$(ask call "$service" "$root" "$service.Manager" DescribeStatus u "$status" |
    jq -r '.data | join(": ")')
hex=$(printf 0x%08X "$status")
((status == 0)) || die "$hex $description"
echo "Status: $hex ${description%%:*}"
after=$(query)
show after "$after"
