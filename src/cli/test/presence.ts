/**
 * The presence record: a small file in the directory under test by which running testers know of each other, whatever the
 * locks themselves say. Its owner rewrites it every second while it lives, and removes it at the end.
 *
 * A record says what its owner *claims*: published before the locks are tried, brought up to date before any other record
 * is judged, emptied before the locks are released. So of two that hold the same lock at least the later one sees the other.
 * No time stamp is written or compared: that a record's owner lives is seen from its beat counter moving (see neighbours.ts).
 *
 * What it does not promise: a record that cannot be written never stops the test; it is said once.
 */

import { constants, type Dirent } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomName } from '../../drivers/identity.js'
import { Lane } from '../../drivers/lane.js'
import { giveMode } from '../../drivers/permissions.js'
import { runCalls } from '../../drivers/run.js'
import { fileSystemError } from '../../advice/file-system-error.js'
import { fileSystemAt } from '../../drivers/mount-info.js'
import { inDirectory } from '../../mounts/directories.js'
import { ask, type Protocol, type Reply } from '../../protocol/operations.js'
import { printable } from '../../log/printable.js'
import { bounded, codeOf, endsWithin, listSome } from '../shared/bounded.js'
import { type Identity, ownIdentity } from '../shared/identity.js'

export const BEAT_MS = 1000

/** What the owner says of one lock: `trying` before it knows, `held` while it is certain to hold it. */
export type Claim = 'trying' | 'held'

export interface PresenceRecord extends Identity {
  version: 1
  id: string
  /** Keys are the locks' paths relative to the directory under test: nodes may have it mounted at different places. */
  claims: Record<string, Claim>
  beat: number
}

/** Always this long, so that an overwrite in place replaces all of the record before it. */
const RECORD_BYTES = 4096
/**
 * Names and records that are looked at: other users may put any number into a shared directory, and a look comes five times
 * in a second.
 */
const NAMES_MAX = 5000
const RECORDS_MAX = 200
const NAME = /^\.locktester-[\w.-]{1,64}-\d+-[0-9a-f]{16}\.json$/

export class Presence {
  readonly #directory: string
  readonly #record: PresenceRecord
  /** Held locks, each with the question whether it still is: asked anew for every beat, for a lock can be lost. */
  readonly #held = new Map<string, () => boolean>()
  readonly #onFailure: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined
  /** The last file operation: they follow each other, so that a dead mount gets hold of one pool thread only. */
  #last: Promise<unknown> = Promise.resolve()
  #beating = false
  #failed = false
  #ended = false

  constructor(directory: string, onFailure: (error: unknown) => void) {
    this.#directory = directory
    this.#record = { version: 1, beat: 0, id: randomName(), ...ownIdentity(), claims: {} }
    this.#onFailure = onFailure
  }

  /** Announces the locks that are about to be tried, and starts to beat. */
  async publish(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#record.claims[path] = 'trying'
    await this.#tell(() => this.#create(this.#path))
    this.#timer = setInterval(() => {
      if (!this.#beating) void this.#tell(() => this.#beat())
    }, BEAT_MS)
  }

  /** The lock is ours, as long as `isHeld` says so. Resolves once others can read it. */
  async acquired(path: string, isHeld: () => boolean): Promise<void> {
    this.#held.set(path, isHeld)
    await this.#tell(() => this.#beat())
  }

  /** The lock is not ours and will not be. */
  async givenUp(path: string): Promise<void> {
    delete this.#record.claims[path]
    await this.#tell(() => this.#beat())
  }

  /** Before the locks are released: a process that gets them then must not read that we hold them. */
  async withdraw(): Promise<void> {
    this.#held.clear()
    this.#record.claims = {}
    await this.#tell(() => this.#beat())
  }

  /** Stops beating and removes the record. @returns false if that had not ended within `limitMs` */
  async remove(limitMs: number): Promise<boolean> {
    clearInterval(this.#timer)
    const removed = this.#inTurn(() => unlink(this.#path))
    this.#ended = true
    return endsWithin(limitMs, removed)
  }

  /** All records but our own, read anew. */
  others(): Promise<Found[]> {
    return bounded(
      this.#directory,
      this.#inTurn(() => this.#readAll()),
    )
  }

  get #path(): string {
    return join(this.#directory, fileName(this.#record, this.#record.id))
  }

  async #readAll(): Promise<Found[]> {
    await this.#changeDirectory()
    const found: Found[] = []
    const { entries } = await listSome(this.#directory, NAMES_MAX)
    for (const { name } of entries.filter(isRecord).slice(0, RECORDS_MAX)) {
      const file = join(this.#directory, name)
      if (file !== this.#path) found.push(...(await readRecord(file).catch(() => [])))
    }
    return found
  }

  /**
   * A change of our own goes before the listing: an NFS client may otherwise answer from a listing made before the other
   * one's record was there. Where we may not write, the listing must do as it is.
   */
  async #changeDirectory(): Promise<void> {
    const file = changeOf(this.#path)
    await open(file, 'wx', 0o600).then(
      (handle) => handle.close(),
      () => {},
    )
    await unlink(file).catch(() => {})
  }

  /** Runs after the operation before it, unless we are through. */
  #inTurn<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#ended) return Promise.reject(new Error('the presence record is removed'))
    const result = this.#last.then(operation)
    this.#last = result.catch(() => {})
    return result
  }

  /** A change of the record. Its failure is told once and never passed on; its wait is bounded, the operation itself is not. */
  async #tell(change: () => Promise<void>): Promise<void> {
    this.#beating = true
    const done = this.#inTurn(change).finally(() => {
      this.#beating = false
    })
    await bounded(this.#path, done).catch((error: unknown) => {
      if (!this.#failed && !this.#ended) this.#onFailure(error)
      this.#failed = true
    })
  }

  /** Overwritten in place and by name: a new open sees it on every file system, and no descriptor pins the mount. */
  async #beat(): Promise<void> {
    this.#record.beat++
    for (const [path, isHeld] of this.#held) {
      if (isHeld()) this.#record.claims[path] = 'held'
      else delete this.#record.claims[path]
    }
    const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK, O_DSYNC } = constants
    try {
      await this.#write(this.#path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | (O_DSYNC ?? 0))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      await this.#create(this.#path) // another process took a long pause of ours for the end
    }
  }

  async #create(path: string): Promise<void> {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    try {
      await this.#write(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
    } catch (error) {
      // Half written, or more users may write to it than to the directory. Its name is used once.
      await unlink(path).catch(() => {})
      throw error
    }
  }

  async #write(path: string, flags: number): Promise<void> {
    // The counter stands at both ends: what was read in the middle of a write does not agree with itself.
    const text = JSON.stringify({ ...this.#record, check: this.#record.beat })
    const handle = await open(path, flags, 0o644)
    try {
      // Readable for all, against any umask: another user's tester must be able to say whose this one is.
      if (flags & constants.O_CREAT) await runCalls(giveMode(handle.fd, 0o644, path), new Lane())
      await handle.write(Buffer.from(text.padEnd(RECORD_BYTES - 1).concat('\n')), 0, null, 0)
    } finally {
      await handle.close()
    }
  }
}

