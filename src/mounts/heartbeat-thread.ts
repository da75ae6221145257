/**
 * The heartbeat thread of one mount: refreshes the sessions on it with blocking calls, whatever the caller's thread is
 * doing. If the mount hangs, this thread hangs, and nothing else does. It never touches the files of others: an NFS server
 * may make such a call wait for a dead client.
 */

import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { leaseMs } from '../protocol/lease.js'
import { beat, endSession, type Session } from '../protocol/session.js'
import { settleAll, type UnsettledLock } from '../protocol/settle.js'
import type { Asker } from '../drivers/answer.js'
import { readClock } from '../drivers/clock.js'
import { BeatMeasure, beatPeriodMs, isToBeMeasured } from './beat-budget.js'
import type { DirectorySeed, FromThread, HeartbeatData, ToThread } from './heartbeat-messages.js'
import { runBlocking } from '../drivers/run.js'
import { SharedFlag, SharedLease } from './shared-lease.js'

/** A failed heartbeat is tried again this many times per refresh-rate. */
const RETRIES_PER_INTERVAL = 4

/** After so long messages are received, and it is asked anew which heartbeats are due: locks were taken and released meanwhile. */
const ROUND_MS_MAX = 50
/** Where heartbeats take a considerable part of the time, they may become due sooner than they were. */
const LOOK_MS_MAX = 1000

interface Watched {
  session: Session
  lease: SharedLease
  directory: DirectorySeed
  /** Not before this time, by our own clock: a heartbeat has just failed. */
  restsUntilMs: number
  unsettled: UnsettledLock[]
  /** A link count above one was seen, so this file system counts them. */
  countsLinks: boolean
}

const { ready, measured } = workerData as HeartbeatData
const measure = new BeatMeasure(measured)
const sessions = new Map<string, Watched>()
let timer: NodeJS.Timeout | undefined
const tell = (message: FromThread) => parentPort?.postMessage(message)

/** Settles and ends what the sessions left: nothing of it is ever unwanted. */
const asker: Asker = { leaseRemainingMs: (session) => sessions.get(session)?.lease.remainingMs() ?? 0, wanted: () => true }

function watch(session: Session, lease: SharedLease, directory: DirectorySeed): void {
  sessions.set(session.record.id, { session, lease, directory, restsUntilMs: 0, unsettled: [], countsLinks: false })
  wakeWhenDue()
}

/** Beats the sessions that are due: those that hold locks first, and of them the one whose lease ends first. */
function beatRound(): void {
  const startMs = readClock().ownMs
  const load = loadOfHeld()
  const due = [...sessions.values()].filter((watched) => dueMs(watched, load) <= startMs).sort(byUrgency)
  for (const watched of due) {
    const beforeMs = readClock().ownMs
    if (beforeMs - startMs >= ROUND_MS_MAX) break
    beatOnce(watched)
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

function dueMs({ session, restsUntilMs }: Watched, load: number): number {
  const { refreshRateMs, timeoutIntervalMs } = session.record
  if (isToBeMeasured(sessions.size, measure)) return restsUntilMs
  return Math.max(restsUntilMs, session.lastBeat.ownMs + beatPeriodMs(refreshRateMs, leaseMs(timeoutIntervalMs), load))
}

function byUrgency(a: Watched, b: Watched): number {
  const aFirst = Number(b.lease.held > 0) - Number(a.lease.held > 0)
  return aFirst === 0 ? a.lease.endMs - b.lease.endMs : aFirst
}

function wakeWhenDue(): void {
  clearTimeout(timer)
  if (sessions.size === 0) return
  const load = loadOfHeld()
  let firstMs = Number.POSITIVE_INFINITY
  for (const watched of sessions.values()) firstMs = Math.min(firstMs, dueMs(watched, load))
  const waitMs = Math.max(0, firstMs - readClock().ownMs)
  timer = setTimeout(
    beatRound,
    isToBeMeasured(sessions.size, measure) || sessions.size === 1 ? waitMs : Math.min(waitMs, LOOK_MS_MAX),
  )
}

function beatOnce(watched: Watched): void {
  const { session, lease } = watched
  if (lease.isOver) return end(watched)
  const heldBefore = lease.held
  const startMs = readClock().ownMs
  const outcome = runBlocking(beat(session), asker)
  const { id, refreshRateMs, timeoutIntervalMs } = session.record
  if (outcome.kind === 'retired' || lease.isOver) {
    // The holder first: once the record says "ended", anybody may acquire.
    lease.end()
    tell({ type: 'retired', sessionId: id })
    return end(watched)
  }
  const endMs = readClock().ownMs
  measure.add(endMs - startMs)
  if (outcome.kind === 'failed') {
    tell({ type: 'refresh-failed', sessionId: id, code: outcome.code })
    watched.restsUntilMs = endMs + refreshRateMs / RETRIES_PER_INTERVAL
    return
  }
  lease.extendTo(session.lastBeat.ownMs + leaseMs(timeoutIntervalMs))
  if (outcome.links > 1) watched.countsLinks = true
  const isShort = lease.held === heldBefore && outcome.links < 1 + heldBefore
  if (isShort && (watched.countsLinks || !lease.linksAreNotCounted)) tell({ type: 'names-missing', sessionId: id })
  // What is in doubt may still happen.
  if (watched.unsettled.length > 0) watched.unsettled = runBlocking(settleAll(watched.unsettled), asker)
}

function settleLater({ session, directory, unsettled }: Watched, path: string, generation: bigint): void {
  if (unsettled.some((lock) => lock.view.path === path && lock.unsettled.generation === generation)) return
  const view = { path, directory: dirname(path), surroundings: { ...directory, observations: new Map() } }
  unsettled.push({ view, unsettled: { generation, session: session.record.id } })
}

function end(watched: Watched): void {
  watched.lease.end()
  sessions.delete(watched.session.record.id)
  runBlocking(endSession(watched.session), asker)
}

function receive(message: ToThread): void {
  switch (message.type) {
    case 'watch':
      return watch(message.session, new SharedLease(message.lease), message.directory)
    case 'end': {
      // What is held first: the caller may wait for a short time only.
      for (const watched of [...sessions.values()].sort(byUrgency)) {
        if (message.sessionId === null || message.sessionId === watched.session.record.id) end(watched)
      }
      if (message.sessionId !== null) tell({ type: 'ended', sessionId: message.sessionId })
      return new SharedFlag(message.done).set()
    }
    case 'waiting': {
      const watched = sessions.get(message.sessionId)
      if (watched !== undefined) watched.session.record.waitingFor = message.names
      return
    }
    case 'settle': {
      const watched = sessions.get(message.sessionId)
      if (watched !== undefined) settleLater(watched, message.lockPath, message.generation)
    }
  }
}

parentPort?.on('message', receive)
new SharedFlag(ready).set()
