/** How ours takes the lock that Workbench respects, with the steps that the library does between those of the protocol. */

import type { FileStatus, Reply } from '../../../src/protocol/operations.js'
import { keptFile, type Locked, prepare, type Prepared, publish, retract, type Terms } from '../../../src/workbench/outer.js'

/** Steps that are performed one by one: of the protocol, and to open, lock and close. */
type Steps<Result> = Generator<unknown, Result, unknown>

export interface Taken {
  prepared: Prepared
  /** The file that lay there before, locked until the end. */
  before: number | null
}

/** `null`: it is held, or belongs to another program. */
export function* take(terms: Terms): Steps<Taken | null> {
  yield { op: 'mkdir', path: terms.names.hidden, mode: 0o755 }
  const first = yield* prepare(terms, null)
  const before = first.kind === 'to-lock' ? yield* lock(first.file) : null
  const prepared = first.kind === 'to-lock' && before !== null ? yield* prepare(terms, first.file) : first
  if (prepared.kind === 'prepared') {
    if (terms.locksFirst) yield { op: 'setlk', file: prepared.held.file }
    if ((yield* publish(terms, prepared)).kind === 'published') return { prepared, before }
  }
  if (before !== null) yield { op: 'drop', file: before }
  return null
}

/** If it is still at its path then. */
function* lock({ path }: Locked): Steps<number | null> {
  const opened = (yield { op: 'open', path }) as Reply<{ file: number }>
  if (!opened.ok) return null
  const { file } = opened.value
  const locked = (yield { op: 'setlk', file }) as Reply<void>
  const there = (yield { op: 'stat', path }) as Reply<FileStatus>
  if (locked.ok && there.ok && there.value.ino === file) return file
  yield { op: 'drop', file }
  return null
}

export function* giveBack(terms: Terms, { prepared, before }: Taken): Steps<void> {
  yield* retract(keptOf(terms, prepared), prepared.owner, terms.pid)
  if (before !== null) yield { op: 'drop', file: before }
}

export const keptOf = (terms: Terms, prepared: Prepared) => keptFile(terms, prepared, terms.locksFirst)
