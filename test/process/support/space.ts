/**
 * Namespaces of the kernel in which a test's processes run: another process namespace is "the other node" (its process
 * ids mean nothing here, so only heartbeats tell which process lives), another mount namespace has mounts of its own. Both vanish
 * with everything in them when the test ends, however it ends: a keeper process that reads from us holds them open.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { onTestFinished, vi } from 'vitest'

const execute = promisify(execFile)

/** The process ids of the children of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number)
}

export class Space {
  /** A command that starts another command in this space. */
  readonly entrance: readonly string[]
  readonly #keeper: ChildProcess

  private constructor(keeper: ChildProcess, entrance: readonly string[]) {
    this.#keeper = keeper
    this.entrance = entrance
  }

  /** @internal Use `otherNode` or `privateMounts`. */
  static async open(flags: string[], namespaces: string[], within: readonly string[]): Promise<Space> {
    // It says when it is there, and ends when we do.
    const [command = '', ...args] = [...within, 'unshare', ...flags, 'sh', '-c', 'echo ready && exec cat']
    const keeper = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(async () => {
      if (keeper.exitCode !== null || keeper.signalCode !== null) return
      const gone = once(keeper, 'exit')
      keeper.stdin.end()
      await gone
    })
    await once(keeper.stdout, 'data')
    const pid = keeper.pid as number
    const [inner = pid] = flags.includes('--fork') ? await childrenOf(pid) : []
    return new Space(keeper, ['nsenter', '--target', String(inner), ...namespaces, '--'])
  }

  /** The keeper of the space, as this process sees it. */
  get pid(): number {
    return Number(this.entrance[2])
  }

  /** Runs a shell command in the space. Rejects if it fails. */
  async run(script: string, ...args: string[]): Promise<string> {
    const [command = '', ...rest] = [...this.entrance, 'sh', '-e', '-c', script, 'sh', ...args]
    return (await execute(command, rest)).stdout
  }

  /** Resolves when something is mounted there. */
  async mounted(mountPoint: string): Promise<void> {
    await vi.waitFor(
      async () => {
        const mounts = await readFile(`/proc/${this.pid}/mountinfo`, 'utf8')
        if (!mounts.includes(` ${mountPoint} `)) throw new Error(`Nothing is mounted at ${mountPoint}`)
      },
      { timeout: 10_000, interval: 20 },
    )
  }

  get isOpen(): boolean {
    return this.#keeper.exitCode === null && this.#keeper.signalCode === null
  }
}

/** A process namespace with a /proc of its own, for as long as the test lasts. */
export const otherNode = (within: readonly string[] = []) =>
  Space.open(['--pid', '--fork', '--mount-proc', '--kill-child'], ['--pid', '--mount'], within)

/** A mount namespace, for as long as the test lasts: what is mounted in it is seen nowhere else. */
export const privateMounts = () => Space.open(['--mount'], ['--mount'], [])
