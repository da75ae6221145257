/**
 * A specimen: the lock that most programs write. One file at a fixed path; `link` acquires, `unlink` releases, and a lock
 * whose `mtime` is older than the timeout is unlinked by the next process that wants it. It is here to be caught.
 */

import type { FileStatus, Reply } from '../../../src/protocol/operations.js'
import type { Program } from '../process.js'

export const FIXED_PATH = '/d/LOCK'

/** A process that locks: all that it asks about itself. */
export interface FixedPathUser {
  readonly name: string
  readonly timeoutMs: number
  readonly node: { readonly wallMs: number }
}

export function* acquireFixedPath(process: FixedPathUser): Program<boolean> {
  const own = `/d/own-${process.name.replace('/', '-')}`
  yield { op: 'create', path: own, text: '', mode: 0o644 }
  yield { op: 'utimes', path: own, modifiedMs: process.node.wallMs }
  const linked = (yield { op: 'link', from: own, to: FIXED_PATH }) as Reply<void>
  yield { op: 'unlink', path: own }
  if (linked.ok) return true
  const status = (yield { op: 'stat', path: FIXED_PATH }) as Reply<FileStatus>
  if (status.ok && process.node.wallMs - status.value.modifiedMs > process.timeoutMs) yield { op: 'unlink', path: FIXED_PATH }
  return false
}

export function* refreshFixedPath(process: FixedPathUser): Program<void> {
  yield { op: 'utimes', path: FIXED_PATH, modifiedMs: process.node.wallMs }
}

export function* releaseFixedPath(): Program<void> {
  yield { op: 'unlink', path: FIXED_PATH }
}
