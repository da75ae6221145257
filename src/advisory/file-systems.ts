/** ext2/3/4, xfs, tmpfs, f2fs, by their `statfs` type. Not btrfs and overlayfs: there `stat` tells another device than the kernel's own tables. */
const PLAIN_LOCAL_FILE_SYSTEMS = new Set([0xef53, 0x58465342, 0x01021994, 0xf2f52010])

/** One machine's own file system, of which `/proc/locks` and the clock of this machine tell the whole truth. */
export function isPlainLocal(statfsType: number): boolean {
  return PLAIN_LOCAL_FILE_SYSTEMS.has(statfsType)
}
