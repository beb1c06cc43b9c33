# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to a host while policies change: each a function of the run, which has the host, random
numbers, and notes what was done. A run has some of them, by its seed.

`run.rest()` says for how long at most which maps may carry other groups, and be repaired, for it.
"""

import errno
import time

LOOK = 6  # seconds: a look, a swap, and what the machine does besides
LOGIN = 14  # likewise, with a path that cannot be placed yet
ACCESS = 20  # likewise, while the array's states are read again and again
EVER = 1000  # until it says that it is over
UNTOLD = 12  # seconds until multipathd was told once more

STATES = "active/optimized", "active/non-optimized", "standby"


def somebody_reconfigures(run):
    """Which is no cause for anything."""
    run.note("reconfigure")
    run.host.multipathd.answer("reconfigure")


def a_path_comes_or_goes(run):
    host, random = run.host, run.random
    down = sorted(set(run.sids) - host.up)
    login = bool(down) and random.random() < 0.7
    sid = random.choice(down if login else sorted(host.up))
    if not login and len(host.members(host.target(sid))) < 2:
        return
    minors = run.answered.minors_of(host.target(sid))
    run.note("login" if login else "logout", sid)
    run.rest(LOGIN, minors)
    with host.multipathd.standing_still():
        if login:
            host.login(sid)
            for minor in minors:
                host.tree.hold(sid, minor % host.luns, minor)
                run.answered.access.pop((sid, minor % host.luns), None)
        else:
            host.logout(sid)
        time.sleep(random.choice((0, 0.05)))
        for minor in minors:
            host.multipathd.load(minor)


def the_array_moves_access(run):
    random, luns = run.random, run.host.luns
    sid, lun = random.choice(sorted(run.host.up)), random.randrange(luns)
    rank = random.randrange(len(STATES))
    run.note("access", sid, lun, STATES[rank])
    run.rest(ACCESS, [minor for minor in run.answered.minors_of(run.host.target(sid)) if minor % luns == lun])
    with run.watch.lock:
        run.answered.access[sid, lun] = rank
    run.host.set_access(sid, lun, STATES[rank])


def maps_go_or_return(run):
    """One, or all of a target's."""
    host, random = run.host, run.random
    if run.away and random.random() < 0.6:
        run.bring_back()
        return
    there = host.minors()
    minors = random.choice(([random.choice(there)], run.answered.minors_of(random.choice(run.targets))))
    if len(minors) < len(there):
        run.note("maps go", minors)
        run.away += minors
        with host.multipathd.standing_still():
            for minor in minors:
                host.remove_map(minor)


def somebody_reloads(run):
    minor = run.random.choice(run.host.minors())
    run.note("reload", minor)
    run.rest(LOOK, [minor])
    with run.host.multipathd.standing_still():
        run.host.reload_map(minor, run.host.own_groups(minor))


def somebody_suspends(run):
    """And has the map run again: nobody else may do so."""
    host, minor = run.host, run.random.choice(run.host.minors())
    run.note("suspend", minor)
    run.rest(LOOK, [minor])
    with host.multipathd.standing_still():
        host.dm.suspend(minor)
        time.sleep(run.random.choice((0.01, 0.1, 0.5, 1.5)))
        run.expect(host.dm.read(minor).suspended, f"map {minor} was resumed by another")
        host.dm.run(minor)
        host.map_event(minor, "change")


def a_call_fails(run):
    """Or waits, or both; until the search comes to rest."""
    random = run.random
    call = random.choice(("load", "resume", "table", "info", "clear", "status", "fork"))
    what = {"skip": random.choice((0, 0, 1, 2)), "count": random.choice((1, 1, 2, 4))}
    if call == "fork":
        what["error"] = random.choice((errno.EAGAIN, errno.ENOMEM))
    else:
        what |= {"minor": random.choice(run.host.minors()), "in_child": True,
                 "milliseconds": random.choice((0, 0, 5, 50, 300)),
                 "error": random.choice((0, errno.EINVAL, errno.EIO, errno.ENOMEM))}
    run.fault(call, **what)


def the_disk_fails(run):
    """What the store has is not known then, until the service is another, nor whether the drop-in is written."""
    run.rest(EVER)
    run.fault("sync", skip=run.random.choice((0, 1, 2, 3)), count=run.random.choice((1, 2, 3)),
                 error=errno.EIO)
    run.knows_store = False


def multipathd_is_silent(run):
    run.note("silence")
    run.rest(EVER)
    run.host.multipathd.silent = True
    time.sleep(run.random.choice((0.1, 1, 3)))
    run.host.multipathd.silent = False
    run.note("speech")
    run.end_rest(UNTOLD)


def multipathd_starts_anew(run):
    run.note("multipathd ends")
    run.rest(EVER)
    run.host.multipathd.stop()
    time.sleep(run.random.choice((0, 0.2, 1.5)))
    run.host.multipathd.start()
    run.host.multipathd.answer("reconfigure")  # it builds the maps by what it reads
    run.note("multipathd begins")
    run.end_rest(UNTOLD)


def the_service_starts_anew(run):
    run.start_anew(gently=run.random.random() < 0.3)


# By name; how often each is taken.
ALL = {
    "foreign": (somebody_reconfigures, 0.4),
    "paths": (a_path_comes_or_goes, 0.3),
    "access": (the_array_moves_access, 0.15),
    "maps": (maps_go_or_return, 0.4),
    "steal": (somebody_reloads, 0.2),
    "suspend": (somebody_suspends, 0.2),
    "faults": (a_call_fails, 0.5),
    "disk": (the_disk_fails, 0.2),
    "silent": (multipathd_is_silent, 0.15),
    "multipathd": (multipathd_starts_anew, 0.15),
    "kill": (the_service_starts_anew, 0.12),
}

# With these, a change can be answered with a failure.
MAKE_FAIL = {"access", "paths", "maps", "suspend", "faults", "disk", "silent", "multipathd"}
