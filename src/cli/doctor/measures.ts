/** What can be measured of a file system from one node: clock, time stamps, link count, owner, space. */

import { link, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bounded, codeOf } from '../shared/bounded.js'
import { duration } from '../shared/table.js'
import { type Finding, fine, trouble } from './finding.js'
import { milliseconds } from './primitives.js'

const CLOCK_TRIES = 7
/** Time stamps may be taken from the last tick of the server's clock. */
const TICK_MS = 10
/** Locks do not mind, but a user that compares logs does. */
const CLOCK_OFFSET_MS_MAX = 1000

export interface Clock {
  /** The file server's clock minus this node's. */
  offsetMs: number
  /** The truth is within so much of it. */
  uncertaintyMs: number
  /** The smallest step of the time stamps, as far as it was seen. */
  granularityMs: number
}

/** The narrowest of several tries counts. */
export async function measureClock(directory: string): Promise<Clock> {
  const stamps: bigint[] = []
  let best: Clock = { offsetMs: 0, uncertaintyMs: Number.POSITIVE_INFINITY, granularityMs: 0 }
  for (let index = 0; index < CLOCK_TRIES; index++) {
    const path = join(directory, `clock-${index}`)
    const beforeMs = Date.now()
    await bounded(path, writeFile(path, 'x'))
    const afterMs = Date.now()
    const { mtimeNs } = await bounded(path, stat(path, { bigint: true }))
    stamps.push(mtimeNs)
    const uncertaintyMs = (afterMs - beforeMs) / 2 + 1 // both readings are whole milliseconds
    const offsetMs = Number(mtimeNs) / 1e6 - (beforeMs + afterMs) / 2
    if (uncertaintyMs < best.uncertaintyMs) best = { ...best, offsetMs, uncertaintyMs }
  }
  const granularityMs = granularityOf(stamps)
  return {
    offsetMs: Math.round(best.offsetMs),
    uncertaintyMs: Math.ceil(best.uncertaintyMs + granularityMs + TICK_MS),
    granularityMs,
  }
}

/** The largest power of ten, up to a second, that divides them all. */
function granularityOf(stampsNs: readonly bigint[]): number {
  const steps = [1_000_000_000n, 100_000_000n, 10_000_000n, 1_000_000n, 1000n, 100n]
  const step = steps.find((candidate) => stampsNs.every((stamp) => stamp % candidate === 0n)) ?? 1n
  return Number(step) / 1e6
}

export function clockFindings({ offsetMs, uncertaintyMs, granularityMs }: Clock): Finding[] {
  const size = Math.abs(offsetMs)
  const difference = `is ${duration(size)} ${offsetMs < 0 ? 'behind' : 'ahead of'} this node's (± ${duration(uncertaintyMs)})`
  const agreement = `agrees with this node's to ${duration(uncertaintyMs)}`
  const text = `The clock of the file server ${size <= uncertaintyMs ? agreement : difference}`
  const breaks = 'Locks do not mind, but make, rsync and other lock files go wrong, and logs do not agree.'
  const offset =
    size - uncertaintyMs > CLOCK_OFFSET_MS_MAX
      ? trouble('warning', 'CLOCK_OFFSET', { seen: text, breaks, remedy: 'Synchronise both with NTP.' })
      : fine('CLOCK_OFFSET', text)
  const step = `Time stamps are exact to ${stepText(granularityMs)}`
  const coarse = 'Locks do not mind; ages that are shown are that coarse.'
  return [
    offset,
    granularityMs >= 1000 ? trouble('note', 'TIME_STAMPS', { seen: step, breaks: coarse }) : fine('TIME_STAMPS', step),
  ]
}

function stepText(ms: number): string {
  if (ms >= 1) return duration(ms)
  return ms >= 0.001 ? `${ms * 1000} µs` : `${Math.round(ms * 1e6)} ns`
}

/** More locks than this at once in one directory are rare. */
const LINKS_WANTED = 1000
const LINKS_LIMIT_MS = 2000

export interface Links {
  /** So many names a file can have for certain. */
  atLeast: number
  /** The limit was met. */
  isLimit: boolean
}