/** A file with a record's name, as it was read. */
export interface Found {
  file: string
  /** `null`: not a whole record. It is being written, or its owner was killed just then. */
  record: PresenceRecord | null
  /** The owner of the file, which may differ from what the record says. */
  fileUid: number
}

/** Removes what a dead instance has left. */
export async function removeRecord(file: string): Promise<void> {
  const removed = await inDirectory(dirname(file), removeBoth(file, changeOf(file)))
  if (removed.ok) return
  const { code: errno, error: cause } = removed
  throw fileSystemError({ action: 'remove', path: file, errno, fileSystem: fileSystemAt(file), cause })
}

/**
 * In the same directory, whatever its path leads to by now. The second one is there if its owner was killed in the middle of
 * a look.
 */
function* removeBoth(record: string, change: string): Protocol<Reply<void>> {
  const removed = yield* ask.unlink(record)
  yield* ask.unlink(change)
  return removed
}

function isRecord(entry: Dirent): boolean {
  return NAME.test(entry.name) && !entry.isSymbolicLink()
}

function fileName({ host, pid }: Identity, random: string): string {
  return `.locktester-${host.replace(/[^\w.-]/g, '_').slice(0, 64) || '_'}-${pid}-${random}.json`
}

/** The short-lived file by which a record's owner changes the directory. */
function changeOf(record: string): string {
  return record.replace(/json$/, 'look')
}

/** None if it is no regular file. O_NONBLOCK: the name may be a FIFO's. */
async function readRecord(file: string): Promise<Found[]> {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants
  const handle = await open(file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  try {
    const status = await handle.stat()
    if (!status.isFile()) return []
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(RECORD_BYTES), 0, RECORD_BYTES, 0)
    return [{ file, record: parseRecord(buffer.toString('utf8', 0, bytesRead)), fileUid: status.uid }]
  } finally {
    await handle.close()
  }
}

/** Others may write what they like into it: every field is checked, and no control character reaches a terminal. */
function parseRecord(text: string): PresenceRecord | null {
  let raw: Record<string, unknown>
  try {
    raw = JSON.parse(text)
  } catch {
    return null // torn, or not ours
  }
  if (raw === null || typeof raw !== 'object' || raw.version !== 1) return null
  const { pid, uid, beat, check } = raw
  const [id, host] = [word(raw.id), word(raw.host)]
  if (id === null || host === null || !isCount(pid) || pid === 0 || !isCount(beat) || beat !== check) return null
  return {
    version: 1,
    id,
    host,
    pid,
    bootId: word(raw.bootId),
    pidNamespace: word(raw.pidNamespace),
    startTime: word(raw.startTime),
    timeNamespace: word(raw.timeNamespace),
    userNamespace: word(raw.userNamespace),
    uid: isCount(uid) ? uid : -1,
    user: word(raw.user),
    claims: claimsOf(raw.claims),
    beat,
  }
}

function claimsOf(raw: unknown): Record<string, Claim> {
  const claims: Record<string, Claim> = Object.create(null)
  if (raw === null || typeof raw !== 'object') return claims
  for (const [path, claim] of Object.entries(raw)) {
    if (claim === 'trying' || claim === 'held') claims[path] = claim
  }
  return claims
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function word(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? printable(value.slice(0, 255)) : null
}
