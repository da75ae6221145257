/**
 * The file locks of Posit Workbench and RStudio Server, as they lie on disk: what their files are called, what is in them, and
 * what one that was seen means. No I/O. Two generations are in the field: "legacy" (2017 to the middle of 2026) and "2026".
 *
 * A file of theirs names no host, and its process id means something on one host only: nothing here judges by it. What counts
 * is the age of the file, as their own programs compute it.
 */

import { present } from '../assert.js'
import { basename, isAbsolute } from 'node:path'
import { crc32 } from 'node:zlib'

/** Which generation of theirs left a lock. */
export type Generation = 'legacy' | '2026'

/** What was seen at a public path. A file that is no link has `target` `null`. */
export type Seen =
  | { kind: 'absent' }
  | { kind: 'directory' }
  /** A FIFO, a socket, a device. */
  | { kind: 'special' }
  /** `text`: its first bytes, more than {@link TEXT_BYTES_MAX} if it has more; `null`: it could not be read. */
  | { kind: 'file'; target: string | null; text: Uint8Array | null; modifiedMs: number }
  /** A symbolic link that leads nowhere, or was not followed because its target has no name of theirs. */
  | { kind: 'dangling'; target: string }
  /** A symbolic link that leads to something else than a file. */
  | { kind: 'misled'; target: string }

/** What lies at a public path. */
export type Found =
  | { kind: 'nothing' }
  | LinkLock
  /** An empty file: an advisory lock, held or not. Only the kernel knows that. */
  | { kind: 'advisory'; modifiedMs: number }
  /** No lock of theirs: it belongs to another program, and is never removed. */
  | { kind: 'foreign'; what: string }
  /** A file whose contents could not be read. */
  | { kind: 'unreadable'; target: string | null; modifiedMs: number }

export interface LinkLock {
  kind: 'link'
  generation: Generation
  /** The target of a symbolic link, absolute; `null`: a hard link. */
  target: string | null
  /** As written: a process of a host that is not named. `null`: it was released, or is being released. */
  pid: number | null
  isReleased: boolean
  /** By the file server's clock; `null`: of a link that leads nowhere. */
  modifiedMs: number | null
}

/** `stale`: it was not refreshed for too long. The next process that wants it takes it over, as one that was released. */
export type LockState = 'held' | 'stale' | 'released'

/** More than any file of theirs holds. */
export const TEXT_BYTES_MAX = 64
/** Their default of `timeout-interval`. */
export const TIMEOUT_INTERVAL_MS = 30_000

export const RELEASED_TEXT = '-1\n'
/** As the 2026 form writes it. */
export const heldText = (pid: number) => `${pid}\n`

const TAG = '41c29'
/** What the sweeps of both generations remove, directories with all that is in them: nothing of ours may begin like this. */
export const SWEPT_PREFIX = `.rstudio-lock-${TAG}`
/** Beside the public path: the directory with the second claims, one for each base name. It stays. */
export const CLAIMS_DIRECTORY = `.rstudio-lock-claims-${TAG}`

/** The other name of a lock that is held; `uuid` has 32 hexadecimal digits. */
export const ownerName = (uuid: string) => `.rstudio-lock-owner-${TAG}-${uuid}`
/** The first claim to a public path with this base name. */
export const claimName = (base: string) => `.rstudio-lock-claim-${TAG}-${crc32(base).toString(16).toUpperCase().padStart(8, '0')}`
/** What is about to be removed, beside the place where it was. */
export const asideName = (pid: number, uuid: string) => `.rstudio-lock-tmp-${TAG}-${pid}-${uuid}`
/** A directory that becomes {@link CLAIMS_DIRECTORY}. */
export const claimsDraftName = (pid: number, uuid: string) => `.rstudio-lock-claims-tmp-${TAG}-${pid}-${uuid}`

/** A file of theirs beside a public path. */
export type TheirFile =
  | { kind: 'proxy'; host: string; pid: number }
  | { kind: 'owner'; uuid: string }
  | { kind: 'claim' }
  | { kind: 'claims' }
  | { kind: 'aside'; pid: number }
  | { kind: 'claims-draft'; pid: number }

const PROXY = new RegExp(`^\\.rstudio-lock-${TAG}-(.+)-([0-9]{1,10})-[0-9a-f]{1,16}$`, 's')
const OWNER = new RegExp(`^\\.rstudio-lock-owner-${TAG}-([0-9a-f]{32})$`)
const CLAIM = new RegExp(`^\\.rstudio-lock-claim-${TAG}-[0-9A-F]{8}$`)
const ASIDE = new RegExp(`^\\.rstudio-lock-(claims-)?tmp-${TAG}-([0-9]{1,10})-[0-9a-f]{32}$`)

