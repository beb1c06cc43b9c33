# SPDX-License-Identifier: LGPL-2.1-or-later
"""A test of the real service on a made-up host:

    class Policies(case.HostTest):
        sessions = 2

        def test_least_queue_depth(self):
            self.assertEqual(self.agent.set_policy(names.QUEUE_DEPTH), names.SUCCESS)

Each test has a host of its own. At its end the service ends without an error, the sanitizers' included;
what it has written is shown where the test fails. The tests of a file run at the same time, for mostly
they wait.
"""

import concurrent.futures
import os
import time
import unittest

import agent
import host

PATIENCE = 30  # seconds, for a slow machine under sanitizers
AT_A_TIME = 8  # a host has three instances of inotify, and a user, often, 128 of them


def built(name):
    """A program or library, by the environment variable that meson sets."""
    if name not in os.environ:
        raise unittest.SkipTest(f"{name} is not set: run this through meson")
    return host.path(os.environ[name])


class HostTest(unittest.TestCase):
    sessions, portals, luns = 1, 4, 2
    access = True

    def setUp(self):
        self.said = ""
        self.host = self.enterContext(host.Host(built("ISCSI_WMID"), built("FAKE_HOST_LIBRARY"),
                                                self.sessions, self.portals, self.luns,
                                                self.access))
        self.addCleanup(lambda: setattr(self, "said", self.host.said()))
        self.prepare()
        self.host.start()
        self.agent = agent.Agent(self.host)
        self.addCleanup(self.agent.close)

    def prepare(self):
        """What there is before the service: for those who need it."""

    def tearDown(self):
        self.assertIn(self.host.stop(), (0, None))
        self.assertNotIn("Sanitizer", self.host.said())

    def restart(self):
        self.assertEqual(self.host.stop(), 0)
        self.host.start()

    def wait_for(self, condition, what, seconds=PATIENCE):
        """Until it is true; what it was in the end."""
        until = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > until:
                self.fail(f"not within {seconds} s: {what}")
            time.sleep(0.01)
        return found

    def wait_for_agreement(self, target=0):
        """Until kernel and multipathd agree with a session's policy."""
        self.wait_for(lambda: (self.agent.session("Agreement", target),
                               self.agent.session("MultipathdAgreement", target))
                      == ("Applied", "Agrees"), "agreement")

    def wait_for_disk_agreement(self, minor=0):
        """Likewise of a disk's."""
        self.wait_for(lambda: (self.agent.disk(minor, "Agreement"),
                               self.agent.disk(minor, "MultipathdAgreement"))
                      == ("Applied", "Agrees"), "agreement")

    def assert_everywhere(self, *groups):
        """Every map has these groups: (selector, sids), best first."""
        wanted = [(selector, set(sids)) for selector, sids in groups]
        self.assertEqual(self.host.shapes(), {minor: wanted for minor in self.host.minors()})


def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def run_alone(test):
    """The test, and its own result."""
    result = unittest.TestResult()
    test.run(result)
    said = getattr(test, "said", "") # some have no service of their own
    for bad in result.failures, result.errors:
        bad[:] = [(what, f"{text}\nThe service wrote:\n{said}") for what, text in bad]
    return test, result


class Together(unittest.TestSuite):
    def run(self, result, debug=False):
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            for test, own in pool.map(run_alone, each(self)):
                result.testsRun += own.testsRun
                result.failures += own.failures
                result.errors += own.errors
                result.skipped += own.skipped
                if result.showAll:
                    result.stream.writeln(f"{test.id()}: {'ok' if own.wasSuccessful() else 'FAIL'}")
        return result


def main():
    loader = unittest.TestLoader()
    loader.suiteClass = Together
    unittest.main(testLoader=loader)
