/**
 * Which paths Workbench and RStudio Server lock themselves, what for, and where our own lock for such a path lies. No I/O: a
 * path is judged as it is spelled, so a caller that cares for symbolic links asks again with the real path.
 */

import { basename, dirname, join } from 'node:path'

/** What a lock of theirs is for. A session holds `session` as long as it lives, and `notebooks` for moments. */
export type Purpose = 'session' | 'notebooks' | 'locktester'

/** A path that Workbench locks itself. */
export interface WorkbenchPath {
  path: string
  purpose: Purpose
  /** The `<id>` of `session-<id>`; `null`: it is not the lock of a session. */
  session: string | null
  /** The project whose state it is; `null`: it is the user's own. */
  project: string | null
}

export const LOCK_FILE = 'lock_file'
export const LOCKTESTER_FILE = 'locktester_file'
/** A project's state lies below it: in a directory for each user (8 hexadecimal digits), and in `shared`. */
const PROJECT_STATE = '.Rproj.user'
/** `s-<id>` until 2020, then `session-<id>`. */
const SESSION = /^(?:session|s)-(.+)$/s
/** `sdb` until November 2016. */
const SESSION_PARENTS = new Set(['sources', 'sdb'])
const NOTEBOOKS = 'notebooks'

/** What Workbench uses that path for, absolute; `null`: it is not one of its own. */
export function placeOf(path: string): WorkbenchPath | null {
  const directory = dirname(path)
  const base = basename(path)
  const project = projectOf(directory)
  if (base === LOCKTESTER_FILE) return { path, purpose: 'locktester', session: null, project }
  if (base !== LOCK_FILE) return null
  const session = sessionOf(directory)
  if (session !== null) return { path, purpose: 'session', session, project }
  return basename(directory) === NOTEBOOKS ? { path, purpose: 'notebooks', session: null, project } : null
}

/** The id of the session whose state lies in that directory; `null`: it is no session's. */
export function sessionOf(directory: string): string | null {
  if (!SESSION_PARENTS.has(basename(dirname(directory)))) return null
  return SESSION.exec(basename(directory))?.[1] ?? null
}

/** Their state lies below a directory with one of these names: that of a project, and that of a user, by default. */
const STATE = new Set([PROJECT_STATE, 'rstudio'])
/** Between such a directory and one with a lock, both included: `.Rproj.user/1A2B3C4D/sources/session-4f2a`. */
export const STATE_DEPTH = 4
export const isStateDirectory = (directory: string) => STATE.has(basename(directory))

/**
 * What Workbench locks in that directory as long as it is there, also where no lock file is at the moment (versions before
 * autumn 2026 remove theirs at the release); `null`: nothing.
 */
export function placeIn(directory: string): WorkbenchPath | null {
  const isNotebooks = basename(directory) === NOTEBOOKS && isStateDirectory(stateOfNotebooks(directory))
  return isNotebooks || sessionOf(directory) !== null ? placeOf(join(directory, LOCK_FILE)) : null
}

/** `.Rproj.user/shared/notebooks`, but `rstudio/notebooks`. */
const stateOfNotebooks = (directory: string) =>
  basename(dirname(directory)) === 'shared' ? dirname(dirname(directory)) : dirname(directory)

/** A symbolic link of that name there may lead to what Workbench locks. */
export const mayLeadToPlaces = (directory: string, name: string) =>
  STATE.has(name) ||
  SESSION_PARENTS.has(name) ||
  sessionOf(join(directory, name)) !== null ||
  placeIn(join(directory, name)) !== null

/** The innermost project whose state lies there. */
function projectOf(directory: string): string | null {
  const parts = directory.split('/')
  const index = parts.lastIndexOf(PROJECT_STATE)
  return index === -1 ? null : parts.slice(0, index).join('/') || '/'
}

const HIDDEN = /^\.(.+)\.mountlock$/s
const HIDDEN_OF_SESSION = new RegExp(`^\\.((?:session|s)-.+)\\.${LOCK_FILE}\\.mountlock$`, 's')

/**
 * Where our lock for a public path lies, and all of ours that goes with it. For a session's it is beside the session's
 * directory: that is renamed when another session adopts it, and emptied when the session ends. Elsewhere it is beside the
 * public path. It begins with a dot, for what does is no session; and the one beside a `lock_file` has no hyphen, for in
 * `notebooks` Workbench removes directories that have one.
 */
export function hiddenDirectory(path: string): string {
  const directory = dirname(path)
  const base = basename(path)
  if (base === LOCK_FILE && sessionOf(directory) !== null) {
    return join(dirname(directory), `.${basename(directory)}.${base}.mountlock`)
  }
  return join(directory, `.${base}.mountlock`)
}

/** The public path that such a directory of ours belongs to; `null`: it is none. */
export function publicPathOf(hidden: string): string | null {
  const directory = dirname(hidden)
  const session = HIDDEN_OF_SESSION.exec(basename(hidden))?.[1]
  if (session !== undefined && SESSION_PARENTS.has(basename(directory))) return join(directory, session, LOCK_FILE)
  const base = HIDDEN.exec(basename(hidden))?.[1]
  return base === undefined ? null : join(directory, base)
}
