/**
 * Which mount a directory is on, and whether other nodes can see it: read from the kernel's table, so it answers for a dead
 * mount too. Not promised: that a local file system is not exported to other nodes from here.
 */

import { type MountInfo, mountAt } from '../../drivers/mount-info.js'
import { printable } from '../../log/printable.js'

type Reach = 'shared' | 'local' | 'unknown'

export interface MountProfile extends Pick<MountInfo, 'type' | 'source' | 'mountPoint' | 'options'> {
  reach: Reach
}

/** FUSE file systems that pass locks on to their servers. */
export const FUSE_WITH_LOCKS = 'glusterfs|ceph|ceph-fuse|juicefs|moosefs|mfs|seaweedfs'
export const OBJECT_STORES = 's3fs|gcsfuse|blobfuse2?|mount-s3|goofys|rclone'

const SHARED = new RegExp(
  '^(nfs4?|cifs|smb3|smbfs|ceph|lustre|gpfs|beegfs(_nodev)?|afs|ocfs2|gfs2|orangefs|pvfs2|panfs|wekafs|9p|virtiofs|glusterfs|' +
    `fuse\\.(sshfs|${FUSE_WITH_LOCKS}|${OBJECT_STORES}))$`,
)
const LOCAL =
  /^(ext[234]|xfs|btrfs|zfs|bcachefs|f2fs|jfs|reiserfs|(dev)?tmpfs|ramfs|overlay|aufs|(ex|v)fat|msdos|ntfs3?|fuseblk|hfsplus|minix|squashfs|erofs|iso9660|ubifs|fuse\.(fuse-overlayfs|encfs)|ecryptfs)$/

function reachOf(type: string): Reach {
  if (SHARED.test(type)) return 'shared'
  return LOCAL.test(type) ? 'local' : 'unknown'
}

/** @param directory absolute and without symbolic links @returns `null` where the platform does not tell */
export function mountOf(directory: string): MountProfile | null {
  const found = mountAt(directory)
  if (found === null) return null
  const { type, source, mountPoint, options } = found
  return { type, source, mountPoint, options: [...new Set(options)], reach: reachOf(type) }
}

export function fileSystemText({ type, source, mountPoint, reach }: MountProfile): string {
  const words = reach === 'unknown' ? 'local or shared: unknown' : reach
  return `${printable(type)} (${words}), ${printable(source)} on ${printable(mountPoint)}`
}

/** With its options, to be compared. */
export function mountText(mount: MountProfile | null): string {
  return mount === null ? 'unknown' : `${mount.type} ${mount.source} on ${mount.mountPoint} (${mount.options.join(',')})`
}
