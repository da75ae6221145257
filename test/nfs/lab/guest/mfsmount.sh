# mfsmount.sh TREE AT ADDRESS OPTIONS: on a node, by the client of MooseFS, a program behind FUSE.
set -e
grep -q " $2 " /proc/mounts && exit 0
root=/tmp/moosefs
at=$2 address=$3 options=$4
set -- "$1" $root
. /repo/test/nfs/lab/guest/tree.sh
modprobe fuse
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
inside=/run$at
mkdir -p $root$inside $at
chroot $root /usr/bin/mfsmount -H $address $inside -o $options > $root/var/mount.log 2>&1 < /dev/null || { cat $root/var/mount.log >&2; exit 1; }
# What is removed would stay in the trash for a day, and its chunks with it.
chroot $root /usr/bin/mfssettrashtime 0 $inside > /dev/null
mount --bind $root$inside $at
