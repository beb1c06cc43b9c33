# SPDX-License-Identifier: LGPL-2.1-or-later
"""Eight users attack by all ways at once (attack.c), for ten minutes, while root changes a session's
policy and a path is lost and comes back: no change is lost or refused, each is answered soon, and the
service is the same process, no larger than before."""

import contextlib
import itertools
import pwd
import subprocess
import time

import dm
import holds
import network
import service
import wmi
from basic import HOME, STATE, run, wait_for
from test_hostile import GROWTH, HOLD, resident, show

PROGRAM = STATE / "attack"
WAYS = "leave", "read", "stay", "count", "change", "change", "forge", "listen"
# Such as there are: dbus-daemon takes no others.
USERS = [each.pw_uid for each in pwd.getpwall() if each.pw_uid != 0]

SECONDS = 600
WARM_UP = 30  # until the service has all the memory that it needs
ANSWERED = 2  # seconds, for a change
CALMER = 0.2  # from one to the next


@contextlib.contextmanager
def attacking():
    with contextlib.ExitStack() as stack:
        attackers = []
        for user, way in zip(USERS, WAYS):
            attackers.append(stack.enter_context(subprocess.Popen([PROGRAM, way, str(user)])))
            stack.callback(attackers[-1].kill)
        yield
        assert [each.poll() for each in attackers] == [None] * len(attackers)


class Attack(holds.HoldsTest):
    HELD = [HOLD]

    @classmethod
    def setUpClass(cls):
        flags = run("pkg-config", "--cflags", "--libs", "libsystemd").split()
        run("gcc", "-D_GNU_SOURCE", "-O1", "-o", PROGRAM, HOME / "hostile/attack.c", *flags)
        super().setUpClass()

    def change(self, policy):
        """How long it took."""
        begin = time.monotonic()
        status = wmi.set_policy(policy, holds.ADDRESSES[:1], None, holds.ADDRESSES, HOLD.target)
        self.assertEqual(status, wmi.SUCCESS)
        return time.monotonic() - begin

    def change_for(self, seconds):
        """Changes, and a path that is lost and comes back; how long each took."""
        times, until = [], time.monotonic() + seconds
        for policy in itertools.cycle((wmi.FAILOVER, wmi.QUEUE_DEPTH, wmi.WEIGHTED)):
            times.append(self.change(policy))
            if time.monotonic() > until:
                return times
            time.sleep(CALMER)

    def lose_a_path(self):
        with network.blocked(holds.B):
            wait_for(lambda: dm.is_failed(holds.B), 60, "the loss")
            self.assertEqual(HOLD.ask(), wmi.SUCCESS)
            self.assert_means(unusable=[holds.B])
        self.assert_holds()

    def test_ten_minutes(self):
        process = service.main_pid(), show("NRestarts")
        wmi.wait_until_quiet()
        with attacking():
            times = self.change_for(WARM_UP)
            size = resident()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                times += self.change_for(WARM_UP)
                self.lose_a_path()
        print(f"attack: {len(times)} changes, the slowest {max(times):.2f} s, half of them within "
              f"{sorted(times)[len(times) // 2]:.2f} s; {size} KiB, then {resident()}", flush=True)
        self.assertLess(max(times), ANSWERED)
        self.assertLess(resident(), size * GROWTH)
        self.assertEqual((service.main_pid(), show("NRestarts")), process)
        self.assertEqual(HOLD.ask(), wmi.SUCCESS)
        self.assert_holds()
