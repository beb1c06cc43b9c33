# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shapes that have the other bus: which one runs is decided when a host boots."""

import test_shapes
from basic import run


def before_reboot():
    run("systemctl", "disable", "dbus-broker.service")


class Daemon(test_shapes.ShapesTest):
    BUS = "daemon"
