# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as an agent sees it: IDs that it computes by itself, and calls."""

import collections
import contextlib
import hashlib
import threading
import time
import uuid

import bus
import dm
import iscsi
import lio
import multipathd
from basic import run, wait_for

INTERFACE = bus.NAME

FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED, VENDOR = range(1, 7)
POLICIES = (FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED)

SUCCESS = 0
INITIATOR_ERROR = 0xEFFF0008
OUT_OF_RESOURCES = 0xEFFF0014
INVALID_SESSION_ID = 0xEFFF001C
SESSION_BUSY = 0xEFFF001F
SEND_FAILED = 0xEFFF0023
NOT_ALL_SUCCESS = 0xAFFF002E
CACHE_NOT_SUPPORTED = 0xEFFF002F
COULD_NOT_SAVE = 0xEFFF0041
BUFFER_TOO_SMALL = 0xEFFF0054
INVALID_POLICY = 0xEFFF0055
INVALID_PARAMETER = 0xEFFF0056
DUPLICATE_PATH = 0xEFFF0057
PATH_COUNT_MISMATCH = 0xEFFF0058
INVALID_PATH_ID = 0xEFFF0059
MULTIPLE_PRIMARIES = 0xEFFF005A
NO_PRIMARY = 0xEFFF005B
DEVICE_NOT_FOUND = 0xEFFF005D
NAME_UNRESOLVED = 0xEFFF005F
NO_CONNECTION = 0xEFFF0060
NOT_SUPPORTED = 0xEFFF0061
FAILURE_TO_PERSIST = 0xEFFF0067


# MPIO's policies of a disk: 1 to 5 as those of a session.
NONE, LEAST_BLOCKS, DSM_VENDOR = 0, 6, 7

# NTSTATUS, of DSM_LB_Operations.
DEVICE_BUSY = 0x80000011
DSM_INVALID_PARAMETER = 0xC000000D
NO_SUCH_DEVICE = 0xC000000E
DSM_BUFFER_TOO_SMALL = 0xC0000023
DSM_OUT_OF_RESOURCES = 0xC000009A
DSM_NOT_SUPPORTED = 0xC00000BB

TAG = "ISCSI_GENERATIONAL_GUID"

# Pings at a time, of all clients and of one: src/service/base/bounds.h.
PINGS, PINGS_OF_A_CLIENT = 16, 8

# MPIO_DSM_Path_V2.
DsmPath = collections.namedtuple("DsmPath", (
    "id reserved weight primary optimized preferred failed group_state alua_support symmetric "
    "group_preferred group port reserved32 reserved64"), defaults=(0,) * 15)


def number(*parts):
    """The first 8 bytes, big-endian, of SHA-256 over the parts joined by NUL bytes."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")


def adapter_id(initiator=iscsi.INITIATOR):
    return number("adapter", initiator)


def session_id(target=lio.TARGET, initiator=iscsi.INITIATOR):
    return number("session", initiator, target)


def connection_id(address, target=lio.TARGET, initiator=iscsi.INITIATOR, iface="default",
                  port=lio.PORT):
    return number("connection", initiator, target, iface, address, str(port))


def adapter_path(initiator=iscsi.INITIATOR):
    return f"{bus.PATH}/adapter/{adapter_id(initiator):016x}"


def session_path(target=lio.TARGET, initiator=iscsi.INITIATOR):
    return f"{bus.PATH}/session/{session_id(target, initiator):016x}"


def connection_path(address, **identity):
    return f"{bus.PATH}/connection/{connection_id(address, **identity):016x}"


def disk_path(wwid):
    """The object of a disk: its path is escaped as sd_bus_path_encode() does it."""
    def escape(at, character):
        plain = character.isascii() and (character.isalpha() or (character.isdigit() and at > 0))
        return character if plain else "".join(f"_{byte:02x}" for byte in character.encode())

    return f"{bus.PATH}/disk/" + ("".join(map(escape, range(len(wwid)), wwid)) or "_")


def get(path, interface, name, user=None):
    """A property's value."""
    (value,) = bus.call(path, "org.freedesktop.DBus.Properties", "Get", "ss",
                        f"{INTERFACE}.{interface}", name, user=user)
    return value["data"]


