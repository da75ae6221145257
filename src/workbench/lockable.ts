/** One public path, ready to be tried: our own lock, then theirs. Whatever was begun and not completed is given back. */

import { lockKept, lockOpened } from '../advisory/fcntl.js'
import { lockError } from '../advisory/lock-file.js'
import { readClock } from '../drivers/clock.js'
import type { DirectoryFacts } from '../drivers/file-system.js'
import type { Ground } from '../drivers/ground.js'
import { runProtocol, runProtocolBlocking } from '../drivers/run.js'
import { eitherWay, type Work } from '../drivers/work.js'
import { fileSystemError } from '../advice/file-system-error.js'
import { ForeignLockError, type MountlockError } from '../errors.js'
import type { Hold, Lockable, TryOptions, TryOutcome, WaitStyle } from '../lock-type/lock-type.js'
import { footingOn } from '../mounts/directories.js'
import { type Mount, mountOfDevice } from '../mounts/mount.js'
import { ask, type Protocol } from '../protocol/operations.js'
import type { InnerLock } from './inner.js'
import { paceOf, WorkbenchHold } from './keeping.js'
import type { Names } from './names.js'
import { abandon, keptFile, type Locked, type Prepared, prepare, publish, type Refused, type Terms } from './outer.js'
import {
  EMPTY_FILE,
  refuseOthersDirectory,
  refuseOthersChoice,
  refuseWithoutFcntl,
  refuseWithoutFcntlSync,
  warnOfClocks,
} from './refusals.js'

export interface Parts {
  /** As the caller named it. */
  path: string
  names: Names
  facts: DirectoryFacts
  /** Where other users could swap what all of it lies in. */
  ground: Ground | null
  inner: InnerLock
  useSymlinks: boolean
  advisory: boolean
  timeoutMs: number
  held: Set<WorkbenchHold>
}

/** The kernel tells that there is a lock, and on a network not whose. */
const BY_FCNTL = 'a process that has locked the file with fcntl, probably a session of Workbench with lock-type=advisory'

const FASTER: Refused = { kind: 'busy', holder: 'another process, which was faster' }
/** What lay there is gone, or something else than a file. */
const REPLACED = new Set(['ENOENT', 'ENOTDIR', 'ESTALE', 'ELOOP', 'EINVAL'])

type Release = () => Promise<void>
type Refusal = Extract<TryOutcome, { kind: 'busy' }>

export class WorkbenchLockable implements Lockable {
  readonly key: string
  readonly #parts: Parts
  readonly #mount: Mount
  readonly #terms: Terms
  #isEntered = false

  constructor(parts: Parts) {
    const { names, facts, ground, useSymlinks, timeoutMs, advisory } = parts
    this.#parts = parts
    this.#mount = mountOfDevice(facts.dev)
    this.#terms = { names, useSymlinks, timeoutMs, pid: process.pid, locksFirst: advisory, isShared: ground !== null }
    this.key = `workbench:${names.path}`
  }

  get path(): string {
    return this.#parts.path
  }

