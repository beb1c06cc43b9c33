# SPDX-License-Identifier: LGPL-2.1-or-later
"""The classes that tell of sessions, against what sysfs, iscsiadm and ss say."""

import collections
import ipaddress
import pathlib
import re
import unittest

import bus
import iscsi
import lio
import network
import signals
import wmi
from basic import read, run, wait_for

TARGET = "iqn.2024-01.org.example:secure"
V4, V6 = "127.0.0.31", "::1"
ADDRESSES = (V4, V6, network.LINK_ADDRESS)
CHAP = ("lab-host", "twelve-chars-of-it")
CHAP_IN = ("lab-array", "another-dozen-here")

CONFIG = pathlib.Path("/etc/iscsi/iscsid.conf")
CONNECTION = "node.conn[0].iscsi."
SESSION = "node.session.iscsi."
AUTH = "node.session.auth."

NO_AUTH, CHAP_AUTH, MUTUAL_CHAP = range(3)

# Members in Windows' order.
SessionInfo = collections.namedtuple("SessionInfo", (
    "id initiator target tsid isid initial_r2t immediate_data type data_sequence_in_order "
    "data_pdu_in_order erl max_outstanding_r2t first_burst max_burst max_connections count "
    "connections"))
ConnectionInfo = collections.namedtuple("ConnectionInfo", (
    "id cid state protocol header_digest data_digest reserved max_recv auth local local_port "
    "remote remote_port throughput max_datagram"))
Address = collections.namedtuple("Address", "type v4 v6 flow scope text")


def get(interface, name):
    return wmi.get(wmi.adapter_path(), interface, name)


def session_info(target=TARGET):
    """The entry of a session, None where it has none."""
    for each in get("MSiSCSI_InitiatorSessionInfo", "SessionsList"):
        info = SessionInfo(*each)
        if info.id == wmi.session_id(target):
            return info._replace(connections=[
                connection._replace(local=Address(*connection.local),
                                    remote=Address(*connection.remote))
                for connection in (ConnectionInfo(*each) for each in info.connections)])
    return None


def is_up(target=TARGET, count=len(ADDRESSES)):
    """The entry of a session, once all its connections are in the full feature phase."""
    info = session_info(target)
    return info and info.count == count and all(each.state == 1 for each in info.connections) \
        and info


def kernel_sessions(target=TARGET):
    """{UniqueConnectionId: kernel session}."""
    return {wmi.connection_id(each.address, target=target): each
            for each in iscsi.sessions() if each.target == target}


def sysfs(kind, sid, name):
    device = f"session{sid}" if kind == "session" else f"connection{sid}:0"
    return read(f"/sys/class/iscsi_{kind}/{device}/{name}")


def iscsiadm(sid):
    """{name: value} of what iscsiadm prints of a session; the first of a name counts."""
    found = {}
    for line in run("iscsiadm", "-m", "session", "-r", sid, "-P", "3").splitlines():
        if match := re.match(r"\s*([^:]+): (.*)$", line):
            found.setdefault(match[1], match[2].strip())
    return found


def end(text):
    """(address, port) of "address:port", with a portal group or not, the address a number."""
    host, port = text.split(",")[0].rsplit(":", 1)
    return ipaddress.ip_address(host.strip("[]").split("%")[0]), int(port)


def sockets():
    """{(local end, remote end)} of the TCP connections that are up."""
    return {(end(words[3]), end(words[4]))
            for words in map(str.split, run("ss", "-tnH").splitlines())
            if words[0] == "ESTAB"}


def record(address, target):
    """{name: value} of a node record."""
    lines = run("iscsiadm", "-m", "node", "-T", target, "-p",
                f"[{address}]:{lio.PORT}" if ":" in address else f"{address}:{lio.PORT}",
                "-o", "show").splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def number(yes):
    return {"Yes": True, "No": False}.get(yes, yes)


