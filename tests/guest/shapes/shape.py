# SPDX-License-Identifier: LGPL-2.1-or-later
"""A shape of host made real: target, configuration, sessions, maps and what uses one of them; and all of
it taken down again.
"""

import contextlib
import pathlib
import time

import alua
import configuration
import diskio
import dm
import iscsi
import lio
import meaning
import multipathd
import stack
import udev
import wmi
from basic import MIB, read, run, wait_for, write

TARGET, OTHER_TARGET = "iqn.2024-01.org.example:shape", "iqn.2024-01.org.example:shape-b"
OTHER_INITIATOR = "iqn.2024-01.org.example:other-host"
OTHER_IFACE = "other"
FIRST_PORTAL = 60

# The numbers of LIO's access types (TPGS), of both groups.
ACCESS_TYPES = {"none": 0, "one": 3, "explicit": 3}
IMPLICIT = 1
NEAR, FAR = "near", "far"
STATES = {NEAR: alua.OPTIMIZED, FAR: alua.NON_OPTIMIZED}
TURNED = {NEAR: alua.NON_OPTIMIZED, FAR: alua.OPTIMIZED}

# So long the array says "transitioning".
TRANSITION_MS = 1500

CHAP = "somebody", "a secret of his own"

MOUNT = pathlib.Path("/run/shape")


def initiator_of(session):
    return OTHER_INITIATOR if session.iface == OTHER_IFACE else iscsi.INITIATOR


def connections(sessions):
    """{session ID of the kernel: connection}, as agents number them. Those that are alike are told apart
    by their place among each other."""
    alike, found = {}, {}
    for each in sessions:
        key = (initiator_of(each), each.target, each.iface, each.address, str(each.port))
        alike.setdefault(key, []).append(each.sid)
    for key, sids in alike.items():
        for i, sid in enumerate(sorted(sids), 1):
            found[sid] = wmi.number("connection", *key, *([str(i)] if len(sids) > 1 else []))
    return found


class Seen:
    """What the kernel says, at one time."""

    def __init__(self):
        self.sessions = iscsi.sessions()
        self.connections = connections(self.sessions)
        self.known = {path: self.connections[each.sid]
                      for each in self.sessions for path in each.paths}
        self.maps = {each.wwid: each for each in dm.maps().values()}

    def tables(self):
        """{WWID: [(selector, connections)]}."""
        return {wwid: [(group.selector,
                        frozenset(self.known.get(path, path) for path in group.paths))
                       for group in each.groups] for wwid, each in self.maps.items()}

    def access(self):
        """{WWID: {connection: access state}}."""
        return {wwid: {self.known[path]: read(f"/sys/block/{path}/device/access_state", "")
                       for path in each.paths if path in self.known}
                for wwid, each in self.maps.items()}

    def order(self, target, initiator):
        """The connections of a session, in the kernel's order."""
        return [self.connections[each.sid] for each in self.sessions
                if each.target == target and initiator_of(each) == initiator]

    def addresses(self, wwid):
        """{connection: its path's SCSI address} in a map."""
        return {self.known[path]: iscsi.hbtl(path) for path in self.maps[wwid].paths}


