# SPDX-License-Identifier: LGPL-2.1-or-later
"""Maps that are gone when their policy is given back, and return right after: they are the host's own."""

import case
from multipathd import OWN_SELECTOR
from names import FAILOVER, SUCCESS, VENDOR

CONFIGURE = 1  # seconds: what a reconfiguration takes


class Away(case.HostTest):
    access = False

    def prepare(self):
        self.host.multipathd.seconds = CONFIGURE

    def begin(self):
        self.assertEqual(self.agent.set_policy(FAILOVER, primaries=[1]), SUCCESS)
        self.wait_for_agreement()

    def remove(self, *minors):
        for minor in minors:
            self.host.remove_map(minor)
        self.wait_for(lambda: len(self.agent.session("Maps")) == 2 - len(minors), "their absence")

    def assert_own(self, *minors):
        """What multipathd builds, at once."""
        for minor in minors:
            self.host.multipathd.load(minor)
            self.assertEqual(self.host.shape(minor), [(OWN_SELECTOR, {1, 2, 3, 4})])
        self.assertFalse(self.host.drop_in.exists())

    def test_a_session(self):
        self.begin()
        self.remove(0, 1)
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assert_own(0, 1)

    def test_one_of_two(self):
        self.begin()
        self.remove(0)
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assert_own(0)
        self.assert_everywhere((OWN_SELECTOR, [1, 2, 3, 4]))

    def test_since_the_start(self):
        """Whose they are is not known then."""
        self.begin()
        self.assertEqual(self.host.stop(), 0)
        for minor in 0, 1:
            self.host.remove_map(minor)
        self.host.start()
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assert_own(0, 1)

    def test_a_disk(self):
        self.assertEqual(self.agent.set_disk_policy(0, FAILOVER, primaries=[1], preferred=1), SUCCESS)
        self.wait_for_disk_agreement()
        self.remove(0)
        self.assertEqual(self.agent.clear_disk_policy(0), SUCCESS)
        self.assert_own(0)

    def test_a_release_that_reloads_all(self):
        """What it has read, it has read when it started."""
        self.begin()
        self.host.multipathd.release = "0.8.5"
        self.remove(0, 1)
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.assert_own(0, 1)

    def test_a_multipathd_that_does_not_run(self):
        """It reads the file when it starts."""
        self.begin()
        self.remove(0, 1)
        self.host.multipathd.stop()
        self.assertEqual(self.agent.set_policy(VENDOR), SUCCESS)
        self.host.multipathd.start()
        self.assert_own(0, 1)

    def test_a_refusal(self):
        """What waits for the return of the maps does so still."""
        self.begin()
        self.remove(0, 1)
        before = self.host.drop_in.read_text()
        self.host.multipathd.silent = True
        self.assertEqual(self.agent.set_policy(VENDOR), "ISDSC_INITIATOR_ERROR")
        self.host.multipathd.silent = False
        self.wait_for(lambda: self.host.drop_in.read_text() == before, "the entries")
        for minor in 0, 1:
            self.host.multipathd.load(minor)
        self.wait_for_agreement()
        self.assert_everywhere(*(("round-robin 0", [sid]) for sid in (1, 2, 3, 4)))


if __name__ == "__main__":
    case.main()
