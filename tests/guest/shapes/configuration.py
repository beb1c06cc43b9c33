# SPDX-License-Identifier: LGPL-2.1-or-later
"""multipath.conf as a host of some shape has it. Pure, but for write() and remove()."""

import pathlib

MAIN = pathlib.Path("/etc/multipath.conf")
LABS = pathlib.Path("/etc/multipath/conf.d/10-lab.conf")
WWIDS = pathlib.Path("/etc/multipath/wwids")
BINDINGS = pathlib.Path("/etc/multipath/bindings")

# The main file: none of one's own; what `mpathconf --enable` writes; what three vendors ask for. (A section
# that is closed on its own line stays open, for multipathd: it stands at the end.)
FILES = {
    "empty": "",
    "tools": """\
defaults {
	user_friendly_names yes
	find_multipaths yes
	enable_foreign "^$"
}
blacklist_exceptions {
        property "(SCSI_IDENT_|ID_WWN)"
}
blacklist {
}
""",
    "pure": """\
defaults {
    polling_interval 10
}
devices {
    device {
        vendor                "PURE"
        product               "FlashArray"
        path_selector         "service-time 0"
        hardware_handler      "1 alua"
        path_grouping_policy  group_by_prio
        prio                  alua
        failback              immediate
        path_checker          tur
        fast_io_fail_tmo      10
        dev_loss_tmo          600
        no_path_retry         0
    }
}
""",
    "ceph": """\
devices {
        device {
                vendor                 "LIO-ORG"
                product                "TCMU device"
                hardware_handler       "1 alua"
                path_grouping_policy   "failover"
                path_selector          "queue-length 0"
                failback               60
                path_checker           tur
                prio                   alua
                prio_args              exclusive_pref_bit
                fast_io_fail_tmo       25
                no_path_retry          queue
        }
}
""",
    "equallogic": """\
devices {
    device {
        vendor "EQLOGIC"
        product "100E-00"
        path_grouping_policy multibus
        path_checker readsector0
        failback immediate
        path_selector "round-robin 0"
        rr_min_io_rq 10
        rr_weight priorities
        no_path_retry 5
    }
}
blacklist { devnode "^(ram|raw|loop|fd|md|dm-|sr|scd|st)[0-9]*" }
""",
}

# What the LUNs say that they are, where the file is about a product.
PRODUCTS = {"pure": ("PURE", "FlashArray"), "ceph": ("LIO-ORG", "TCMU device"),
            "equallogic": ("EQLOGIC", "100E-00")}
PRODUCT = "LIO-ORG", "IBLOCK"


def alias(number):
    """An alias with all that it can have: multipathd (0.11) takes a map whose name libdm has to write in
    another way, for a blank say, for two, and makes and forgets them again and again."""
    return f"vol#{number}+a:b=c.d@e_-f"


def labs(shape, wwids):
    """The lab's own file: what the shape has besides the main one, and what lets tests be quick and have
    no guest disk become a map."""
    lines = ["defaults {",
             f"    user_friendly_names {'yes' if shape['names'] == 'friendly' else 'no'}",
             "    polling_interval 2",
             "    max_polling_interval 4"]
    if shape["find"] == "no":
        lines.append("    find_multipaths no")
    if shape["marginal"] == "on":
        lines.append("    marginal_pathgroups yes")
    lines += ["}", "blacklist {", '    devnode "^vd"', "}", "overrides {", "    path_checker tur",
              "}"]
    if shape["names"] == "alias":
        lines.append("multipaths {")
        for number, wwid in enumerate(wwids):
            lines += ["    multipath {", f"        wwid {wwid}",
                      f'        alias "{alias(number)}"', "    }"]
        lines.append("}")
    return "\n".join(lines) + "\n"


def write(shape, wwids):
    """Write all files. As shipped, multipathd takes only disks that the host has had maps of, or with
    mpathconf's file, several paths of: so it has had them."""
    MAIN.write_text(FILES[shape["conf"]])
    LABS.parent.mkdir(parents=True, exist_ok=True)
    LABS.write_text(labs(shape, wwids))
    WWIDS.write_text("".join(f"/{wwid}/\n" for wwid in wwids))
    BINDINGS.unlink(missing_ok=True)
