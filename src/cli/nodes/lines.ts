/**
 * Questions and answers as lines of JSON. Lines that are not ours are passed over: a remote shell may greet us on the
 * same stream.
 */

import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { messageOf } from '../print.js'

/** The version of the conversation: both sides must speak the same one. */
export const DIALECT = 1

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
  id: number
  value?: unknown
  error?: { code: string; message: string }
}

/** The asking side. */
export class Line {
  readonly #output: Writable
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #lastId = 0
  #closed: Error | null = null

  constructor(input: Readable, output: Writable) {
    this.#output = output
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
    const pending = answer === null ? undefined : this.#pending.get(answer.id)
    if (answer === null || pending === undefined) return
    this.#pending.delete(answer.id)
    if (answer.error === undefined) pending.resolve(answer.value)
    else pending.reject(new RemoteError(answer.error))
  }
}

/** The answering side; several questions may be under way at once. Resolves when nobody asks any more. */
export async function serve(
  answer: (op: string, args: Record<string, unknown>) => Promise<unknown>,
  input: Readable,
  output: Writable,
): Promise<void> {
  output.on('error', () => {})
  for await (const text of createInterface({ input })) {
    const question = parse<Question>(text)
    if (question !== null) void reply(question)
  }

  async function reply({ id, op, args }: Question): Promise<void> {
    const told: Answer = { locktester: DIALECT, id }
    try {
      told.value = (await answer(op, args)) ?? null
    } catch (error) {
      const { code } = error as { code?: unknown }
      told.error = { code: typeof code === 'string' ? code : 'UNEXPECTED', message: messageOf(error) }
    }
    output.write(`${JSON.stringify(told)}\n`)
  }
}

function parse<T extends { locktester: number }>(text: string): T | null {
  try {
    const value = JSON.parse(text) as T
    return value.locktester === DIALECT ? value : null
  } catch {
    return null
  }
}
