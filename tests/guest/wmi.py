# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as an agent sees it: IDs that it computes by itself, and calls."""

import contextlib
import hashlib
import pathlib
import shutil
import subprocess
import time
import uuid

import lab

INTERFACE = lab.BUS_NAME
SERVICE = "iscsi-wmid.service"
STATE = pathlib.Path("/var/lib/iscsi-wmi/state.db")

FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED, VENDOR = range(1, 7)
POLICIES = (FAILOVER, ROUND_ROBIN, SUBSET, QUEUE_DEPTH, WEIGHTED)

SUCCESS = 0
INITIATOR_ERROR = 0xEFFF0008
OUT_OF_RESOURCES = 0xEFFF0014
INVALID_SESSION_ID = 0xEFFF001C
SESSION_BUSY = 0xEFFF001F
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
NO_CONNECTION = 0xEFFF0060
NOT_SUPPORTED = 0xEFFF0061
FAILURE_TO_PERSIST = 0xEFFF0067


def number(*parts):
    """The first 8 bytes, big-endian, of SHA-256 over the parts joined by NUL bytes."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")


def adapter_id(initiator=lab.INITIATOR):
    return number("adapter", initiator)


def session_id(target=lab.TARGET, initiator=lab.INITIATOR):
    return number("session", initiator, target)


def connection_id(address, target=lab.TARGET, initiator=lab.INITIATOR, iface="default",
                  port=lab.PORT):
    return number("connection", initiator, target, iface, address, str(port))


def adapter_path(initiator=lab.INITIATOR):
    return f"{lab.BUS_PATH}/adapter/{adapter_id(initiator):016x}"


def session_path(target=lab.TARGET, initiator=lab.INITIATOR):
    return f"{lab.BUS_PATH}/session/{session_id(target, initiator):016x}"


def get(path, interface, name, user=None):
    """A property's value."""
    (value,) = lab.call(path, "org.freedesktop.DBus.Properties", "Get", "ss",
                        f"{INTERFACE}.{interface}", name, user=user)
    return value["data"]


def path(address, primary=0, weight=0, **identity):
    """One ISCSI_Path, as busctl's words."""
    return (connection_id(address, **identity), 0, weight, primary, 0, 0)


def set_policy_raw(policy, paths, session=None, count=None, adapter=None, user=None):
    """SetLoadBalancePolicy with whatever is given; its Status."""
    words = [session_id() if session is None else session, policy,
             len(paths) if count is None else count, len(paths)]
    for each in paths:
        words += each
    (status,) = lab.call(adapter or adapter_path(), "MSiSCSI_LB_Operations",
                         "SetLoadBalancePolicy", "(tuua(ttuuuu))", *words, user=user)
    return status


def set_policy(policy, primaries=(), weights=None, addresses=None, target=lab.TARGET):
    """SetLoadBalancePolicy with all paths of a session, in the order of addresses."""
    addresses = addresses or lab.portals()
    paths = [path(address, int(address in primaries), (weights or {}).get(address, 0),
                  target=target)
             for address in addresses]
    return set_policy_raw(policy, paths, session=session_id(target))


def query(target=lab.TARGET):
    """The session's entry of LoadBalancePolicies: policy and {address: path} by portal."""
    for session, policy, count, paths in get(adapter_path(), "MSiSCSI_QueryLBPolicy",
                                             "LoadBalancePolicies"):
        if session == session_id(target):
            assert count == len(paths)
            return policy, {each[0]: each for each in paths}
    raise KeyError(target)


def set_guid(data, adapter=None):
    """SetGenerationalGuid; its Status."""
    (status,) = lab.call(adapter or adapter_path(), "MSiSCSI_SecurityConfigOperations",
                         "SetGenerationalGuid", "ay", len(data), *data)
    return status


def guid_text(data):
    """Windows' text form of 16 bytes."""
    return str(uuid.UUID(bytes_le=bytes(data)))


def journal(since, unit=SERVICE):
    """The service's journal lines since a time.time()."""
    lab.run("journalctl", "--sync")
    return lab.run("journalctl", f"--unit={unit}", f"--since=@{since:.0f}", "--output=cat",
                   "--no-pager").splitlines()


def restart():
    """Restart the service; systemd waits until it is ready."""
    lab.run("systemctl", "reset-failed", SERVICE, check=False)
    lab.run("systemctl", "restart", SERVICE)


def main_pid():
    return int(lab.run("systemctl", "show", "--property=MainPID", "--value", SERVICE))


def shapes():
    """{map: [(selector, portals of the group)]}: what a policy decides, from the kernel."""
    portal = {disk: session.address for session in lab.sessions() for disk in session.paths}
    return {each.name: [(group.selector, frozenset(portal[disk] for disk in group.paths))
                        for group in each.groups]
            for each in lab.maps().values()}


def suspended():
    """Maps that are suspended: there must never be one."""
    states = lab.run("dmsetup", "info", "-c", "--noheadings", "-o", "name,suspended")
    return [line for line in states.splitlines() if "Suspended" in line]


class Load:
    """Random reads and verified writes on all maps while a `with` runs. `reports` are fio's."""

    def __enter__(self):
        self._files, self._processes = [], []
        for name in lab.maps():
            self._processes.append(subprocess.Popen(
                ["fio", f"--name={name}", f"--filename=/dev/mapper/{name}", "--rw=randrw",
                 "--bs=4k", "--size=16m", "--direct=1", "--ioengine=libaio", "--iodepth=4",
                 "--verify=crc32c", "--verify_backlog=64", "--verify_fatal=1", "--time_based",
                 "--runtime=600", "--minimal"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        time.sleep(1)
        return self

    def __exit__(self, *exception):
        self.outputs = []
        for process in self._processes:
            process.send_signal(2)
        for process in self._processes:
            output, _ = process.communicate(timeout=60)
            self.outputs.append(output)
        # Interrupted, fio exits with 128 where it had no error of its own.
        self.errors = [output for process, output in zip(self._processes, self.outputs)
                       if process.returncode not in (0, 128)
                       or "verify:" in output or "error=" in output]


@contextlib.contextmanager
def full_state():
    """The service on a state directory that has no room left, inside a `with`."""
    directory = STATE.parent
    copy = pathlib.Path("/run/lab-state")
    lab.run("systemctl", "stop", SERVICE)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(directory, copy)
    lab.run("mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", directory)
    try:
        shutil.copytree(copy, directory, dirs_exist_ok=True)
        lab.run("systemctl", "start", SERVICE)
        filler = directory / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        yield
    finally:
        lab.run("systemctl", "stop", SERVICE)
        lab.run("umount", directory)
        lab.run("systemctl", "start", SERVICE)
