/**
 * Where a storm takes place. With root rights: a small tmpfs in a mount namespace of its own, which can be filled to the
 * last byte or inode without harm and vanishes with its keeper, however the storm ends. Otherwise: a folder, never filled.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const VOLUME_BYTES = 4 * 1024 * 1024
const VOLUME_INODES = 1000
const BLOCK_BYTES = 64 * 1024

export class Ground {
  /** A command that starts another command where `path` is what it should be. */
  readonly entrance: readonly string[]
  /** The directory of the locks, as the processes of the storm see it. */
  readonly path: string
  /** The same directory, as this process sees it. */
  readonly seenPath: string
  /** For what must survive a full disk: logs. */
  readonly folder: string
  readonly canBeFilled: boolean
  readonly #keeper: ChildProcess | null
  #fillers = 0

  private constructor(folder: string, path: string, keeper: ChildProcess | null) {
    this.folder = folder
    this.path = path
    this.canBeFilled = keeper !== null
    this.#keeper = keeper
    this.entrance = keeper === null ? [] : ['nsenter', '--target', String(keeper.pid), '--mount', '--']
    this.seenPath = keeper === null ? path : `/proc/${keeper.pid}/root${path}`
  }

  /** `directory`: a place on the file system under test, in which a folder for the locks is made. */
  static async open(directory: string | null): Promise<Ground> {
    const folder = mkdtempSync(join(tmpdir(), 'mountlock-storm-'))
    if (directory !== null) return new Ground(folder, mkdtempSync(join(directory, 'storm-')), null)
    const path = join(folder, 'volume')
    mkdirSync(path)
    if (process.getuid?.() !== 0) return new Ground(folder, path, null)
    const mount = `mount -t tmpfs -o size=${VOLUME_BYTES},nr_inodes=${VOLUME_INODES} storm "$1"`
    // libfaketime leaves its shared memory behind when a process is killed.
    const mountShared = '{ ! [ -d /dev/shm ] || mount -t tmpfs storm /dev/shm; }'
    const keep = `${mount} && ${mountShared} && echo ready && exec cat`
    const keeper = spawn('unshare', ['--mount', 'sh', '-c', keep, 'sh', path], { stdio: ['pipe', 'pipe', 'inherit'] })
    await Promise.race([once(keeper.stdout, 'data'), failed(keeper)])
    return new Ground(folder, path, keeper)
  }

  /** Takes all that is left: of the space, or of the inodes. */
  fill(what: 'space' | 'inodes'): void {
    if (!this.canBeFilled) return
    try {
      if (what === 'space') this.#fillSpace()
      else for (;;) writeFileSync(this.#filler(), '')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }

  #fillSpace(): void {
    const file = openSync(this.#filler(), 'w')
    try {
      for (const block = Buffer.alloc(BLOCK_BYTES); ;) writeSync(file, block)
    } finally {
      closeSync(file)
    }
  }

  /** Not in the directory of the locks itself, whose listings it would make slow. */
  #filler(): string {
    const folder = join(this.seenPath, 'fillers')
    if (this.#fillers === 0) mkdirSync(folder)
    return join(folder, String(this.#fillers++))
  }

  drain(): void {
    this.#fillers = 0
    rmSync(join(this.seenPath, 'fillers'), { recursive: true, force: true })
  }

  async close(): Promise<void> {
    if (this.#keeper !== null) {
      const gone = once(this.#keeper, 'exit')
      this.#keeper.stdin?.end()
      await gone
    }
    rmSync(this.folder, { recursive: true, force: true })
    rmSync(this.path, { recursive: true, force: true })
  }
}

async function failed(keeper: ChildProcess): Promise<never> {
  const [code] = await once(keeper, 'exit')
  throw new Error(`The volume of the storm could not be mounted (${code})`)
}
