# moosefs.sh TREE ADDRESS: on the server, a master and a chunkserver of MooseFS, whose chunks are in memory.
set -e
pidof mfsmaster > /dev/null && exit 0
root=/tmp/moosefs
address=$2
set -- "$1" $root
. /repo/test/nfs/lab/guest/tree.sh
chunks=$root/var/chunks
mkdir -p $root/var/lib/mfs $root/etc/mfs $root/run/mfs $chunks
mount -t tmpfs -o size=400m tmpfs $chunks
cp $root/var/lib/mfs/metadata.mfs.empty $root/var/lib/mfs/metadata.mfs
common="WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = /var/lib/mfs"
cat > $root/etc/mfs/mfsmaster.cfg <<END
$common
EXPORTS_FILENAME = /etc/mfs/mfsexports.cfg
END
echo '* / rw,alldirs,admin,maproot=0:0' > $root/etc/mfs/mfsexports.cfg
cat > $root/etc/mfs/mfschunkserver.cfg <<END
$common
MASTER_HOST = $address
HDD_CONF_FILENAME = /etc/mfs/mfshdd.cfg
HDD_LEAVE_SPACE_DEFAULT = 4MiB
END
echo /var/chunks > $root/etc/mfs/mfshdd.cfg
# They keep what they were started with: the channel of the lab would wait for their end.
chroot $root /usr/sbin/mfsmaster -c /etc/mfs/mfsmaster.cfg start > $root/var/master.log 2>&1 < /dev/null
chroot $root /usr/sbin/mfschunkserver -c /etc/mfs/mfschunkserver.cfg start > $root/var/chunkserver.log 2>&1 < /dev/null
