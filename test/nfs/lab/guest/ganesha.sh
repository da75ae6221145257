# ganesha.sh TREE LEASE: on the server, serves /srv/share by NFS 3 and 4 in the place of the kernel's server.
set -e
root=/tmp/ganesha
if [ -e /proc/fs/nfsd/threads ]; then
  exportfs -ua
  rpc.nfsd 0
  killall rpc.mountd nfsdcld
  umount /proc/fs/nfsd
fi
lease=$2
set -- "$1" $root
. /repo/test/nfs/lab/guest/tree.sh
mkdir -p $root/var/lib/nfs/ganesha $root/var/log/ganesha $root/etc/ganesha
for file in rpc services protocols netconfig; do [ ! -e /etc/$file ] || cp /etc/$file $root/etc/; done
grep -q " $root/run " /proc/mounts && umount $root/run
mount --bind /run $root/run
mkdir -p /run/ganesha /run/dbus
cat > $root/etc/ganesha/ganesha.conf <<END
NFS_CORE_PARAM { Protocols = 3,4; MNT_Port = 20048; NLM_Port = 32803; Rquota_Port = 875; Enable_RQUOTA = false; }
NFSv4 { Grace_Period = $lease; Lease_Lifetime = $lease; Minor_Versions = 0,1,2; }
EXPORT { Export_Id = 1; Path = /srv/share; Pseudo = /share; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Protocols = 3,4; Transports = TCP; FSAL { Name = VFS; } }
LOG { Default_Log_Level = EVENT; }
END
chroot $root /usr/bin/ganesha.nfsd -L /var/log/ganesha/ganesha.log -f /etc/ganesha/ganesha.conf -N NIV_EVENT -p /run/ganesha/ganesha.pid
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  netstat -ltn 2> /dev/null | grep -q ':2049 ' && exit 0
  sleep 1
done
tail -5 $root/var/log/ganesha/ganesha.log >&2
exit 1
