#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""set_policy.py TARGET POLICY [PORTAL...]: sets the load-balance policy of the session to a target,
by Windows' number; the paths through these portals are the primaries."""

import sys

from dasbus.connection import SystemMessageBus
from dasbus.error import DBusError
from dasbus.typing import get_native
from gi.repository import GLib

SERVICE = "com.open_iscsi.WMI1"
ROOT = "/com/open_iscsi/WMI1"


def find_session(bus, target):
    """The properties of the session to a target."""
    objects = get_native(bus.get_proxy(SERVICE, ROOT).GetManagedObjects())
    for interfaces in objects.values():
        session = interfaces.get(f"{SERVICE}.Session")
        if session and session["TargetName"] == target:
            return session
    sys.exit(f"set_policy.py: no session to {target}")


def find_connections(session, portals):
    """The UniqueConnectionIds of the session's connections through these portals."""
    ids = set()
    for portal in portals:
        found = {number for number, _, _, address, *_ in session["Connections"]
                 if address == portal}
        if not found:
            sys.exit(f"set_policy.py: no connection through {portal}")
        ids |= found
    return ids


def query(adapter, session_id):
    """Policy and paths of the session's entry of MSiSCSI_QueryLBPolicy, which has one for each
    session of the adapter."""
    for number, policy, _, paths in adapter.LoadBalancePolicies:
        if number == session_id:
            return policy, paths
    sys.exit("set_policy.py: the session has gone")


def show(when, policy, paths):
    print(f"{when}: policy {policy}")
    for number, _, weight, primary, _, _ in paths:
        print(f"  path {number:016x} weight {weight} primary {primary}")


def set_policy(target, policy, portals):
    bus = SystemMessageBus()
    session = find_session(bus, target)
    session_id = session["UniqueSessionId"]
    # An adapter's object is named by its ID.
    adapter = bus.get_proxy(SERVICE, f"{ROOT}/adapter/{session['UniqueAdapterId']:016x}")
    primaries = find_connections(session, portals)
    before, paths = query(adapter, session_id)
    show("before", before, paths)

    # What was read goes back with another policy and other primaries. Each path of the session has
    # to be there, once; their order is the order of a failover. PrimaryPath counts for policies 1
    # to 3, PathWeight for policy 5: the lowest is the best, unless Manager.PathWeightOrder says
    # otherwise. (dasbus waits for the answer as long as it takes.)
    paths = [(number, speed, weight, int(number in primaries), status, offload)
             for number, speed, weight, _, status, offload in paths]
    status = adapter.SetLoadBalancePolicy((session_id, policy, len(paths), paths))
    symbol, text = bus.get_proxy(SERVICE, ROOT).DescribeStatus(status)
    if status != 0:
        sys.exit(f"set_policy.py: 0x{status:08X} {symbol}: {text}")
    print(f"Status: 0x{status:08X} {symbol}")
    show("after", *query(adapter, session_id))


def main():
    if len(sys.argv) < 3 or not sys.argv[2].isdecimal():
        sys.exit("usage: set_policy.py TARGET POLICY [PORTAL...]")
    try:
        set_policy(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
    except (DBusError, GLib.Error) as error:  # the second: without a bus, or a service
        sys.exit(f"set_policy.py: {error}")


if __name__ == "__main__":
    main()
