# tree.sh TREE ROOT: in a guest, a tree of the host, writable where programs must write, as ROOT. Sourced.
tree=$1 root=$2
[ -d $root/usr ] && return 0
mkdir -p $root
mount -t hostfs -o ro,$tree none $root || { echo "only User-mode Linux sees the trees of its host" >&2; exit 1; }
for directory in etc var run tmp root; do
  mkdir -p /tmp/seed/$directory
  cp -a $root/$directory/. /tmp/seed/$directory/
  mount -t tmpfs tmpfs $root/$directory
  cp -a /tmp/seed/$directory/. $root/$directory/
done
rm -rf /tmp/seed
mount -t proc proc $root/proc
mount -t sysfs sys $root/sys
mount --bind /dev $root/dev
mount --bind /srv $root/srv
[ ! -d /srv/share ] || mount --bind /srv/share $root/srv/share # a node has none
chmod 1777 $root/tmp
for file in passwd group hosts nsswitch.conf; do cp /etc/$file $root/etc/$file; done
rm -rf $root/var/run
ln -sfn /run $root/var/run
mkdir -p $root/run/lock
ln -sfn /proc/mounts $root/etc/mtab
