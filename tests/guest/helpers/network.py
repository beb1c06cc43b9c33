# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses and links of the guest: a portal that is lost has lost its address."""

import contextlib
import pathlib

from basic import read, run, write

# An address on an interface that has a link speed (a veth pair), for a portal that needs one.
LINK = "lab0"
LINK_ADDRESS = "192.0.2.1"


def _on_lo(address):
    """What `ip` calls this address."""
    return f"{address}/{128 if ':' in address else 32}"


def add(address):
    """Put an address on lo, unless some interface has it."""
    if f" {address}/" not in run("ip", "-o", "addr"):
        run("ip", "addr", "add", _on_lo(address), "dev", "lo",
            *(["nodad"] if ":" in address else []))


def block(address):
    """Cut a portal off, as a broken cable would: its packets are dropped both ways."""
    run("ip", "addr", "del", _on_lo(address), "dev", "lo")
    run("ip", "route", "add", "blackhole", _on_lo(address), "table", "local")


def unblock(address):
    """Undo block()."""
    run("ip", "route", "del", "blackhole", _on_lo(address), "table", "local")
    run("ip", "addr", "add", _on_lo(address), "dev", "lo")


@contextlib.contextmanager
def blocked(address):
    """A portal that is cut off inside a `with`."""
    block(address)
    try:
        yield
    finally:
        unblock(address)


@contextlib.contextmanager
def sysctl(name, value):
    """A setting of net.ipv4 inside a `with`."""
    file = pathlib.Path("/proc/sys/net/ipv4", name)
    before = read(file)
    write(file, value)
    try:
        yield
    finally:
        write(file, before)


def link_up():
    """A veth pair with LINK_ADDRESS, whose end has a link speed (lo has none)."""
    if not pathlib.Path("/sys/class/net", LINK).exists():
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", f"{LINK}p")
        run("ip", "addr", "add", f"{LINK_ADDRESS}/24", "dev", LINK)
        run("ip", "link", "set", LINK, "up")
        run("ip", "link", "set", f"{LINK}p", "up")
