# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The project, built inside the base.

# How commands run in the base: as its ordinary user, or with "--root".
in_base_as=()

# build_dir RELEASE VARIANT: prints where this checkout is built for this base.
build_dir() {
    local key
    key=$(printf '%s' "$top" | sha256sum)
    echo "$cache/build/$(basename "$(base_dir "$1")")-${key:0:8}-$2"
}

# lock_build DIR: two labs on one checkout build one after the other, until unlock_build.
lock_build() {
    mkdir -p "$1"
    exec {lock_tree}<"$1"
    if ! flock --exclusive --nonblock "$lock_tree"; then
        say "waiting for another lab that is building here"
        flock --exclusive "$lock_tree"
    fi
}

unlock_build() {
    exec {lock_tree}<&-
}

# in_base RELEASE DIR WHAT LOG COMMAND...: runs a command in the base, as $in_base_as says, with
# the checkout in /run/lab/src (read-only) and DIR in /run/lab/work.
in_base() {
    local root dir=$2 what=$3 log=$4
    root=$(base_dir "$1")/root
    shift 4
    contained "$what" "$log" "$machine/in-base" "${in_base_as[@]}" "$root" "$top" "$dir" "$@"
}

# build_project RELEASE VARIANT DIR OPTION...
build_project() {
    local release=$1 variant=$2 dir=$3 log=$run/build.log
    shift 3
    chown 1000:1000 "$dir"
    # A set-up that was interrupted, or for other options, is begun anew.
    if [[ ! -e $dir/build/build.ninja || $(cat "$dir/options" 2>/dev/null) != "$*" ]]; then
        rm -rf "$dir/build"
        in_base "$release" "$dir" "setting up the $variant build for $release" "$log" \
            meson setup /run/lab/work/build /run/lab/src "$@" || return
        echo "$*" >"$dir/options"
    fi
    in_base "$release" "$dir" "building the project for $release" "$log" \
        meson compile -C /run/lab/work/build
}

# build_installed RELEASE: builds what goes into the guest, and installs it into DIR/dest.
build_installed() {
    local release=$1 dir
    dir=$(build_dir "$release" plain)
    lock_build "$dir"
    build_project "$release" plain "$dir" --prefix=/usr --libdir=lib/x86_64-linux-gnu \
        --sysconfdir=/etc --localstatedir=/var --buildtype=debugoptimized -Dwerror=true \
        -Dtests=disabled -Dexamples=enabled -Dbench=true ||
        die "the project does not build on $release"
    rm -rf "$dir/dest"
    in_base "$release" "$dir" "installing the project" "$run/build.log" \
        env DESTDIR=/run/lab/work/dest meson install --no-rebuild -C /run/lab/work/build ||
        die "the project does not install on $release"
}

# export_tree: prints an archive of what the packages are built from, the same for the same tree.
export_tree() {
    tar -C "$top" --create --sort=name --mtime=2000-01-01 --owner=0 --group=0 --numeric-owner \
        --mode=u=rwX,go=rX --exclude=./.git --exclude='./build*' --exclude='./obj-*' \
        --exclude=./tests/guest --exclude=./tests/lab --exclude=__pycache__ .
}

# build_packages RELEASE: builds the Debian packages into DIR, unless it has those of this tree.
build_packages() {
    local release=$1 dir key
    dir=$(build_dir "$release" packages)
    lock_build "$dir"
    export_tree >"$run/tree.tar"
    key=$(sha256sum <"$run/tree.tar")
    [[ $(cat "$dir/key" 2>/dev/null) != "$key" ]] || return 0
    rm -rf "${dir:?}"/*
    mkdir "$dir/tree"
    tar -C "$dir/tree" --extract --file "$run/tree.tar"
    chown -R 1000:1000 "$dir"
    in_base "$release" "$dir" "building the packages for $release" "$run/build.log" \
        env --chdir=/run/lab/work/tree DEB_BUILD_OPTIONS="nocheck noautodbgsym" \
        dpkg-buildpackage --build=binary --build-profiles=nocheck --no-sign ||
        die "the packages do not build on $release"
    rm -rf "$dir/tree"
    echo "$key" >"$dir/key"
}
