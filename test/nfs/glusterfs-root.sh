#!/bin/sh
# Runs a program in a root directory: glusterfs-root.sh ROOT DIRECTORY PROGRAM [ARGUMENT…]. In a mount namespace of its own,
# whose mounts stay in there, except those that the program makes below DIRECTORY, which it sees as /work.
set -e
root=$1 directory=$2
shift 2
while read -r _ _ _ _ at _; do
  [ "$at" = "$directory" ] || mount --make-private "$at"
done < /proc/self/mountinfo
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
for name in run tmp; do mount -t tmpfs $name "$root/$name"; done
mount --bind "$directory" "$root/work"
exec chroot "$root" "$@"
