# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples: programs in which generators, bindings and tools that are not ours call the
service. The kernel is the witness."""

import subprocess

import lio
import network
import test_policies
import wmi
from basic import HOME, STATE, run

EXAMPLES = HOME / "examples"
RR, QL = "round-robin", "queue-length"


def run_example(program, *words):
    """Run an example: exit status, standard output, standard error."""
    done = subprocess.run([str(program), *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


class Examples(test_policies.PolicyTest):
    def assert_works(self, program):
        """It sets a policy, shows the policy as the service reads it back, and takes no for an
        answer."""
        a, b, c, d = self.portals
        self.set(wmi.QUEUE_DEPTH)
        wmi.wait_for_agreement()  # or multipathd may bring it back for a moment
        status, output, errors = run_example(program, lio.TARGET, wmi.SUBSET, b, d)
        self.assertEqual((status, errors), (0, ""))
        self.assert_tables((RR, [b, d]), (RR, [a, c]))
        self.assert_shown(output)

        for words, said in (((9, b), "0xEFFF0055 ISDSC_INVALID_LOAD_BALANCE_POLICY"),
                            ((wmi.FAILOVER,), "0xEFFF005B ISDSC_NO_PRIMARY_PATH_SPECIFIED"),
                            ((wmi.FAILOVER, network.LINK_ADDRESS), network.LINK_ADDRESS)):
            with self.subTest(said=said):
                status, output, errors = run_example(program, lio.TARGET, *words)
                self.assertEqual(status, 1)
                self.assertNotIn("after", output)
                self.assertIn(said, errors)
        self.assert_tables((RR, [b, d]), (RR, [a, c]))

    def assert_shown(self, output):
        """What a run that made SUBSET of QUEUE_DEPTH has printed: under the second all paths are
        primaries, under the first those that were named."""
        before, after = output.split("Status: 0x00000000 STATUS_SUCCESS\n")
        self.assertEqual(before.splitlines()[0], f"before: policy {wmi.QUEUE_DEPTH}")
        self.assertEqual(self.primaries(before), self.ids(self.portals))
        self.assertEqual(after.splitlines()[0], f"after: policy {wmi.SUBSET}")
        self.assertEqual(self.primaries(after), self.ids(self.portals[1::2]))

    @staticmethod
    def primaries(text):
        """The IDs in the lines of paths that are primaries."""
        return {line.split()[1] for line in text.splitlines() if line.endswith(" primary 1")}

    @staticmethod
    def ids(addresses):
        return {f"{wmi.connection_id(address):016x}" for address in addresses}

    def test_c(self):
        """As a program outside of this project is built, with what is installed."""
        program = STATE / "set-policy"
        flags = run("pkg-config", "--cflags", "--libs", "libiscsiwmi").split()
        run("cc", "-o", program, EXAMPLES / "c/set-policy.c", *flags)
        self.assert_works(program)

    def test_gdbus(self):
        self.assert_works(EXAMPLES / "gdbus/set-policy")

    def test_sdbus(self):
        self.assert_works(EXAMPLES / "sdbus-c++/set-policy")

    def test_dasbus(self):
        self.assert_works(EXAMPLES / "dasbus/set_policy.py")

    def test_busctl(self):
        self.assert_works(EXAMPLES / "busctl/set-policy.sh")
