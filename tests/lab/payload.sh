# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What goes into the guest: the project, our pieces and the job, on a disk of their own.

# What of the project: "installed", as Meson installs it, or its "packages".
contents=installed

# add_installed RELEASE LIB: the project as Meson installs it, its examples, and what measures it.
add_installed() {
    local built dir
    built=$(build_dir "$1" plain)
    cp -a "$built/dest/." "$run/payload/"
    for dir in gdbus sdbus-c++; do
        cp "$built/build/examples/$dir/set-policy" "$2/examples/$dir/"
    done
    cp "$built/build/tests/bench"/bench-{probe,record,swap} "$2/bench/"
    cp "$top/tests/bench/figures.py" "$2/bench/"
}

# add_packages RELEASE LIB: the packages, for a test to install.
add_packages() {
    mkdir "$2/debs"
    cp "$(build_dir "$1" packages)"/*.deb "$2/debs/"
}

# fill_payload RELEASE MODE [COMMAND...]: collects the project, our pieces and the job.
fill_payload() {
    local release=$1 mode=$2 lib=$run/payload/usr/lib/iscsi-wmi-lab dir
    shift 2
    rm -rf "$run/payload"
    mkdir -p "$lib/job"
    cp -R "$machine/root/." "$run/payload/"
    mkdir -p "$run/payload/etc/systemd/system/multi-user.target.wants"
    ln -s ../lab-job.service "$run/payload/etc/systemd/system/multi-user.target.wants/"
    tar -C "$guest" --create --exclude=./machine/root --exclude=__pycache__ . |
        tar -C "$lib" --extract --no-same-owner
    for dir in tests/data dbus-interfaces examples; do
        [[ ! -d $top/$dir ]] || cp -R "$top/$dir" "$lib/"
    done
    cp "$top/README.md" "$lib/"
    "add_$contents" "$release" "$lib"
    cat >"$lib/lab.env" <<EOF
LAB_RELEASE=$release
LAB_LUNS=$luns
LAB_PORTALS=$portals
LAB_MODE=$mode
LAB_ACCEL=$accel
LAB_TERM=${TERM:-linux}
LAB_SIZE=$(stty size 2>/dev/null || echo 24 80)
EOF
    (($# == 0)) || add_job "$lib" "$@"
}

# add_job LIB FILE [ARG...]: the command for the guest to run. Our own pieces are there already.
add_job() {
    local lib=$1 file=$2 place=/usr/lib/iscsi-wmi-lab
    shift 2
    if [[ $file = "$guest"/* ]]; then
        file=$place/${file#"$guest"/}
    else
        cp -L "$file" "$lib/job/"
        file=$place/job/${file##*/}
    fi
    chmod 755 "$lib${file#"$place"}"
    printf '%s\0' "$file" "$@" >"$lib/argv"
}

make_payload() {
    local size
    fill_payload "$@"
    size=$(du -sm "$run/payload" | cut -f1)
    mke2fs -q -t ext4 -F -O '^has_journal' -d "$run/payload" "$run/payload.img" \
        "$((size * 5 / 4 + 16))M" >/dev/null
    rm -rf "$run/payload"
}