  get waitStyle(): WaitStyle {
    return { isLocal: this.#parts.facts.coherent }
  }

  get ground(): Ground | null {
    return this.#parts.ground
  }

  readonly hasTickets = false

  /** One of theirs is released without a sign; and each try of ours would show as a release of our own lock. */
  line(): null {
    return null
  }

  *tryTake(options: TryOptions): Work<TryOutcome> {
    const { inner, names, advisory, path } = this.#parts
    if (advisory) {
      yield* eitherWay<void>(
        () => refuseWithoutFcntlSync(path),
        async () => refuseWithoutFcntl(path),
      )
    }
    yield* this.#run(() => refuseOthersDirectory(names.directory))
    refuseOthersChoice(names.directory, { ...this.#parts })
    if (!this.#isEntered) inner.enter()
    this.#isEntered = true
    const own = yield* inner.tryTake(options)
    // There is no line: a generation of our own lock says nothing of theirs.
    if (own.kind === 'busy') return { ...own, generation: null }
    if (own.kind !== 'acquired') return own
    try {
      const outcome = options.wanted() ? yield* this.#takeOuter(own.hold) : ({ kind: 'cancelled' } as const)
      if (outcome instanceof WorkbenchHold) return { ...own, hold: outcome, isWaitedFor: null }
      yield* own.hold.release()
      return outcome
    } catch (error) {
      yield* givenBack(own.hold)
      throw error
    }
  }

  /** Its caller tries no more. What is held leaves when it is released. */
  leave(): Work<void> {
    const wasEntered = this.#isEntered
    this.#isEntered = false
    return wasEntered ? this.#parts.inner.leave() : nothing()
  }

  *#run<Result>(protocol: () => Protocol<Result>): Work<Result> {
    return yield* eitherWay(
      () => runProtocolBlocking(protocol(), undefined, footingOn(this.ground)),
      () => runProtocol(protocol(), this.#mount.lane, undefined, footingOn(this.ground)),
    )
  }

  *#takeOuter(own: Hold): Work<WorkbenchHold | Refusal> {
    const beganMs = readClock().ownMs
    const first = yield* this.#run(() => prepare(this.#terms, null))
    if (first.kind === 'prepared') return yield* this.#complete(own, first, null, beganMs)
    if (first.kind !== 'to-lock') return this.#refuse(first)
    const before = yield* this.#lock(first.file)
    if (typeof before !== 'function') return before
    try {
      const second = yield* this.#run(() => prepare(this.#terms, first.file))
      if (second.kind === 'prepared') return yield* this.#complete(own, second, before, beganMs)
      yield* give(before)
      return this.#refuse(second)
    } catch (error) {
      yield* give(before)
      throw error
    }
  }

  /** What lies there: a process that opened it before it is replaced must find it locked, until the end. */
  *#lock({ path, identity }: Locked): Work<Release | Refusal> {
    const opened = yield* this.#run(() => ask.keep(path))
    if (!opened.ok) return this.#refuse(REPLACED.has(opened.code) ? FASTER : { ...opened, kind: 'failed', action: 'open', path })
    const { names } = this.#parts
    const lock = async () =>
      await lockOpened(names.path, opened.value, this.#mount.lane).catch((error: unknown) => {
        throw this.#fcntlError(error)
      })
    const release = yield* eitherWay(() => refuseWithoutFcntlSync(this.#parts.path), lock)
    if (release === 'busy') return this.#refuse({ kind: 'busy', holder: BY_FCNTL })
    if (`${opened.value.dev}:${opened.value.ino}` === identity) return release
    yield* give(release)
    return this.#refuse(FASTER)
  }

  *#complete(own: Hold, prepared: Prepared, before: Release | null, beganMs: number): Work<WorkbenchHold | Refusal> {
    const { advisory, timeoutMs, held, path } = this.#parts
    const { owner } = prepared
    const unlock = advisory ? yield* this.#lockPrepared(prepared) : async () => {}
    const afterClose = async () => {
      await unlock()
      await before?.()
    }
    const published = yield* this.#run(() => publish(this.#terms, prepared))
    if (published.kind !== 'published') {
      yield* eitherWay<void>(() => void unlock(), unlock)
      return this.#refuse(published)
    }
    warnOfClocks(path, prepared.held.serverMs, timeoutMs)
    const kept = keptFile(this.#terms, prepared, advisory)
    const { inner } = this.#parts
    inner.enter()
    const hold: WorkbenchHold = new WorkbenchHold(own, { file: kept, owner, afterClose, beganMs }, this.#mount, {
      ...paceOf(timeoutMs),
      ground: this.ground,
      leave: () => {
        held.delete(hold)
        return inner.leave()
      },
    })
    held.add(hold)
    // A session that ends removes its directory just after it has released the lock.
    yield* eitherWay<void>(
      () => hold.lookBlocking(),
      () => hold.look(),
    )
    if (hold.lostReason() === null) return hold
    yield* hold.release()
    return { kind: 'busy', holder: 'a process that removed or replaced the file of ours at once', owner: null, generation: null }
  }

  *#lockPrepared(prepared: Prepared): Work<() => Promise<void>> {
    const { names, path } = this.#parts
    const unlock = yield* eitherWay(
      () => refuseWithoutFcntlSync(path),
      async () =>
        await lockKept(names.path, prepared.held, this.#mount.lane).catch(async (error: unknown) => {
          await runProtocol(abandon(this.#terms, prepared), this.#mount.lane, undefined, footingOn(this.ground))
          throw this.#fcntlError(error)
        }),
    )
    return unlock
  }

  #fcntlError(error: unknown): unknown {
    return lockError(this.#parts.path, error, 'fcntl', this.#parts.facts.fileSystem)
  }

  #failed({ action, path, code: errno, error: cause }: Extract<Refused, { kind: 'failed' }>): MountlockError {
    return fileSystemError({ action, path, errno, fileSystem: this.#parts.facts.fileSystem, cause })
  }

  #refuse(refused: Refused): Refusal {
    const { path } = this.#parts
    switch (refused.kind) {
      case 'busy':
        return { kind: 'busy', holder: refused.holder, owner: null, generation: null }
      case 'to-lock':
        return this.#refuse(FASTER)
      case 'advisory':
        throw new ForeignLockError(path, EMPTY_FILE, 'Use `workbench: true`, with an asynchronous call in the main thread.')
      case 'foreign':
        throw new ForeignLockError(path, `${refused.what}, and no lock of Workbench`, 'It is left alone: choose another path.')
      case 'failed':
        throw this.#failed(refused)
    }
  }
}

function* nothing(): Work<void> {}

/** Where something else has failed before, that is the error to tell. */
function* givenBack(hold: Hold): Work<void> {
  try {
    yield* hold.release()
  } catch {
    // It is being settled.
  }
}

function* give(release: Release): Work<void> {
  yield* eitherWay<void>(() => void release(), release)
}
