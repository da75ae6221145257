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
import { runAsynchronously } from '../../drivers/run.js'
import { ask } from '../../protocol/operations.js'
import { asLockError, bounded, codeOf, endsWithin } from '../shared/bounded.js'
import { nodeFacts } from '../shared/node-facts.js'
import { monotonicMs } from '../evidence/resource.js'
import { mountOf } from '../shared/mounts.js'
import { PROGRAM } from '../shared/program.js'
import { openNamedDirectory } from '../shared/state-directory.js'
import { Line, tell } from '../remote/lines.js'
import type { Shape } from '../remote/shapes.js'
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

/** Serves as the agent of a node, or as one of its workers, and ends the process. */
export async function runAgent(role: Role | undefined): Promise<void> {
  await runWorker(role === undefined ? agent() : await workerOf(role))
}

async function workerOf(role: Role): Promise<Answering> {
  return role === 'holder' ? (await import('../nodes/holder.js')).holder() : (await import('../stress/hammer.js')).hammer()
}

function agent(): Answering {
  const children = new Map<number, Child>()
  let lastChild = 0
  /** The trial directory, once it is known. */
  let trial: string | null = null

  const answers = {
    hello: () => ({ ...nodeFacts(), pid: process.pid, nodeVersion: process.versions.node }),
    clock: monotonicMs,
    start,
    ask: ({ worker, op, args }: Job & { op: string; args: Record<string, unknown> }) =>
      childOf(worker).line.ask(op, args, asItIs),

    /** Goes to the trial directory, which the first node creates, with these directories in it. */
    async enter({ directory: named, name, create }: { directory: string; name: string; create: readonly string[] | null }) {
      if (!/^\.locktester-(nodes|stress)-[0-9a-f]{16}$/.test(name)) throw new Error(`not the name of a trial directory: ${name}`)
      const directory = await openNamedDirectory(
        named,
        'Create it first, or mount the share there; HOST:DIR names another place.',
      )
      const path = join(directory, name)
      if (create !== null) {
        await guarded(path, mkdir)
        trial = path
        for (const inside of create) await guarded(join(path, inside), mkdir)
      } else if (await isSeen(name, () => isThere(path))) trial = path
      return { directory, mount: mountOf(directory), isThere: trial !== null }
    },

    mark: ({ mark }: { mark: string }) => guarded(trialPath(mark), (path) => writeFile(path, mark)),

    /** How long it takes until a file of another node is seen here, or `null` for never. */
    async sees({ mark }: { mark: string }) {
      const path = trialPath(mark)
      const startMs = performance.now()
      const isThere = await isSeen(mark, async () => {
        const found = await bounded(path, runAsynchronously(ask.read(path, false), new Lane()))
        if (!found.ok && found.code !== 'ENOENT') throw asLockError(found.error, path)
        return found.ok && found.value.text === mark
      })
      return isThere ? performance.now() - startMs : null
    },

    /** A stopped process does not see that no process is left to continue it. So another process has to watch for that. */
    stop({ worker }: Job) {
      const child = childOf(worker)
      const { pid } = child.process
      child.reviver ??= spawn('/bin/sh', ['-c', 'read _; kill -CONT "$0"', String(pid)], { stdio: ['pipe', 'ignore', 'ignore'] })
      child.process.kill('SIGSTOP')
    },

    async continue({ worker }: Job) {
      const child = childOf(worker)
      const { reviver } = child
      child.reviver = null
      if (reviver === null) return
      const revived = once(reviver, 'exit')
      reviver.stdin.end()
      await revived
    },

    async kill({ worker }: Job) {
      const { process } = childOf(worker)
      children.delete(worker)
      if (hasEnded(process)) return
      process.kill('SIGKILL')
      await once(process, 'exit')
    },
  }

  function start({ role }: { role: Role }): { worker: number; pid: number | undefined } {
    const worker = ++lastChild
    const child = spawn(process.execPath, [PROGRAM, 'agent', '--worker', role], { stdio: ['pipe', 'pipe', 'inherit'] })
    const say = (word: Omit<WorkerWord, 'worker'>) => tell(process.stdout, { worker, ...word })
    const line = new Line(child.stdout, child.stdin, (said) => say({ said }))
    children.set(worker, { process: child, line, reviver: null })
    // `close` comes after the last of its words.
    child.on('close', (code, signal) => say({ ended: { code, signal, wasKilled: !children.has(worker) } }))
    return { worker, pid: child.pid }
  }

  function childOf(worker: number): Child {
    const child = children.get(worker)
    if (child === undefined) throw new Error(`no such worker: ${worker}`)
    return child
  }

  function trialPath(name: string): string {
    if (trial === null) throw new Error('there is no trial directory yet')
    return resolve(trial, name)
  }

  async function close(): Promise<void> {
    const all = [...children.values()]
    for (const { process } of all) process.stdin.end()
    const gone = Promise.all(all.map(({ process }) => (hasEnded(process) ? null : once(process, 'exit'))))
    if (!(await endsWithin(CLEAN_UP_LIMIT_MS / 2, gone))) for (const { process } of all) process.kill('SIGKILL')
    // Other agents may be doing the same.
    if (trial !== null) await rm(trial, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  return { answers, close }
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