def session(name, target=lio.TARGET):
    """A property of a session's object."""
    return get(session_path(target), "Session", name)


def disk(name, wwid):
    """A property of a disk's object."""
    return get(disk_path(wwid), "Disk", name)


def disk_agrees(wwid):
    """Whether kernel and multipathd agree with the disk's policy."""
    return (disk("MultipathdAgreement", wwid), disk("Agreement", wwid)) == ("Agrees", "Applied")


def wait_for_disk(wwid, seconds=20):
    """Wait until they do."""
    try:
        wait_for(lambda: disk_agrees(wwid), seconds, "agreement")
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {disk('Agreement', wwid)}, "
                           f"{disk('MultipathdAgreement', wwid)}, "
                           f"{disk('Reason', wwid)}") from None


def query_disk(wwid):
    """DSM_QueryLBPolicy_V2: policy and [DsmPath], in table order."""
    version, policy, count, _, paths = get(disk_path(wwid), "DSM_QueryLBPolicy_V2",
                                           "LoadBalancePolicy")
    assert (version, count) == (2, len(paths)), (version, count, paths)
    return policy, [DsmPath(*each) for each in paths]


def set_disk_raw(wwid, policy, paths=(), version=2, count=None, user=None):
    """DsmSetLoadBalancePolicyALUA with whatever is given; its Status."""
    words = [version, policy, len(paths) if count is None else count, 0, len(paths)]
    for each in paths:
        words += each
    (status,) = bus.call(disk_path(wwid), "DSM_LB_Operations", "DsmSetLoadBalancePolicyALUA",
                         "(uuuua(ttuuuuuuuyyquut))", *words, user=user)
    return status


def set_disk(wwid, policy, primaries=None, preferred=None, weights=None, addresses=None,
             target=lio.TARGET):
    """The same with all paths of a session, in the order of addresses: active/optimized, or standby
    where there are primaries and it is none of them."""
    paths = [DsmPath(id=connection_id(address, target), weight=(weights or {}).get(address, 0),
                     primary=int(primaries is None or address in primaries), optimized=1,
                     preferred=int(address == preferred))
             for address in addresses or lio.portals()]
    return set_disk_raw(wwid, policy, paths)


def set_disk_v1(wwid, policy, primaries, addresses=None):
    """DsmSetLoadBalancePolicy, likewise."""
    paths = [(connection_id(address), 0, 0, int(address in primaries))
             for address in addresses or lio.portals()]
    words = [1, policy, len(paths), 0, len(paths)]
    for each in paths:
        words += each
    (status,) = bus.call(disk_path(wwid), "DSM_LB_Operations", "DsmSetLoadBalancePolicy",
                         "(uuuua(ttuu))", *words)
    return status


def set_default(policy):
    """Manager.DefaultLoadBalancePolicy."""
    run("busctl", "set-property", bus.NAME, bus.PATH, f"{bus.NAME}.Manager",
        "DefaultLoadBalancePolicy", "u", policy)


