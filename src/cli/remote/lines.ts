/**
 * Questions and answers as lines of JSON. Lines that are not ours are passed over: a remote shell may greet us on the
 * same stream.
 */

import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { errorReport } from '../shared/output.js'

/** The version of the conversation: both sides must speak the same one. */
const DIALECT = 1

/** An error as it is told by another process. */
export class RemoteError extends Error {
  readonly code: string
  constructor({ code, message }: { code: string; message: string }) {
    super(message)
    this.code = code
  }
}

interface Question {
  locktester: typeof DIALECT
  id: number
  op: string
  args: Record<string, unknown>
}

interface Answer {
  locktester: typeof DIALECT
  /** Absent: nobody has asked for it. */
  id?: number
  word?: unknown
  value?: unknown
  error?: { code: string; message: string }
}

/** The asking side. */
export class Line {
  readonly #output: Writable
  readonly #onWord: (word: never) => void
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #lastId = 0
  #closed: Error | null = null

  /** @param onWord is called for what the other side says of its own accord: see {@link tell} */
  constructor(input: Readable, output: Writable, onWord: (word: never) => void = () => {}) {
    this.#output = output
    this.#onWord = onWord
    output.on('error', () => {}) // the other side's end is told by the end of its output
    const lines = createInterface({ input })
    lines.on('line', (text) => this.#receive(text))
    lines.on('close', () => this.close(new RemoteError({ code: 'GONE', message: 'the process there ended' })))
  }

  ask(op: string, args: Record<string, unknown> = {}): Promise<unknown> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    const question: Question = { locktester: DIALECT, id: ++this.#lastId, op, args }
    return new Promise((resolve, reject) => {
      this.#pending.set(question.id, { resolve, reject })
      this.#output.write(`${JSON.stringify(question)}\n`)
    })
  }

  /** Whatever was asked and not answered fails with `error`. */
  close(error: Error): void {
    this.#closed ??= error
    for (const { reject } of this.#pending.values()) reject(this.#closed)
    this.#pending.clear()
  }

  #receive(text: string): void {
    const answer = parse<Answer>(text)
    if (answer === null) return
    const { id } = answer
    if (id === undefined) return this.#onWord(answer.word as never)
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    if (answer.error === undefined) pending.resolve(answer.value)
    else pending.reject(new RemoteError(answer.error))
  }
}

/** By question. Each knows the arguments that it is given. */
export type Answers = Readonly<Record<string, (args: never) => unknown>>

/** The answering side; several questions may be under way at once. Resolves when nobody asks any more. */
export async function serve(answers: Answers, input: Readable, output: Writable): Promise<void> {
  output.on('error', () => {})
  for await (const text of createInterface({ input })) {
    const question = parse<Question>(text)
    if (question !== null) void reply(question)
  }

  async function reply({ id, op, args }: Question): Promise<void> {
    const told: Answer = { locktester: DIALECT, id }
    try {
      const answer = Object.hasOwn(answers, op) ? answers[op] : undefined
      if (answer === undefined) throw new Error(`unknown question: ${op}`)
      told.value = (await answer(args as never)) ?? null
    } catch (error) {
      told.error = errorReport(error)
    }
    output.write(`${JSON.stringify(told)}\n`)
  }
}

/** Says something that nobody has asked for. */
export function tell(output: Writable, word: unknown): void {
  output.write(`${JSON.stringify({ locktester: DIALECT, word } satisfies Answer)}\n`)
}

function parse<T extends { locktester: number }>(text: string): T | null {
  try {
    const value = JSON.parse(text) as T
    return value.locktester === DIALECT ? value : null
  } catch {
    return null
  }
}
