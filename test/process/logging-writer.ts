/** Drives `fixtures/logging-writer.mjs`, perhaps within namespaces. */

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const FIXTURE = fileURLToPath(new URL('fixtures/logging-writer.mjs', import.meta.url))

export interface WriterOptions {
  logFile: string
  name?: string
  /** Log so many lines, and exit without a turn of the event loop. */
  blockingCount?: number
  /** A command and its arguments to run it under. */
  under?: readonly string[]
  env?: NodeJS.ProcessEnv
  uid?: number
  /** In a process group of its own. */
  detached?: boolean
}

export class Writer {
  readonly process: ChildProcess
  readonly #answers: NodeJS.AsyncIterator<string>
  #complaints = ''
  readonly #complained: Promise<void>
  readonly #ended: Promise<number | null>

  constructor({ logFile, name = 'writer', blockingCount, under = [], env = process.env, uid, detached = false }: WriterOptions) {
    const blocking = blockingCount === undefined ? [] : [String(blockingCount)]
    const [program, ...args] = [...under, process.execPath, FIXTURE, logFile, name, ...blocking] as [string, ...string[]]
    const child = spawn(program, args, { env, detached, cwd: '/', ...(uid === undefined ? {} : { uid, gid: uid }) })
    this.process = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.#complained = new Promise((resolve) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        this.#complaints += text
        resolve()
      })
    })
    this.#ended = new Promise((resolve) => child.once('close', resolve))
  }

  send(command: string): void {
    this.process.stdin?.write(`${command}\n`)
  }

  /** Resolves when it is done. */
  async tell(command: string): Promise<void> {
    this.send(command)
    const { value } = await this.#answers.next()
    if (value !== 'done') throw new Error(`the writer said ${value}, and ${this.#complaints}`)
  }

  /** Resolves as soon as there is something on its standard error. */
  complained(): Promise<void> {
    return this.#complained
  }

  /** Resolves when it has ended and its output is complete. */
  async ended(): Promise<{ status: number | null; complaints: string[] }> {
    const status = await this.#ended
    return { status, complaints: this.#complaints.split('\n').slice(0, -1) }
  }
}
