# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hundred thousand calls of right and wrong types, from several clients at once, one of them a
user who is not root: the service stays the same process, grows no larger, changes nothing that
nobody had the right to change, and still answers."""

import contextlib
import re
import subprocess
import time

import bus
import dm
import holds
import service
import store
import wmi
from basic import HOME, STATE, read, run

PROGRAM = STATE / "hammer"
CLIENTS = 4
USER = 1000

# Calls until the service has all the memory that it needs, and calls that count.
WARM_UP, CALLS, CALLS_WITH_CHANGES = 30000, 100000, 20000

# How much more memory it may have in the end, as a factor.
GROWTH = 1.1

BAD_LINE = re.compile(r"Sanitizer|runtime error|[Aa]ssert|smashing|corrupt|free\(\)|malloc\(\)|SEGV")

# The session that changes in the midst of it all.
HOLD = holds.HOLDS[wmi.ROUND_ROBIN]


def show(name):
    """A property of the service's unit."""
    return run("systemctl", "show", f"--property={name}", "--value", service.UNIT)


def resident(kind="VmRSS"):
    """The service's memory in KiB; RssAnon is its heap and stack alone."""
    status = read(f"/proc/{service.main_pid()}/status")
    return int(re.search(rf"^{kind}:\s+(\d+) kB", status, re.MULTILINE).group(1))


def tables(but=()):
    """{map: its table}, verbatim, without some maps."""
    return {name: each.table for name, each in dm.maps().items() if name not in but}


def settings():
    """What else a call could have changed."""
    return (wmi.get(bus.PATH, "Manager", "DefaultLoadBalancePolicy"),
            wmi.get(bus.PATH, "Manager", "PathWeightOrder"),
            wmi.get(wmi.adapter_path(), "MSiSCSI_HBAInformation", "GenerationalGuid"),
            store.policy(), [store.disk_policy(name) for name in dm.maps()])


def command(seed, calls):
    return [PROGRAM, "--seed", str(seed), "--calls", str(calls), "--clients", str(CLIENTS),
            "--uid", str(USER)]


@contextlib.contextmanager
def hammering(seed, calls):
    """The calls, beside what runs in a `with`; afterwards they have ended well."""
    with subprocess.Popen(command(seed, calls), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        try:
            yield process
            output, _ = process.communicate(timeout=600)
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 0, output


class Hostile(holds.HoldsTest):
    HELD = [HOLD]

    @classmethod
    def setUpClass(cls):
        flags = run("pkg-config", "--cflags", "--libs", "libsystemd", "libxml-2.0").split()
        run("gcc", "-D_GNU_SOURCE", "-O1", "-o", PROGRAM, HOME / "hostile/hammer.c", *flags)
        super().setUpClass()

    def setUp(self):
        self.seed = time.time_ns() % 1000000
        print(f"hostile: seed {self.seed}", flush=True)
        self.since = time.time() - 1
        wmi.wait_until_quiet()
        self.process = (service.main_pid(), show("NRestarts"))
        self.before = settings()

    def assert_unharmed(self):
        self.assertEqual((service.main_pid(), show("NRestarts")), self.process)
        self.assertEqual(settings(), self.before)
        self.assertEqual(dm.suspended(), [])
        bad = [line for line in service.journal(self.since) if BAD_LINE.search(line)]
        self.assertEqual(bad, [])
        self.assertTrue(wmi.sessions())

    def test_a_hundred_thousand_calls(self):
        before = tables()
        print(run(*command(self.seed, WARM_UP), timeout=600), flush=True)
        size, anonymous = resident(), resident("RssAnon")
        start = time.monotonic()
        print(run(*command(self.seed + CLIENTS, CALLS), timeout=900), flush=True)
        seconds = time.monotonic() - start
        print(f"{CALLS} calls in {seconds:.0f} s, {size} KiB before, {resident()} KiB after, of that "
              f"anonymous {anonymous} and {resident('RssAnon')}", flush=True)
        self.assertLess(resident(), size * GROWTH)
        self.assertEqual(tables(), before)
        self.assert_unharmed()

    def test_with_changes_between(self):
        """Who may change a session changes that one, and no other map."""
        others = tables(but=[HOLD.map])
        n_changes = 0
        with hammering(self.seed, CALLS_WITH_CHANGES) as process:
            while process.poll() is None:
                for policy in (wmi.FAILOVER, wmi.QUEUE_DEPTH, wmi.WEIGHTED):
                    status = wmi.set_policy(policy, holds.ADDRESSES[:1], None, holds.ADDRESSES,
                                            HOLD.target)
                    self.assertEqual(status, wmi.SUCCESS)
                    n_changes += 1
                self.assertEqual(tables(but=[HOLD.map]), others)
        self.assertGreater(n_changes, 3)
        self.assertEqual(HOLD.ask(), wmi.SUCCESS)
        self.assert_means()
        self.assertEqual(tables(but=[HOLD.map]), others)
        self.assert_unharmed()
