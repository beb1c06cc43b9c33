# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The base: what of the guest is the same for every run, and where its packages come from.

# What the base is for: the "guest", that of the suite "shapes", which has more on it, or the "matrix",
# which needs more tools and no disk.
purpose=guest

# sources: prints URI, suite, component and origin of each package source of this machine. The
# second list is for a machine whose package lists were never read: it knows no origins.
sources() {
    # shellcheck disable=SC2016 # apt expands these
    local format='$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)'
    apt-get indextargets --format "$format" 'Created-By: Packages' 2>/dev/null || true
    apt-get indextargets --no-release-info --format "$format" 'Created-By: Packages' || true
}

# archive: prints the URI of the Debian archive that this machine's apt uses.
archive() {
    local uri names=" bullseye bookworm trixie forky sid "
    names+="oldoldstable oldstable stable testing unstable "
    if [[ -n ${ISCSI_WMI_LAB_MIRROR:-} ]]; then
        echo "$ISCSI_WMI_LAB_MIRROR"
        return
    fi
    uri=$(sources | awk -v names="$names" '
        $3 == "main" && index(names, " " $2 " ") && ($4 == "Debian" || $4 == "$(ORIGIN)") && !uri {
            uri = $1
        }
        END { print uri }')
    if [[ $uri = mirror+file:* ]]; then
        uri=$(awk '!/^#/ && NF { print $1; exit }' "/${uri#mirror+file:*(/)}")
    fi
    [[ -n $uri ]] || return 1
    echo "$uri"
}

# apt_options: prints what this machine's apt needs in order to reach its archive, an option a line.
apt_options() {
    apt-config dump | grep -E -e '^Acquire::(https?|ftp)::.*(Proxy|CaInfo|CaPath|Verify)' \
        -e '^Acquire::(Check-Valid-Until|Check-Date|ForceIPv)' | grep -v ' "";$' || true
}

# packages RELEASE: prints the packages of the base.
packages() {
    local lists=("$machine/packages")
    case $purpose in
    shapes) lists+=("$guest/shapes/packages") ;;
    matrix) lists+=("$top/tests/matrix/packages") ;;
    esac
    awk -v release="$1" '
        /^#/ || !NF { next }
        !$2 || $2 == "@" release { print $1 }' "${lists[@]}"
}

# base_name RELEASE: prints what the base's files begin with.
base_name() {
    [[ $purpose = guest ]] || printf '%s-' "$purpose"
    echo "$1"
}

# base_dir RELEASE: prints where the base is, a name that tells what it is made of.
base_dir() {
    local key
    key=$({
        packages "$1"
        cat "$machine/customize" "$machine/make-initrd" "$machine/lab-init"
        declare -f make_root make_disk
    } | sha256sum)
    echo "$cache/base/$(base_name "$1")-${key:0:12}"
}

# hook NAME: prints a command for mmdebstrap's shell that runs one of our pieces on the root.
hook() {
    # shellcheck disable=SC2016 # expanded by that shell
    printf '%q "$1"' "$machine/$1"
}

make_root() {
    local release=$1 root=$2 log=$3 uri option options=()
    uri=$(archive) ||
        die "apt on this machine has no Debian archive: set ISCSI_WMI_LAB_MIRROR to one's URI"
    while IFS= read -r option; do
        options+=(--aptopt="$option")
    done < <(apt_options)
    # INITRD=No: Debian's kernel packages make none then; ours is simpler and boots sooner.
    INITRD=No contained "building the $release guest" "$log" mmdebstrap --mode=root --variant=apt \
        --architectures=amd64 --include="$(packages "$release" | paste -sd,)" "${options[@]}" \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=*/lib/modules/*/kernel/drivers/gpu/*' \
        --dpkgopt='path-exclude=*/lib/modules/*/kernel/drivers/media/*' \
        --dpkgopt='path-exclude=*/lib/modules/*/kernel/drivers/net/ethernet/*' \
        --dpkgopt='path-exclude=*/lib/modules/*/kernel/drivers/net/wireless/*' \
        --dpkgopt='path-exclude=*/lib/modules/*/kernel/sound/*' \
        --customize-hook="$(hook customize)" \
        "$release" "$root" "$uri"
}

make_disk() {
    mv "$1/root/vmlinuz.lab" "$1/vmlinuz"
    mv "$1/root/initrd.lab" "$1/initrd.img"
    contained "making the guest's disk" "$1/disk.log" \
        mke2fs -q -t ext4 -F -L lab-root -J size=32 -d "$1/root" "$1/disk.img" 6G
}

# ensure_base RELEASE: builds the base if it is not there. Afterwards it cannot be removed
# while we run.
ensure_base() {
    local release=$1 name dir part lock
    name=$(base_name "$release")
    dir=$(base_dir "$release")
    exec {lock}>"$cache/base/$name.lock"
    if ! flock --nonblock "$lock"; then
        say "waiting for another lab that is building the $name guest"
        flock "$lock"
    fi
    if [[ ! -e $dir ]]; then
        say "building the $name guest (once, about two minutes)..."
        rm -rf "$cache/base/.$name".*
        # Named for the whole run: a subshell builds here too, and cleanup has to find it.
        part=$(mktemp -d "$cache/base/.$name.$$.XXXXXX")
        make_root "$release" "$part/root" "$part/build.log" || keep_log "$part/build.log" "$name"
        [[ $purpose = matrix ]] || make_disk "$part" || die "could not make the guest's disk"
        mv -T "$part" "$dir"
        drop_old_bases "$name" "$dir"
    fi
    exec {lock_base}<"$dir"
    flock --shared "$lock_base"
    exec {lock}>&-
}

# ensure_bases: the bases of all releases that are asked for, two at a time: one core is enough for
# one, for most of it.
ensure_bases() {
    local wanted others each pid
    read -ra wanted < <(releases)
    others=("${wanted[@]:1}")
    (for each in "${others[@]}"; do ensure_base "$each"; done) 2>"$run/bases.log" &
    pid=$!
    children[$pid]=KILL
    ensure_base "${wanted[0]}"
    await "$pid" "building the ${others[*]} guest" || { cat "$run/bases.log" >&2 && exit 125; }
    unset "children[$pid]"
    # Those are there now; what holds them is this process.
    for each in "${others[@]}"; do
        ensure_base "$each"
    done
}

# keep_log LOG NAME: gives up on a build, leaving its log.
keep_log() {
    cp "$1" "$cache/log/build-$2.log"
    die "could not build the $2 guest; the whole log is $cache/log/build-$2.log"
}

# drop_old_bases NAME DIR: removes bases of that name other than DIR, unless in use.
drop_old_bases() {
    local dir lock
    for dir in "$cache/base/$1"-*; do
        [[ $dir != "$2" ]] || continue
        exec {lock}<"$dir"
        if flock --exclusive --nonblock "$lock"; then
            rm -rf "$dir" "$cache/build/${dir##*/}"-*
        fi
        exec {lock}<&-
    done
}
