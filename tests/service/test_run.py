# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/host/run: a made-up host by hand, which leaves nothing behind."""

import os
import pathlib
import signal
import subprocess
import sys
import unittest

import case

RUN = pathlib.Path(__file__).resolve().parents[1] / "host/run"
BUILD = case.built("ISCSI_WMID").parent


def run(*words, **more):
    return subprocess.run([RUN, *words], capture_output=True, text=True, timeout=case.PATIENCE, **more)


def run_command(*words):
    return run("--build", BUILD, "--", *words)


class Run(unittest.TestCase):
    def test_a_command(self):
        done = run_command("sh", "-c", "echo $DBUS_SYSTEM_BUS_ADDRESS; exit 7")
        self.assertEqual((done.returncode, done.stderr), (7, ""))
        path = done.stdout.strip().removeprefix("unix:path=")
        self.assertTrue(path.startswith("/"), path)
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_the_size(self):
        done = run("--build", BUILD, "--sessions", "3", "--portals", "2", "--luns", "5", "--",
                   BUILD / "src/cli/iscsi-wmi", "--json", "sessions")
        self.assertEqual(done.returncode, 0, done.stderr)
        for what, times in ("iqn.2025-01.com.example:t2", 1), ("127.0.0.2", 3), ("127.0.0.3", 0):
            self.assertEqual(done.stdout.count(f'"{what}"'), times, done.stdout)

    def test_ends_of_a_command(self):
        for words, status in (["false"], 1), (["sh", "-c", "kill -9 $$"], 137), \
                (["/nowhere"], 127), (["/"], 126):
            with self.subTest(words=words):
                self.assertEqual(run_command(*words).returncode, status)

    def test_until_it_is_told(self):
        for number, status in (signal.SIGINT, 0), (signal.SIGTERM, 143):
            with subprocess.Popen([RUN, "--build", BUILD], stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.DEVNULL) as process:
                line = process.stdout.readline().strip()
                socket = line.removeprefix("DBUS_SYSTEM_BUS_ADDRESS=unix:path=")
                self.assertTrue(os.path.exists(socket), line)
                process.send_signal(number)
                self.assertEqual(process.wait(case.PATIENCE), status)
                self.assertFalse(os.path.exists(os.path.dirname(socket)))

    def test_what_is_said_of_mistakes(self):
        for words, status, said in (
                (["--build", "/nowhere"], 1, "/nowhere/iscsi-wmid is not there"),
                (["--sessions", "0"], 2, "0 is no number from 1 on"),
                (["--sessions", "999", "--luns", "2"], 2, "1024 maps at most"),
                (["--"], 2, "no command after --"),
                (["--help"], 0, "")):
            with self.subTest(words=words):
                done = run(*words)
                self.assertEqual(done.returncode, status)
                self.assertIn(said, done.stderr)

    def test_dbus_daemon_is_missing(self):
        done = subprocess.run([sys.executable, RUN, "--build", BUILD, "--", "true"],
                              env={"PATH": "/nowhere"}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("dbus-daemon is not there", done.stderr)


if __name__ == "__main__":
    case.main()
