/** One look: every lock that is found, with who holds it, and every other process that has a session there. */

import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createLocker } from '../../locker.js'
import { decodeRecord, type SessionRecord } from '../../protocol/record.js'
import type { Holder, Inspection, Locker, LockerOptions, LockType } from '../../types.js'
import { bounded } from '../bounded.js'
import { lifeOf } from '../identity.js'
import { messageOf } from '../print.js'
import { type FoundLock, LockFinder, type Unread } from './find-locks.js'

/** A lock as it is shown. */
export interface LockStatus {
  path: string
  lockType: LockType
  state: Inspection['state']
  /** Why the state is unknown. */
  reason: string | null
  token: bigint | null
  holder: Holder | null
}

/** A living process that uses locks of a directory and holds none of those found there: it waits, or it is idle. */
export interface Bystander {
  directory: string
  host: string
  pid: number
  user: string | null
  label: string
}

export interface Look {
  locks: LockStatus[]
  bystanders: Bystander[]
  unread: Unread[]
}

/** Of a directory with more, the rest is left out: reading them takes a round trip each. */
const SESSIONS_MAX = 200

export class Looker {
  readonly #paths: readonly string[]
  readonly #depthMax: number
  /** Kept from look to look: they remember whose heartbeat stands still. */
  readonly #lockers = new Map<string, Locker>()

  constructor({ paths, depthMax }: { paths: readonly string[]; depthMax: number }) {
    this.#paths = paths
    this.#depthMax = depthMax
  }

  /** @throws UsageError */
  async look(): Promise<Look> {
    const finder = new LockFinder(this.#depthMax)
    for (const path of this.#paths) await finder.find(path)
    const { unread } = finder
    const locks: LockStatus[] = []
    for (const found of finder.locks.values()) {
      try {
        locks.push(await this.#inspect(found))
      } catch (error) {
        unread.push({ path: found.path, message: messageOf(error) })
      }
    }
    locks.sort((a, b) => (a.path < b.path ? -1 : 1))
    return { locks, bystanders: await this.#bystanders(finder.sessions, locks), unread }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lockers.values()].map((locker) => locker.close()))
  }

  async #inspect({ path, lockType }: FoundLock): Promise<LockStatus> {
    if (lockType !== 'advisory') return toStatus(await this.#ask(path, { lockType }))
    const flock = toStatus(await this.#ask(path, { lockType, advisoryKind: 'flock' }))
    if (flock.state === 'held') return flock
    const fcntl = toStatus(await this.#ask(path, { lockType, advisoryKind: 'fcntl' }))
    return fcntl.state === 'held' ? fcntl : flock
  }

  #ask(path: string, options: LockerOptions): Promise<Inspection> {
    const key = JSON.stringify(options)
    let locker = this.#lockers.get(key)
    if (locker === undefined) {
      locker = createLocker(options)
      this.#lockers.set(key, locker)
    }
    return bounded(path, locker.inspect(path))
  }

  async #bystanders(sessions: ReadonlyMap<string, string[]>, locks: readonly LockStatus[]): Promise<Bystander[]> {
    const found: Bystander[] = []
    for (const [directory, names] of sessions) {
      const holders = locks.filter(({ path }) => dirname(path) === directory).map(({ holder }) => nameOf(holder))
      for (const name of names.slice(0, SESSIONS_MAX)) {
        const record = await readSession(join(directory, name))
        if (record === null || record.state === 'ended' || lifeOf(record) === 'gone') continue
        const { host, pid, user, label } = record
        if (!holders.includes(nameOf(record))) found.push({ directory, host, pid, user, label })
      }
    }
    return found
  }
}

function toStatus(inspection: Inspection): LockStatus {
  const { path, lockType, state, token } = inspection
  const holder = inspection.state === 'free' ? null : inspection.holder
  return { path, lockType, state, token, holder, reason: inspection.state === 'unknown' ? inspection.reason : null }
}

function nameOf(process: { host: string | null; pid: number | null } | null): string {
  return `${process?.host} ${process?.pid}`
}

/** `null` for what is gone or unreadable: it is for people only. */
async function readSession(path: string): Promise<SessionRecord | null> {
  try {
    return decodeRecord(await bounded(basename(path), readFile(path, 'utf8')))
  } catch {
    return null
  }
}
