#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the service on a host that is made up: queries, events, start, memory, many clients.

Each figure is a ratio of things done in turn, in one run: the median of its repetitions, and the
least and the greatest. Nothing passes or fails here. docs/performance-generated.md has what each means.
"""

import argparse
import contextlib
import itertools
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from measured import agent, names, volumes
import measured

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
import figures  # noqa: E402: the directory above is not where Python looks

NAME, ROOT, ADAPTER = names.NAME, names.ROOT, names.adapter_path()
PROPERTIES = "org.freedesktop.DBus.Properties"
ROUND_ROBIN, LEAST_QUEUE_DEPTH = 2, 4
AT_A_TIME = 16  # volumes
FIRST_VOLUMES = 112  # more than are waited for


def call(*words, to=NAME):
    return " ".join((to, *words))


PING = call(ROOT, "org.freedesktop.DBus.Peer", "Ping")
GET = call(ADAPTER, PROPERTIES, "Get", f"{NAME}.MSiSCSI_QueryLBPolicy", "LoadBalancePolicies")
OBJECTS = call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
ECHO = call("/", "com.open_iscsi.Echo", "Echo", to="com.open_iscsi.Echo")


class Client:
    """One `calls` process."""

    def __init__(self, program, made):
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": made.address, "ADAPTER": ADAPTER}
        self.process = subprocess.Popen([program], env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        made.children.append(self.process)

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a client has failed")
        return [int(word) for word in line.split()]

    def ask(self, *words):
        self.send(*words)
        return self.receive()[0]


class Figures:
    """What comes out, as rows of a table."""

    def __init__(self):
        self.rows = []

    def add(self, item, what, values, goal="", unit="", note=""):
        row = figures.row(item, what, values, goal, unit, note, "generated host")
        self.rows.append(row)
        print(f"{item}: {what}: {row['median']:.4g}", file=sys.stderr)

    def show(self, as_json):
        if as_json:
            print("".join(json.dumps(row) + "\n" for row in self.rows), end="")
        else:
            print(figures.text(self.rows), end="")


class Bench:
    def __init__(self, options):
        self.options = options
        self.figures = Figures()

    @contextlib.contextmanager
    def made(self, connections, start=True):
        """A made-up host with so many connections, its service, and a policy for each session."""
        per_session = min(self.options.per_session, connections)
        with measured.Host(self.options.service, self.options.fake, connections // per_session,
                       per_session, self.options.luns) as made:
            made.start()
            client = Client(self.options.calls, made)
            if client.ask("policy", ROUND_ROBIN) != 0:
                raise RuntimeError("a policy was refused:\n" + made.said())
            made.wait_until_idle(3)  # until multipathd was told
            if not start:
                made.stop()
            yield made, client

    def repetitions(self):
        return range(self.options.repetitions)

    # --- The items

    def query(self):
        for size in self.options.sizes:
            with self.made(size) as (made, client):
                gets, objects, lists = [], [], []
                n = max(1, self.options.calls_each // size)
                for _ in self.repetitions():
                    ping = client.ask("repeat", 10 * n, PING) / 10
                    gets.append(client.ask("repeat", n, GET) / ping)
                    objects.append(client.ask("repeat", 1 + n // 20, OBJECTS) / (1 + n // 20) * n
                                   / ping)
                    if self.options.iscsiadm:
                        lists.append(self.iscsiadm(made) * 1e9 / (gets[-1] * ping / n))
                self.figures.add("query", f"Get, {size} connections, in Pings", gets,
                                 "<= 4" if size == 64 else "")
                self.figures.add("query", f"GetManagedObjects, {size} connections, in Pings",
                                 objects)
                if lists:
                    self.figures.add("query", f"iscsiadm -m session, {size} connections, in Gets",
                                     lists, ">= 50" if size == 64 else "")

    def one_event(self, made, client, sid, own_way):
        """A login or a logout: seconds until the maps are right and told of."""
        client.ask("mark")
        before = time.monotonic_ns()
        (made.logout if sid in made.up else made.login)(sid)
        made.reload(made.target(sid), own_way)
        return (client.ask("await", made.luns) - before) / 1e9

    def events_of(self, made, client, own_way):
        """The means of a login and a logout, repeated: seconds, and CPU."""
        before = made.cpu()
        times = [self.one_event(made, client, made.per_session, own_way)
                 for _ in range(2 * self.options.events)]
        made.wait_until_idle(0.5)
        return statistics.mean(times), (made.cpu() - before) / len(times)

    def events(self):
        few, many = min(self.options.sizes), max(self.options.sizes)
        with self.made(few) as small, self.made(many) as large:
            for own_way, what in (False, "a login"), (True, "a login, groups to be repaired"):
                pairs = [(self.events_of(*small, own_way), self.events_of(*large, own_way))
                         for _ in self.repetitions()]
                self.figures.add("events", f"{what}: CPU with {few} connections",
                                 [1000 * a[1] for a, _ in pairs], unit="ms")
                self.figures.add("events", f"{what}: CPU with {many}, against {few}",
                                 [b[1] / a[1] for a, b in pairs], "< 1.5")
                self.figures.add("events", f"{what}: time with {few} connections",
                                 [1000 * a[0] for a, _ in pairs], unit="ms")
                self.figures.add("events", f"{what}: time with {many}, against {few}",
                                 [b[0] / a[0] for a, b in pairs])

    def iscsiadm(self, made):
        """One `iscsiadm -m session` on the same host, in seconds. (With -P 1 it waits for iscsid.)"""
        environment = made.environment() | {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
        before = time.monotonic()
        done = subprocess.run([self.options.iscsiadm, "-m", "session"], env=environment,
                              capture_output=True, text=True)
        if done.returncode != 0 or len(done.stdout.splitlines()) != len(made.up):
            raise RuntimeError(f"iscsiadm does not list the sessions: {done.stderr}")
        return time.monotonic() - before

    def start(self):
        for size in self.options.sizes:
            with self.made(size, start=False) as (made, _):
                starts, ratios = [], []
                for _ in self.repetitions():
                    starts.append(made.start())
                    made.stop()
                    if self.options.iscsiadm:
                        ratios.append(starts[-1] / self.iscsiadm(made))
                self.figures.add("start", f"exec to ready, {size} connections",
                                 [1000 * t for t in starts], unit="ms")
                if ratios:
                    self.figures.add("start", f"{size} connections, in runs of iscsiadm -m session",
                                     ratios, "<= 2")

    def rest(self):
        for size, goal in (min(self.options.sizes), "<= 8"), (max(self.options.sizes), "<= 16"):
            with self.made(size, start=False) as (made, _):
                made.start()
                made.wait_until_idle(17)  # after the last look for access states
                wakeups = made.wakeups()
                time.sleep(self.options.seconds)
                wakeups = made.wakeups() - wakeups
                memory = made.memory()
                for name, unit_goal in ("Rss", goal), ("Pss", ""), ("Private", ""):
                    self.figures.add("rest", f"{name} with {size} connections",
                                     [memory[name] / 1024], unit_goal, "MiB")
                self.figures.add("rest", f"wake-ups in {self.options.seconds} s, {size} connections",
                                 [wakeups], "= 0", note="the watchdog's are more")
                self.figures.add("rest", f"file descriptors with {size} connections",
                                 [made.descriptors()], note="to be the same for all")

    def together(self, clients, changer, what):
        """So many clients and one that changes: calls a second, and seconds for a change."""
        milliseconds = self.options.milliseconds
        changer.send("changing", milliseconds, self.options.pause)
        for client in clients:
            client.send("during", milliseconds, what)
        total = sum(client.receive()[0] for client in clients)
        n, nsec = changer.receive()
        return total * 1000 / milliseconds, nsec / n / 1e9

    def clients(self):
        with self.made(min(self.options.sizes)) as (made, changer):
            made.start_echo(self.options.calls, GET)
            for number in self.options.clients:
                clients = [Client(self.options.calls, made) for _ in range(number)]
                rates, latencies = [], []
                for _ in self.repetitions():
                    _, alone = self.together([], changer, GET)
                    limit, _ = self.together(clients, changer, ECHO)
                    rate, latency = self.together(clients, changer, GET)
                    rates.append(rate / limit)
                    latencies.append(latency / alone)
                self.figures.add("clients", f"Get by {number} clients, against the echo", rates,
                                 ">= 0.8")
                self.figures.add("clients", f"a change among {number} clients, against alone",
                                 latencies, "<= 2")


    @contextlib.contextmanager
    def churned(self, by_default):
        """A host for volumes that come and go, under a session's policy or the default: volumes, and a
        function that changes a policy."""
        with measured.Host(self.options.service, self.options.fake, 1, 2, 1 + AT_A_TIME,
                           access=False) as made:
            come = volumes.Volumes(made, "queue-length 0" if by_default else "round-robin 0")
            made.start()
            with contextlib.closing(agent.Agent(made)) as asker:
                if by_default:
                    asker.set_manager("DefaultLoadBalancePolicy", "u", names.QUEUE_DEPTH)
                policies = itertools.cycle([1, 2])

                def change():
                    sid = next(policies)
                    status = (asker.set_disk_policy(0, names.FAILOVER, primaries=[sid]) if by_default
                              else asker.set_policy(names.FAILOVER, primaries=[sid]))
                    if status != names.SUCCESS:
                        raise RuntimeError(f"a policy was refused: {status}\n{made.said()}")

                change()
                yield made, come, asker, change

    def cost_of_changes(self, made, change):
        """Median milliseconds until the answer, and of CPU with all that follows, of which the kernel
        counts the children's in steps of ten."""
        times = []
        made.wait_until_idle(1)
        cpu = made.cpu()
        for _ in self.repetitions():
            before = time.monotonic()
            change()
            times.append(1000 * (time.monotonic() - before))
            made.wait_until_idle(1)
        return statistics.median(times), 1000 * (made.cpu() - cpu) / len(times)

    def kept(self, made, come, asker, change):
        milliseconds, cpu = self.cost_of_changes(made, change)
        memory = made.memory()
        return come.kept(asker) | {
            "KiB resident": memory["Rss"], "KiB of its own": memory["Private"],
            "file descriptors": made.descriptors(), "ms for a change": milliseconds,
            "ms of CPU for a change": cpu}

    def volumes(self):
        for by_default, policy in (False, "a session's policy"), (True, "the default"):
            with self.churned(by_default) as (made, come, asker, change):
                come.come_and_go(asker, FIRST_VOLUMES)
                first = self.kept(made, come, asker, change)
                come.come_and_go(asker, self.options.volumes - come.attached)
                last = self.kept(made, come, asker, change)
                for what, value in last.items():
                    self.figures.add(
                        "volumes", f"{what} after {come.attached} volumes under {policy}, "
                        f"against {FIRST_VOLUMES}", [value / first[what] if first[what] else value],
                        "<= 1.5" if "ms" in what else "<= 1.1", note=f"{value:.4g} / {first[what]:.4g}")