/** What the name of a file says; `null`: it is none of theirs. */
export function parseTheirName(name: string): TheirFile | null {
  const proxy = PROXY.exec(name)
  if (proxy !== null) return { kind: 'proxy', host: proxy[1] as string, pid: Number(proxy[2]) }
  const owner = OWNER.exec(name)
  if (owner !== null) return { kind: 'owner', uuid: owner[1] as string }
  const aside = ASIDE.exec(name)
  if (aside !== null) return { kind: aside[1] === undefined ? 'aside' : 'claims-draft', pid: Number(aside[2]) }
  if (CLAIM.test(name)) return { kind: 'claim' }
  return name === CLAIMS_DIRECTORY ? { kind: 'claims' } : null
}

/** A link of theirs leads to the other name of its lock, by an absolute path. `null`: it is no link of theirs. */
export function generationOfTarget(target: string): Generation | null {
  if (!isAbsolute(target)) return null
  const kind = parseTheirName(basename(target))?.kind
  return kind === 'proxy' ? 'legacy' : kind === 'owner' ? '2026' : null
}

interface Contents {
  generation: Generation
  pid: number | null
  isReleased: boolean
}

const PID_MAX = 2 ** 31 - 1
/** They trim what they read. */
const RELEASED = /^-1\n{0,2}$/
/** `-1` and a newline, written over a longer process id that was not cut off yet: for them no process id, and not released. */
const BEING_RELEASED = /^-1\n[0-9]{1,7}\n$/

/** What stands in a file of theirs that is not empty; `null`: that is no lock. */
function parseContents(text: string): Contents | null {
  if (RELEASED.test(text)) return { generation: '2026', pid: null, isReleased: true }
  if (BEING_RELEASED.test(text)) return { generation: '2026', pid: null, isReleased: false }
  const [, digits, newline] = /^([1-9][0-9]{0,9})(\n?)$/.exec(text) ?? []
  if (digits === undefined || Number(digits) > PID_MAX) return null
  return { generation: newline === '' ? 'legacy' : '2026', pid: Number(digits), isReleased: false }
}

/** What was seen at a public path, in their terms. */
export function whatLies(seen: Seen): Found {
  switch (seen.kind) {
    case 'absent':
      return { kind: 'nothing' }
    case 'directory':
      return { kind: 'foreign', what: 'a directory' }
    case 'special':
      return { kind: 'foreign', what: 'a FIFO, a socket or a device' }
    case 'misled':
      return { kind: 'foreign', what: 'a symbolic link to something that is no file' }
    case 'dangling':
      return whatLinkLies(seen.target)
    case 'file':
      return whatFileLies(seen)
  }
}

function whatLinkLies(target: string): Found {
  const generation = generationOfTarget(target)
  if (generation === null) return STRANGE_LINK
  return { kind: 'link', generation, target, pid: null, isReleased: true, modifiedMs: null }
}

function whatFileLies({ target, text, modifiedMs }: Extract<Seen, { kind: 'file' }>): Found {
  if (target !== null && generationOfTarget(target) === null) return STRANGE_LINK
  if (text === null) return { kind: 'unreadable', target, modifiedMs }
  // An owner file is written before a link leads to it: an empty one is the remains of a crash, and counts by its age.
  if (text.length === 0 && target === null) return { kind: 'advisory', modifiedMs }
  const contents = text.length > TEXT_BYTES_MAX ? null : parseContents(Buffer.from(text).toString('latin1'))
  if (target === null && contents === null) return { kind: 'foreign', what: 'a file that is no lock of Workbench' }
  const { pid, isReleased } = contents ?? { pid: null, isReleased: false }
  const generation = target === null ? contents?.generation : generationOfTarget(target)
  return { kind: 'link', generation: present(generation, 'a generation of what was read'), target, pid, isReleased, modifiedMs }
}

const STRANGE_LINK: Found = { kind: 'foreign', what: 'a symbolic link that is no lock of Workbench' }

/** A moment that was taken by the clock of the file server, and the `timeout-interval` by which locks get old. */
export interface AgeLimit {
  serverMs: number
  timeoutMs: number
}

/** The age as their programs compute it: whole seconds, and never below 0 for a time stamp that lies in the future. */
export function ageMs(modifiedMs: number, serverMs: number): number {
  return Math.max(0, Math.floor(serverMs / 1000) - Math.floor(modifiedMs / 1000)) * 1000
}

/** Does a link-based lock of theirs hold? `modifiedMs` `null`: of a link that leads nowhere. */
export function stateOf({ isReleased, modifiedMs }: LinkLock, { serverMs, timeoutMs }: AgeLimit): LockState {
  if (isReleased) return 'released'
  return modifiedMs === null || ageMs(modifiedMs, serverMs) >= timeoutMs ? 'stale' : 'held'
}
