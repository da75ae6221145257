/**
 * `locktester agent`: what `locktester nodes` and `stress` start on each node. It answers on standard output what is asked on standard
 * input, and starts the workers that take locks. When its input ends, for whatever reason, it ends: the workers release,
 * and the trial directory is removed. So a connection that breaks leaves nothing behind.
 */

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { asLockError, bounded, endsWithin } from '../bounded.js'
import { nodeFacts } from '../doctor/node.js'
import { endProcess } from '../interrupt.js'
import { mountOf } from '../mounts.js'
import { PROGRAM } from '../program.js'
import { openNamedDirectory } from '../state-directory.js'
import { Line, serve, tell } from './lines.js'

const CLEAN_UP_LIMIT_MS = 4000
/** A file of another node that is not seen after this time is not there: its name is new, so no cache can say that it is missing for long. */
const SIGHT_LIMIT_MS = 20_000
const SIGHT_POLL_MS = 100

interface Child {
  process: ChildProcessByStdio<Writable, Readable, null>
  line: Line
  /** While it is stopped: continues it when we end, however. */
  reviver: ChildProcessByStdio<Writable, null, null> | null
}

/** What a worker does. */
export type Role = 'holder' | 'hammer'

/** Something that a worker has said of its own accord, or that it has ended. */
export interface WorkerWord {
  worker: number
  said?: unknown
  ended?: { code: number | null; signal: NodeJS.Signals | null; wasKilled: boolean }
}

/** What answers questions until nobody asks any more. */
export interface Answering {
  answer(op: string, args: Record<string, unknown>): Promise<unknown>
  close(): Promise<void>
}

/** Runs the command and ends the process. */
export function runAgent(): Promise<void> {
  return runWorker(new Agent())
}

/** Serves, and ends the process. */
export async function runWorker(self: Answering): Promise<void> {
  const asked = serve((op, args) => self.answer(op, args), process.stdin, process.stdout)
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.on(signal, () => resolve())
  })
  await Promise.race([asked, ended])
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, self.close())
  await endProcess(0, !isClean)
}

class Agent implements Answering {
  readonly #children = new Map<number, Child>()
  #lastChild = 0
  /** The trial directory, once it is known. */
  #trial: string | null = null

  async answer(op: string, args: Record<string, unknown>): Promise<unknown> {
    switch (op) {
      case 'hello':
        return { ...nodeFacts(), pid: process.pid, nodeVersion: process.versions.node }
      case 'enter':
        return await this.#enter(args.directory as string, args.name as string, args.create as string[] | null)
      case 'mark':
        return await this.#guarded(this.#trialPath(args.mark as string), (path) => writeFile(path, args.mark as string))
      case 'sees':
        return await this.#sees(args.mark as string)
      case 'clock':
        return Number(process.hrtime.bigint()) / 1e6
      case 'start':
        return this.#start(args.role as Role)
      case 'stop':
        return this.#stop(this.#child(args.worker))
      case 'continue':
        return await this.#continue(this.#child(args.worker))
      case 'ask':
        return await this.#child(args.worker).line.ask(args.op as string, args.args as Record<string, unknown>)
      case 'kill':
        return await this.#kill(args.worker as number)
      default:
        throw new Error(`unknown question: ${op}`)
    }
  }

  async close(): Promise<void> {
    const children = [...this.#children.values()]
    for (const { process } of children) process.stdin.end()
    const gone = Promise.all(children.map(({ process }) => (hasEnded(process) ? null : once(process, 'exit'))))
    if (!(await endsWithin(CLEAN_UP_LIMIT_MS / 2, gone))) for (const { process } of children) process.kill('SIGKILL')
    // Other agents may be doing the same.
    if (this.#trial !== null) await rm(this.#trial, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  /** Goes to the trial directory, which the first node creates, with these directories in it. */
  async #enter(named: string, name: string, create: readonly string[] | null): Promise<unknown> {
    if (!/^\.locktester-(nodes|stress)-[0-9a-f]{16}$/.test(name)) throw new Error(`not the name of a trial directory: ${name}`)
    const directory = await openNamedDirectory(named, 'Create it first, or mount the share there; HOST:DIR names another place.')
    const trial = join(directory, name)
    const mount = mountOf(directory)
    if (create !== null) {
      await this.#guarded(trial, (path) => mkdir(path))
      this.#trial = trial
      for (const inside of create) await this.#guarded(this.#trialPath(inside), (path) => mkdir(path))
    } else if (await becomesTrue(() => bounded(trial, stat(trial)))) this.#trial = trial
    return { directory, mount, isThere: this.#trial !== null }
  }

  /** How long it takes until a file of another node is seen here, or `null` for never. */
  async #sees(mark: string): Promise<number | null> {
    const path = this.#trialPath(mark)
    const startMs = performance.now()
    const isSeen = await becomesTrue(async () => (await bounded(path, readFile(path, 'utf8'))) === mark)
    return isSeen ? performance.now() - startMs : null
  }

  #start(role: Role): { worker: number; pid: number | undefined } {
    const worker = ++this.#lastChild
    const child = spawn(process.execPath, [PROGRAM, 'agent', '--worker', role], { stdio: ['pipe', 'pipe', 'inherit'] })
    const say = (word: Omit<WorkerWord, 'worker'>) => tell(process.stdout, { worker, ...word })
    const line = new Line(child.stdout, child.stdin, (said: unknown) => say({ said }))
    this.#children.set(worker, { process: child, line, reviver: null })
    // `close` comes after the last of its words.
    child.on('close', (code, signal) => say({ ended: { code, signal, wasKilled: !this.#children.has(worker) } }))
    return { worker, pid: child.pid }
  }

  /** A stopped process does not see that nobody is left who would continue it, so somebody has to watch for that. */
  #stop(child: Child): null {
    const { pid } = child.process
    child.reviver ??= spawn('/bin/sh', ['-c', 'read _; kill -CONT "$0"', String(pid)], { stdio: ['pipe', 'ignore', 'ignore'] })
    child.process.kill('SIGSTOP')
    return null
  }

  async #continue(child: Child): Promise<null> {
    const { reviver } = child
    child.reviver = null
    if (reviver === null) return null
    const revived = once(reviver, 'exit')
    reviver.stdin.end()
    await revived
    return null
  }

  async #kill(worker: number): Promise<void> {
    const { process } = this.#child(worker)
    this.#children.delete(worker)
    if (hasEnded(process)) return
    process.kill('SIGKILL')
    await once(process, 'exit')
  }

  #child(worker: unknown): Child {
    const child = this.#children.get(worker as number)
    if (child === undefined) throw new Error(`no such worker: ${worker}`)
    return child
  }

  #trialPath(name: string): string {
    if (this.#trial === null) throw new Error('there is no trial directory yet')
    return resolve(this.#trial, name)
  }

  async #guarded<T>(path: string, act: (path: string) => Promise<T>): Promise<T> {
    try {
      return await bounded(path, act(path))
    } catch (error) {
      throw asLockError(error, path)
    }
  }
}

/** An error means that it is not so yet. */
async function becomesTrue(look: () => Promise<unknown>): Promise<boolean> {
  const deadlineMs = performance.now() + SIGHT_LIMIT_MS
  while (!(await look().catch(() => false))) {
    if (performance.now() > deadlineMs) return false
    await sleep(SIGHT_POLL_MS)
  }
  return true
}

export function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null
}
