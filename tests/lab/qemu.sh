# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The machine: QEMU, and what the guest says of itself.

board=q35,sata=off,smbus=off,usb=off,vmport=off

# kvm_works RELEASE: whether this machine's KVM runs the guest's kernel. A /dev/kvm that opens
# proves nothing, so it is tried: the kernel finds no root, panics and reboots, and QEMU ends.
kvm_works() {
    local answer pid i base
    [[ -w /dev/kvm ]] || return 1
    answer=$cache/probe/kvm-$(cat /proc/sys/kernel/random/boot_id)
    if [[ ! -e $answer ]]; then
        base=$(base_dir "$1")
        setpriv --pdeathsig KILL qemu-system-x86_64 -M "$board" -accel kvm -cpu host -m 512 \
            -nodefaults -no-user-config -display none -no-reboot -serial "file:$run/probe.log" \
            -kernel "$base/vmlinuz" -append "console=ttyS0 panic=-1" \
            >/dev/null 2>&1 </dev/null &
        pid=$!
        children[$pid]=KILL
        { # a QEMU that aborts is an answer, and bash need not report it
            for ((i = 0; i < 50; i++)); do
                kill -0 "$pid" || break
                sleep 0.1
            done
            kill -KILL "$pid" || true
            wait "$pid" || true
        } 2>/dev/null
        unset "children[$pid]"
        rm -f "$cache"/probe/kvm-*
        if grep -q 'Kernel panic' "$run/probe.log" 2>/dev/null; then
            echo yes >"$answer"
        else
            echo no >"$answer"
        fi
    fi
    [[ $(cat "$answer") = yes ]]
}

# choose_accel RELEASE: makes `auto` a choice.
choose_accel() {
    [[ $accel = auto ]] || return 0
    accel=tcg
    if kvm_works "$1"; then
        accel=kvm
    fi
}

# guest_memory: prints MiB: 2 GiB for up to 16 paths, 4 GiB for 128.
guest_memory() {
    local paths=$((luns * portals))
    if [[ -n $memory ]]; then
        echo "$memory"
    else
        echo $((2048 + (paths > 16 ? (paths - 16) * 2048 / 112 : 0)))
    fi
}

# start_qemu RELEASE ARG...: starts the machine as a child of ours; its PID is in $qemu.
start_qemu() {
    local base port args=()
    base=$(base_dir "$1")
    shift
    case $accel in
    kvm) args+=(-accel kvm -cpu host) ;;
    # Without what emulation is slow at: wide vectors, string moves byte by byte, access checks.
    tcg) args+=(-accel "tcg,thread=multi" -cpu "max,-avx,-avx2,-avx512f,-erms,-fsrm,-smap,-smep") ;;
    esac
    [[ $reboots = yes ]] || args+=(-no-reboot)
    for port in out err status; do
        args+=(-chardev "file,id=$port,path=$run/$port"
            -device "virtserialport,chardev=$port,name=lab.$port")
    done
    # norandmaps: code that lies where it lay before is not translated again, which for short-lived
    # programs (udev's rules start thousands) is most of what an emulated machine does.
    TMPDIR=$run setpriv --pdeathsig KILL qemu-system-x86_64 -M "$board" -smp 2 \
        -m "$(guest_memory)" -nodefaults -no-user-config -display none -nic none \
        -device virtio-rng-pci -device virtio-serial-pci "${args[@]}" "$@" \
        -drive "if=none,id=root,format=raw,snapshot=on,file=$base/disk.img" \
        -device virtio-blk-pci,drive=root,serial=root \
        -drive "if=none,id=payload,format=raw,readonly=on,file=$run/payload.img" \
        -device virtio-blk-pci,drive=payload,serial=payload \
        -kernel "$base/vmlinuz" -initrd "$base/initrd.img" \
        -append "console=ttyS0 quiet loglevel=3 mitigations=off norandmaps lsm=capability audit=0 \
no5lvl nokaslr panic=-1 oops=panic net.ifnames=0 systemd.show_status=auto" \
        <&0 2>"$run/qemu.log" &
    qemu=$!
    children[$qemu]=KILL
}

# follow WHAT SECONDS: reads what the guest says of itself until it ends. Sets $running, whether
# the job began, and $result.
follow() {
    local word value start=$SECONDS
    running=no
    result=""
    while kill -0 "$qemu" 2>/dev/null; do
        if read -r -t 0.5 word value <&"$status_fd"; then
            case $word in
            up) running=yes && settle ;;
            exit) result=$value && break ;;
            esac
        fi
        [[ $running = yes ]] || live "$1" $((SECONDS - start))
        # After a panic the machine resets, as a rule: one whose second processor hangs does not.
        if grep -qs 'Kernel panic' "$run/console.log"; then
            say "the guest's kernel has panicked: ended it"
            break
        fi
        if (($2 > 0 && SECONDS - start >= $2)); then
            say "the guest was still running after $2 seconds: ended it"
            result=124
            break
        fi
    done
    settle
    # The last word may have come after the last look.
    if [[ -z $result ]] && read -r -t 0.2 word value <&"$status_fd" && [[ $word = exit ]]; then
        result=$value
    fi
}

# end_qemu: gives the machine a moment to switch itself off, then ends it.
end_qemu() {
    local i
    [[ $result = 124 ]] || for ((i = 0; i < 50; i++)); do
        kill -0 "$qemu" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$qemu" 2>/dev/null || true
    wait "$qemu" 2>/dev/null || true
    unset "children[$qemu]"
}

# boot_once RELEASE LOG: boots the payload; the job's output goes to ours, and to LOG. Sets
# $running, and $result if the guest said one.
boot_once() {
    local out err
    mkfifo "$run/out" "$run/err" "$run/status"
    exec {status_fd}<>"$run/status"
    tee -- "$2" <"$run/out" &
    out=$!
    cat <"$run/err" >&2 &
    err=$!
    children[$out]=TERM children[$err]=TERM
    start_qemu "$1" -serial "file:$run/console.log" </dev/null
    follow "booting the $1 guest ($accel)" "$timeout"
    end_qemu
    drain "$out" "$err"
    exec {status_fd}>&-
    rm -f "$run/out" "$run/err" "$run/status"
}

# boot RELEASE LOG: the same, and a guest that dies before its job begins is booted again: once in
# some dozens of boots TCG runs a patched instruction's breakpoint late, and the kernel panics.
boot() {
    local running attempt
    for attempt in 1 2 3; do
        boot_once "$1" "$2"
        [[ -z $result && $running = no && $attempt != 3 ]] || break
        show_console "$1"
        say "the guest died before the job began: booting it again"
    done
    [[ -n $result ]] || result=125
    [[ $result != @(124|125) ]] || show_console "$1"
}

# drain PID...: lets the readers of the guest's output finish. One that QEMU never wrote to
# still waits for it, so open and close their pipes once.
drain() {
    local port
    for port in out err; do
        : 1<>"$run/$port"
    done
    wait "$@" || true
    unset "children[$1]" "children[$2]"
}

show_console() {
    cp "$run/console.log" "$cache/log/console-$1.log" 2>/dev/null || return 0
    say "the end of the guest's console (all of it: $cache/log/console-$1.log):"
    tail -n 25 "$run/console.log" | tr -d '\r\033' >&2
    [[ ! -s $run/qemu.log ]] || cat "$run/qemu.log" >&2
}
