/**
 * Locks that Workbench and RStudio Server respect too: ours first (`inner.ts`), which keeps our processes apart, then theirs
 * at the public path (`outer.ts`), which keeps their sessions out; given back in the opposite order.
 *
 * What is promised: among our processes everything that link-based locks promise. Against sessions, exclusion as good as theirs
 * among themselves: of the 2026 form by its claims; the legacy form has two races of its own, which a holder notices
 * (`LockLostError`, reason `reaped`). A lease of both: `remainingMs` is the smaller one, and the heartbeat thread renews both.
 */

import { join } from 'node:path'
import type { DirectoryFacts } from '../drivers/file-system.js'
import { runAsynchronously, type Work } from '../drivers/work.js'
import type { LinkLocksOptions } from '../link/link-locks.js'
import { lockPath } from '../lock-type/lock-path.js'
import type { Locks } from '../lock-type/lock-type.js'
import type { Ground } from '../drivers/ground.js'
import { Directories, groundAt, realPath } from '../mounts/directories.js'
import type { Inspection } from '../types.js'
import { InnerLock } from './inner.js'
import { inspectLock } from './inspection.js'
import type { WorkbenchHold } from './keeping.js'
import { type Names, namesOf } from './names.js'
import { WorkbenchLockable } from './lockable.js'

export interface WorkbenchLocksOptions {
  link: LinkLocksOptions
  useSymlinks: boolean
  /** Also keep sessions with `lock-type=advisory` out. */
  advisory: boolean
  /** Their `timeout-interval`. */
  timeoutMs: number
}

export class WorkbenchLocks implements Locks {
  readonly #options: WorkbenchLocksOptions
  readonly #directories = new Directories()
  readonly #inner = new Map<string, InnerLock>()
  readonly #held = new Set<WorkbenchHold>()

  constructor(options: WorkbenchLocksOptions) {
    this.#options = options
  }

  *at(path: string): Work<WorkbenchLockable> {
    const parts = lockPath(path)
    const { names, facts } = yield* this.#look(path)
    const ground = yield* groundOf(names)
    const inner = this.#innerOf(names, facts, ground)
    const { useSymlinks, advisory, timeoutMs } = this.#options
    return new WorkbenchLockable({
      path: parts.path,
      names,
      facts,
      ground,
      inner,
      useSymlinks,
      advisory,
      timeoutMs,
      held: this.#held,
    })
  }

  *#look(path: string): Work<{ names: Names; facts: DirectoryFacts }> {
    const { directory, name } = lockPath(path)
    const facts = yield* this.#directories.look(directory)
    return { names: namesOf(join((yield* realPath(directory)) ?? directory, name)), facts }
  }

  #innerOf(names: Names, facts: DirectoryFacts, ground: Ground | null): InnerLock {
    let inner = this.#inner.get(names.path)
    if (inner === undefined) {
      inner = new InnerLock(names, this.#options.link, { facts, ground })
      this.#inner.set(names.path, inner)
    }
    return inner
  }

  async inspect(path: string): Promise<Inspection> {
    const { names, facts } = await runAsynchronously(this.#look(path))
    const ground = await runAsynchronously(groundOf(names))
    const own = await this.#innerOf(names, facts, ground).inspect()
    return await inspectLock({ path: lockPath(path).path, names, facts, timeoutMs: this.#options.timeoutMs }, own)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#held].map((hold) => hold.end('closed')))
    await Promise.all([...this.#inner.values()].map((inner) => inner.settled()))
  }
}

/**
 * Of all that it lies in. What lies in a directory that others may write to could be swapped too, where that one itself could
 * not: a directory of claims, for example.
 */
function* groundOf({ base, directory }: Names): Work<Ground | null> {
  const around = yield* groundAt(base)
  if (around !== null || base === directory || (yield* groundAt(directory)) === null) return around
  return { path: base, mayLeadElsewhere: false, from: base, below: [] }
}
