# SPDX-License-Identifier: LGPL-2.1-or-later
"""multipathd loads tables while the service does."""

import concurrent.futures
import threading

import dm
import test_policies
import wmi
from basic import run

RR = "round-robin"


class Reloads(test_policies.PolicyTest):
    def test_multipathd_reloads_meanwhile(self):
        """Two who take a table into use at the same moment: the kernel answers one of them with an
        error, which no request ends with."""
        names = sorted(dm.maps())
        done = threading.Event()

        def reload_maps():
            while not done.is_set():
                for name in names:
                    run("multipathd", "reload", "map", name, check=False)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            tasks = [pool.submit(reload_maps) for _ in range(2)]
            try:
                for _ in range(5):
                    self.set(wmi.QUEUE_DEPTH)
                    self.set(wmi.ROUND_ROBIN, self.portals)
            finally:
                done.set()
            for task in tasks:
                task.result()
        self.assert_tables((RR, self.portals))
