#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fresh.py ...: that answers are never older than what they are about, though they are kept.

On a host that is made up, everything that LoadBalancePolicies depends on is changed, each time right
after an answer and without udev's word of it, and the very next answer must have it. Access states
and link speeds, which the kernel does not announce, get a second there. The same goes for what
GetManagedObjects has of connections, without such a second.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import bench
import measured

VENDOR = 6
CONNECTED, DISCONNECTED, RECONNECTING = 1, 2, 3


def policies(made):
    """By session in the order of the reply: policy, and (speed, weight, primary, status) of paths."""
    words = subprocess.run(
        ["busctl", f"--address={made.address}", "get-property", bench.NAME, bench.ADAPTER,
         f"{bench.NAME}.MSiSCSI_QueryLBPolicy", "LoadBalancePolicies"],
        check=True, capture_output=True, text=True).stdout.split()[2:]
    numbers = list(map(int, words))
    sessions = []
    while numbers:
        policy, n, _ = numbers[1:4]
        paths, numbers = numbers[4:4 + 6 * n], numbers[4 + 6 * n:]
        sessions.append((policy, [tuple(paths[i + 1:i + 5]) for i in range(0, 6 * n, 6)]))
    return sessions


def states(made):
    return sorted(path[3] for path in policies(made)[0][1])


def swap(made, target, selector):
    """Another table, of which the kernel tells, and udev does not yet."""
    for lun in range(made.luns):
        minor = made.minor(target, lun)
        made.write_map(minor, made.own_groups(minor, selector))
        made.udev.kernel_event(f"/devices/virtual/block/dm-{minor}", "change")


def check(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found}, not {wanted}")
    print(f"ok: {what}")


def check_states(made):
    check("all connections are up", states(made), [CONNECTED] * 4)
    made.set_state(2, "FAILED")
    check("one has failed", states(made), [CONNECTED] * 3 + [RECONNECTING])
    made.set_state(2, "FREE")
    check("its recovery time has passed", states(made), [CONNECTED] * 3 + [DISCONNECTED])
    made.set_state(2, "LOGGED_IN")
    check("it is back", states(made), [CONNECTED] * 4)


def check_tables(made):
    for selector, policy in (("queue-length 0", bench.LEAST_QUEUE_DEPTH),
                             ("service-time 0", VENDOR), ("round-robin 0", bench.ROUND_ROBIN)):
        swap(made, 0, selector)
        check(f"the tables have {selector}", policies(made)[0][0], policy)


def check_connections(made):
    made.logout(4)
    made.wait_until_idle(0.5)
    check("one has logged out", len(policies(made)[0][1]), 3)
    made.login(4)
    made.wait_until_idle(0.5)
    check("it has logged in again", states(made), [CONNECTED] * 4)


def check_speed(made):
    check("the speed of the links", policies(made)[0][1][0][0], 10000)
    (made.root / "sys/class/net/lo/speed").write_text("25000\n")
    time.sleep(1.1)
    check("their speed a second later", policies(made)[0][1][0][0], 25000)


def check_policy(made, client):
    check("a policy is set", client.ask("policy", bench.ROUND_ROBIN), 0)
    check("it is the session's", policies(made)[0][0], bench.ROUND_ROBIN)
    check("another one is set", client.ask("policy", bench.LEAST_QUEUE_DEPTH), 0)
    check("it has taken its place", policies(made)[0][0], bench.LEAST_QUEUE_DEPTH)


def objects(made):
    """What GetManagedObjects has, by interface: properties of the first object that has it."""
    reply = subprocess.run(
        ["busctl", f"--address={made.address}", "--json=short", "call", *bench.OBJECTS.split()],
        check=True, capture_output=True, text=True).stdout
    found = {}
    for interfaces in json.loads(reply)["data"][0].values():
        for name, properties in interfaces.items():
            found.setdefault(name.removeprefix(bench.NAME + "."), {
                key: value["data"] for key, value in properties.items()})
    return found


def disks(made):
    return sorted(disk for connection in objects(made)["Session"]["Connections"]
                  for disk in connection[8])


def check_disks(made):
    before = disks(made)
    check("each connection has its disks", len(before), 4 * made.luns)
    check("they are still there", disks(made), before)
    name = made.add_disk(4, made.luns)
    check("one has come", disks(made), sorted([*before, name]))
    made.remove_disk(4, made.luns, lambda: check("it goes", len(disks(made)), len(before) + 1))
    check("it has gone", disks(made), before)


def session_of(made):
    """MSiSCSI_InitiatorSessionInfo's only session."""
    session, = objects(made)["MSiSCSI_InitiatorSessionInfo"]["SessionsList"]
    return session


def check_negotiated(made):
    """Of which the kernel does not tell: a connection that was lost comes back with other values."""
    before = session_of(made)
    made.set_value("iscsi_session/session1", "first_burst_len", "4096")
    made.set_value("iscsi_connection/connection1:0", "max_recv_dlength", "8192")
    made.set_value("iscsi_connection/connection1:0", "local_port", "50001")
    made.set_value("iscsi_connection/connection1:0", "port", "3261")
    after = session_of(made)
    check("the session's values are others", after != before, True)
    check("its first burst", 4096 in after, True)
    for what, value in ("segment", 8192), ("local port", 50001), ("port", 3261):
        check(f"a connection's {what}", [value in c for c in after[-1]].count(True), 1)
    ports = [c[6] for c in objects(made)["Session"]["Connections"]]
    check("the same port, elsewhere", ports.count(3261), 1)


def portals(made):
    return objects(made)["MSiSCSI_PortalInfoClass"]["PortalInfoCount"]


def check_portals(made):
    check("all come from one address", portals(made), 1)
    made.set_value("iscsi_host/host1", "ipaddress", "127.0.0.9")
    check("one comes from another", portals(made), 2)
    made.set_value("iscsi_host/host1", "ipaddress", "127.0.0.1")
    check("they come from one again", portals(made), 1)


def check_mtu(made):
    def mtus():
        return {c[-1] for c in session_of(made)[-1]}
    check("the interface's MTU", mtus(), {65536})
    made.set_value("net/lo", "mtu", "9000")
    check("its MTU is another", mtus(), {9000})


def check_asymmetry(made):
    """Round robin is not offered over asymmetric access (MSDSM)."""
    def count():
        return objects(made)["DSM_QuerySupportedLBPolicies_V2"]["SupportedLBPoliciesCount"]
    before = count()
    paths = list(made.root.glob("sys/devices/platform/host1/session1/target*/*/access_state"))
    for path in paths:
        path.write_text("active/non-optimized\n")
    check("a policy less over asymmetric access", count(), before - 1)
    for path in paths:
        path.write_text("active/optimized\n")
    check("as many as before over symmetric", count(), before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in "service", "fake", "calls":
        parser.add_argument(f"--{name}", type=measured.path, required=True)
    options = parser.parse_args()
    with measured.Host(options.service, options.fake, 1, 4, 2) as made:
        made.start()
        client = bench.Client(options.calls, made)
        check_tables(made)
        check_states(made)
        check_disks(made)
        check_negotiated(made)
        check_portals(made)
        check_mtu(made)
        check_asymmetry(made)
        check_connections(made)
        check_speed(made)
        check_policy(made, client)
        check_states(made)


if __name__ == "__main__":
    sys.exit(main())
