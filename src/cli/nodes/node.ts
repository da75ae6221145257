/** One node, as the one who asks sees it: its agent behind ssh, or in a process here, and the workers over there. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { LockerOptions } from '../../types.js'
import { endsWithin } from '../bounded.js'
import type { NodeFacts } from '../doctor/node.js'
import type { Mount } from '../mounts.js'
import { Line, RemoteError } from './lines.js'
import type { NodesOptions } from './options.js'
import { explainFailure, remoteScript } from './remote.js'
import type { Outcome } from './worker.js'

const PROGRAM = fileURLToPath(new URL('../../../bin/locktester', import.meta.url))
const HELLO_LIMIT_MS = 30_000
const END_LIMIT_MS = 6000
const STDERR_CHARACTERS_MAX = 4000

export interface Facts extends NodeFacts {
  pid: number
  nodeVersion: string
}

/** The node could not be reached, or has not what is needed there; the message says which, and what to do. */
export class UnreachableError extends Error {}

export class Node {
  /** As it was called on the command line, told apart where a name comes twice. */
  readonly name: string
  readonly #host: string
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #line: Line
  #stderr = ''
  facts: Facts | null = null
  mount: Mount | null = null

  constructor(name: string, host: string, options: Pick<NodesOptions, 'sshCommand' | 'remoteCommand'>) {
    this.name = name
    this.#host = host
    const [file, ...args] = commandFor(host, options)
    // In a session of its own: Ctrl+C is ours, and we say over the line what is to be done.
    this.#process = spawn(file as string, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    this.#process.on('error', (error) => this.#line.close(error))
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX)
    })
    this.#line = new Line(this.#process.stdout, this.#process.stdin)
  }

  /** @throws UnreachableError */
  async connect(): Promise<void> {
    const hello = this.ask('hello')
    const isAnswered = await endsWithin(HELLO_LIMIT_MS, hello)
    try {
      if (!isAnswered) throw new RemoteError({ code: 'TIMEOUT', message: `no answer within ${HELLO_LIMIT_MS / 1000} s` })
      this.facts = (await hello) as Facts
    } catch (error) {
      await endsWithin(END_LIMIT_MS, this.#hasEnded ? Promise.resolve() : this.end())
      throw new UnreachableError(explainFailure(this.#host, this.#process.exitCode, this.#stderr, error as Error))
    }
  }

  ask(op: string, args: Record<string, unknown> = {}): Promise<unknown> {
    return this.#line.ask(op, args)
  }

  async enter(directory: string, name: string, create: readonly string[] | null): Promise<boolean> {
    const { mount, isThere } = (await this.ask('enter', { directory, name, create })) as { mount: Mount | null; isThere: boolean }
    this.mount = mount
    return isThere
  }

  async startWorker(options: LockerOptions, path: string): Promise<RemoteWorker> {
    const { worker, pid } = (await this.ask('start')) as { worker: number; pid: number }
    const remote = new RemoteWorker(this, worker, pid)
    await remote.ask('open', { options, path })
    return remote
  }

  /** Lets the agent clean up and end; what does not is killed. */
  async end(): Promise<void> {
    if (this.#hasEnded) return
    const exit = once(this.#process, 'exit')
    this.#process.stdin.end()
    if (await endsWithin(END_LIMIT_MS, exit)) return
    this.#process.kill('SIGKILL')
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined
  }
}

export class RemoteWorker {
  readonly node: Node
  readonly #id: number
  readonly pid: number

  constructor(node: Node, id: number, pid: number) {
    this.node = node
    this.#id = id
    this.pid = pid
  }

  ask(op: string, args: Record<string, unknown> = {}): Promise<unknown> {
    return this.node.ask('ask', { worker: this.#id, op, args })
  }

  try(): Promise<Outcome> {
    return this.ask('try') as Promise<Outcome>
  }

  acquire(waitMs: number): Promise<Outcome> {
    return this.ask('acquire', { waitMs }) as Promise<Outcome>
  }

  held(): Promise<boolean> {
    return this.ask('held') as Promise<boolean>
  }

  async release(): Promise<void> {
    await this.ask('release')
  }

  /** SIGKILL; resolves once its node says that the process is gone. */
  async kill(): Promise<void> {
    await this.node.ask('kill', { worker: this.#id })
  }
}

function commandFor(host: string, { sshCommand, remoteCommand }: Pick<NodesOptions, 'sshCommand' | 'remoteCommand'>): string[] {
  if (host === 'local') return [process.execPath, PROGRAM, 'agent']
  // A shell takes the command apart as its author would expect; the host and the script are arguments, never text in it.
  return ['/bin/sh', '-c', `exec ${sshCommand} "$@"`, 'sh', host, remoteScript(remoteCommand, PROGRAM)]
}
