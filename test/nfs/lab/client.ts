/** Talks to a running lab. What a test drives: machines, and programs in them. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { GuestProgram } from './guest-program.js'
import {
  type LabStatus,
  type MachineOperation,
  messageReader,
  type NodeName,
  type Program,
  type Reply,
  type Request,
} from './messages.js'
import { runFiles } from './paths.js'
import { LabError } from './tools.js'

type WithoutId<Message> = Message extends unknown ? Omit<Message, 'id'> : never

/** How a command ended. */
export interface CommandResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

const COMMAND_MS_MAX = 60_000
/** A machine boots within this, or the daemon says why it did not. */
const MACHINE_MS_MAX = 150_000

export class LabClient {
  /** The lab's run directory. */
  readonly runDirectory: string
  readonly #socket: Socket
  readonly #listeners = new Map<number, (reply: Reply) => void>()
  #requestCount = 0

  static async connect(run: string): Promise<LabClient> {
    const socket = connect(runFiles(run).control)
    try {
      await once(socket, 'connect')
    } catch (error) {
      throw new LabError('No lab is running: start one with `up`', { cause: error })
    }
    return new LabClient(run, socket)
  }

  private constructor(runDirectory: string, socket: Socket) {
    this.runDirectory = runDirectory
    this.#socket = socket
    socket.on(
      'data',
      messageReader((message) => this.#hear(message as Reply)),
    )
    socket.on('error', () => {}) // followed by `close`
    socket.on('close', () => {
      for (const [id, listener] of [...this.#listeners]) listener({ id, error: 'The lab went away' })
    })
  }

  #hear(reply: Reply): void {
    this.#listeners.get(reply.id)?.(reply)
  }

  #send(request: WithoutId<Request>, listener: (reply: Reply) => void): number {
    const id = ++this.#requestCount
    this.#listeners.set(id, (reply) => {
      if ('done' in reply || 'exit' in reply || 'error' in reply) this.#listeners.delete(id)
      listener(reply)
    })
    this.#socket.write(`${JSON.stringify({ id, ...request })}\n`)
    return id
  }

  #ask(request: WithoutId<Request>): Promise<LabStatus | null> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new LabError(`The lab did not answer "${request.op}"`)), MACHINE_MS_MAX)
      this.#send(request, (reply) => {
        clearTimeout(timer)
        if ('done' in reply) resolve(reply.done)
        else if ('error' in reply) reject(new LabError(reply.error))
      })
    })
  }

  async status(): Promise<LabStatus> {
    return (await this.#ask({ op: 'status' })) as LabStatus
  }

  /** From now on the lab lives as long as this connection. */
  async own(): Promise<void> {
    await this.#ask({ op: 'own' })
  }

  /** Resolves when no other client claims the lab, which is then this one's until its connection ends. @throws LabError if that takes too long */
  async claim(): Promise<void> {
    await this.#ask({ op: 'claim' })
  }

  /** @throws LabError, for example when a node is started that is up */
  async machine(op: MachineOperation, node: NodeName, { recover = false } = {}): Promise<void> {
    await this.#ask({ op, node, recover })
  }

  async down(): Promise<void> {
    await this.#ask({ op: 'down' })
  }

  /** Starts a program; it ends with this connection at the latest. */
  start(node: NodeName, program: Program): GuestProgram {
    const guestProgram = new GuestProgram(`${program.argv.join(' ')} on ${node}`, (input) => {
      this.#socket.write(`${JSON.stringify({ id, node, ...input })}\n`)
    })
    const id = this.#send({ op: 'spawn', node, ...program }, (reply) => guestProgram.hear(reply as never))
    return guestProgram
  }

  /** Runs a shell command to its end. @throws LabError if it takes too long, or its node goes away */
  async run(node: NodeName, command: string, { msMax = COMMAND_MS_MAX } = {}): Promise<CommandResult> {
    const program = this.start(node, { argv: ['sh', '-c', command] })
    program.endInput()
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      program.kill('SIGKILL')
    }, msMax)
    const stuck = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new LabError(`Node ${node} does not answer: ${command}`)), msMax + 10_000).unref()
    })
    try {
      const end = await Promise.race([program.end, stuck])
      if (isLate) throw new LabError(`Node ${node}: not done after ${msMax} ms: ${command}`)
      return { ...end, stdout: program.stdout, stderr: program.stderr }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Runs a shell command that must succeed, and returns its standard output. @throws LabError with what it wrote */
  async exec(node: NodeName, command: string, options: { msMax?: number } = {}): Promise<string> {
    const { code, signal, stdout, stderr } = await this.run(node, command, options)
    if (code !== 0) throw new LabError(`Node ${node}: ${command}: ended with ${code ?? signal}: ${stderr || stdout}`)
    return stdout
  }

  close(): void {
    this.#socket.destroy()
  }
}
