#!/usr/bin/env bash
# cgroup-v2.sh REPORT_FILE: the tests that vm/inside names, on cgroup v2 as robots have it, whatever this machine has:
# in a virtual machine with this machine's own release of Debian or Ubuntu, systemd as PID 1, the unified hierarchy alone.
# Writes what passed and failed as JSON; exits 1 when something failed.
#
# ROSLET_VM=uml (the default): the distribution's user-mode Linux. It needs no virtualization and runs programs nearly as
# fast as this machine, but has one CPU and neither cpuset nor hugetlb.
# ROSLET_VM=qemu: the distribution's own kernel, emulated. It has everything and takes ten times as long.
#
# The machine's disk is made once, for as long as what it is made of stays the same, and kept in ~/.cache/roslet-test; what
# a run writes to it is dropped. Nothing in the machine reaches a network. Needs root to make the disk.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(dirname "$here")
report=${1:?usage: $0 REPORT_FILE}
vm=${ROSLET_VM:-uml}

# What roslet and its tests need, as in scripts/setup; and what makes a machine of it.
PACKAGES=(systemd-sysv containerd runc containernetworking-plugins kmod busybox-static conmon gcc libc6-dev make mount iproute2 procps python3)
MEMORY=3G
case $vm in
  uml)
    TIMEOUT_SECONDS=1500
    KERNEL_PACKAGE=user-mode-linux MODULES=()
    ;;
  qemu)
    TIMEOUT_SECONDS=5400
    KERNEL_PACKAGE=linux-image-amd64 MODULES=(virtio_pci virtio_blk ext4)
    ;;
  *) echo "vm: ROSLET_VM is '$vm', not uml or qemu" >&2; exit 2 ;;
esac

say() { printf 'vm: %s\n' "$*"; }
die() { printf 'vm: %s\n' "$@" >&2; exit 1; }

# shellcheck source=/dev/null
. /etc/os-release
case $ID in
  debian) ;;
  ubuntu) KERNEL_PACKAGE=${KERNEL_PACKAGE/-amd64/-generic} ;;
  *) die "the machine is made of Debian's or Ubuntu's packages; this is $ID" ;;
esac
[ "$(uname -m)" = x86_64 ] || die "this is written for x86_64 only; this is $(uname -m)"
for tool in mmdebstrap mke2fs busybox; do
  command -v $tool >/dev/null || die "$tool is missing: run scripts/setup test-v2"
done
[ "$vm" != qemu ] || command -v qemu-system-x86_64 >/dev/null || die "apt-get install qemu-system-x86"
[ -e "$checkout/bin/roslet" ] || die "run 'make build' first"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/roslet-vm-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

make_image() {
  local root=$scratch/root initrd=$scratch/initrd module
  say "making the machine's disk of $ID $VERSION_CODENAME: some minutes, once"
  mmdebstrap --quiet --variant=minbase --include="${PACKAGES[*]} $KERNEL_PACKAGE" "$VERSION_CODENAME" "$root" </dev/null
  rm -rf "$image.new"
  mkdir -p "$initrd/modules" "$root/lib/modules" "$image.new"
  if [ "$vm" = uml ]; then
    mv "$root/usr/bin/linux.uml" "$image.new/kernel"
    mv "$root"/usr/lib/uml/modules/* "$root/lib/modules"
  else
    cp "$root"/boot/vmlinuz-* "$image.new/kernel"
  fi
  cp "$(command -v busybox)" "$here/vm/init" "$initrd"
  # In the order in which they are to be loaded.
  for module in "${MODULES[@]}"; do
    chroot "$root" modprobe -S "$(ls "$root/lib/modules")" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r module; do
    add_module "$root$module" "$initrd"
  done
  (cd "$initrd" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$image.new/initrd"
  rm -rf "$root"/boot/* "$root"/var/lib/apt/lists/*
  make_disk "$root" "$image.new/disk" 3G
  rm -rf "$root"
  mv "$image.new" "$image"
}

# add_module FILE INITRD
add_module() {
  local name=${1##*/}
  case $name in
    *.xz) xz -dc "$1" ;;
    *.zst) zstd -qdc "$1" ;;
    *) cat "$1" ;;
  esac >"$2/modules/${name%%.ko*}.ko"
  echo "${name%%.ko*}" >>"$2/modules/order"
}

# make_disk DIRECTORY FILE SIZE
make_disk() {
  truncate -s "$3" "$2"
  mke2fs -q -t ext4 -O ^has_journal -d "$1" "$2"
}

# The checkout as it is now, built, with the Node that runs it.
make_checkout_disk() {
  local copy=$scratch/checkout
  mkdir -p "$copy"
  (
    cd "$checkout"
    {
      git -c safe.directory="$checkout" ls-files -z --cached --others --exclude-standard
      printf '%s\0' bin dist node_modules
    } | xargs -0 cp -a --parents -t "$copy"
  )
  install -D "$(readlink -f "$(command -v node)")" "$copy/.tools/node_modules/.bin/node"
  make_disk "$copy" "$scratch/checkout.disk" 1500M
  rm -rf "$copy"
}

start_uml() {
  # Its memory is a file there.
  TMPDIR=/dev/shm timeout --foreground "$TIMEOUT_SECONDS" "$image/kernel" mem=$MEMORY initrd="$image/initrd" \
    "ubda=$scratch/written,$image/disk" "ubdb=$scratch/checkout.disk" con0=fd:0,fd:1 con=null ssl=null $KERNEL_OPTIONS
}

start_qemu() {
  # Not KVM, which many machines have that cannot use it.
  nice -n 10 timeout --foreground "$TIMEOUT_SECONDS" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m $MEMORY \
    -nographic -no-reboot -nodefaults -nic none -serial stdio -kernel "$image/kernel" -initrd "$image/initrd" \
    -append "console=ttyS0 panic=-1 mitigations=off hugepages=16 $KERNEL_OPTIONS" \
    -drive "file=$image/disk,format=raw,if=virtio,snapshot=on,cache=unsafe" \
    -drive "file=$scratch/checkout.disk,format=raw,if=virtio,cache=unsafe"
}
KERNEL_OPTIONS="quiet cgroup_no_v1=all"

cache=${ROSLET_TEST_CACHE:-$HOME/.cache/roslet-test}/vm
made_of=$(echo "${PACKAGES[@]}"; declare -f make_image; cat "$here/vm/init")
image=$cache/$VERSION_CODENAME-$vm-$(sha256sum <<<"$made_of" | cut -c -12)
mkdir -p "$cache"
[ -d "$image" ] || make_image
make_checkout_disk
say "starting it; at most $TIMEOUT_SECONDS s"
"start_$vm" </dev/null | tee "$scratch/output" || say "it ended with ${PIPESTATUS[0]}"
tr -d '\r' <"$scratch/output" | sed -n 's/^.*ROSLET-REPORT //p' >"$report"
[ -s "$report" ] || die "the tests did not come to an end"
grep -q '"failed":\[\]' "$report"
