# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as systemd and the kernel see it: a unit and its processes."""

from basic import read, run

UNIT = "iscsi-wmid.service"


def restart():
    """Restart the service; systemd waits until it is ready."""
    run("systemctl", "reset-failed", UNIT, check=False)
    run("systemctl", "restart", UNIT)


def main_pid():
    return int(run("systemctl", "show", "--property=MainPID", "--value", UNIT))


def process_status(pid):
    """What the kernel says of a process, as text: {"CapEff": "0000000000202000", ...}; nothing
    where it has ended."""
    return dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status", "").splitlines()
                if ":\t" in line)


def journal(since, unit=UNIT):
    """The service's journal lines since a time.time()."""
    run("journalctl", "--sync")
    return run("journalctl", f"--unit={unit}", f"--since=@{since:.3f}", "--output=cat",
               "--no-pager").splitlines()
