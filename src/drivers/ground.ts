/**
 * Whose ground a directory is. Names are removed and renamed by path, and a path means what the owners of the directories on
 * it make it mean: a user that may rename one of them can put a symbolic link in its place between two calls. Where other users
 * than this one and root could do that, work goes through descriptors (`footing.ts`).
 */

import type { BigIntStats, Stats } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Calls } from './calls.js'
import { STICKY, WRITABLE_FOR_OTHERS } from './permissions.js'

/**
 * Which file or directory it is: device and inode number, exactly. Numbers of 64 bits would be rounded to those of
 * neighbours.
 */
export type Identity = string

export const identityOf = ({ dev, ino }: BigIntStats): Identity => `${dev}:${ino}`

/** A directory in which other users could swap what work is done in. */
export interface Ground {
  /** As the work names it. */
  readonly path: string
  /** Other users can make its path lead to another directory. */
  readonly mayLeadElsewhere: boolean
  /** The directory is reached from this one, which no other user can swap, through `below`: one by one, none of them a link. */
  readonly from: string
  readonly below: readonly string[]
}

/** Where its path really led. */
export const placeOf = ({ from, below }: Ground): string => join(from, ...below)

/** As many as the kernel follows. */
const SYMLINKS_MAX = 40

/** `null`: no user but this one and root can swap anything there, and plain paths will do. */
export function* groundOf(directory: string): Calls<Ground | null> {
  const isTrusted = trust()
  if (isTrusted === null) return null
  const { real, steps, mayLeadElsewhere } = yield* resolveLinks(directory, isTrusted)
  const swappable = steps.findIndex(({ isReplaceable }) => isReplaceable)
  if (swappable !== -1) {
    const names = steps.map(({ name }) => name)
    return { path: directory, mayLeadElsewhere, from: `/${names.slice(0, swappable).join('/')}`, below: names.slice(swappable) }
  }
  const { uid, mode } = (yield ['lstat', `${real}/.`]) as Stats
  const isShared = !isTrusted(uid) || (mode & WRITABLE_FOR_OTHERS) !== 0
  return isShared || mayLeadElsewhere ? { path: directory, mayLeadElsewhere, from: real, below: [] } : null
}

export function* realPathOf(directory: string): Calls<string | null> {
  try {
    return (yield ['realpath', directory]) as string
  } catch {
    return null
  }
}

type Trust = (uid: number) => boolean

/**
 * `null` where files have no owners. An access ACL needs no look of its own: whatever it grants shows in the bits of
 * the group.
 */
function trust(): Trust | null {
  const own = process.geteuid?.()
  return own === undefined ? null : (uid) => uid === 0 || uid === own
}

interface Step {
  name: string
  /** Another user could put something else in its place. */
  isReplaceable: boolean
}

/**
 * The directories that a path leads through once all its links are followed; also those that the links lie in are asked
 * whose they are.
 */
function* resolveLinks(path: string, isTrusted: Trust): Calls<{ real: string; steps: Step[]; mayLeadElsewhere: boolean }> {
  let names = resolve(path).split('/').filter(Boolean)
  let at = '/'
  let parent = (yield ['lstat', at]) as Stats
  let steps: Step[] = []
  let mayLeadElsewhere = false
  for (let links = 0; names.length > 0;) {
    const [name = '', ...rest] = names
    const next = join(at, name)
    const entry = (yield ['lstat', next]) as Stats
    const isReplaceable = canReplace(parent, entry, isTrusted)
    mayLeadElsewhere ||= isReplaceable
    if (!entry.isSymbolicLink()) {
      steps.push({ name, isReplaceable })
      ;[at, parent, names] = [next, entry, rest]
      continue
    }
    if (++links > SYMLINKS_MAX) throw Object.assign(new Error(`ELOOP: ${path}`), { code: 'ELOOP', syscall: 'readlink' })
    const target = resolve(at, (yield ['readlink', next]) as string)
    names = [...target.split('/').filter(Boolean), ...rest]
    ;[at, parent, steps] = ['/', (yield ['lstat', '/']) as Stats, []]
  }
  return { real: at, steps, mayLeadElsewhere }
}

/** The owner of a directory can rename whatever is in it; in a sticky one the others can rename what is theirs. */
function canReplace(parent: Stats, entry: Stats, isTrusted: Trust): boolean {
  if (!isTrusted(parent.uid)) return true
  if ((parent.mode & WRITABLE_FOR_OTHERS) === 0) return false
  return (parent.mode & STICKY) === 0 || !isTrusted(entry.uid)
}
