#!/bin/sh
# Runs test/cgroups.test.ts on cgroup v2, whatever this machine has: in a virtual machine with Debian's kernel, without
# KVM, on this machine's own files read-only (writes go to memory). Takes 1-2 minutes. Needs qemu-system-x86 and
# busybox-static, and root to fetch the kernel with apt.
set -eu
repo=$(cd "$(dirname "$0")/.." && pwd)
work=${ROSLET_VM_DIR:-$repo/.tools/cgroup-v2}
for tool in qemu-system-x86_64 busybox apt-get dpkg; do
  command -v $tool >/dev/null || { echo "$0: $tool is missing: apt-get install qemu-system-x86 busybox-static" >&2; exit 1; }
done
mkdir -p "$work/init/mods"
cd "$work"
if ! ls kernel/boot/vmlinuz-* >/dev/null 2>&1; then
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
  apt-get download -q "$package"
  dpkg -x linux-image-*.deb kernel
  rm linux-image-*.deb
fi
modules="drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_modern_dev
  drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci fs/netfs/netfs fs/fscache/fscache
  net/9p/9pnet net/9p/9pnet_virtio fs/9p/9p fs/overlayfs/overlay"
for module in $modules; do cp kernel/lib/modules/*/kernel/$module.ko init/mods/; done
cp "$(command -v busybox)" init/busybox
cat >init/init <<INIT
#!/busybox sh
for dir in proc sys dev host memory root; do /busybox mkdir -p /\$dir; done
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sys /sys
/busybox mount -t devtmpfs dev /dev
for module in $(echo $modules); do /busybox insmod /mods/\${module##*/}.ko; done
/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
/busybox mount -t tmpfs memory /memory
/busybox mkdir /memory/upper /memory/work
/busybox mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root
for dir in proc sys dev; do /busybox mount --bind /\$dir /root/\$dir; done
/busybox mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
/busybox mount -t tmpfs tmpfs /root/tmp
/busybox ip link set lo up
/busybox chroot /root /bin/sh -c 'cd "$repo" && export CI=1 HOME=/root PATH="$PATH" &&
  node node_modules/vitest/vitest.mjs run --project integration test/cgroups.test.ts && echo ROSLET-VM-PASSED'
/busybox poweroff -f
INIT
chmod +x init/init
(cd init && find . | busybox cpio -o -H newc | gzip -1) >initrd.gz 2>/dev/null
timeout "${ROSLET_VM_TIMEOUT_SECONDS:-600}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3G \
  -nographic -no-reboot -nodefaults -serial stdio -kernel kernel/boot/vmlinuz-* -initrd initrd.gz \
  -append "console=ttyS0 quiet panic=-1 mitigations=off" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap | tee output
grep -q ROSLET-VM-PASSED output
