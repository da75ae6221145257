/**
 * The heartbeat thread of one mount: refreshes the sessions on it with blocking calls, whatever the caller's thread is
 * doing. If the mount hangs, this thread hangs, and nothing else does. It never touches the files of others: an NFS server
 * may make such a call wait for a dead client.
 */

import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { clearTimeout, readClock, setTimeout } from '../drivers/clock.js'
import { assert } from '../assert.js'
import { leaseMs } from '../protocol/lease.js'
import { beat, endSession, type Session } from '../protocol/session.js'
import { settleAgain, type UnsettledLock } from '../protocol/settle.js'
import type { Asker } from '../drivers/answer.js'
import { BeatMeasure, beatPeriodMs, isToBeMeasured } from './beat-budget.js'
import { footingOn } from './directories.js'
import { KeptFiles } from './kept-files.js'
import type { DirectorySeed, FromThread, HeartbeatData, ToThread } from './heartbeat-messages.js'
import { runProtocolBlocking } from '../drivers/run.js'
import { SharedFlag, SharedLease } from './shared-lease.js'

/** A failed heartbeat is tried again this many times per refresh-rate. Chosen: by default every 5 s, of the 7 that are left. */
const RETRIES_PER_INTERVAL = 4

/**
 * After so long messages are received, and it is asked anew which heartbeats are due: locks were taken and released
 * meanwhile. Chosen: a caller that begins or ends a session waits for it.
 */
const ROUND_MS_MAX = 50
/**
 * Where heartbeats take a considerable part of the time, they may become due sooner than they were.
 * Chosen: far shorter than a lease, and a look costs nothing.
 */
const LOOK_MS_MAX = 1000

interface Watched {
  session: Session
  lease: SharedLease
  directory: DirectorySeed
  /** It is to be ended, and these are to be told; `null`: it is kept alive. */
  ending: SharedFlag[] | null
  /** Not before this time, by our own clock: a heartbeat has just failed. */
  restsUntilMs: number
  unsettled: InDoubt[]
  /** A link count above one was seen, so this file system counts them. */
  countsLinks: boolean
}

/** `nextMs`: when it is looked at again, by our own clock. */
type InDoubt = UnsettledLock & { nextMs: number }

const { ready, measured } = workerData as HeartbeatData
const measure = new BeatMeasure(measured)
const sessions = new Map<string, Watched>()
let timer: NodeJS.Timeout | undefined
const tell = (message: FromThread) => parentPort?.postMessage(message)
const files = new KeptFiles((id, reason) => tell({ type: 'file-lost', id, reason }))

/** Settles and ends what the sessions left: nothing of it is ever unwanted. */
const asker: Asker = { leaseRemainingMs: (session) => sessions.get(session)?.lease.remainingMs() ?? 0, wanted: () => true }

function watch(session: Session, lease: SharedLease, directory: DirectorySeed): void {
  sessions.set(session.record.id, { session, lease, directory, ending: null, restsUntilMs: 0, unsettled: [], countsLinks: false })
  wakeWhenDue()
}

/**
 * First the heartbeats of what is held and what is to be ended, then what is in doubt, one lock at a time, then idle sessions.
 * After a while it looks anew, so that each of these delays a heartbeat of what is held by no more than itself.
 */
function round(): void {
  files.refreshDue()
  const startMs = readClock().ownMs
  const load = loadOfHeld()
  const all = [...sessions.values()]
  const due = all.filter((watched) => dueMs(watched, load) <= startMs).sort(byUrgency)
  const beating = (watched: Watched) => () => beatOnce(watched)
  const urgent = due.filter((watched) => rank(watched) !== IDLE).map(beating)
  const inDoubt = all.flatMap(toBeSettled).filter(({ lock }) => lock.nextMs <= startMs)
  const settling = inDoubt.map(
    ({ watched, lock }) =>
      () =>
        settleOnce(watched, lock),
  )
  const idle = due.filter((watched) => rank(watched) === IDLE).map(beating)
  const steps = [...urgent, ...settling, ...idle]
  for (const step of steps) {
    if (readClock().ownMs - startMs >= ROUND_MS_MAX) break
    step()
  }
  wakeWhenDue()
}

/** What part of this thread's time the heartbeats of all that hold locks take. */
function loadOfHeld(): number {
  let load = 0
  for (const { session, lease } of sessions.values())
    if (lease.held > 0) load += measure.beatMs / leaseMs(session.record.timeoutIntervalMs)
  return load
}

function dueMs({ session, ending, restsUntilMs }: Watched, load: number): number {
  if (ending !== null) return 0
  const { refreshRateMs, timeoutIntervalMs } = session.record
  if (isToBeMeasured(sessions.size, measure)) return restsUntilMs
  return Math.max(restsUntilMs, session.lastBeat.ownMs + beatPeriodMs(refreshRateMs, leaseMs(timeoutIntervalMs), load))
}

/** What is held first, and of that first what is lost first; idle sessions last. */
function byUrgency(a: Watched, b: Watched): number {
  return rank(a) - rank(b) || a.lease.endMs - b.lease.endMs
}

const IDLE = 2
const rank = ({ lease, ending }: Watched) => (lease.held > 0 ? 0 : ending === null ? IDLE : 1)

