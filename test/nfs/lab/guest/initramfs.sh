#!/bin/busybox sh
# Process 1 of an emulated PC until it sees its root, which comes from the host over virtio: the one of the User-mode Linux guests,
# with the modules of its own kernel in it.

/bin/busybox --install -s /bin
fail() { echo "lab: FAILED: $*"; }
try() { "$@" || fail "$*"; }
share() { try mount -t 9p -o "ro,trans=virtio,version=9p2000.L,msize=512000,cache=$3" $1 $2; }

try mount -t proc proc /proc
for module in virtio_pci 9pnet_virtio 9p; do try modprobe $module; done
share root /new loose
share modules /new/usr/lib/modules loose
share repository /new/repo mmap # what changes on the host is seen
# Where the kernel looks for it is nothing: the root has a merged /usr.
echo /usr/bin/modprobe > /proc/sys/kernel/modprobe
for module in virtio_blk virtio_net virtio_console crc32c_generic ext4; do try chroot /new modprobe $module; done
try mount --move /proc /new/proc
try mount -t devtmpfs dev /new/dev
exec switch_root /new /usr/bin/busybox sh /repo/test/nfs/lab/guest/boot.sh
