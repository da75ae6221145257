# cephfs.sh AT ADDRESS: on a node, by the kernel's client, which comes back by itself after the mds has given it up.
grep -q " $1 " /proc/mounts && exit 0
modprobe ceph
mkdir -p $1
mount -t ceph $2:6789:/ $1 -o name=admin,recover_session=clean || { dmesg | tail -3 >&2; exit 1; }