function wakeWhenDue(): void {
  clearTimeout(timer)
  if (sessions.size === 0) return
  const load = loadOfHeld()
  let firstMs = files.dueMs
  for (const watched of sessions.values()) {
    firstMs = Math.min(firstMs, dueMs(watched, load))
    for (const { lock } of toBeSettled(watched)) firstMs = Math.min(firstMs, lock.nextMs)
  }
  const waitMs = Math.max(0, firstMs - readClock().ownMs)
  timer = setTimeout(round, sessions.size === 1 ? waitMs : Math.min(waitMs, LOOK_MS_MAX))
}

function beatOnce(watched: Watched): void {
  const { session, lease } = watched
  if (lease.isOver || watched.ending !== null) return end(watched)
  const heldBefore = lease.held
  const startMs = readClock().ownMs
  const outcome = runProtocolBlocking(beat(session), asker, footingOn(watched.directory.ground))
  const { id, refreshRateMs, timeoutIntervalMs } = session.record
  if (outcome.kind === 'retired' || lease.isOver) {
    // The holder first: once the record says "ended", any process may acquire.
    lease.end()
    tell({ type: 'retired', sessionId: id })
    return end(watched)
  }
  const endMs = readClock().ownMs
  if (outcome.kind === 'failed') {
    watched.restsUntilMs = endMs + refreshRateMs / RETRIES_PER_INTERVAL
    return tell({ type: 'refresh-failed', sessionId: id, code: outcome.code })
  }
  measure.add(endMs - startMs)
  lease.extendTo(session.lastBeat.ownMs + leaseMs(timeoutIntervalMs))
  if (outcome.links > 1) watched.countsLinks = true
  const isShort = lease.held === heldBefore && outcome.links < 1 + heldBefore
  if (isShort && (watched.countsLinks || !lease.linksAreNotCounted)) tell({ type: 'names-missing', sessionId: id })
}

/** With a session everything ends that may be in doubt. */
function toBeSettled(watched: Watched): { watched: Watched; lock: InDoubt }[] {
  if (watched.ending !== null || watched.lease.isOver) return []
  return watched.unsettled.map((lock) => ({ watched, lock }))
}

/** At each refresh-rate, for as long as the session lives: what is in doubt may still happen. */
function settleOnce(watched: Watched, lock: InDoubt): void {
  const { id, refreshRateMs, timeoutIntervalMs } = watched.session.record
  if (!sessions.has(id)) return // it ended in this very round
  const outcome = runProtocolBlocking(settleAgain(lock, timeoutIntervalMs), asker, footingOn(watched.directory.ground))
  lock.nextMs = readClock().ownMs + refreshRateMs
  if (outcome === 'settled') watched.unsettled = watched.unsettled.filter((other) => other !== lock)
  if (outcome === 'overdue') tell({ type: 'unsettled', sessionId: id })
}

function settleLater({ session, directory, unsettled }: Watched, path: string, generation: bigint): void {
  if (unsettled.some((lock) => lock.view.path === path && lock.unsettled.generation === generation)) return
  const { dev } = directory
  const view = { path, directory: dirname(path), dev, surroundings: { ...directory, observations: new Map() } }
  const { id, refreshRateMs } = session.record
  const nextMs = readClock().ownMs + refreshRateMs
  unsettled.push({ view, unsettled: { generation, sessionId: id }, inVainSinceMs: null, nextMs })
  wakeWhenDue()
}

function end(watched: Watched): void {
  const sessionId = watched.session.record.id
  watched.lease.end()
  sessions.delete(sessionId)
  runProtocolBlocking(endSession(watched.session), asker, footingOn(watched.directory.ground))
  for (const done of watched.ending ?? []) done.set()
  tell({ type: 'ended', sessionId })
}

/** Not at once: hundreds of sessions may end together, and all the while others hold locks. */
function endSoon(sessionId: string, done: SharedArrayBuffer): void {
  const watched = sessions.get(sessionId)
  const flag = new SharedFlag(done)
  if (watched === undefined) {
    tell({ type: 'ended', sessionId })
    return flag.set()
  }
  watched.lease.end()
  watched.ending = [...(watched.ending ?? []), flag]
  wakeWhenDue()
}

/** What is held first: the caller waits for a short time only. */
function endAll(done: SharedArrayBuffer): void {
  files.release()
  for (const watched of [...sessions.values()].sort(byUrgency)) end(watched)
  new SharedFlag(done).set()
}

function receive(message: ToThread): void {
  switch (message.type) {
    case 'watch':
      return watch(message.session, new SharedLease(message.lease), message.directory)
    case 'end':
      return message.sessionId === null ? endAll(message.done) : endSoon(message.sessionId, message.done)
    case 'settle': {
      const watched = sessions.get(message.sessionId)
      if (watched !== undefined) settleLater(watched, message.lockPath, message.generation)
      return
    }
    case 'keep':
      files.keep(message.order)
      return wakeWhenDue()
    case 'forget':
      return files.forget(message.id)
    case 'stop':
      assert(sessions.size === 0, 'no sessions when the heartbeat thread ends', [...sessions.keys()])
      process.exit()
  }
}

parentPort?.on('message', receive)
new SharedFlag(ready).set()
tell({ type: 'ready' })
