/**
 * An advisory lock of both system calls: flock, then fcntl, on one inode. Programs that use either are kept out, be it flock(1),
 * Workbench, or another version of this package. Each of ours takes flock first, so ours exclude each other also where one of
 * them cannot take fcntl, because it may only read the file, or because that is executed. Where both calls are one lock (NFS,
 * GlusterFS) the second is refused because of the first, and flock alone keeps out programs that use either. On SMB both are one
 * lock as well, and there it is fcntl alone: see `unsafe-flock.ts`.
 */

import type { DirectoryFacts } from '../drivers/file-system.js'
import type { LostReason } from '../errors.js'
import type { AdvisoryCall, AdvisoryKind } from '../types.js'
import { type AdvisoryHold, tryAdvisory, type AdvisoryOptions, tryAdvisorySync, ROUNDS_MAX } from './advisory.js'
import { refuseFcntlInWorker, refuseFcntlSync } from './fcntl.js'
import { mayNotBeWritten, replacedError } from './lock-file.js'
import { knownToBeOne } from './one-lock.js'

/** Which calls a lock of that kind is made of there, as far as that is known. */
export function callsOf(kind: AdvisoryKind, facts: DirectoryFacts): readonly AdvisoryCall[] {
  // A kind that names flock is refused there; to ask whether flock is free would end the lock of another process.
  if (facts.breaksFlock) return ['fcntl']
  if (kind !== 'both') return [kind]
  return knownToBeOne(facts) === true ? ['flock'] : ['flock', 'fcntl']
}

interface Options extends Omit<AdvisoryOptions, 'kind'> {
  /** Finds out whether both calls are one lock there: asked where the second is refused. */
  areOne(): Promise<boolean>
}

/** One attempt with those calls, without waiting for a holder. @throws what {@link tryAdvisory} throws */
export async function tryCalls(path: string, calls: readonly AdvisoryCall[], options: Options): Promise<AdvisoryHold | 'busy'> {
  const [kind = 'flock', second] = calls
  return second === undefined ? await tryAdvisory(path, { ...options, kind }) : await tryBoth(path, options)
}

/** The same with blocking calls, which have no fcntl. */
export function tryCallsSync(
  path: string,
  calls: readonly AdvisoryCall[],
  options: Omit<Options, 'areOne'>,
): AdvisoryHold | 'busy' {
  return calls.includes('fcntl') ? refuseFcntlSync(path) : tryAdvisorySync(path, { ...options, kind: 'flock' })
}

async function tryBoth(path: string, options: Options): Promise<AdvisoryHold | 'busy'> {
  refuseFcntlInWorker(path)
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const flock = await tryAdvisory(path, { ...options, kind: 'flock' })
    if (flock === 'busy') return 'busy'
    const hold = await addFcntl(path, flock, options)
    if (hold !== 'replaced') return hold
  }
  throw replacedError(path)
}

/** What was taken is given back unless it becomes a hold. */
async function addFcntl(path: string, flock: AdvisoryHold, options: Options): Promise<AdvisoryHold | 'busy' | 'replaced'> {
  // The kernel executes no file that a process may write to, and an exclusive fcntl lock needs that: a script may lock itself.
  if (flock.isExecutable === true && !options.shared) return flock
  let fcntl: AdvisoryHold | 'busy'
  try {
    fcntl = await tryAdvisory(path, { ...options, kind: 'fcntl' })
  } catch (error) {
    if (mayNotBeWritten(error)) return flock
    await flock.release().catch(() => {}) // the first error is the one to tell
    throw error
  }
  if (fcntl === 'busy') return (await isRefusedByOurOwn(flock, options)) ? flock : 'busy'
  const both = new BothHold(flock, fcntl)
  if (flock.dev === fcntl.dev && flock.ino === fcntl.ino) return both
  await both.release()
  return 'replaced'
}

/** Where both are one lock, and flock is ours, no other process has either. Otherwise flock is given back. */
async function isRefusedByOurOwn(flock: AdvisoryHold, { areOne }: Options): Promise<boolean> {
  const isOurOwn = await areOne().catch(async (error) => {
    await flock.release().catch(() => {}) // the first error is the one to tell
    throw error
  })
  if (!isOurOwn) await flock.release()
  return isOurOwn
}

export class BothHold implements AdvisoryHold {
  readonly path: string
  readonly dev: number
  readonly ino: number
  readonly #flock: AdvisoryHold
  readonly #fcntl: AdvisoryHold

  constructor(flock: AdvisoryHold, fcntl: AdvisoryHold) {
    this.path = flock.path
    this.dev = flock.dev
    this.ino = flock.ino
    this.#flock = flock
    this.#fcntl = fcntl
  }

  /** flock last: it is what keeps others of ours from the first step. */
  async release(): Promise<void> {
    try {
      await this.#fcntl.release()
    } finally {
      await this.#flock.release()
    }
  }

  releaseSync(): void {
    try {
      this.#fcntl.releaseSync()
    } finally {
      this.#flock.releaseSync()
    }
  }

  readonly mayEndUnnoticed = true

  async look(): Promise<LostReason | null> {
    return (await this.#flock.look()) ?? (await this.#fcntl.look())
  }

  lookSync(): LostReason | null {
    return this.#flock.lookSync() ?? this.#fcntl.lookSync()
  }
}
