/**
 * `locktester agent`: what `locktester nodes` and `stress` start on each node. It answers on standard output what is asked
 * on standard input, and starts the workers that take locks. When its input ends, for whatever reason, it ends: the workers
 * release, and the trial directory is removed. So a connection that breaks leaves nothing behind.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { Lane } from '../../drivers/lane.js'
import { runProtocol } from '../../drivers/run.js'
import { ask } from '../../protocol/operations.js'
import { asLockError, bounded, codeOf, endsWithin } from '../shared/bounded.js'
import { nodeFacts } from '../shared/node-facts.js'
import { monotonicMs } from '../evidence/resource.js'
import { mountOf } from '../shared/mounts.js'
import { PROGRAM } from '../shared/program.js'
import { started } from '../shared/started.js'
import { openNamedDirectory } from '../shared/state-directory.js'
import { Line } from '../remote/lines.js'
import type { Shape } from '../remote/shapes.js'
import { sayFor } from './print.js'
import { isSeen } from './sight.js'
import { type Answering, CLEAN_UP_LIMIT_MS, hasEnded, type Role, runWorker, type WorkerWord } from '../remote/worker.js'

interface Child {
  process: ChildProcessByStdio<Writable, Readable, null>
  line: Line
  /** While it is stopped: continues it when we end, however. */
  reviver: ChildProcessByStdio<Writable, null, null> | null
}

/** The asking side looks at it. */
const asItIs: Shape<unknown> = (raw) => raw

interface Job {
  worker: number
}

interface Entrance {
  /** As it was named for this node. */
  directory: string
  /** Of the trial directory inside it. */
  name: string
  /** The directories to be made in it; `null`: another node does. */
  create: readonly string[] | null
}

/** Serves as the agent of a node, or as one of its workers, and ends the process. */
export async function runAgent(role: Role | undefined): Promise<void> {
  await runWorker(role === undefined ? new Agent() : await workerOf(role))
}

async function workerOf(role: Role): Promise<Answering> {
  return role === 'holder'
    ? new (await import('../nodes/holder.js')).Holder()
    : new (await import('../stress/hammer.js')).Hammer()
}

class Agent implements Answering {
  readonly #children = new Map<number, Child>()
  #lastChild = 0
  /** The trial directory, once it is known. */
  #trial: string | null = null

  readonly answers = {
    hello: () => ({ ...nodeFacts(), pid: process.pid, nodeVersion: process.versions.node }),
    clock: monotonicMs,
    start: ({ role }: { role: Role }) => this.#start(role),
    ask: ({ worker, op, args }: Job & { op: string; args: Record<string, unknown> }) =>
      this.#childOf(worker).line.ask(op, args, asItIs),
    enter: (where: Entrance) => this.#enter(where),
    mark: ({ mark }: { mark: string }) => guarded(this.#inTrial(mark), (path) => writeFile(path, mark)),
    sees: ({ mark }: { mark: string }) => this.#sees(mark),
    stop: ({ worker }: Job) => this.#stop(this.#childOf(worker)),
    continue: ({ worker }: Job) => this.#continue(this.#childOf(worker)),
    kill: ({ worker }: Job) => this.#kill(worker),
  }

  async close(): Promise<void> {
    const all = [...this.#children.values()]
    for (const { process } of all) process.stdin.end()
    const gone = Promise.all(all.map(({ process }) => (hasEnded(process) ? null : once(process, 'exit'))))
    if (!(await endsWithin(CLEAN_UP_LIMIT_MS / 2, gone))) for (const { process } of all) process.kill('SIGKILL')
    // Other agents may be doing the same.
    if (this.#trial !== null) await rm(this.#trial, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  /** Goes to the trial directory, which the first node creates, with these directories in it. */
  async #enter({ directory: named, name, create }: Entrance) {
    if (!/^\.locktester-(nodes|stress)-[0-9a-f]{16}$/.test(name)) throw new Error(`not the name of a trial directory: ${name}`)
    const directory = await openNamedDirectory(named, 'Create it first, or mount the share there; HOST:DIR names another place.')
    const path = join(directory, name)
    if (create !== null) {
      await guarded(path, mkdir)
      this.#trial = path
      for (const inside of create) await guarded(join(path, inside), mkdir)
    } else if (await isSeen(name, () => isThere(path))) this.#trial = path
    return { directory, mount: mountOf(directory), isThere: this.#trial !== null }
  }

  /** How long it takes until a file of another node is seen here, or `null` for never. */
  async #sees(mark: string): Promise<number | null> {
    const path = this.#inTrial(mark)
    const startMs = performance.now()
    const isThere = await isSeen(mark, async () => {
      const found = await bounded(path, runProtocol(ask.read(path, false), new Lane()))
      if (!found.ok && found.code !== 'ENOENT') throw asLockError(found.error, path)
      return found.ok && found.value.text === mark
    })
    return isThere ? performance.now() - startMs : null
  }

  async #start(role: Role): Promise<{ worker: number; pid: number | undefined }> {
    const worker = ++this.#lastChild
    const child = spawn(process.execPath, [PROGRAM, 'agent', '--worker', role], { stdio: ['pipe', 'pipe', 'inherit'] })
    await started(child)
    const say = (word: Omit<WorkerWord, 'worker'>) => sayFor(worker, word)
    const line = new Line(child.stdout, child.stdin, (said) => say({ said }))
    this.#children.set(worker, { process: child, line, reviver: null })
    // `close` comes after the last of its words.
    child.on('close', (code, signal) => say({ ended: { code, signal, wasKilled: !this.#children.has(worker) } }))
    return { worker, pid: child.pid }
  }

  /** A stopped process does not see that no process is left to continue it. So another process has to watch for that. */
  #stop(child: Child): void {
    const pid = String(child.process.pid)
    child.reviver ??= spawn('/bin/sh', ['-c', 'read _; kill -CONT "$0"', pid], { stdio: ['pipe', 'ignore', 'ignore'] })
    child.reviver.on('error', () => {}) // it could not be started
    child.process.kill('SIGSTOP')
  }

  async #continue(child: Child): Promise<void> {
    const { reviver } = child
    child.reviver = null
    if (reviver === null) return
    if (!hasEnded(reviver)) {
      const revived = once(reviver, 'exit')
      reviver.stdin.end()
      await revived
    }
    child.process.kill('SIGCONT') // the other one may have been killed itself
  }

  async #kill(worker: number): Promise<void> {
    const { process } = this.#childOf(worker)
    this.#children.delete(worker)
    if (hasEnded(process)) return
    process.kill('SIGKILL')
    await once(process, 'exit')
  }

  #childOf(worker: number): Child {
    const child = this.#children.get(worker)
    if (child === undefined) throw new Error(`no such worker: ${worker}`)
    return child
  }

  #inTrial(name: string): string {
    if (this.#trial === null) throw new Error('there is no trial directory yet')
    return resolve(this.#trial, name)
  }
}

async function guarded(path: string, act: (path: string) => Promise<unknown>): Promise<void> {
  try {
    await bounded(path, act(path))
  } catch (error) {
    throw asLockError(error, path)
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await bounded(path, stat(path))
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw asLockError(error, path)
  }
}
