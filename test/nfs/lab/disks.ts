/** The disks of the guests: what each machine must remember over a reboot, and what the server exports. */

import type { NodeName } from './messages.js'
import { NODES } from './messages.js'
import { runFiles } from './paths.js'
import { requireTools, runTool } from './tools.js'

const STATE_DISK_MB = 8
const SHARE_DISK_MB = 128
/** Without room for the fractions: time stamps in whole seconds, as on file systems that began as ext3. */
const INODE_BYTES_COARSE = '128'
/** In the order of the server's drives, from the second one on. */
const EXPORTED_DISKS = ['share', 'coarse', 'quota']

/** @throws LabError */
export function makeDisks(run: string): void {
  requireTools('mke2fs')
  for (const node of NODES) makeDisk(runFiles(run).disk(node), STATE_DISK_MB)
  makeDisk(runFiles(run).disk('share'), SHARE_DISK_MB)
  makeDisk(runFiles(run).disk('coarse'), SHARE_DISK_MB, '-I', INODE_BYTES_COARSE)
  makeDisk(runFiles(run).disk('quota'), STATE_DISK_MB, '-O', 'quota', '-E', 'lazy_itable_init=0,nodiscard,quotatype=usrquota')
}

/** The files of a machine's drives, in the order in which its boot script expects them. */
export function disksOf(node: NodeName, run: string): string[] {
  return [node, ...(node === 'server' ? EXPORTED_DISKS : [])].map((name) => runFiles(run).disk(name))
}

/** Later options override earlier ones. */
function makeDisk(file: string, megabytes: number, ...options: string[]): void {
  const all = ['-q', '-F', '-t', 'ext4', '-I', '256', '-E', 'lazy_itable_init=0,nodiscard', ...options]
  runTool('mke2fs', [...all, file, `${megabytes}M`])
}
