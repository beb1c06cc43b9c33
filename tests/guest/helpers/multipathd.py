# SPDX-License-Identifier: LGPL-2.1-or-later
"""multipathd: stopped and started, reconfigured, asked."""

import contextlib
import json
import re
import time

import basic
from basic import run, wait_for


def stop():
    """Stop multipathd; nothing starts it meanwhile."""
    run("systemctl", "stop", "multipathd.socket", "multipathd.service")


def start():
    """Start multipathd, as often as the tests like: systemd counts, on some releases."""
    run("systemctl", "reset-failed", "multipathd.service", check=False)
    run("systemctl", "start", "multipathd.socket", "multipathd.service")


def restart():
    """Restart multipathd, likewise."""
    run("systemctl", "reset-failed", "multipathd.service", check=False)
    run("systemctl", "restart", "multipathd.service")


@contextlib.contextmanager
def stopped():
    """No multipathd inside a `with`. One that finds many new paths when it starts makes each map
    once, in place of once for each path."""
    stop()
    try:
        yield
    finally:
        start()


def frozen():
    """multipathd stands still inside a `with`: it takes no part in what the service does."""
    return basic.frozen(int(run("systemctl", "show", "--property=MainPID", "--value",
                                "multipathd.service")))


def says_idle(state):
    """Whether this answer to "show daemon" means that multipathd has nothing left to do: no request
    for a reconfiguration, and none under way. (It is "running" while it checks paths.)"""
    return bool(re.search(r" (idle|running)$", state.strip("\n\0 ")))


def is_idle():
    """Whether multipathd has nothing left to do."""
    return says_idle(run("multipathd", "show", "daemon", check=False))


def reconfigure():
    """Have multipathd read its configuration, and wait until it has: releases before 0.10 do not
    say that the request is still queued."""
    run("multipathd", "reconfigure")
    time.sleep(0.5)
    wait_for(is_idle, 30, "multipathd idle")


def reconfigures(since):
    """When multipathd was asked to reconfigure since a time.time(): a time of each request."""
    run("journalctl", "--sync")
    lines = run("journalctl", "--unit=multipathd.service", f"--since=@{since:.6f}",
                "--output=short-unix", "--no-pager").splitlines()
    return [float(line.split()[0]) for line in lines if "reconfigure (operator)" in line]


def map_loads():
    """{map: how often multipathd has loaded a table for it since it was configured}. multipathd
    reads the live tables for this answer."""
    found = json.loads(run("multipathd", "show", "maps", "json"))["maps"]
    return {each["name"]: each["map_loads"] for each in found}
