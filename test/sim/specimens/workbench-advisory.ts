/**
 * The advisory forms of both generations: an fcntl lock on the whole of an empty file at the path. Legacy makes the file in two
 * steps, does not look afterwards whether it is still at its path, and removes whatever is there at the release: these are its
 * races, and they are kept.
 */

import type { Reply } from '../../../src/protocol/operations.js'
import type { Program } from '../process.js'
import { directoryOf, follow, type Form, type Holding, remove, type Session, status } from './workbench.js'

function* open(path: string): Program<number | null> {
  const opened = (yield { op: 'open', path }) as Reply<{ file: number }>
  return opened.ok ? opened.value.file : null
}

function* lock(path: string): Program<number | null> {
  const file = yield* open(path)
  if (file === null) return null
  if (((yield { op: 'setlk', file }) as Reply<void>).ok) return file
  yield { op: 'drop', file }
  return null
}

/** Where a file is made that is not there: at the end of a link that leads nowhere. */
function* placeOf(path: string): Program<string> {
  const link = (yield { op: 'readlink', path }) as Reply<string>
  return link.ok ? link.value : path
}

function* make(path: string): Program<'made' | 'there' | 'failed'> {
  const place = yield* placeOf(path)
  if ((yield* status(directoryOf(place))) === null) return 'failed'
  const made = (yield { op: 'create', path: place, text: '', mode: 0o666 }) as Reply<unknown>
  return made.ok ? 'made' : made.code === 'EEXIST' ? 'there' : 'failed'
}

const held = (file: number | null): Holding | null => (file === null ? null : { owner: '', file })

export const legacyAdvisory: Form = {
  *acquire({ path }: Session): Program<Holding | null> {
    const found = yield* follow(path)
    if ((found === null || found === 'dangling') && (yield* make(path)) === 'there') {
      // It came in between, and is emptied.
      const file = yield* open(path)
      if (file !== null) yield { op: 'overwrite', file, text: '', timesMs: null }
      if (file !== null) yield { op: 'drop', file }
    }
    return held(yield* lock(path))
  },

  *refresh(): Program {},

  *release({ path }, { file }): Program {
    yield { op: 'drop', file }
    yield* remove(path)
  },
}

export const advisory2026: Form = {
  *acquire({ path }: Session): Program<Holding | null> {
    if ((yield* make(path)) === 'failed') return null
    const before = yield* follow(path)
    if (before === null || before === 'dangling') return null
    const file = yield* lock(path)
    if (file === null) return null
    const after = yield* follow(path)
    if (after !== null && after !== 'dangling' && after.status.ino === file) return held(file)
    yield { op: 'drop', file }
    return null
  },

  *refresh(): Program {},

  *release(_, { file }): Program {
    yield { op: 'drop', file }
  },
}
