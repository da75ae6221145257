/**
 * Questions and answers as lines of JSON. Lines that are not ours are passed over: a remote shell may greet us on the
 * same stream. Whatever the other side says is bounded and looked at before it is used: it is another machine's, or that of a
 * program that happens to write on the stream.
 */

import type { Readable, Writable } from 'node:stream'
import { printable } from '../../log/printable.js'
import { errorReport } from '../shared/output.js'
import { LINE_CHARACTERS_MAX, readLines } from './bounded-lines.js'
import { type Shape, WrongShapeError } from './shapes.js'

/** The version of the conversation: both sides must speak the same one. */
const DIALECT = 1

/** Longer than any text that an agent sends, and short enough for a terminal. */
const TEXT_CHARACTERS_MAX = 4096
/** The greetings of a shell, with much to spare. */
const FOREIGN_LINES_MAX = 10_000
/** 64 processes of a node have a question each, and the clock is asked once in a second. */
const PENDING_MAX = 4096
/** 64 hammers of a node say some thousand words in a second. Each is remembered until it is judged, in about 250 bytes. */
const WORDS_PER_S_MAX = 20_000
const WORDS_MAX = 4_000_000

/** The codes of what is said by something that is no agent, or not one of this version. */
export const NO_AGENTS: readonly string[] = ['NO_AGENT', 'BAD_ANSWER']

/** There was no answer in time. Of what was asked for, and of locks, that says nothing. */
export const NO_ANSWER = 'NO_ANSWER'

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
  /** Absent: the asking side has not asked for it. */
  id?: number
  word?: unknown
  value?: unknown
  error?: { code: string; message: string }
}

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The asking side. */
export class Line {
  readonly #input: Readable
  readonly #output: Writable
  readonly #onWord: (word: Record<string, unknown>) => void
  readonly #pending = new Map<number, Pending>()
  readonly #startMs = performance.now()
  #lastId = 0
  #foreignLines = 0
  #words = 0
  #closed: Error | null = null
  #answers = 0

  /**
   * @param onWord is called for what the other side says of its own accord, an object, of which no more is known: see
   * {@link tell}
   */
  constructor(input: Readable, output: Writable, onWord: (word: Record<string, unknown>) => void = () => {}) {
    this.#input = input
    this.#output = output
    this.#onWord = onWord
    output.on('error', () => {}) // the other side's end is told by the end of its output
    readLines(input, {
      onLine: (text) => this.#receive(text),
      onTooLong: () => this.#refuse(`a line of more than ${LINE_CHARACTERS_MAX} characters`),
      onEnd: () => this.close(gone()),
    })
  }

  /** How many questions were answered. */
  get answers(): number {
    return this.#answers
  }

  /** @param shape of the answer: another one is an error */
  async ask<T>(op: string, args: Record<string, unknown>, shape: Shape<T>): Promise<T> {
    const value = await this.#answerTo(op, args)
    try {
      return shape(value)
    } catch (error) {
      if (!(error instanceof WrongShapeError)) throw error
      throw new RemoteError({ code: 'BAD_ANSWER', message: `it gave an answer to "${op}" that no agent gives` })
    }
  }

  #answerTo(op: string, args: Record<string, unknown>): Promise<unknown> {
    if (this.#pending.size >= PENDING_MAX) this.#refuse('no answer to thousands of questions')
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

  /** Nothing more is read of a process that is no agent. */
  #refuse(what: string): void {
    this.close(new RemoteError({ code: 'NO_AGENT', message: `what runs there is no agent: it gave ${what}` }))
    this.#input.destroy()
  }

  #receive(text: string): void {
    if (this.#closed !== null) return
    const answer = parse(text, harmless)
    if (answer === null) return this.#passOver()
    if (answer.locktester !== DIALECT) return this.#refuse('the words of another version of locktester')
    const { id, word, error, value } = answer
    // A terminal over there (`RequestTTY force`) gives our questions back.
    if (Object.hasOwn(answer, 'op')) return this.#passOver()
    if (id === undefined) return isObject(word) ? this.#hear(word) : this.#passOver()
    const pending = this.#pending.get(id as number)
    if (pending === undefined) return this.#passOver()
    this.#pending.delete(id as number)
    this.#answers++
    if (error === undefined) pending.resolve(value)
    else pending.reject(remoteError(error))
  }

  #passOver(): void {
    if (++this.#foreignLines > FOREIGN_LINES_MAX) this.#refuse(`more than ${FOREIGN_LINES_MAX} lines that are no answers`)
  }

  #hear(word: Record<string, unknown>): void {
    const elapsedS = (performance.now() - this.#startMs) / 1000
    const most = Math.min(WORDS_MAX, WORDS_PER_S_MAX * (1 + elapsedS))
    if (++this.#words > most) this.#refuse('more words than its processes can say')
    else this.#onWord(word)
  }
}

export const gone = () => new RemoteError({ code: 'GONE', message: 'the process there ended' })

function remoteError(raw: unknown): RemoteError {
  const { code, message } = isObject(raw) ? raw : {}
  return new RemoteError({
    code: typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : 'UNEXPECTED',
    message: typeof message === 'string' ? message : 'it told an error that says nothing',
  })
}

/** By question. Each knows the arguments that it is given. */
export type Answers = Readonly<Record<string, (args: never) => unknown>>

/** The answering side; several questions may be under way at once. Resolves when the asking side asks no more. */
export function serve(answers: Answers, input: Readable, output: Writable): Promise<void> {
  output.on('error', () => {})
  return new Promise((resolve) => {
    const onLine = (text: string) => {
      const question = parse(text)
      if (question?.locktester === DIALECT) void reply(question as unknown as Question)
    }
    readLines(input, { onLine, onTooLong: resolve, onEnd: resolve })
  })

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

/** Says something that the asking side has not asked for. */
export function tell(output: Writable, word: object): void {
  output.write(`${JSON.stringify({ locktester: DIALECT, word } satisfies Answer)}\n`)
}

/** How every line of ours begins, whichever version has written it. A shell may have greeted us before it, on the same line. */
const OPENING = '{"locktester":'

/** A line of a locktester, of whichever version; `null` for any other. */
function parse(text: string, reviver?: (key: string, value: unknown) => unknown): Record<string, unknown> | null {
  const start = text.indexOf(OPENING)
  if (start === -1) return null
  try {
    const value: unknown = JSON.parse(text.slice(start), reviver)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

/** No text of another machine reaches a terminal, a report or a page with characters that would do something there. */
function harmless(_: string, value: unknown): unknown {
  return typeof value === 'string' ? printable(value.slice(0, TEXT_CHARACTERS_MAX)) : value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
