# cifs.sh AT ADDRESS OPTIONS: on a node. The kernel asks for the modules of its cryptography by names that nothing here translates.
grep -q " $1 " /proc/mounts && exit 0
for module in cmac hmac sha256_generic sha512_generic md5 md4 aes_generic ccm gcm ecb ctr cts arc4 ghash-generic seqiv geniv nls_utf8 cifs; do
  modprobe $module 2> /dev/null
done
mkdir -p $1
mount -t cifs //$2/share $1 -o ip=$2,username=root,password=pw,$3 || { dmesg | tail -3 >&2; exit 1; }
