/** A directory mounted twice through FUSE: to the kernel two file systems that know nothing of each other, as two nodes would be. */

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOnHost } from './host-program.js'
import type { GuestProgram } from './lab/guest-program.js'
import { LabError, requireTools } from './lab/tools.js'
import { until } from './lab/until.js'

/** A run that is killed must not leave mounts behind. */
const ENDS_WITH_US = ['setpriv', '--pdeathsig', 'TERM']
const START_MS_MAX = 15_000

export class TwoMounts {
  readonly directory: string
  /** What is mounted twice. */
  readonly exported: string
  /** Where each of the two "nodes" sees it. */
  readonly at: readonly [string, string]
  readonly #programs: GuestProgram[] = []
  readonly #cleanups: (() => void)[] = []

  /** @throws LabError */
  constructor() {
    requireTools('setpriv', 'fusermount3')
    this.directory = mkdtempSync(join(tmpdir(), 'mountlock-fuse-'))
    this.exported = join(this.directory, 'exported')
    this.at = [join(this.directory, 'a'), join(this.directory, 'b')]
    for (const directory of [this.exported, ...this.at]) mkdirSync(directory)
  }

  /** Starts a program of the file system, which stays in the foreground. */
  start(argv: readonly string[]): void {
    this.#programs.push(startOnHost([...ENDS_WITH_US, ...argv]))
  }

  /** Called when nothing is mounted any more. */
  onClose(cleanup: () => void): void {
    this.#cleanups.push(cleanup)
  }

  /** Resolves when both are there. @throws LabError */
  async mounted(): Promise<this> {
    for (const at of this.at) await this.sees(() => isMounted(at), `There is no mount at ${at}`)
    return this
  }

  /** Resolves when `condition` holds. @throws LabError with what the programs said; then nothing is left of them */
  async sees(condition: () => boolean, complaint: string): Promise<void> {
    try {
      await until(condition, START_MS_MAX, complaint)
    } catch (error) {
      await this.close()
      const said = this.#programs.map(({ stderr }) => stderr).join('\n')
      throw new LabError(`${(error as Error).message}. ${said}`, { cause: error })
    }
  }

  async close(): Promise<void> {
    for (const at of this.at) spawnSync('fusermount3', ['-uz', at])
    for (const program of this.#programs) program.kill('SIGTERM')
    await Promise.all(this.#programs.map(({ end }) => end))
    for (const cleanup of this.#cleanups) cleanup()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function isMounted(at: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${at} `)
}
