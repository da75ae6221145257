#!/bin/busybox sh
# Process 1 of every guest, after lab/init. The kernel's command line says what it is: lab.role=server|A|B lab.lease=SECONDS
# lab.recover=1 (a server that starts again and lets its clients reclaim what they held) lab.drive=/dev/ubd|/dev/vd (and a letter)
# lab.channel=DEVICE (where the host sends its commands).
# Every step says so when it fails; the console of the guest is in the run directory of the lab.

export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8
fail() { echo "lab: FAILED: $*"; }
try() { "$@" || fail "$*"; }
option() { sed -n "s/.*lab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }

role=$(option role)
address=$(option address)
drive=$(option drive)
channel=$(option channel)
[ "$role" = server ] && name=server || name=node$role

mount_base() {
  try mount -t sysfs sys /sys
  [ -e /dev/null ] || try mount -t devtmpfs dev /dev
  mkdir -p /dev/pts /dev/shm
  try mount -t devpts pts /dev/pts
  for directory in /dev/shm /run /tmp /root /mnt /srv; do try mount -t tmpfs -o mode=1777 tmpfs $directory; done
  # What the NFS daemons must remember over a reboot: which clients hold locks (statd), and which may reclaim them (nfsdcld).
  try mount -t ext4 ${drive}a /var/lib/nfs
  mkdir -p /run/rpcbind /run/sendsigs.omit.d /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/rpc_pipefs
  mkdir -p /var/lib/nfs/v4recovery /var/lib/nfs/nfsdcltrack /var/lib/nfs/nfsdcld
  chown -R statd:nogroup /var/lib/nfs/sm /var/lib/nfs/sm.bak
}

start_network() {
  hostname $name
  try ifconfig lo 127.0.0.1 up
  try ifconfig eth0 $address netmask 255.255.255.0 up
}

# The server's name in a lock notification is looked up: statd needs names, not addresses.
start_lock_services() {
  for module in sunrpc lockd; do try modprobe $module; done
  try mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
  echo 3 > /proc/sys/fs/nfs/nlm_timeout
  # A server that was up before gives its clients as long as version 4 does; the first time there is no client to wait for.
  if [ -n "$(option recover)" ]; then option lease; else echo 1; fi > /proc/sys/fs/nfs/nlm_grace_period
  try rpcbind -w
  try rpc.statd
}

# Each export is a file system of its own: what holds for one (full, read-only, squashed) must not reach another.
start_server() {
  lease=$(option lease)
  try modprobe nfsd
  try mount -t nfsd nfsd /proc/fs/nfsd
  mkdir -p /srv/share /srv/small /srv/readonly /srv/squashed /srv/coarse /srv/quota
  try mount -t ext4 ${drive}b /srv/share
  try mount -t ext4 ${drive}c /srv/coarse
  try modprobe quota_v2
  try mount -t ext4 -o usrquota ${drive}d /srv/quota
  try setquota -u 1001 256 256 0 0 /srv/quota # blocks of 1 KiB
  try mount -t tmpfs -o size=256k small /srv/small
  try mount -t tmpfs readonly /srv/readonly
  try mount -t tmpfs -o mode=755 squashed /srv/squashed
  chmod 1777 /srv/share /srv/coarse /srv/quota /srv/small /srv/readonly
  : > /var/lib/nfs/etab
  try exportfs -a
  echo $lease > /proc/fs/nfsd/nfsv4leasetime
  echo $lease > /proc/fs/nfsd/nfsv4gracetime
  try nfsdcld
  try rpc.mountd
  try rpc.nfsd 4
}

start_node() {
  for module in nfs nfsv3 nfsv4; do try modprobe $module; done
}

mount_base
start_network
start_lock_services
if [ "$role" = server ]; then start_server; else start_node; fi
echo "lab: $name is up after $(cut -d' ' -f1 /proc/uptime) s"
case $channel in /dev/ttyS*) stty raw -echo -F $channel ;; esac
while :; do
  LAB_ROLE=$role node /repo/test/nfs/lab/guest/channel.mjs $channel
  fail "the command channel ended: $?"
  sleep 1
done
