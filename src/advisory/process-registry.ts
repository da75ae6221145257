/**
 * What the kernel forgets about fcntl locks. They belong to the process: a second lock of the same process is granted,
 * and closing *any* descriptor of the file drops them. So one registry per process (on `globalThis`, which loaded copies
 * of this package share) knows which inodes are locked, and every descriptor of a lock file is closed through it.
 *
 * The rules: a call that sets or closes something on an inode *visits* it, one visit at a time. While an entry holds the
 * inode, nothing else is set, and no descriptor of it is closed: those are *parked*, and closed before the entry goes. Plain
 * data only, since another version of this package may be the one that reads it.
 * Threads do not share `globalThis`: what worker threads do is in `worker-descriptors.ts`.
 */

import { close, closeSync } from 'node:fs'
import type { Lane } from '../drivers/lane.js'

/** A lane as another loaded copy sees it. */
type AnyLane = Pick<Lane, 'run'>

/** One fcntl lock of this process. */
export interface Entry {
  readonly identity: string
  readonly realPath: string
  readonly dev: number
  readonly ino: number
  readonly shared: boolean
  /** How many holds share it; with 0 it is being given back and cannot be joined. */
  holders: number
  /** `null` once a caller has begun to close it. */
  fd: number | null
  /** A read through the descriptor asks the server. */
  readonly asksServer?: boolean
}

interface Parked {
  readonly fd: number
  readonly lane: AnyLane
}

interface Registry {
  readonly byIdentity: Map<string, Entry>
  readonly byRealPath: Map<string, Entry>
  readonly turns: Map<string, Promise<void>>
  readonly parked: Map<string, Parked[]>
}

const KEY = Symbol.for('mountlock.advisory.v1')

const home = globalThis as { [KEY]?: Registry }
home[KEY] ??= { byIdentity: new Map(), byRealPath: new Map(), turns: new Map(), parked: new Map() }
const { byIdentity, byRealPath, turns: visits, parked } = home[KEY]

/** The entry of this inode. By path as well: on some FUSE and SMB mounts inode numbers change from one lookup to the next. */
export function findEntry(identity: string | null, realPath: string | null): Entry | undefined {
  return byIdentity.get(identity ?? '') ?? byRealPath.get(realPath ?? '')
}

/** Closing any descriptor of that file would drop an fcntl lock of this process. */
export function isLockedHere({ dev, ino }: { dev: number; ino: number }): boolean {
  for (const entry of byIdentity.values()) if (entry.dev === dev && entry.ino === ino) return true
  return false
}

export const isAnyLockedHere = (): boolean => byIdentity.size > 0

/** To be called within the visit that has just locked the inode. */
export function addEntry(entry: Entry): void {
  byIdentity.set(entry.identity, entry)
  byRealPath.set(entry.realPath, entry)
}

/** Visits an inode, when earlier visits are over. The result ends the visit. */
export async function visit(identity: string): Promise<() => Promise<void>> {
  for (let current = visits.get(identity); current; current = visits.get(identity)) await current
  return beginVisit(identity)
}

/** Keeps a descriptor open until closing it can do no harm. */
export function park(identity: string, fd: number, lane: AnyLane): void {
  const list = parked.get(identity)
  if (list) list.push({ fd, lane })
  else parked.set(identity, [{ fd, lane }])
}

/**
 * Closes a descriptor that nothing is locked through any more, or parks it where closing would drop an fcntl lock.
 * Never waits for a visit.
 */
export function closeOrPark(identity: string, fd: number, lane: AnyLane, done: (error: Error | null) => void): void {
  if (isTaken(identity)) {
    park(identity, fd, lane)
    done(null)
    return
  }
  const endVisit = beginVisit(identity)
  close(fd, (error) => {
    void endVisit()
    done(error)
  })
}

export function closeOrParkSync(identity: string, fd: number, lane: AnyLane): void {
  if (isTaken(identity)) park(identity, fd, lane)
  else closeSync(fd)
}

/** Gives one hold of the entry back; the last one drops the lock. */
export async function leaveEntry(entry: Entry, lane: AnyLane): Promise<void> {
  if (--entry.holders > 0) return
  try {
    await lane.run<void>((done) => {
      const fd = takeDescriptor(entry)
      if (fd === null) done(null)
      else close(fd, done)
    })
  } finally {
    // Unless finishEntrySync was faster: what is parked by now may belong to the next entry.
    while (isCurrent(entry) && isAnyParked(entry.identity)) await closeParked(entry.identity)
    forget(entry)
  }
}

export function leaveEntrySync(entry: Entry): void {
  if (--entry.holders > 0) return
  finishEntrySync(entry)
}

/** For a process that ends while {@link leaveEntry} still waits for its lane. */
export function finishEntrySync(entry: Entry): void {
  if (entry.holders > 0) return
  const fd = takeDescriptor(entry)
  if (fd === null) return
  try {
    closeSync(fd)
  } finally {
    for (const { fd: other } of parked.get(entry.identity) ?? []) closeSync(other)
    parked.delete(entry.identity)
    forget(entry)
  }
}

function isTaken(identity: string): boolean {
  return byIdentity.size + visits.size > 0 && (byIdentity.has(identity) || visits.has(identity))
}

function beginVisit(identity: string): () => Promise<void> {
  let settle!: () => void
  visits.set(
    identity,
    new Promise((resolve) => {
      settle = resolve
    }),
  )
  return async () => {
    while (!byIdentity.has(identity) && isAnyParked(identity)) await closeParked(identity)
    visits.delete(identity)
    settle()
  }
}

function isAnyParked(identity: string): boolean {
  return parked.has(identity)
}

/** One batch: others may be parked while it is closed. */
async function closeParked(identity: string): Promise<void> {
  const batch = parked.get(identity) ?? []
  parked.delete(identity)
  // A parked descriptor carries no lock, so an error of its close means nothing to any caller.
  await Promise.all(batch.map(({ fd, lane }) => lane.run<void>((done) => close(fd, () => done(null)))))
}

function takeDescriptor(entry: Entry): number | null {
  const { fd } = entry
  entry.fd = null
  return fd
}

function isCurrent(entry: Entry): boolean {
  return byIdentity.get(entry.identity) === entry
}

function forget(entry: Entry): void {
  if (isCurrent(entry)) byIdentity.delete(entry.identity)
  // A file that replaced the locked one may have an entry of its own by now.
  if (byRealPath.get(entry.realPath) === entry) byRealPath.delete(entry.realPath)
}
