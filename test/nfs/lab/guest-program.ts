/** A program that runs in a guest: its input, what it has said so far, and its end. */

import type { ProgramInput, ProgramOutput } from './messages.js'
import { LabError } from './tools.js'

export class GuestProgram {
  stdout = ''
  stderr = ''
  /** Rejects when the machine went away under it. */
  readonly end: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly #name: string
  readonly #send: (input: ProgramInput) => void
  readonly #waiting = new Set<() => void>()
  #passesOn: { stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream } | null = null
  #isOver = false
  #onEnd: (end: { code: number | null; signal: NodeJS.Signals | null }) => void = () => {}
  #onError: (error: Error) => void = () => {}

  constructor(name: string, send: (input: ProgramInput) => void) {
    this.#name = name
    this.#send = send
    this.end = new Promise((resolve, reject) => {
      this.#onEnd = resolve
      this.#onError = reject
    })
    this.end.catch(() => {}) // what waits for it is told; nothing has to wait
  }

  get isOver(): boolean {
    return this.#isOver
  }

  hear(output: ProgramOutput): void {
    if ('stdout' in output) this.stdout += this.#heard('stdout', output.stdout)
    else if ('stderr' in output) this.stderr += this.#heard('stderr', output.stderr)
    else {
      this.#isOver = true
      if ('exit' in output) this.#onEnd(output.exit)
      else this.#onError(new LabError(`${this.#name}: ${output.error}`))
    }
    for (const wake of [...this.#waiting]) wake()
  }

  #heard(stream: 'stdout' | 'stderr', data: string): Buffer {
    const bytes = Buffer.from(data, 'base64')
    this.#passesOn?.[stream].write(bytes)
    return bytes
  }

  /** What it writes from now on goes on at once, and what comes in goes to it. */
  connect(streams: { stdin: NodeJS.ReadableStream; stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream }): void {
    this.#passesOn = streams
    streams.stdin.on('data', (data) => this.write(data))
    streams.stdin.on('end', () => this.endInput())
  }

  /** Resolves when `seen` finds something in what the program has written. @throws LabError if it ends without, or takes too long */
  async sees<Found>(
    seen: (program: this) => Found | undefined,
    { what = 'what was waited for', msMax = 60_000 } = {},
  ): Promise<Found> {
    const deadline = performance.now() + msMax
    for (;;) {
      const found = seen(this)
      if (found !== undefined) return found
      const said = `It said:\n${this.stdout}\n${this.stderr}`
      if (this.#isOver) throw new LabError(`${this.#name} ended without ${what}. ${said}`)
      if (!(await this.#news(deadline - performance.now())))
        throw new LabError(`${this.#name}: no ${what} after ${msMax} ms. ${said}`)
    }
  }

  #news(msMax: number): Promise<boolean> {
    return new Promise((resolve) => {
      const over = (isNews: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve(isNews)
      }
      const wake = () => over(true)
      const timer = setTimeout(() => over(false), Math.max(0, msMax))
      this.#waiting.add(wake)
    })
  }

  write(text: string | Buffer): void {
    this.#send({ op: 'stdin', data: Buffer.from(text).toString('base64') })
  }

  endInput(): void {
    this.#send({ op: 'stdin-end' })
  }

  /** Reaches the program and its children. */
  kill(signal: NodeJS.Signals): void {
    this.#send({ op: 'signal', signal })
  }
}
