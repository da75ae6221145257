/** sshfs, twice. Instead of `ssh` it runs the file server itself: no sshd, no keys. */

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TwoMounts } from './fuse.js'
import { requireTools } from './lab/tools.js'

const SFTP_SERVER = '/usr/lib/openssh/sftp-server'

/** @throws LabError */
export async function mountSshfs(): Promise<TwoMounts> {
  requireTools('sshfs', SFTP_SERVER)
  const mounts = new TwoMounts()
  const command = join(mounts.directory, 'sftp')
  writeFileSync(command, `#!/bin/sh\nexec ${SFTP_SERVER}\n`)
  chmodSync(command, 0o755)
  for (const at of mounts.at) {
    mounts.start(['sshfs', '-f', '-o', `ssh_command=${command}`, '-o', 'auto_unmount', `localhost:${mounts.exported}`, at])
  }
  return await mounts.mounted()
}