ITEMS = "query", "events", "start", "rest", "clients", "volumes"


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("items", nargs="*", metavar="ITEM", help=", ".join(ITEMS))
    parser.add_argument("--json", action="store_true", help="for programs, a figure a line")
    parser.add_argument("--sizes", type=numbers, default=[4, 64, 512],
                        help="numbers of connections (default 4,64,512)")
    parser.add_argument("--per-session", type=int, default=4, help="connections of each session")
    parser.add_argument("--luns", type=int, default=2, help="LUNs of each target")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--calls-each", type=int, default=6400, help="connections to ask for")
    parser.add_argument("--events", type=int, default=5, help="logins for each repetition")
    parser.add_argument("--seconds", type=int, default=60, help="how long it rests")
    parser.add_argument("--clients", type=numbers, default=[1, 8, 64])
    parser.add_argument("--milliseconds", type=int, default=2000, help="for each round of clients")
    parser.add_argument("--volumes", type=int, default=10000, help="that come and go")
    parser.add_argument("--pause", type=int, default=500, help="milliseconds between changes")
    for name in "service", "fake", "calls":
        parser.add_argument(f"--{name}", type=measured.path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--iscsiadm", default=shutil.which("iscsiadm", path="/usr/sbin:/sbin"),
                        help="to compare with")
    options = parser.parse_args(arguments)
    for item in options.items:
        if item not in ITEMS:
            parser.error(f"{item}: not one of {', '.join(ITEMS)}")
    return options


def main():
    options = parse(sys.argv[1:])
    bench = Bench(options)
    for item in ITEMS:
        if not options.items or item in options.items:
            getattr(bench, item)()
    bench.figures.show(options.json)


if __name__ == "__main__":
    main()
