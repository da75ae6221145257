/**
 * The heartbeat thread of one mount: refreshes the sessions on it with blocking calls, whatever the caller's thread is
 * doing. If the mount hangs, this thread hangs, and nothing else does. It never touches the files of others: an NFS server
 * may make such a call wait for a dead client.
 */

import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { leaseMs } from '../protocol/lease.js'
import { beat, endSession, type Session } from '../protocol/session.js'
import { settle } from '../protocol/settle.js'
import type { Unsettled } from '../protocol/site.js'
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
  unsettled: { lockPath: string; entry: Unsettled }[]
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
  settleAll(watched)
  schedule(watched, refreshRateMs - (readClock().ownMs - session.lastBeat.ownMs))
}

/** What is not known to be settled is looked at with every heartbeat: it may still happen. */
function settleAll(watched: Watched): void {
  watched.unsettled = watched.unsettled.filter(({ lockPath, entry }) => {
    const site = { path: lockPath, directory: dirname(lockPath), surroundings: { ...watched.directory, observations: new Map() } }
    return runBlocking(settle(site, entry), asker) !== 'settled'
  })
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
      const { lockPath, generation, sessionId } = message
      sessions.get(sessionId)?.unsettled.push({ lockPath, entry: { generation, session: sessionId } })
    }
  }
}

parentPort?.on('message', receive)
new SharedFlag((workerData as { ready: SharedArrayBuffer }).ready).set()