/** `null` where there are no hard links. */
export async function countLinks(directory: string, signal: AbortSignal): Promise<Links | null> {
  const file = join(directory, 'many')
  await bounded(file, writeFile(file, ''))
  const deadlineMs = performance.now() + LINKS_LIMIT_MS
  for (let count = 1; ; count++) {
    if (count >= LINKS_WANTED || signal.aborted || performance.now() > deadlineMs) return { atLeast: count, isLimit: false }
    try {
      await bounded(file, link(file, `${file}-${count}`))
    } catch (error) {
      // GlusterFS needs room for each name in the file's own attributes.
      const isLimit = codeOf(error) === 'EMLINK' || (codeOf(error) === 'ENOSPC' && count > 1)
      if (isLimit) return { atLeast: count, isLimit }
      if (count === 1) return null
      throw error
    }
  }
}

export function linkFindings(links: Links | null): Finding[] {
  if (links === null) return []
  const { atLeast, isLimit } = links
  if (!isLimit) return [fine('LINK_COUNT', `A file can have ${atLeast} names or more`)]
  const breaks = `A session holds at most ${atLeast - 1} hard-linked locks of a directory; more take further sessions.`
  return [
    trouble('note', 'LINK_COUNT', {
      seen: `A file can have ${atLeast} names`,
      breaks,
      remedy: 'Spread many locks over several directories.',
    }),
  ]
}

const NOBODY = 65_534

export async function ownerFindings(directory: string): Promise<Finding[]> {
  const file = join(directory, 'owner')
  await bounded(file, writeFile(file, ''))
  const { uid, gid } = await bounded(file, stat(file))
  const own = process.getuid?.() ?? uid
  if (uid === own) return [fine('OWNER', `Files come out as ours (uid ${uid}, gid ${gid})`)]
  const seen = `Files come out as uid ${uid}, not as ours (uid ${own})`
  const why =
    uid === NOBODY
      ? own === 0
        ? 'root is mapped to nobody (root_squash)'
        : 'all users are mapped to nobody (all_squash, or another NFSv4 domain)'
      : 'users are mapped on the way'
  const breaks = `Probably ${why}: a process that cleans up after us may lack permission, and locks of different users may clash.`
  const remedy =
    own === 0
      ? 'Lock as an ordinary user, or export with no_root_squash.'
      : 'Check idmapd, the export options, or uid= of the mount.'
  return [trouble('warning', 'OWNER', { seen, breaks, remedy })]
}

const FREE_BYTES_MIN = 16 * 1024 * 1024
const FREE_INODES_MIN = 1000

export interface Space {
  freeBytes: number
  /** `null` where the file system does not count them. */
  freeInodes: number | null
}

/** `null` where the file system does not tell. */
export async function measureSpace(directory: string): Promise<Space | null> {
  const { blocks, bavail, bsize, files, ffree } = await bounded(directory, statfs(directory))
  if (blocks === 0) return null
  return { freeBytes: bavail * bsize, freeInodes: files === 0 ? null : ffree }
}

/** `isWritten`: a file was written just now. */
export function spaceFindings(space: Space | null, isWritten: boolean): Finding[] {
  if (space === null) return [fine('SPACE', 'The file system does not tell how much space is free')]
  const { freeBytes, freeInodes } = space
  const gigabytes = (freeBytes / 2 ** 30).toFixed(1)
  const seen = `Free: ${freeBytes < 2 ** 30 ? `${Math.floor(freeBytes / 2 ** 20)} MiB` : `${gigabytes} GiB`}${freeInodes === null ? '' : `, ${freeInodes} inodes`}`
  const isShort = freeBytes < FREE_BYTES_MIN || (freeInodes !== null && freeInodes < FREE_INODES_MIN)
  if (!isShort) return [fine('SPACE', seen)]
  // What is kept for root, and a server that has not counted yet, as CephFS on fresh OSDs.
  if (freeBytes === 0 && isWritten) {
    const breaks = 'Other users may find it full.'
    return [trouble('note', 'SPACE', { seen: `${seen}, though a file was written just now`, breaks })]
  }
  const breaks = 'When it is full nothing can be locked.'
  return [trouble('warning', 'SPACE', { seen, breaks, remedy: 'Free some space or inodes.' })]
}

/** A heartbeat that takes a good part of its interval is in danger of coming late. */
export function latencyFindings(createMs: number | null, refreshRateMs: number): Finding[] {
  if (createMs === null || createMs < refreshRateMs / 10) return []
  const breaks = `With refresh-rate=${refreshRateMs / 1000} heartbeats may come late, and locks be lost.`
  return [
    trouble('warning', 'SLOW', {
      seen: `Creating a file takes ${milliseconds(createMs)}`,
      breaks,
      remedy: 'Raise refresh-rate and timeout-interval, or find out why.',
    }),
  ]
}
