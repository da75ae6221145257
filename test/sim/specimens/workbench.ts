/**
 * Specimens: how sessions of Workbench and RStudio Server lock, in both of their generations, written from what was observed of
 * them, step by step, and with their races. What is common to both is here.
 */

import type { Clock, Contents, FileStatus, ProcessState, Reply } from '../../../src/protocol/operations.js'
import type { Program } from '../process.js'

/** A session that locks. */
export interface Session {
  /** The public path. */
  path: string
  pid: number
  host: string
  timeoutMs: number
  useSymlinks: boolean
  /** Only the age of a file counts; otherwise process ids are looked up here. */
  isLoadBalanced: boolean
}

/** What a session knows of a lock that it holds. */
export interface Holding {
  /** The other name of the public file. */
  owner: string
  /** Kept open by the 2026 form. */
  file: number
}

export interface Form {
  acquire(session: Session): Program<Holding | null>
  refresh(session: Session, holding: Holding): Program
  release(session: Session, holding: Holding): Program
}

export const TAG = '41c29'
export const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/'))
export const baseOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)

export function* status(path: string): Program<FileStatus | null> {
  const reply = (yield { op: 'stat', path }) as Reply<FileStatus>
  return reply.ok ? reply.value : null
}

export function* identity(path: string): Program<string | null> {
  const found = yield* status(path)
  return found === null ? null : `${found.dev}:${found.ino}`
}

/** What a path is once links are followed; `dangling`: a link that leads nowhere. */
export function* follow(path: string): Program<{ status: FileStatus; real: string } | 'dangling' | null> {
  const found = yield* status(path)
  if (found === null || found.type !== 'symlink') return found === null ? null : { status: found, real: path }
  const link = (yield { op: 'readlink', path }) as Reply<string>
  if (!link.ok) return null
  const target = yield* status(link.value)
  return target === null ? 'dangling' : { status: target, real: link.value }
}

export function* contents(path: string): Program<string | null> {
  const reply = (yield { op: 'read', path, pastCache: false }) as Reply<Contents>
  return reply.ok ? reply.value.text : null
}

/** By the clock of the reader, in whole seconds; a time stamp in the future is young. */
export function* isOld(modifiedMs: number, timeoutMs: number): Program<boolean> {
  const { wallMs } = (yield { op: 'clock' }) as Clock
  return Math.floor(wallMs / 1000) - Math.floor(modifiedMs / 1000) >= Math.floor(timeoutMs / 1000)
}

export function* isProcess(pid: number): Program<boolean> {
  return ((yield { op: 'process', pid, startTime: null }) as ProcessState) !== 'gone'
}

export function* remove(path: string): Program<boolean> {
  return ((yield { op: 'unlink', path }) as Reply<void>).ok
}

export function* list(path: string): Program<string[]> {
  const reply = (yield { op: 'list', path }) as Reply<string[]>
  return reply.ok ? reply.value : []
}

export function* wallMs(): Program<number> {
  return ((yield { op: 'clock' }) as Clock).wallMs
}
