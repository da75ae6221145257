# samba.sh TREE: on the server, serves /srv/share by SMB 3 to root with the password pw.
set -e
pidof smbd > /dev/null && exit 0
root=/tmp/samba
set -- "$1" $root
. /repo/test/nfs/lab/guest/tree.sh
mkdir -p $root/run/samba $root/var/lib/samba/private $root/var/cache/samba $root/var/log/samba $root/etc/samba
cat > $root/etc/samba/smb.conf <<END
[global]
 workgroup = LAB
 server role = standalone server
 server min protocol = SMB3
 map to guest = never
 load printers = no
 disable spoolss = yes
 log file = /var/log/samba/log.%m
 passdb backend = tdbsam
[share]
 path = /srv/share
 read only = no
 create mask = 0777
 directory mask = 0777
END
printf 'pw\npw\n' | chroot $root /usr/bin/smbpasswd -s -a root
chroot $root /usr/sbin/smbd -D
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  netstat -ltn 2> /dev/null | grep -q ':445 ' && exit 0
  sleep 1
done
echo "smbd does not listen" >&2
exit 1
