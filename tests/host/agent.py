# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as an agent sees it: what it asks for, and what it is answered.

Statuses are symbols, "ISDSC_SESSION_BUSY"; connections have their kernel session id, as in host.py.
"""

import collections

import bus
import names

# MPIO_DSM_Path_V2.
DsmPath = collections.namedtuple("DsmPath", (
    "id reserved weight primary optimized preferred failed group_state alua_support symmetric "
    "group_preferred group port reserved32 reserved64"), defaults=(0,) * 15)


class Request:
    """A call whose answer is a Status, and which may not have been answered yet."""

    def __init__(self, call):
        self._call = call
        self.done = call.done
        self.cookie = call.cookie  # of its reply, in a bus' `replies`

    def status(self):
        (code,) = self._call.result()
        return names.STATUSES.get(code, f"{code:#010x}")


class Agent(bus.Bus):
    def __init__(self, host):
        super().__init__(host.address)
        self.host = host

    def _begin(self, path, interface, member, *arguments):
        return self.begin(names.NAME, path, f"{names.NAME}.{interface}", member, *arguments)

    def get(self, path, interface, name):
        """A property's value."""
        return self.call(names.NAME, path, "org.freedesktop.DBus.Properties", "Get", "ss",
                         f"{names.NAME}.{interface}", name)[0]

    def set(self, path, interface, name, signature, value):
        self.call(names.NAME, path, "org.freedesktop.DBus.Properties", "Set", "ssv",
                  f"{names.NAME}.{interface}", name, (signature, value))

    def objects(self):
        """{path: {interface: {property: value}}}"""
        return self.call(names.NAME, names.ROOT, "org.freedesktop.DBus.ObjectManager",
                         "GetManagedObjects")[0]

    # --- Sessions

    def session(self, name, target=0):
        """A property of a session's object."""
        return self.get(names.session_path(target), "Session", name)

    def connection_id(self, sid):
        target, portal = self.host.target(sid), self.host.tree.rank(sid)
        alike = [each for each in self.host.members(target) if self.host.tree.rank(each) == portal]
        rank = [alike.index(sid) + 1] if len(alike) > 1 else []
        return names.connection_id(target, portal, *rank)

    def path(self, sid, primary=0, weight=0):
        """ISCSI_Path."""
        return (self.connection_id(sid), 0, weight, primary, 0, 0)

    def begin_policy_raw(self, policy, paths, session=None, count=None):
        """SetLoadBalancePolicy with whatever is given."""
        session = names.session_id() if session is None else session
        count = len(paths) if count is None else count
        return Request(self._begin(names.adapter_path(), "MSiSCSI_LB_Operations",
                                   "SetLoadBalancePolicy", "(tuua(ttuuuu))",
                                   (session, policy, count, paths)))

    def begin_policy(self, policy, primaries=(), weights=None, sids=None, target=0):
        """The same with all paths of a session, in the order of `sids`. `weights` has those of some."""
        sids = sids or self.host.members(target)
        paths = [self.path(sid, int(sid in primaries), (weights or {}).get(sid, 0)) for sid in sids]
        return self.begin_policy_raw(policy, paths, names.session_id(target))

    def set_policy_raw(self, *arguments, **more):
        return self.begin_policy_raw(*arguments, **more).status()

    def set_policy(self, *arguments, **more):
        return self.begin_policy(*arguments, **more).status()

    def query(self, target=0):
        """The session's entry of LoadBalancePolicies: policy, and {sid: path}."""
        sids = {self.connection_id(sid): sid for sid in self.host.members(target)}
        for session, policy, _, paths in self.get(names.adapter_path(), "MSiSCSI_QueryLBPolicy",
                                                  "LoadBalancePolicies"):
            if session == names.session_id(target):
                return policy, {sids[path[0]]: path for path in paths}
        return None

    # --- Disks

    def disk(self, minor, name):
        """A property of a disk's object."""
        return self.get(names.disk_path(minor), "Disk", name)

    def query_disk(self, minor):
        """DSM_QueryLBPolicy_V2: policy and [DsmPath], in table order."""
        _, policy, _, _, paths = self.get(names.disk_path(minor), "DSM_QueryLBPolicy_V2",
                                          "LoadBalancePolicy")
        return policy, [DsmPath(*path) for path in paths]

    def begin_disk_policy_raw(self, minor, policy, paths=(), version=2, count=None):
        """DsmSetLoadBalancePolicyALUA with whatever is given."""
        count = len(paths) if count is None else count
        return Request(self._begin(names.disk_path(minor), "DSM_LB_Operations",
                                   "DsmSetLoadBalancePolicyALUA", "(uuuua(ttuuuuuuuyyquut))",
                                   (version, policy, count, 0, paths)))

    def begin_disk_policy(self, minor, policy, primaries=None, preferred=None, weights=None,
                          sids=None):
        """The same with all paths of the target, in the order of `sids`: active/optimized, or standby
        where there are primaries and it is none of them."""
        sids = sids or self.host.members(minor // self.host.luns)
        paths = [DsmPath(id=self.connection_id(sid), weight=(weights or {}).get(sid, 0),
                         primary=int(primaries is None or sid in primaries), optimized=1,
                         preferred=int(sid == preferred))
                 for sid in sids]
        return self.begin_disk_policy_raw(minor, policy, paths)

    def set_disk_policy(self, *arguments, **more):
        return self.begin_disk_policy(*arguments, **more).status()

    def clear_disk_policy(self, minor):
        return self.begin_disk_policy_raw(minor, names.NONE).status()

    # --- The adapter, the service

    def begin_guid(self, guid):
        return Request(self._begin(names.adapter_path(), "MSiSCSI_SecurityConfigOperations",
                                   "SetGenerationalGuid", "ay", guid))

    def set_guid(self, guid):
        return self.begin_guid(guid).status()

    def information(self, name):
        """A property of MSiSCSI_HBAInformation."""
        return self.get(names.adapter_path(), "MSiSCSI_HBAInformation", name)

    def changed_records(self):
        """Adapter.ListChangedRecords: records, and the reason."""
        return self._begin(names.adapter_path(), "Adapter", "ListChangedRecords").result()

    def manager(self, name):
        return self.get(names.ROOT, "Manager", name)

    def set_manager(self, name, signature, value):
        self.set(names.ROOT, "Manager", name, signature, value)