def holders():
    """{target or WWID: {property: value}} of all objects that can have a policy: sessions and disks,
    in one call."""
    (objects,) = bus.call(bus.PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    found = {}
    for interfaces in objects.values():
        for interface, key in (("Session", "TargetName"), ("Disk", "WWID")):
            if values := interfaces.get(f"{INTERFACE}.{interface}"):
                plain = {name: value["data"] for name, value in values.items()}
                found[plain[key]] = plain
    return found


def sessions():
    """{target: {property: value}} of all session objects."""
    return {name: each for name, each in holders().items() if "TargetName" in each}


def agrees(*targets):
    """Whether kernel and multipathd agree with the policies of these sessions."""
    return all(session("MultipathdAgreement", target) == "Agrees"
               and session("Agreement", target) == "Applied"
               for target in targets or [lio.TARGET])


def wait_for_agreement(*targets, seconds=20):
    """Wait until they do. multipathd is asked at intervals, which counts here."""
    try:
        wait_for(lambda: agrees(*targets), seconds, "agreement")
    except TimeoutError as error:
        said = {target: (each["Agreement"], each["MultipathdAgreement"], each["Reason"])
                for target, each in sessions().items()}
        raise TimeoutError(f"{error}; the sessions say {said}") from None


def path(address, primary=0, weight=0, **identity):
    """One ISCSI_Path, as busctl's words."""
    return (connection_id(address, **identity), 0, weight, primary, 0, 0)


def policy_words(policy, paths, session=None, count=None):
    """The argument of SetLoadBalancePolicy, as busctl's words."""
    words = [session_id() if session is None else session, policy,
             len(paths) if count is None else count, len(paths)]
    for each in paths:
        words += each
    return words


def set_policy_raw(policy, paths, session=None, count=None, adapter=None, user=None):
    """SetLoadBalancePolicy with whatever is given; its Status."""
    words = policy_words(policy, paths, session, count)
    (status,) = bus.call(adapter or adapter_path(), "MSiSCSI_LB_Operations",
                         "SetLoadBalancePolicy", "(tuua(ttuuuu))", *words, user=user)
    return status


def set_policy(policy, primaries=(), weights=None, addresses=None, target=lio.TARGET):
    """SetLoadBalancePolicy with all paths of a session, in the order of addresses."""
    addresses = addresses or lio.portals()
    paths = [path(address, int(address in primaries), (weights or {}).get(address, 0),
                  target=target)
             for address in addresses]
    return set_policy_raw(policy, paths, session=session_id(target))


def query(target=lio.TARGET):
    """The session's entry of LoadBalancePolicies: policy and {address: path} by portal."""
    for session, policy, count, paths in get(adapter_path(), "MSiSCSI_QueryLBPolicy",
                                             "LoadBalancePolicies"):
        if session == session_id(target):
            assert count == len(paths)
            return policy, {each[0]: each for each in paths}
    raise KeyError(target)


def set_guid(data, adapter=None):
    """SetGenerationalGuid; its Status."""
    (status,) = bus.call(adapter or adapter_path(), "MSiSCSI_SecurityConfigOperations",
                         "SetGenerationalGuid", "ay", len(data), *data)
    return status


def ping(address, count=1, size=32, timeout=2000, user=None):
    """PingIPAddress with an address as text; its Status and ResponsesReceived."""
    return tuple(bus.call(adapter_path(), "MSiSCSI_ManagementOperations", "PingIPAddress",
                          "uuu(uuayuus)", count, size, timeout, 0, 0, 0, 0, 0, address,
                          user=user))


@contextlib.contextmanager
def pings(number, address, count=1, timeout=2000, user=None):
    """So many calls of PingIPAddress at once, beside what runs in a `with`. It gives a list, in
    which their results are in the order in which they came; afterwards it has all."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(ping(address, count, timeout=timeout,
                                                                   user=user)))
               for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield results
    finally:
        for thread in threads:
            thread.join()


def statistics(address, user=None):
    """All of a connection's MSiSCSI_ConnectionStatistics, of one moment."""
    (values,) = bus.call(connection_path(address), "org.freedesktop.DBus.Properties", "GetAll",
                         "s", f"{INTERFACE}.MSiSCSI_ConnectionStatistics", user=user)
    return {name: value["data"] for name, value in values.items()}


def guid_text(data):
    """Windows' text form of 16 bytes."""
    return str(uuid.UUID(bytes_le=bytes(data)))


def tag(sid):
    """The udev property of a session's device, None where it has none."""
    lines = run("udevadm", "info", "--query=property",
                f"--path=/sys/class/iscsi_session/session{sid}").splitlines()
    found = [line.split("=", 1)[1] for line in lines
             if line.startswith(f"{TAG}=")]
    return found[0] if found else None


def noise(seconds=1):
    """What stirs within so many seconds, {} where all is quiet: how many tables the service gives
    again and multipathd loads, and the tables. (Not the group in use, which I/O decides.)"""
    def look():
        return {"Reapplications": {name: each["Reapplications"]
                                   for name, each in holders().items()},
                "map_loads": multipathd.map_loads(), "tables": dm.tables()}

    before = look()
    time.sleep(seconds)
    after = look()
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def wait_until_quiet(seconds=15):
    """Wait until nothing stirs: what multipathd has been told, it may still be loading."""
    found = {}

    def quiet():
        nonlocal found
        found = noise()
        return not found

    try:
        wait_for(quiet, seconds, "quiet")
    except TimeoutError as error:
        raise AssertionError(f"{error}: {found}") from None


