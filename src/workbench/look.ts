/** What lies at a public path, without taking or changing anything. A link is followed only to a name of theirs. */

import { normalize } from 'node:path'
import { isAbsent } from '../protocol/doubt.js'
import { ask, type Failure, type FileStatus, type Protocol, type Reply } from '../protocol/operations.js'
import { generationOfTarget, type Seen } from './format.js'

export interface Look {
  seen: Seen
  /** What the path leads to; of a link that leads nowhere the link itself; `null`: nothing. */
  status: FileStatus | null
}

const SEEN_ABSENT: Look = { seen: { kind: 'absent' }, status: null }

/**
 * A path that changes meanwhile is seen as it was before or after, or is absent. `within`: a link that leads out of that
 * directory is not followed, and is no lock of theirs there.
 */
export function* look(path: string, within: string | null = null): Protocol<Reply<Look>> {
  const status = yield* ask.stat(path)
  if (!status.ok) return isAbsent(status.code) ? seen(SEEN_ABSENT) : status
  switch (status.value.type) {
    case 'file':
      return yield* lookAtFile(path, status.value, null)
    case 'symlink':
      return yield* lookThrough(path, status.value, within)
    case 'directory':
      return seen({ seen: { kind: 'directory' }, status: status.value })
    case 'other':
      return seen({ seen: { kind: 'special' }, status: status.value })
  }
}

function* lookThrough(path: string, link: FileStatus, within: string | null): Protocol<Reply<Look>> {
  const target = yield* ask.readlink(path)
  if (!target.ok) return absentOr(target)
  const isOutside = within !== null && (normalize(target.value) !== target.value || !target.value.startsWith(`${within}/`))
  if (isOutside) return seen({ seen: { kind: 'misled', target: target.value }, status: link })
  if (generationOfTarget(target.value) === null) return seen({ seen: { kind: 'dangling', target: target.value }, status: link })
  const status = yield* ask.stat(target.value)
  if (!status.ok) {
    if (!isAbsent(status.code)) return status
    return seen({ seen: { kind: 'dangling', target: target.value }, status: link })
  }
  if (status.value.type !== 'file') return seen({ seen: { kind: 'misled', target: target.value }, status: status.value })
  return yield* lookAtFile(target.value, status.value, target.value)
}

function* lookAtFile(path: string, status: FileStatus, target: string | null): Protocol<Reply<Look>> {
  const contents = yield* ask.read(path, true)
  if (!contents.ok && contents.code !== 'EACCES' && contents.code !== 'EPERM') return absentOr(contents)
  const text = contents.ok ? Buffer.from(contents.value.text) : null
  const { modifiedMs } = contents.ok ? contents.value : status
  return seen({ seen: { kind: 'file', target, text, modifiedMs }, status })
}

const absentOr = (failure: Failure): Reply<Look> => (isAbsent(failure.code) ? seen(SEEN_ABSENT) : failure)

const seen = (value: Look): Reply<Look> => ({ ok: true, value })
