# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signals: on the right interface, once, after the fact is true."""

import threading
import time

import dm
import iscsi
import lio
import network
import signals
import stack
import test_policies
import wmi
from basic import wait_for


class Signals(test_policies.PolicyTest):
    def wait(self, condition, what, seconds=10):
        wait_for(condition, seconds, what)

    def connections(self):
        """{UniqueConnectionId: ConnectionStatus}, as the service has it now."""
        return {each[0]: each[1] for each in wmi.session("Connections")}

    def test_a_policy_is_set_and_given_back(self):
        with signals.Monitor() as monitor:
            self.set(wmi.FAILOVER, self.portals[:1])
            self.wait(lambda: monitor.values("LoadBalancePolicy"), "the policy")
            wmi.wait_for_agreement()
            self.assertEqual(monitor.values("LoadBalancePolicy"), [wmi.FAILOVER])
            self.assertEqual(monitor.values("Provenance"), ["session"])
            self.assertEqual(monitor.values("MultipathdAgreement")[-1], "Agrees")
            self.assertIn(None, monitor.values("Maps"))
            self.assertIn(None, monitor.values("LoadBalancePolicies", "MSiSCSI_QueryLBPolicy",
                                               wmi.adapter_path()))
            # What does not change is not announced.
            self.assertEqual(monitor.values("Reapplications"), [])
            for interface, _, _ in monitor.signals("PropertiesChanged", wmi.session_path()):
                self.assertEqual(interface, f"{wmi.INTERFACE}.Session")

            monitor.messages.clear()
            self.set(wmi.VENDOR)
            self.wait(lambda: monitor.values("LoadBalancePolicy"), "its end")
            time.sleep(1)
            self.assertEqual(monitor.values("LoadBalancePolicy"), [0])
            self.assertEqual(monitor.values("Provenance"), ["host"])

    def test_the_fact_is_true_when_the_signal_comes(self):
        """The property is read as soon as the signal is there, in one process."""
        seen = []
        self.set(wmi.ROUND_ROBIN, self.portals)
        wmi.wait_for_agreement()  # or multipathd might just read this one

        def read_at_once(monitor):
            for _ in range(300):
                if monitor.values("LoadBalancePolicy"):
                    seen.append((wmi.session("LoadBalancePolicy"), dm.shapes()))
                    return
                time.sleep(0.02)

        with signals.Monitor() as monitor:
            reader = threading.Thread(target=read_at_once, args=[monitor])
            reader.start()
            self.set(wmi.QUEUE_DEPTH)
            reader.join()
        ((policy, shapes),) = seen
        self.assertEqual(policy, wmi.QUEUE_DEPTH)
        for shape in shapes.values():
            self.assertEqual(shape, [("queue-length", frozenset(self.portals))])

    def test_sessions_come_and_go(self):
        path, address = wmi.session_path(), self.portals[0]
        with signals.Monitor() as monitor:
            # A path. The kernel says nothing of a session's state, but of its coming and going.
            iscsi.logout(address=address)
            self.wait(lambda: None in monitor.values("Connections")
                      and wmi.connection_id(address) not in self.connections(), "the lost path")
            stack.wait_until_whole(3 * lio.luns())
            ((gone, removed),) = monitor.objects("InterfacesRemoved", "connection")
            self.assertEqual(gone, wmi.connection_path(address))
            self.assertIn(f"{wmi.INTERFACE}.MSiSCSI_ConnectionStatistics", removed)
            monitor.messages.clear()
            iscsi.login(address=address)
            self.wait(lambda: None in monitor.values("Connections")
                      and wmi.connection_id(address) in self.connections(),
                      "the path that returned")
            ((come, interfaces),) = monitor.objects("InterfacesAdded", "connection")
            self.assertEqual((come, interfaces), (gone, removed))
            self.assertEqual(monitor.objects("InterfacesAdded"), [])

            # All of it, without a policy: the object goes, and comes again.
            iscsi.logout()
            self.wait(lambda: monitor.objects("InterfacesRemoved"), "the object's end")
            ((gone, interfaces),) = monitor.objects("InterfacesRemoved")
            self.assertEqual(gone, path)
            self.assertIn(f"{wmi.INTERFACE}.Session", interfaces)
            iscsi.login()
            self.wait(lambda: monitor.objects("InterfacesAdded"), "the object")
            stack.wait_until_whole()
            ((come, interfaces),) = monitor.objects("InterfacesAdded")
            self.assertEqual(come, path)
            self.assertIn(f"{wmi.INTERFACE}.Session", interfaces)

            # With a policy it stays.
            self.set(wmi.QUEUE_DEPTH)
            self.wait(lambda: monitor.values("LoadBalancePolicy"), "the policy")
            monitor.messages.clear()
            iscsi.logout()
            try:
                self.wait(lambda: monitor.values("Agreement")[-1:] == ["Pending"], "Pending")
                self.assertEqual(monitor.objects("InterfacesRemoved"), [])
                self.assertEqual(monitor.values("LoadBalancePolicy"), [])
            finally:
                iscsi.login()
                stack.wait_until_whole()
            self.wait(lambda: monitor.values("Agreement")[-1:] == ["Applied"], "Applied")
            self.assertEqual(monitor.objects("InterfacesAdded"), [])

    def test_a_portal_is_lost(self):
        """The kernel sends no event of a session's state: the service has to find out by itself."""
        address = self.portals[0]
        iscsi.quick_timeouts()
        self.addCleanup(iscsi.quick_timeouts, seconds=5)  # open-iscsi's own
        iscsi.logout(address=address)
        iscsi.login(address=address)
        stack.wait_until_whole()
        with signals.Monitor() as monitor:
            with network.blocked(address):
                self.wait(lambda: None in monitor.values("Connections"), "the loss", 30)
                status = self.connections()
                self.assertNotEqual(status.pop(wmi.connection_id(address)), 1)
                self.assertEqual(set(status.values()), {1})
                monitor.messages.clear()
            stack.wait_until_whole()
            self.wait(lambda: None in monitor.values("Connections"), "the return")
            self.assertEqual(set(self.connections().values()), {1})
