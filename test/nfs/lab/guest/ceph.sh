# ceph.sh TREE ADDRESS: on the server, a cluster of one: a monitor, an OSD that keeps its objects in memory, and an mds.
set -e
pidof ceph-mds > /dev/null && exit 0
root=/tmp/ceph
address=$2
set -- "$1" $root
. /repo/test/nfs/lab/guest/tree.sh
data=/var/lib/ceph
mkdir -p $root$data/mon/ceph-a $root$data/osd/ceph-0 $root$data/mds/ceph-a $root/var/log/ceph $root/run/ceph $root/etc/ceph
id=11111111-2222-3333-4444-555555555555
# Where the OSD is, it is told below: it would look for itself with programs that are not here.
cat > $root/etc/ceph/ceph.conf <<END
[global]
fsid = $id
mon_initial_members = a
mon_host = [v1:$address:6789]
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
osd_objectstore = memstore
memstore_device_bytes = 536870912
osd_crush_chooseleaf_type = 0
osd_crush_update_on_start = false
osd_class_update_on_start = false
setuser = root
setgroup = root
END
# The daemons keep what they were started with: the channel of the lab would wait for their end.
in_tree() { LC_ALL=C timeout 120 chroot $root "$@" > $root/var/log/step 2>&1 < /dev/null || { echo "$*" >&2; tail -5 $root/var/log/step >&2; exit 1; }; }
in_tree monmaptool --create --addv a "[v1:$address:6789]" --fsid $id /tmp/monmap
in_tree ceph-mon --mkfs -i a --monmap /tmp/monmap --mon-data $data/mon/ceph-a
in_tree ceph-mon -i a --mon-data $data/mon/ceph-a --pid-file /run/ceph/mon.pid
in_tree ceph osd new $id
in_tree ceph osd crush add osd.0 1.0 root=default host=server
in_tree ceph-osd -i 0 --mkfs --osd-uuid $id --osd-data $data/osd/ceph-0
in_tree ceph-osd -i 0 --osd-data $data/osd/ceph-0 --pid-file /run/ceph/osd.pid
in_tree ceph osd pool create metadata 4 4
in_tree ceph osd pool create data 4 4
in_tree ceph fs new cephfs metadata data
# The least that is allowed: so long it waits for a node that is silent.
in_tree ceph fs set cephfs session_timeout 30
in_tree ceph-mds -i a --pid-file /run/ceph/mds.pid
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  in_tree ceph mds stat
  ! grep -q up:active $root/var/log/step || exit 0
  sleep 1
done
cat $root/var/log/step >&2
exit 1
