/** One look: every lock that is found, with its holder and its waiters, and every other process that has a session there. */

import { dirname, join } from 'node:path'
import { Lane } from '../../drivers/lane.js'
import { runProtocol } from '../../drivers/run.js'
import { createLocker } from '../../locker/locker.js'
import { ask } from '../../protocol/operations.js'
import { decodeRecord, type SessionRecord } from '../../protocol/record.js'
import type { Holder, Inspection, Locker, LockerOptions, LockType, WaitingProcess } from '../../types.js'
import { type WorkbenchPath, publicPathOf } from '../../workbench/places.js'
import { bounded, codeOf } from '../shared/bounded.js'
import { lifeOf } from '../shared/identity.js'
import { type FoundLock, LockFinder, type Unread } from './find-locks.js'
import { LockedFiles } from './kernel-tables.js'
import { reasonOf } from './reason.js'
import { WorkbenchLooker, type WorkbenchStatus } from './look-workbench.js'

/** A lock as it is shown. */
export interface LockStatus {
  path: string
  lockType: LockType
  state: Inspection['state']
  /** Why the state is unknown. */
  reason: string | null
  token: bigint | null
  holder: Holder | null
  /** In the order in which it will be left to them. */
  waiters: WaitingProcess[]
}

/** A living process that uses locks of a directory and holds none of those found there. */
export interface Bystander {
  directory: string
  host: string
  pid: number
  user: string | null
  label: string
  /** It has a ticket of one of them. `null`: it has none, and one that waits with blocking calls has none either. */
  isWaiting: true | null
}

export interface Look {
  locks: LockStatus[]
  /** Workbench's own locks. */
  workbench: WorkbenchStatus[]
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
  readonly #workbench: WorkbenchLooker

  /** @param options.timeoutMs by which Workbench's own locks get old */
  constructor({ paths, depthMax, timeoutMs }: { paths: readonly string[]; depthMax: number; timeoutMs?: number }) {
    this.#paths = paths
    this.#depthMax = depthMax
    this.#workbench = new WorkbenchLooker(timeoutMs)
  }

  /** @throws UsageError */
  async look(): Promise<Look> {
    const finder = new LockFinder(this.#depthMax, await LockedFiles.read())
    for (const path of this.#paths) await finder.find(path)
    const { unread, withoutMarker } = finder
    unread.push(...withoutMarker)
    const silent = new Silent()
    const locks = await silent.ask([...finder.locks.values()], (found) => this.#inspect(found), unread)
    const ours = new Set(locks.filter(({ state }) => state === 'held').map(publicPath))
    const look = (place: WorkbenchPath) => this.#workbench.look(place, ours.has(place.path))
    const theirs = await silent.ask([...finder.workbench.values()], look, unread)
    locks.sort(byPath)
    const workbench = theirs.filter((status) => status !== null).sort(byPath)
    return { locks, workbench, bystanders: await this.#bystanders(finder, locks), unread }
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

  async #bystanders({ sessions, unread }: LockFinder, locks: readonly LockStatus[]): Promise<Bystander[]> {
    const found: Bystander[] = []
    for (const [directory, names] of sessions) {
      const inside = locks.filter(({ path }) => dirname(path) === directory)
      const holders = new Set(inside.map(({ holder }) => nameOf(holder)))
      const waiting = new Set(inside.flatMap(({ waiters }) => waiters.map(nameOf)))
      for (const name of names.slice(0, SESSIONS_MAX)) {
        const session = await readSession(join(directory, name))
        if (session.kind === 'no-answer') {
          unread.push({ path: directory, message: session.message })
          break // it would be waited for again with each file
        }
        if (session.kind === 'none' || holders.has(nameOf(session.record))) continue
        const { host, pid, user, label } = session.record
        const isWaiting = waiting.has(nameOf(session.record)) || null
        found.push({ directory, host, pid, user, label, isWaiting })
      }
    }
    return found
  }
}

/** Directories that have not answered: they would be waited for again with each lock. */
class Silent {
  readonly #directories = new Set<string>()

  /** Asks after each. What has no answer is told as unread. */
  async ask<Asked extends { path: string }, Answer>(
    all: readonly Asked[],
    question: (asked: Asked) => Promise<Answer>,
    unread: Unread[],
  ): Promise<Answer[]> {
    const answers: Answer[] = []
    for (const asked of all) {
      const directory = dirname(asked.path)
      if (this.#directories.has(directory)) continue
      try {
        answers.push(await question(asked))
      } catch (error) {
        unread.push({ path: asked.path, message: reasonOf(error) })
        if (codeOf(error) === 'SERVER_TIMEOUT') this.#directories.add(directory)
      }
    }
    return answers
  }
}

/** Our lock for a path of Workbench's lies in a hidden directory of its own. */
export const publicPath = ({ path }: { path: string }): string => publicPathOf(dirname(path)) ?? path

const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1)

function toStatus(inspection: Inspection): LockStatus {
  const { path, lockType, state, token, waiters } = inspection
  const holder = inspection.state === 'free' ? null : inspection.holder
  const reason = inspection.state === 'unknown' ? inspection.reason : null
  return { path, lockType, state, token, holder, reason, waiters }
}

function nameOf(process: { host: string | null; pid: number | null } | null): string {
  return `${process?.host} ${process?.pid}`
}

/** `none`: it is gone, ended or unreadable: this is for people only. `no-answer`: of its file system, within the bound. */
type SeenSession = { kind: 'living'; record: SessionRecord } | { kind: 'none' } | { kind: 'no-answer'; message: string }

async function readSession(path: string): Promise<SeenSession> {
  try {
    const found = await bounded(path, runProtocol(ask.read(path, true), new Lane()))
    const record = found.ok ? decodeRecord(found.value.text) : null
    const isLiving = record !== null && record.state !== 'ended' && lifeOf(record) !== 'gone'
    return isLiving ? { kind: 'living', record } : { kind: 'none' }
  } catch (error) {
    return { kind: 'no-answer', message: reasonOf(error) }
  }
}
