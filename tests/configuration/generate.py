# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations of multipathd, made up from pieces as people write them, and as they do not."""

WWIDS = ["36001405aaaa", "3600a0b80000f", "36001405aaaa0", "mpath a"]
VENDORS = ["LIO-ORG", "^LIO-ORG$", "(LIO|EMC)", "NETAPP", ".*", "", "COMPELNT"]
PRODUCTS = ["lun0", ".*", "^lun[0-9]+$", "LUN.*", "", "Compellent Vol"]
REVISIONS = ["1.0", "4.0"]

# Keywords, with values of which some make sense.
SWITCHES = ["yes", "no", "1", "0", "maybe", "YES", "", "yes "]
NUMBERS = ["1", "0", "100", "-1", "-2", "-7", " 5 ", "5x", "x", "", "99999999999", "4294967295", "+3"]
VALUES = {
    "path_grouping_policy": ["multibus", "failover", "group_by_prio", "group_by_serial", "group_by_tpg",
                             "group_by_node_name", "failovers", "group_by", ""],
    "path_selector": ["round-robin 0", "service-time 0", "queue-length 0", "round-robin", "service-time 1 x",
                      "service-time 1", " round-robin  0 ", "x -1", "historical-service-time 2 900 0", ""],
    "prio": ["const", "alua", "sysfs", "weightedpath", "", 'a""b'],
    "prio_args": ["", "hbtl 1:.:.:. 50", "exclusive_pref_bit", 'devname ""x"" 1', "# ! { }"],
    "failback": ["manual", "immediate", "followover", *NUMBERS],
    "rr_weight": ["uniform", "priorities", "other", ""],
    "rr_min_io_rq": NUMBERS,
    "detect_prio": SWITCHES,
    "detect_pgpolicy": SWITCHES,
    "detect_pgpolicy_use_tpg": SWITCHES,
}
GENERAL = list(VALUES)
OTHERS = {
    "defaults": {"user_friendly_names": SWITCHES, "marginal_pathgroups": ["on", "off", "yes", "no", "1", "maybe"],
                 "max_polling_interval": ["20", "x", "", "-5", "20 x"], "find_multipaths": ["yes", "strict", "x"], "reservation_key": [
                     "0x123", "file", "abc:aptpl", "zz", "00112233445566778", "0", "x"],
                 "verbosity": ["2", "x"], "max_sectors_kb": NUMBERS, "getuid_callout": ["/bin/x"]},
    "device": {"path_checker": ["tur", "directio"], "hardware_handler": ["1 alua", "0"], "no_path_retry": [
        "fail", "queue", "5"], "rr_min_io": NUMBERS, "product_blacklist": ["LUNZ", "", "*"]},
    "overrides": {"no_path_retry": ["fail", "3"], "dev_loss_tmo": ["infinity", "60"], "max_sectors_kb": NUMBERS},
    "multipath": {"alias": ["data", "a/b"], "no_path_retry": ["queue"], "rr_min_io": NUMBERS, "uid": ["0"],
                  "reservation_key": ["0xabc", "12 3"]},
    "protocol": {"type": ["scsi:iscsi", "scsi:fcp", "x"], "fast_io_fail_tmo": ["5", "off"]},
}
REGEXES = ["^sd[a-z]", "^(ram|loop)[0-9]*", ".*", "*", "(", "[", "!^sd", "!*", "\\!x", "", "a{2", "a{2,1}", "{", "}",
           "^(td|hd)[a-z]+[0-9]*", "(a", "a)", "\\", "3600.*", "3\xe9"]
ORDINARY = 0.8  # how often a piece is as it should be

FILES = ["multipath.conf", "conf.d/00-first.conf", "conf.d/50.conf", "conf.d/90-iscsi-wmi.conf", "conf.d/95.conf",
         "conf.d/zz.conf", "conf.d/.old.conf", "conf.d/.conf", "conf.d/B.conf", "conf.d/a.b.conf",
         "conf.d/zz.conf.bak", "conf.d/conf", "conf.d/x.CONF", "conf.d/\xfcber.conf"]


