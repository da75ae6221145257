/** The process that owns a lab's machines: daemon.ts RUN_DIRECTORY OPTIONS (as JSON). Serves its clients over a socket until `down`. */

import { renameSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { ACCELERATORS } from './accelerators.js'
import { Lab } from './lab.js'
import { messageReader, type ProgramInput, type Reply, type Request } from './messages.js'
import { runFiles } from './paths.js'
import { ProcessBook } from './processes.js'
import { LabError } from './tools.js'
import type { LabOptions } from './up-and-down.js'

const [run = '', described = '{}'] = process.argv.slice(2)
const { accelerator, clients, ...options } = JSON.parse(described) as LabOptions

const lab = makeLab()
/** Fulfilled when all clients that have claimed the lab so far are gone. */
let unclaimed: Promise<unknown> = Promise.resolve()
let server: Server | null = null
let ending: Promise<void> | null = null

function makeLab(): Lab {
  try {
    const book = new ProcessBook(runFiles(run).processes)
    book.add('daemon', process.pid)
    return new Lab(ACCELERATORS[accelerator].make({ run, book, ...options }), run)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    console.error(error.message)
    process.exit(1)
  }
}

function end(): Promise<void> {
  ending ??= (async () => {
    server?.close()
    await lab.down()
    rmSync(run, { recursive: true, force: true })
  })()
  return ending
}

class Connection {
  readonly #socket: Socket
  readonly #programs = new Map<number, (input: ProgramInput) => void>()
  readonly #closed: Promise<void>

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on(
      'data',
      messageReader((message) => void this.#handle(message as Request)),
    )
    socket.on('error', () => {}) // followed by `close`
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const send of this.#programs.values()) send({ op: 'signal', signal: 'SIGKILL' })
        resolve()
      })
    })
  }

  async #handle(request: Request): Promise<void> {
    try {
      await this.#perform(request)
    } catch (error) {
      this.#reply({ id: request.id, error: (error as Error).message })
    }
  }

  async #perform(request: Request): Promise<void> {
    const { id } = request
    switch (request.op) {
      case 'status':
        return this.#reply({ id, done: lab.status() })
      case 'own':
        this.#socket.once('close', () => void end().then(() => process.exit()))
        return this.#reply({ id, done: null })
      case 'claim':
        return await this.#claim(id)
      case 'down':
        await end()
        this.#reply({ id, done: null })
        this.#socket.end(() => process.exit())
        return
      case 'spawn':
        return this.#spawn(request)
      case 'stdin':
      case 'stdin-end':
      case 'signal':
        return this.#programs.get(id)?.(request)
      default:
        await this.#operate(request)
        this.#reply({ id, done: null })
    }
  }

  async #claim(id: number): Promise<void> {
    const before = unclaimed
    unclaimed = Promise.all([before, this.#closed])
    await before
    this.#reply({ id, done: null })
  }

  #spawn({ id, node, ...program }: Request & { op: 'spawn' }): void {
    const send = lab.run(node, program, (output) => {
      if ('exit' in output || 'error' in output) this.#programs.delete(id)
      this.#reply({ id, ...output })
    })
    this.#programs.set(id, send)
  }

  async #operate({ op, node, recover = false }: Request & { op: 'start' | 'kill' | 'pause' | 'resume' }): Promise<void> {
    const machine = lab.machine(node)
    if (op === 'start') await machine.start({ recover })
    else if (op === 'kill') await machine.kill()
    else if (op === 'pause') machine.pause()
    else machine.resume()
  }

  #reply(reply: Reply): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(reply)}\n`)
  }
}

try {
  await lab.up(clients)
  // A socket has its name before it takes connections, and on a busy machine for long: it gets this one when it does.
  const { control } = runFiles(run)
  server = createServer((socket) => new Connection(socket)).listen(`${control}.new`, () => renameSync(`${control}.new`, control))
} catch (error) {
  console.error((error as Error).message)
  await lab.down()
  process.exit(1)
}
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void end().then(() => process.exit(1)))
