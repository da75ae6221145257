/** What the caller's thread and a mount's heartbeat thread say to each other. */

import type { Ground } from '../drivers/ground.js'
import type { SessionOwner } from '../protocol/record.js'
import type { KeptFile } from '../protocol/kept-file.js'
import type { Session } from '../protocol/session.js'

export interface DirectorySeed {
  /** The device that the directory is on. */
  dev: number
  coherent: boolean
  listsAtOnce: boolean
  extraSilenceMs: number
  me: SessionOwner
  ground: Ground | null
}

/** A file to be kept, as long as a session on this mount is. */
export interface KeepOrder {
  id: string
  file: KeptFile
  everyMs: number
  /** How long a refresh counts, from its begin. */
  lastsMs: number
  /** What is written into it when the process ends. */
  releasedText: string
  shared: SharedArrayBuffer
}

/** What the thread is started with. */
export interface HeartbeatData {
  /** Set when it runs. */
  ready: SharedArrayBuffer
  /** What a heartbeat takes. */
  measured: SharedArrayBuffer
}

export type ToThread =
  /** Keep this session alive from now on. */
  | { type: 'watch'; session: Session; lease: SharedArrayBuffer; directory: DirectorySeed }
  /** End one session, or all of them; `done` is set when that has been tried. */
  | { type: 'end'; sessionId: string | null; done: SharedArrayBuffer }
  /** Make sure that this generation is not held by that session any more. */
  | { type: 'settle'; sessionId: string; lockPath: string; generation: bigint }
  /** Refresh this file from now on, or no longer. */
  | { type: 'keep'; order: KeepOrder }
  | { type: 'forget'; id: string }
  /** There is nothing left to keep alive, and nothing will come: end. */
  | { type: 'stop' }

export type FromThread =
  /** It runs. */
  | { type: 'ready' }
  | { type: 'retired'; sessionId: string }
  /** It is kept alive no more: always the last that is heard of a session. */
  | { type: 'ended'; sessionId: string }
  | { type: 'refresh-failed'; sessionId: string; code: string }
  /** For a whole timeout-interval it could not be told whether it holds a lock that nothing uses. */
  | { type: 'unsettled'; sessionId: string }
  /** A kept file is lost, and not refreshed any more. */
  | { type: 'file-lost'; id: string; reason: 'reaped' | 'unlocked' }
  /** The session file has fewer names than it holds locks: some of them must be gone. */
  | { type: 'names-missing'; sessionId: string }
