/** What happened, for people: one line per event, kept only while a failure is being shown. */

import type { Operation } from '../../src/protocol/operations.js'

export interface TraceLine {
  atMs: number
  who: string
  text: string
}

export class Trace {
  readonly lines: TraceLine[] = []
  readonly #linesMax: number

  constructor(linesMax: number) {
    this.#linesMax = linesMax
  }

  add(atMs: number, who: string, text: string): void {
    this.lines.push({ atMs, who, text })
    if (this.lines.length > 2 * this.#linesMax) this.lines.splice(0, this.#linesMax)
  }

  toString(): string {
    return this.lines
      .slice(-this.#linesMax)
      .map(({ atMs, who, text }) => `${(atMs / 1000).toFixed(4).padStart(10)} s  ${who.padEnd(12)} ${text}`)
      .join('\n')
  }
}

const short = (path: string) => path.replace('/d/', '').replace(/\.mountlock-41c29-(\w+)-(\d+)-(\w{4})\w{12}/, 'session:$1-$2-$3')

export function describeOperation(operation: Operation | { op: string; path?: string; ms?: number }): string {
  const { op } = operation
  if ('from' in operation) return `${op} ${short(operation.from)} -> ${short(operation.to)}`
  if ('target' in operation) return `${op} ${short(operation.path)} -> ${operation.target}`
  if ('path' in operation && operation.path !== undefined) return `${op} ${short(operation.path)}`
  if ('ms' in operation) return `${op} ${Math.round(operation.ms as number)} ms`
  return op
}

export function describeReply(reply: unknown): string {
  if (typeof reply !== 'object' || reply === null) return String(reply)
  const { ok, value, code } = reply as { ok?: boolean; value?: unknown; code?: string }
  if (ok === undefined) return JSON.stringify(reply)
  if (!ok) return code as string
  if (value === undefined) return 'ok'
  if (Array.isArray(value)) return `[${value.map((name) => short(`/d/${name}`)).join(' ')}]`
  const { text, modifiedMs, serverMs, links } = value as { text?: string; modifiedMs?: number; serverMs?: number; links?: number }
  if (text !== undefined) return `${describeText(text)} modified ${modifiedMs}`
  if (serverMs !== undefined) return `ok, server ${serverMs}, ${links} links`
  return JSON.stringify(value)
}

function describeText(text: string): string {
  const parts = /"beat":(\d+),"state":"(\w+)".*"id":"(\w{4})/.exec(text)
  return parts === null ? JSON.stringify(text.slice(0, 30)) : `{${parts[3]} beat ${parts[1]} ${parts[2]}}`
}
