/** A directory mounted twice through FUSE: to the kernel two file systems that know nothing of each other, as two nodes would be. */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOnHost } from './host-program.js'
import type { GuestProgram } from './lab/guest-program.js'
import { requireTools } from './lab/tools.js'
import { until } from './lab/until.js'

const SFTP_SERVER = '/usr/lib/openssh/sftp-server'
/** A run that is killed must not leave mounts behind. */
const ENDS_WITH_US = ['setpriv', '--pdeathsig', 'TERM']
const MOUNT_MS_MAX = 15_000

export class TwoMounts {
  /** Where each of the two "nodes" sees the directory. */
  readonly at: readonly [string, string]
  readonly #directory: string
  readonly #programs: GuestProgram[] = []

  /** sshfs, twice. Instead of `ssh` it runs the file server itself: no sshd, no keys. @throws LabError */
  static async sshfs(...options: string[]): Promise<TwoMounts> {
    requireTools('setpriv', 'sshfs', 'fusermount3', SFTP_SERVER)
    const mounts = new TwoMounts()
    const command = join(mounts.#directory, 'sftp')
    writeFileSync(command, `#!/bin/sh\nexec ${SFTP_SERVER}\n`)
    chmodSync(command, 0o755)
    const all = [`ssh_command=${command}`, 'auto_unmount', ...options].flatMap((option) => ['-o', option])
    for (const at of mounts.at) {
      mounts.#programs.push(startOnHost([...ENDS_WITH_US, 'sshfs', '-f', ...all, `localhost:${mounts.#directory}/exported`, at]))
    }
    for (const at of mounts.at) await until(() => isMounted(at), MOUNT_MS_MAX, `sshfs did not mount: ${mounts.#said()}`)
    return mounts
  }

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'mountlock-fuse-'))
    this.at = [join(this.#directory, 'a'), join(this.#directory, 'b')]
    for (const directory of [join(this.#directory, 'exported'), ...this.at]) mkdirSync(directory)
  }

  #said(): string {
    return this.#programs.map(({ stderr }) => stderr).join('\n')
  }

  async close(): Promise<void> {
    for (const at of this.at) spawnSync('fusermount3', ['-uz', at])
    await Promise.all(this.#programs.map(({ end }) => end))
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

function isMounted(at: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${at} `)
}