class Generator:
    def __init__(self, random):
        self.random = random

    def chance(self, probability):
        return self.random.random() < probability

    def one_of(self, *choices):
        return self.random.choice(choices)

    # --- Lines ------------------------------------------------------------------------------

    def quoted(self, value):
        bare = value and all(c not in ' "#!{}' for c in value)
        if bare and self.chance(0.5):
            return value
        return self.one_of('"%s"', '"%s"', '"%s"', '"%s" # comment', '"%s', '"%s" extra', '"%s"!x') % value

    def keyword(self, name, values):
        value = self.quoted(self.random.choice(values))
        blank = self.one_of(" ", " ", " ", "\t", "  \t ", "\xa0")
        line = name + blank + value
        if not self.chance(ORDINARY):
            line = self.one_of(name, name + value, name + " # " + value, '"%s" %s' % (name, value), "#" + line,
                               "!" + line, line + " }", line + " {", line + " # }", line + "\r", name.upper() + " x",
                               name + " = " + value, line + "; " + line, name + " {", name + " }", name + ' "',
                               "  " * 300 + line, name + ' "' + "x" * 1100 + '"', line + " " * 1000 + line,
                               line + "\0" + line, line + "\r" + line, "\r" + line, "\ufeff" + line)
        return "\t" * self.random.randrange(3) + line

    def keywords(self, section, most):
        names = {**{name: VALUES[name] for name in GENERAL}, **OTHERS.get(section, {})}
        if section == "protocol":
            names = OTHERS["protocol"]
        chosen = self.random.choices(list(names), k=self.random.randrange(most + 1))
        return [self.keyword(name, names[name]) for name in chosen]

    def opening(self, name):
        if self.chance(ORDINARY):
            return [self.one_of(name + " {", name + "{", name + " {", "\t" + name + "\t{")]
        return self.one_of([name, "{"], [name], ["{"], [name + " { }"], [name + " x {"], [name + ' "'], [name + " #{"],
                           [name + "s {"], [name[:-1] + " {"], ["# " + name + " {"], ["} " + name + " {"],
                           [name + " {", "{"], [name + " { " + self.one_of(*GENERAL) + " no }"])

    def closing(self):
        if self.chance(ORDINARY):
            return [self.one_of("}", "}", "\t}", "} # end")]
        return self.one_of([], [], ["}", "}"], ["} }"], ["}}"], ["# }"], ['"}"'], ["};"], ["}\r"])

    # --- Sections ---------------------------------------------------------------------------

    def section(self, name, lines):
        return self.opening(name) + lines + self.closing()

    def device(self):
        lines = self.keywords("device", 4)
        for name, values, usual in (("vendor", VENDORS, 0.95), ("product", PRODUCTS, 0.95), ("revision", REVISIONS, 0.1)):
            if self.chance(usual):
                lines.append(self.keyword(name, values))
        self.random.shuffle(lines)
        return self.section("device", lines)

    def multipath(self):
        lines = self.keywords("multipath", 5)
        for _ in range(self.one_of(1, 1, 1, 1, 0, 2)):
            lines.insert(self.random.randrange(len(lines) + 1), self.keyword("wwid", WWIDS))
        return self.section("multipath", lines)

    def listed(self):
        lines = []
        for _ in range(self.random.randrange(4)):
            regexes = REGEXES[:3] if self.chance(0.9) else REGEXES
            name = self.one_of("devnode", "wwid", "property", "protocol", "device")
            if name == "device":
                lines += self.section("device", [self.keyword(which, regexes) for which in ("vendor", "product")])
            else:
                lines.append(self.keyword(name, regexes))
        return lines

    def several(self, make):
        return [line for _ in range(self.random.randrange(4)) for line in make()]

    def outer(self, name):
        if name == "devices":
            return self.several(self.device)
        if name == "multipaths":
            return self.several(self.multipath)
        if name in ("blacklist", "blacklist_exceptions"):
            return self.listed()
        lines = self.keywords(name, 5)
        if name == "overrides" and self.chance(0.3):
            at = self.random.randrange(len(lines) + 1)
            lines[at:at] = self.section("protocol", self.keywords("protocol", 3))
        return lines

    def any_section(self):
        name = self.one_of("defaults", "devices", "devices", "multipaths", "multipaths", "multipaths", "overrides",
                           "blacklist", "blacklist_exceptions", "unknown", "multipath", "device", "protocol")
        return self.section(name, self.outer(name))

    # --- Files ------------------------------------------------------------------------------

    def spoil(self, lines):
        """What happens to a file by hand: a line goes, comes twice, moves, is joined with the next."""
        at = self.random.randrange(len(lines))
        what = self.random.randrange(6)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(self.random.randrange(len(lines)), lines[at])
        elif what == 2 and at + 1 < len(lines):
            lines[at] += " " + lines.pop(at + 1)
        elif what == 3:
            lines[at:at] = self.any_section()
        elif what == 4:
            lines.insert(at, self.one_of("}", "{", "", '"', "#", "! }", "\x80", "\0", "x" * 1023, "x y" * 700))
        elif lines[at]:
            cut = self.random.randrange(len(lines[at]))
            lines[at] = lines[at][:cut] + self.one_of("", " ", "}", "{", '"', "#", "\n", "\r") + lines[at][cut:]

    def file(self):
        """One file, as bytes."""
        lines = self.several(self.any_section) or self.any_section()
        if self.chance(0.5):
            for _ in range(1 + self.random.randrange(3)):
                if lines:
                    self.spoil(lines)
        end = "\r\n" if self.chance(0.05) else "\n"
        text = end.join(lines) + self.one_of(end, end, "")
        if self.chance(0.05):
            text = "\ufeff" + text
        return text.encode("utf-8")

    def configuration(self):
        """A dictionary of files by name, those among them that multipathd does not read."""
        names = self.random.sample(FILES, self.one_of(1, 1, 2, 3, 4))
        if self.chance(0.5) and FILES[0] not in names:
            names.append(FILES[0])
        return {name: self.file() for name in names}
