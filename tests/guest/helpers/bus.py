# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls on the bus."""

import json

from basic import run

NAME = "com.open_iscsi.WMI1"
PATH = "/com/open_iscsi/WMI1"

# How long a call may take, for busctl; the tests under valgrind raise it.
CALL_SECONDS = 25


def call(path, interface, member, signature="", *args, name=NAME, user=None):
    """Call a D-Bus method with busctl; the reply's values, decoded. `interface` may leave out
    the service's own prefix. RuntimeError carries what busctl said. `user` calls as another."""
    if "." not in interface:
        interface = f"{NAME}.{interface}"
    words = ["busctl", "--json=short", f"--timeout={CALL_SECONDS}", "call", name, path, interface,
             member]
    if signature:
        words += [signature, *map(str, args)]
    if user:
        words = ["runuser", "-u", user, "--", *words]
    reply = run(*words, timeout=CALL_SECONDS + 10)
    return json.loads(reply)["data"] if reply else []
