/**
 * Keeps our plain locks away from what Workbench and RStudio Server lock themselves. A session of theirs deletes a lock
 * directory of ours at its lock path with all that is in it, under a live holder, and replaces a file that only the kernel has
 * locked. So a path of theirs is refused whatever the lock type, and before anything there is changed; and so is a path at
 * which a lock of theirs lies.
 */

import { wallClockMs } from '../drivers/clock.js'
import { processState } from '../drivers/identity.js'
import { runProtocolBlocking } from '../drivers/run.js'
import { eitherWay, runAsynchronously, type Work } from '../drivers/work.js'
import { ForeignLockError } from '../errors.js'
import { type LockPath, lockPath } from '../lock-type/lock-path.js'
import type { Lockable, Locks, TryOptions, TryOutcome } from '../lock-type/lock-type.js'
import { WrappedLockable } from '../lock-type/wrapped-lockable.js'
import { inDirectory, realPath } from '../mounts/directories.js'
import type { Inspection, LockType } from '../types.js'
import { ageMs, RELEASED_TEXT, TEXT_BYTES_MAX, TIMEOUT_INTERVAL_MS, whatLies } from './format.js'
import { look } from './look.js'
import { LOCK_FILE, LOCKTESTER_FILE, type WorkbenchPath, placeOf, type Purpose } from './places.js'

const PURPOSES: Record<Purpose, string> = {
  session: "for a session's state, as long as the session lives",
  notebooks: 'for its notebooks',
  locktester: 'with its own locktester',
}
const HARM: Record<LockType, string> = {
  linkbased: 'it would delete our lock, and the holder would not be told in time',
  renamebased: 'it would delete our lock, and the holder would not be told in time',
  advisory: 'its link-based locks would replace the file under our lock',
}
const ADVICE = 'Use `workbench: true`, or locktester run --workbench, which takes a lock that both respect; or lock another path.'

/** The path, or what lies there, belongs to Workbench. */
export class WorkbenchGuard implements Locks {
  readonly #locks: Locks
  readonly #lockType: LockType

  constructor(locks: Locks, lockType: LockType) {
    this.#locks = locks
    this.#lockType = lockType
  }

  *at(path: string): Work<Lockable> {
    yield* this.#refusePlace(path)
    const lockable = yield* this.#locks.at(path)
    return this.#lockType === 'advisory' ? lockable : new WrappedLockable(lockable, tryOrExplain)
  }

  async inspect(path: string): Promise<Inspection> {
    await runAsynchronously(this.#refusePlace(path))
    return await this.#locks.inspect(path)
  }

  close(): Promise<void> {
    return this.#locks.close()
  }

  *#refusePlace(path: string): Work<void> {
    const parts = lockPath(path)
    const place = placeOf(parts.path) ?? (NAMES.has(parts.name) ? yield* realPlace(parts) : null)
    if (place === null) return
    const what = `Workbench locks it itself, ${PURPOSES[place.purpose]}: ${HARM[this.#lockType]}`
    throw new ForeignLockError(parts.path, what, ADVICE)
  }
}

/** A path that is refused because of a file or a link says so if that is a lock of theirs. */
function* tryOrExplain(lockable: Lockable, options: TryOptions): Work<TryOutcome> {
  try {
    return yield* lockable.tryTake(options)
  } catch (error) {
    throw error instanceof ForeignLockError ? yield* explain(lockable.path, error) : error
  }
}

function* explain(path: string, refusal: ForeignLockError): Work<ForeignLockError> {
  const looked = yield* eitherWay(
    () => runProtocolBlocking(look(path)),
    () => inDirectory(lockPath(path).directory, look(path)),
  )
  const found = looked.ok ? whatLies(looked.value.seen) : null
  if (found?.kind !== 'link') return refusal
  const what = found.isReleased ? 'a released link-based lock of Workbench' : 'a link-based lock of Workbench'
  return new ForeignLockError(path, `it is probably ${what}, which ours would not exclude`, ADVICE)
}

/** Every path of theirs ends with one of these, through whatever links it is reached. */
const NAMES: ReadonlySet<string> = new Set([LOCK_FILE, LOCKTESTER_FILE])

function* realPlace({ directory, name }: LockPath): Work<WorkbenchPath | null> {
  const real = yield* realPath(directory)
  return real === null ? null : placeOf(`${real}/${name}`)
}

/** What stands in a lock file that was locked by the kernel. */
interface Written {
  text: Uint8Array
  /** Hard links to the file. */
  links: number
  modifiedMs: number
  /** Its holder, if there is one, runs on this machine. */
  isLocal: boolean
}

/**
 * Why an advisory lock on that file is none: it is a link-based lock of theirs, which their processes hold or take over
 * whatever the kernel says. Files of other programs that hold a process id look much the same. So one with a single name counts
 * only without a newline (as the legacy form writes it), while it is young, and while the process may be alive.
 */
export function refusalOfFile(path: string, { text, links, modifiedMs, isLocal }: Written): ForeignLockError | null {
  if (text.length === 0 || text.length > TEXT_BYTES_MAX) return null
  const found = whatLies({ kind: 'file', target: null, text, modifiedMs })
  if (found.kind !== 'link') return null
  const released = found.isReleased && modifiedMs === 0
  const mayLive = () => found.generation === 'legacy' && isYoung(modifiedMs) && !(isLocal && isGone(found.pid))
  if (!released && !(found.pid !== null && (links > 1 || mayLive()))) return null
  const what = released
    ? `it reads ${JSON.stringify(RELEASED_TEXT)}: probably a released link-based lock of Workbench, which its next holder replaces`
    : `it reads ${found.pid} and nothing else: probably a link-based lock of Workbench, which advisory locks do not exclude`
  return new ForeignLockError(path, what, ADVICE)
}

/** By this machine's clock, as their own programs compute it; a time stamp in the future is young. */
const isYoung = (modifiedMs: number) => ageMs(modifiedMs, wallClockMs()) < TIMEOUT_INTERVAL_MS
const isGone = (pid: number | null) => pid !== null && processState(pid, null) === 'gone'
