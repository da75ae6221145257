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
import type { DirectorySeed, FromThread, ToThread } from './heartbeat-messages.js'
import { runBlocking } from '../drivers/run.js'
import { SharedFlag, SharedLease } from './shared-lease.js'

/** A failed heartbeat is tried again this many times per refresh-rate. */
const RETRIES_PER_INTERVAL = 4

interface Watched {
  session: Session
  lease: SharedLease
  directory: DirectorySeed
  timer: NodeJS.Timeout | undefined
  unsettled: UnsettledLock[]
  /** A link count above one was seen, so this file system counts them. */
  countsLinks: boolean
}

const sessions = new Map<string, Watched>()
const tell = (message: FromThread) => parentPort?.postMessage(message)

/** Settles and ends what the sessions left: nothing of it is ever unwanted. */
const asker: Asker = { leaseRemainingMs: (session) => sessions.get(session)?.lease.remainingMs() ?? 0, wanted: () => true }

function watch(session: Session, lease: SharedLease, directory: DirectorySeed): void {
  const watched: Watched = { session, lease, directory, timer: undefined, unsettled: [], countsLinks: false }
  sessions.set(session.record.id, watched)
  schedule(watched, session.record.refreshRateMs)
}

function schedule(watched: Watched, delayMs: number): void {
  watched.timer = setTimeout(() => beatOnce(watched), Math.max(0, delayMs))
}

function beatOnce(watched: Watched): void {
  const { session, lease } = watched
  if (lease.isOver) return end(watched)
  const heldBefore = lease.held
  const outcome = runBlocking(beat(session), asker)
  const { id, refreshRateMs, timeoutIntervalMs } = session.record
  if (outcome.kind === 'retired' || lease.isOver) {
    // The holder first: once the record says "ended", anybody may acquire.
    lease.end()
    tell({ type: 'retired', sessionId: id })
    return end(watched)
  }
  if (outcome.kind === 'failed') {
    tell({ type: 'refresh-failed', sessionId: id, code: outcome.code })
    return schedule(watched, refreshRateMs / RETRIES_PER_INTERVAL)
  }
  lease.extendTo(session.lastBeat.ownMs + leaseMs(timeoutIntervalMs))
  if (outcome.links > 1) watched.countsLinks = true
  const isShort = lease.held === heldBefore && outcome.links < 1 + heldBefore
  if (isShort && (watched.countsLinks || !lease.linksAreNotCounted)) tell({ type: 'names-missing', sessionId: id })
  // What is in doubt may still happen.
  if (watched.unsettled.length > 0) watched.unsettled = runBlocking(settleAll(watched.unsettled), asker)
  schedule(watched, refreshRateMs - (readClock().ownMs - session.lastBeat.ownMs))
}

function settleLater({ session, directory, unsettled }: Watched, path: string, generation: bigint): void {
  if (unsettled.some((lock) => lock.view.path === path && lock.unsettled.generation === generation)) return
  const view = { path, directory: dirname(path), surroundings: { ...directory, observations: new Map() } }
  unsettled.push({ view, unsettled: { generation, session: session.record.id } })
}

function end(watched: Watched): void {
  clearTimeout(watched.timer)
  watched.lease.end()
  sessions.delete(watched.session.record.id)
  runBlocking(endSession(watched.session), asker)
}

function receive(message: ToThread): void {
  switch (message.type) {
    case 'watch':
      return watch(message.session, new SharedLease(message.lease), message.directory)
    case 'end': {
      for (const watched of [...sessions.values()]) {
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
new SharedFlag((workerData as { ready: SharedArrayBuffer }).ready).set()