class SecureSession(unittest.TestCase):
    """A session with a target that asks for CHAP, without LUNs: over IPv4, over IPv6 and over an
    interface with a speed."""

    @classmethod
    def setUpClass(cls):
        lio.create(TARGET, 0, ADDRESSES)
        cls.addClassCleanup(lio.remove, TARGET)
        lio.ask_for_chap(*CHAP, name=TARGET)
        iscsi.discover(V4, new_only=True)
        cls.addClassCleanup(iscsi.forget, TARGET)
        cls.set_records()
        cls.addClassCleanup(cls.log_out)
        with signals.Monitor() as monitor:
            iscsi.login(TARGET)
            wait_for(is_up, 20, "the session on the bus")
            cls.seen = cls.announced(monitor)

    @classmethod
    def set_records(cls):
        iscsi.update({AUTH + "authmethod": "CHAP", AUTH + "username": CHAP[0],
                      AUTH + "password": CHAP[1], SESSION + "FirstBurstLength": 65536,
                      SESSION + "MaxBurstLength": 131072}, TARGET)
        iscsi.update({CONNECTION + "HeaderDigest": "CRC32C", CONNECTION + "DataDigest": "CRC32C",
                      CONNECTION + "MaxRecvDataSegmentLength": 65536}, TARGET, V4)
        iscsi.update({CONNECTION + "DataDigest": "CRC32C"}, TARGET, V6)

    @classmethod
    def announced(cls, monitor):
        """{property: values} of what the adapter's signals carried, once all have come."""
        properties = (("SessionCount", "InitiatorSessionInfo"),
                      ("SessionsList", "InitiatorSessionInfo"),
                      ("PortalInfoCount", "PortalInfoClass"),
                      ("PortalInformation", "PortalInfoClass"))

        def seen():
            found = {name: monitor.values(name, f"MSiSCSI_{interface}", wmi.adapter_path())
                     for name, interface in properties}
            return all(found.values()) and found

        return wait_for(seen, 10, "the adapter's signals")

    @classmethod
    def log_out(cls):
        if kernel_sessions():
            iscsi.logout(TARGET)
        wait_for(lambda: session_info() is None, 20, "no session on the bus")

    def setUp(self):
        self.info = wait_for(is_up, 20, "the session on the bus")
        self.kernel = kernel_sessions()

    def connection(self, address):
        wanted = wmi.connection_id(address, target=TARGET)
        return next(each for each in self.info.connections if each.id == wanted)

    def assert_address(self, found, address):
        """An ISCSI_IP_Address, in full."""
        packed = list(address.packed)
        self.assertEqual(found, Address(
            type=1 if address.version == 4 else 2,
            v4=int.from_bytes(packed, "little") if address.version == 4 else 0,
            v6=[0] * 16 if address.version == 4 else packed,
            flow=0, scope=0, text=address.compressed))

    def test_session_agrees_with_sysfs(self):
        info, sid = self.info, min(each.sid for each in self.kernel.values())
        self.assertEqual((info.initiator, info.target), (iscsi.INITIATOR, TARGET))
        self.assertEqual(bytes(info.isid), b"\x00\x02\x3d" + sid.to_bytes(3, "big"))
        self.assertEqual((info.tsid, info.type, info.max_connections), (0, 2, 1))
        for found, name in ((info.initial_r2t, "initial_r2t"),
                            (info.immediate_data, "immediate_data"),
                            (info.data_sequence_in_order, "data_seq_in_order"),
                            (info.data_pdu_in_order, "data_pdu_in_order"),
                            (info.erl, "erl"),
                            (info.max_outstanding_r2t, "max_outstanding_r2t"),
                            (info.first_burst, "first_burst_len"),
                            (info.max_burst, "max_burst_len")):
            with self.subTest(name=name):
                self.assertEqual(int(found), int(sysfs("session", sid, name)))
        self.assertEqual((info.first_burst, info.max_burst), (65536, 131072))

    def test_session_agrees_with_iscsiadm(self):
        said = iscsiadm(min(each.sid for each in self.kernel.values()))
        self.assertEqual(said["Target"].split()[0], self.info.target)
        self.assertEqual(said["Iface Initiatorname"], self.info.initiator)
        for found, name in ((self.info.initial_r2t, "InitialR2T"),
                            (self.info.immediate_data, "ImmediateData")):
            self.assertEqual(found, number(said[name]), name)
        for found, name in ((self.info.first_burst, "FirstBurstLength"),
                            (self.info.max_burst, "MaxBurstLength"),
                            (self.info.max_outstanding_r2t, "MaxOutstandingR2T")):
            self.assertEqual(found, int(said[name]), name)

    def test_connections_agree_with_sysfs(self):
        self.assertEqual([each.id for each in self.info.connections], sorted(self.kernel))
        for found in self.info.connections:
            sid = self.kernel[found.id].sid
            with self.subTest(address=self.kernel[found.id].address):
                self.assertEqual((found.cid, found.state, found.protocol, found.reserved),
                                 (0, 1, 6, 0))
                for value, name in ((found.header_digest, "header_digest"),
                                    (found.data_digest, "data_digest"),
                                    (found.max_recv, "max_recv_dlength"),
                                    (found.local_port, "local_port"),
                                    (found.remote_port, "port")):
                    self.assertEqual(value, int(sysfs("connection", sid, name)), name)
                self.assert_address(found.remote,
                                    ipaddress.ip_address(sysfs("connection", sid, "address")))

    def test_connections_agree_with_iscsiadm(self):
        digests = {"None": 0, "CRC32C": 1}
        for found in self.info.connections:
            said = iscsiadm(self.kernel[found.id].sid)
            with self.subTest(address=self.kernel[found.id].address):
                self.assertEqual((found.header_digest, found.data_digest),
                                 (digests[said["HeaderDigest"]], digests[said["DataDigest"]]))
                self.assertEqual(found.max_recv, int(said["MaxRecvDataSegmentLength"]))
                self.assertEqual(said["username"], CHAP[0])
                self.assertEqual(found.auth, CHAP_AUTH)
                self.assertEqual((ipaddress.ip_address(found.remote.text), found.remote_port),
                                 end(said["Current Portal"]))
                self.assert_address(found.local, ipaddress.ip_address(
                    said["Iface IPaddress"].strip("[]")))

    def test_both_ends_agree_with_ss(self):
        there = sockets()
        for found in self.info.connections:
            ends = ((ipaddress.ip_address(found.local.text), found.local_port),
                    (ipaddress.ip_address(found.remote.text), found.remote_port))
            self.assertIn(ends, there)

    def test_what_each_record_asked_for(self):
        self.assertEqual([(self.connection(each).header_digest, self.connection(each).data_digest)
                          for each in ADDRESSES], [(1, 1), (0, 1), (0, 0)])
        self.assertEqual(self.connection(V4).max_recv, 65536)

    def test_interfaces(self):
        for address, device in ((V4, "lo"), (V6, "lo"), (network.LINK_ADDRESS, network.LINK)):
            with self.subTest(address=address):
                found = self.connection(address)
                mtu = int(read(f"/sys/class/net/{device}/mtu"))
                self.assertEqual(found.max_datagram, mtu)
                speed = 0 if device == "lo" else int(read(f"/sys/class/net/{device}/speed"))
                self.assertEqual(found.throughput, speed * 125000)

    def test_portals(self):
        found = get("MSiSCSI_PortalInfoClass", "PortalInformation")
        self.assertEqual(get("MSiSCSI_PortalInfoClass", "PortalInfoCount"), len(found))
        self.assertEqual([each[0] for each in found], list(range(len(found))))
        self.assertEqual({tuple(each[1:5] + each[6:]) for each in found}, {(0, 6, 0, 0, 0, 0)})
        addresses = [Address(*each[5]) for each in found]
        self.assertEqual(len({each.text for each in addresses}), len(addresses))
        for connection in self.info.connections:
            self.assertIn(connection.local, addresses)

    def test_signals(self):
        count = get("MSiSCSI_InitiatorSessionInfo", "SessionCount")
        self.assertEqual(count, len(get("MSiSCSI_InitiatorSessionInfo", "SessionsList")))
        self.assertIn(count, self.seen["SessionCount"])
        for name in ("SessionsList", "PortalInfoCount", "PortalInformation"):
            self.assertEqual(set(self.seen[name]), {None}, name)

    def test_no_secret_is_shown(self):
        objects = run("busctl", "--json=short", "call", bus.NAME, bus.PATH,
                      "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        for _, password in (CHAP, CHAP_IN):
            self.assertNotIn(password, objects)

    def test_mutual_chap(self):
        iscsi.logout(TARGET, V6)
        self.addCleanup(self.one_way_again)
        lio.ask_for_chap(*CHAP, *CHAP_IN, name=TARGET)
        iscsi.update({AUTH + "username_in": CHAP_IN[0], AUTH + "password_in": CHAP_IN[1]},
                     TARGET, V6)
        iscsi.login(TARGET, V6)
        self.info = wait_for(is_up, 20, "the session on the bus")
        self.assertEqual([self.connection(each).auth for each in ADDRESSES],
                         [CHAP_AUTH, MUTUAL_CHAP, CHAP_AUTH])

    def one_way_again(self):
        if any(each.address == V6 for each in kernel_sessions().values()):
            iscsi.logout(TARGET, V6)
        lio.ask_for_chap(*CHAP, name=TARGET)
        iscsi.forget(TARGET, V6)
        iscsi.discover(V4, new_only=True)
        self.set_records()
        iscsi.login(TARGET, V6)

    def test_a_session_without_chap(self):
        info = is_up(lio.TARGET, len(lio.portals()))
        self.assertTrue(info)
        self.assertEqual({each.auth for each in info.connections}, {NO_AUTH})
        self.assertEqual({(each.header_digest, each.data_digest) for each in info.connections},
                         {(0, 0)})


class Defaults(unittest.TestCase):
    """iscsid.conf's values, against a record that open-iscsi makes of them."""

    MEMBERS = (("InitialR2T", SESSION), ("ImmediateData", SESSION),
               ("MaxRecvDataSegmentLength", CONNECTION), ("MaxBurstLength", SESSION),
               ("FirstBurstLength", SESSION), ("MaxOutstandingR2T", SESSION))

    def found(self):
        return {name: get("MSiSCSI_HBASessionConfig", name) for name, _ in self.MEMBERS}

    def test_they_are_what_a_new_record_gets(self):
        made = record(lio.portals()[0], lio.TARGET)  # no test changes these of its settings
        for name, found in self.found().items():
            wanted = made[dict(self.MEMBERS)[name] + name]
            self.assertEqual(found, number(wanted) if isinstance(found, bool) else int(wanted),
                             name)

    def test_the_file_is_read_anew(self):
        before = CONFIG.read_text()
        self.addCleanup(CONFIG.write_text, before)
        CONFIG.write_text(f"{before}\n{SESSION}InitialR2T = Yes\n"
                          f"{SESSION}MaxBurstLength = 1048576\n"
                          f"{SESSION}FirstBurstLength=512\n")
        found = self.found()
        self.assertEqual((found["InitialR2T"], found["MaxBurstLength"]), (True, 1048576))
        # Without a blank before its '=', open-iscsi does not take a line.
        self.assertNotEqual(found["FirstBurstLength"], 512)
