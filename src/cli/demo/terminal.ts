/** A terminal of the demo: one real process of this program, whose lines are shown as they come and must be the expected ones. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { PROGRAM } from '../shared/program.js'
import { started } from '../shared/started.js'
import * as words from './print.js'

/** The dialogue did not come out as it should. */
export class SurpriseError extends Error {}

export class Terminal {
  readonly #title: string
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #exit: Promise<unknown[]>
  readonly #lines: AsyncIterator<string>
  readonly #errors: Promise<string>

  /** Shows the command and starts it. @throws the system's error */
  static async open(title: string, args: readonly string[]): Promise<Terminal> {
    const shown = args.filter((arg) => arg !== '--quiet')
    words.terminal(title, shown)
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    await started(child)
    return new Terminal(title, child)
  }

  private constructor(title: string, child: ChildProcessByStdio<null, Readable, Readable>) {
    this.#title = title
    this.#child = child
    this.#exit = once(this.#child, 'exit')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#errors = text(this.#child.stderr)
  }

  /** Waits for these lines, no others, and shows each as it comes. @throws SurpriseError */
  async expectLines(expected: readonly string[]): Promise<void> {
    for (const line of expected) {
      const { value, done } = await this.#lines.next()
      if (done) throw new SurpriseError(`${this.#title} ended before it said "${line}":\n${await this.#errors}`)
      words.line(value)
      if (value !== line) throw new SurpriseError(`${this.#title} should have said "${line}"`)
    }
  }

  /** @throws SurpriseError */
  async expectEnd(expectedCode: number): Promise<void> {
    const { value, done } = await this.#lines.next()
    if (!done) throw new SurpriseError(`${this.#title} should have said nothing more, but said "${value}"`)
    const [code, signal] = await this.#exit
    if (code === expectedCode) return
    throw new SurpriseError(
      `${this.#title} should have ended with ${expectedCode}, got ${code ?? signal}:\n${await this.#errors}`,
    )
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal)
    await this.#exit
  }
}
