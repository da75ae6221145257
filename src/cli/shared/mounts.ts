/**
 * Which mount a directory is on, and whether other nodes can see it: read from the kernel's table, so it answers for a dead
 * mount too. Not promised: that a local file system is not exported to other nodes from here.
 */

import { fileSystemOf, type Reach } from '../../advice/file-systems.js'
import { type MountInfo, mountAt } from '../../drivers/mount-info.js'
import { printable } from '../../log/printable.js'

export interface MountProfile extends Pick<MountInfo, 'type' | 'source' | 'mountPoint' | 'options'> {
  reach: Reach
}

/** @param directory absolute and without symbolic links @returns `null` where the platform does not tell */
export function mountOf(directory: string): MountProfile | null {
  const found = mountAt(directory)
  if (found === null) return null
  const { type, source, mountPoint, options } = found
  return { type, source, mountPoint, options: [...new Set(options)], reach: fileSystemOf(found).reach }
}

export function fileSystemText(mount: MountProfile): string {
  const { type, source, mountPoint, reach } = mount
  const { title } = fileSystemOf(mount)
  const words = reach === 'unknown' ? `local or shared: unknown; ${title}` : reach === 'shared' ? `shared; ${title}` : reach
  return `${printable(type)} (${words}), ${printable(source)} on ${printable(mountPoint)}`
}

/** With its options, to be compared. */
export function mountText(mount: MountProfile | null): string {
  return mount === null ? 'unknown' : `${mount.type} ${mount.source} on ${mount.mountPoint} (${mount.options.join(',')})`
}
