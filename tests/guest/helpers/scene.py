# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every job finds: the target that ./lab was asked for, its sessions and maps, the service."""

import pathlib
import sys

import iscsi
import lio
import multipathd
import network
import stack
from basic import HOME, run


def target_up():
    """The target as the command line of ./lab asks for it."""
    network.link_up()
    if not lio.tpg().exists():
        lio.create(luns=lio.luns())


def sessions_up():
    """All sessions of the target, and their maps."""
    if not iscsi.sessions():
        with multipathd.stopped():
            iscsi.discover(lio.portals()[0])
            iscsi.login()
            stack.wait_for_disks(lio.expected_paths())
    # After a reboot open-iscsi may have logged in by itself, and to others as well.
    stack.wait_for_paths(stack.paths_due())


def target_at_boot(code):
    """Have Python code make more targets at the next boot, after the default one and before open-iscsi
    logs in: an array is there before its hosts. The code imports what it needs of our modules."""
    unit = pathlib.Path("/etc/systemd/system/lab-target.service")
    if not unit.exists():
        unit.write_text(
            "[Unit]\nDescription=The lab's targets\nDefaultDependencies=no\n"
            "After=local-fs.target sys-kernel-config.mount systemd-udevd.service\n"
            "Before=iscsid.service open-iscsi.service\n"
            "[Install]\nWantedBy=sysinit.target\n"
            f"[Service]\nType=oneshot\nRemainAfterExit=yes\nWorkingDirectory={HOME}/helpers\n"
            "ExecStart=/usr/bin/python3 -c 'import scene; scene.target_up()'\n")
        iscsi.log_in_at_boot(lio.TARGET)
    with unit.open("a") as file:
        file.write(f"ExecStart=/usr/bin/python3 -c '{code}'\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "lab-target.service")


def start_service():
    """Start the service, if it is installed. systemd waits until it is ready."""
    known = run("systemctl", "show", "--property=LoadState", "--value", "iscsi-wmid.service")
    if known != "loaded":
        print("lab: iscsi-wmid.service is not installed: going on without it", file=sys.stderr)
        return
    try:
        run("systemctl", "start", "iscsi-wmid.service")
    except RuntimeError:
        print(run("journalctl", "--unit=iscsi-wmid", "--no-pager", "--lines=30", "--output=cat"),
              file=sys.stderr)
        raise


def set_up():
    """Everything that a job finds there."""
    target_up()
    sessions_up()
    start_service()