class Shape:
    """One of list.txt."""

    def __init__(self, values):
        self.values = values
        self.portals = lio.portals(values["portals"], FIRST_PORTAL)
        self.luns = range(values["luns"])
        self.wwids = [lio.wwid(lun) for lun in self.luns]
        self.targets = [TARGET] + [OTHER_TARGET] * (values["shared"] == "targets")
        self.has_groups = values["access"] not in ACCESS_TYPES or values["access"] == "explicit"
        half = (len(self.portals) + 1) // 2 if self.has_groups else len(self.portals)
        self.near, self.far = self.portals[:half], self.portals[half:]
        self.used = None  # the device, or file, that I/O goes to, once it is there
        self.answers = []  # how long each change has taken, in seconds

    @property
    def connections_due(self):
        """How many there are, and so how many paths each map has."""
        return (len(self.portals) * self.values["nr_sessions"]
                * (1 if self.values["shared"] == "no" else 2))

    @property
    def paths_due(self):
        return self.connections_due * len(self.luns)

    # The target

    def backstores_up(self):
        kind = ACCESS_TYPES.get(self.values["access"], IMPLICIT)
        vendor, product = configuration.PRODUCTS.get(self.values["conf"], configuration.PRODUCT)
        for lun in self.luns:
            store = lio.backstore(lun)
            write(store / "wwn/vendor_id", vendor)
            write(store / "wwn/product_id", product)
            write(store / "alua/default_tg_pt_gp/alua_access_type", kind)
            if self.has_groups:
                self.groups_up(lun, kind)

    def groups_up(self, lun, kind):
        for number, (group, state) in enumerate(STATES.items(), 1):
            directory = alua.make_group(lun, group, number, state)
            write(directory / "alua_access_type", kind)
            write(directory / "trans_delay_msecs",
                  TRANSITION_MS if self.values["access"] == "transitioning" else 0)

    def group_up(self, target, tpgt, addresses, group):
        if not addresses:
            return
        lio.create(target, list(self.luns), addresses, tpgt)
        if self.has_groups:
            for lun in self.luns:
                alua.join(lun, group, tpgt, target)
        if self.values["login"] == "chap":
            lio.ask_for_chap(*CHAP, tpgt=tpgt, name=target)

    def targets_up(self):
        self.backstores_up()
        for target in self.targets:
            self.group_up(target, 1, self.near, NEAR)
            self.group_up(target, 2, self.far, FAR)

    # The initiator

    def iface_up(self):
        if self.values["shared"] == "initiators":
            run("iscsiadm", "-m", "iface", "-I", OTHER_IFACE, "-o", "new")
            for name, value in (("iface.transport_name", "tcp"),
                                ("iface.initiatorname", OTHER_INITIATOR)):
                run("iscsiadm", "-m", "iface", "-I", OTHER_IFACE, "-o", "update", "-n", name,
                    "-v", value)

    def discover(self):
        words = []
        if self.values["shared"] == "initiators":
            words = ["-I", "default", "-I", OTHER_IFACE]
        run("iscsiadm", "-m", "discovery", "-t", "st", "-p", f"{self.portals[0]}:{lio.PORT}", *words)

    def settings(self):
        found = {"node.session.nr_sessions": self.values["nr_sessions"]}
        if self.values["login"] == "chap":
            found.update({"node.session.auth.authmethod": "CHAP",
                          "node.session.auth.username": CHAP[0],
                          "node.session.auth.password": CHAP[1]})
        if self.values["login"] == "digests":
            found.update({"node.conn[0].iscsi.HeaderDigest": "CRC32C",
                          "node.conn[0].iscsi.DataDigest": "CRC32C"})
        return found

    def sessions_up(self):
        self.iface_up()
        self.discover()
        for target in self.targets:
            iscsi.update({name: value for name, value in self.settings().items()
                          if value not in (1, "")}, target)
            iscsi.login(target)

    # The disk that is used

    def node(self, lun=0):
        """The device node of a LUN's map."""
        return f"/dev/mapper/{Seen().maps[self.wwids[lun]].name}"

    def disk_up(self):
        make = {"bare": lambda node: node, "partitions": self.partition_up, "lvm": self.lvm_up,
                "filesystem": self.filesystem_up}[self.values["disks"]]
        self.used = make(self.node())

    def partition_up(self, node):
        run("wipefs", "--all", "--force", node)
        run("sfdisk", "--label=dos", node, input="2048,\n")
        udev.settle()
        run("kpartx", "-a", "-s", "-p", "-part", node)
        return f"{node}-part1"

    def lvm_up(self, node):
        run("wipefs", "--all", "--force", node)
        run("pvcreate", "-y", "-ff", node)
        run("vgcreate", "shape", node)
        run("lvcreate", "-y", "-W", "n", "-l", "100%FREE", "-n", "data", "shape")
        return "/dev/mapper/shape-data"

    def filesystem_up(self, node):
        run("wipefs", "--all", "--force", node)
        run("mkfs.ext4", "-q", "-F", node)
        MOUNT.mkdir(exist_ok=True)
        run("mount", node, MOUNT)
        with open(MOUNT / "data", "wb") as file:
            file.write(b"\0" * 16 * MIB)
        return str(MOUNT / "data")

    def disk_down(self):
        """Nothing of it is left."""
        kind = self.values["disks"]
        node = self.node()
        if kind == "partitions":
            run("kpartx", "-d", "-p", "-part", node)
        elif kind == "lvm":
            run("vgchange", "-an", "shape")
        elif kind == "filesystem":
            run("umount", MOUNT)
            run("e2fsck", "-fn", node)
        self.used = None
        run("wipefs", "--all", "--force", node)

    # All of it

    @property
    def parts_up(self):
        """{name: function} of what makes it, in order: until all paths are in maps, something uses one
        of them, and multipathd has nothing left to do."""
        return {"target": self.target_up, "login": self.login, "maps": self.maps_up,
                "disk": self.disk_up}

    def target_up(self):
        multipathd.stop()
        configuration.write(self.values, self.wwids)
        self.targets_up()

    def login(self):
        self.sessions_up()
        stack.wait_for_disks(self.paths_due)

    def maps_up(self):
        multipathd.start()
        stack.wait_for_paths(self.paths_due)
        stack.wait_until_whole(self.paths_due)
        if self.values["access"] == "explicit":
            self.turn(STATES, self.luns)  # a map that was made has asked for states of its own
        if self.has_groups:
            multipathd.reconfigure()  # it has made its groups while the kernel asked for the states

    def tear_down(self):
        """Whatever parts_up has come to. A part that fails keeps none of the others from it: the next
        shape needs the place."""
        with contextlib.ExitStack() as parts:  # from the last to the first
            for part in (self.targets_down, self.records_down, self.sessions_down, self.maps_down,
                         self.holders_down, self.policies_down):
                parts.callback(part)
            with contextlib.suppress(Exception):  # as far as the job has left it
                if self.used:
                    self.disk_down()

    def policies_down(self):
        for session in self.sessions_due():
            with contextlib.suppress(Exception):  # it may never have been there
                self.give_back(*session)

    def holders_down(self):
        """Partitions and volumes that are left: with them no map would go."""
        found = run("dmsetup", "ls", "--target", "linear", "--manglename", "none")
        for line in found.splitlines():
            if line != "No devices found":
                run("dmsetup", "remove", "--force", line.split("\t")[0], check=False)

    def maps_down(self):
        """Before their paths go: multipathd would take those out one by one, and udev would read a map
        that has changed, which queues then."""
        multipathd.stop()
        for each in dm.maps().values():
            run("dmsetup", "message", each.name, "0", "fail_if_no_path", check=False)
        dm.flush_maps()

    def sessions_down(self):
        run("iscsiadm", "-m", "session", "-u", check=False)
        wait_for(lambda: not iscsi.sessions(), 60, "the end of all sessions")
        udev.settle()

    def records_down(self):
        run("iscsiadm", "-m", "node", "-o", "delete", check=False)
        run("iscsiadm", "-m", "iface", "-I", OTHER_IFACE, "-o", "delete", check=False)

    def targets_down(self):
        for target in self.targets:
            if (lio.ISCSI / target).exists():
                lio.remove(target)
        for lun in self.luns:  # else all paths of later shapes would be asked for their states
            for group in STATES:
                alua.remove_group(lun, group)

    # What is asked for, and what happens

    def sessions_due(self):
        """Target and initiator of each session: the one that is asked first."""
        return {"no": [(TARGET, iscsi.INITIATOR)],
                "targets": [(TARGET, iscsi.INITIATOR), (OTHER_TARGET, iscsi.INITIATOR)],
                "initiators": [(TARGET, iscsi.INITIATOR), (TARGET, OTHER_INITIATOR)],
                }[self.values["shared"]]

    def ask(self, policy, target=TARGET, initiator=iscsi.INITIATOR):
        """Set a policy that is allowed on all disks of a session; what was asked for."""
        seen = Seen()
        order, states = seen.order(target, initiator), seen.access().values()
        access = {each: max((of_map[each] for of_map in states), key=meaning.rank)
                  for each in order}
        asked = meaning.request(policy, order, access)
        paths = [(each, 0, asked.weights.get(each, 0), int(each in asked.primaries), 0, 0)
                 for each in asked.order]
        self.set(policy, paths, target, initiator)
        return asked

    def give_back(self, target=TARGET, initiator=iscsi.INITIATOR):
        self.set(wmi.VENDOR, [], target, initiator)

    def set(self, policy, paths, target, initiator):
        began = time.monotonic()
        status = wmi.set_policy_raw(policy, paths, session=wmi.session_id(target, initiator),
                                    adapter=wmi.adapter_path(initiator))
        self.answers.append(time.monotonic() - began)
        assert status == wmi.SUCCESS, f"policy {policy}: Status {status:#010x}"

    def turn(self, states, luns):
        """The array gives LUNs these states; the kernel learns it from each path's next command."""
        maps = Seen().maps
        for lun in luns:
            for group, state in states.items():
                alua.set_state(lun, group, state)
            for path in maps[self.wwids[lun]].paths:
                diskio.read_disk(f"/dev/{path}", count=1)
