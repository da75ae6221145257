/**
 * A file of ours with a public name that other programs know: it is refreshed through its descriptor, because they go by its time
 * stamp, and it is looked whether the name still leads to it, because they remove it when they take it for abandoned.
 */

import { isAbsent } from './doubt.js'
import { ask, type Failure, type Protocol } from './operations.js'

/** Plain data, so that it can be handed to another thread. */
export interface KeptFile {
  readonly file: number
  readonly dev: number
  readonly ino: number
  /** What is written again: a write is stamped by the file server, and a client cannot stamp by its clock. */
  readonly text: string
  /** The public name. */
  readonly path: string
  /** Where that leads as a symbolic link; `null`: it is a hard link. */
  readonly target: string | null
  /** It is locked by fcntl. */
  readonly isLocked: boolean
}

export type RefreshOutcome =
  /** `serverMs`: when, by the file server's clock. */
  | { kind: 'kept'; serverMs: number }
  /** The name is gone, or leads elsewhere. */
  | { kind: 'reaped' }
  /** The fcntl lock is gone: this process has closed another descriptor of the file. */
  | { kind: 'unlocked' }
  | (Failure & { kind: 'failed' })

export function* refresh(kept: KeptFile): Protocol<RefreshOutcome> {
  const written = yield* ask.overwrite(kept.file, kept.text, null)
  const name = yield* lookAtName(kept)
  if (name === 'reaped') return { kind: 'reaped' }
  if (!written.ok) return { ...written, kind: 'failed' }
  if (name === 'unknown') return { ok: false, code: 'EIO', kind: 'failed' }
  if (kept.isLocked && !(yield* ask.locked(kept.file))) return { kind: 'unlocked' }
  return { kind: 'kept', serverMs: written.value.serverMs }
}

/** `dev`, `ino`: of a hard link. */
type Named = Pick<KeptFile, 'path' | 'target'> & Partial<KeptFile>

/** Does the public name lead to the file? Without opening it: closing that would drop an fcntl lock of this process. */
export function* lookAtName({ path, target, dev, ino }: Named): Protocol<'kept' | 'reaped' | 'unknown'> {
  if (target !== null) {
    const linked = yield* ask.readlink(path)
    // `EINVAL`: it is no link any more.
    if (!linked.ok) return isAbsent(linked.code) || linked.code === 'EINVAL' ? 'reaped' : 'unknown'
    return linked.value === target ? 'kept' : 'reaped'
  }
  const status = yield* ask.stat(path)
  if (!status.ok) return isAbsent(status.code) ? 'reaped' : 'unknown'
  return status.value.dev === dev && status.value.ino === ino ? 'kept' : 'reaped'
}
