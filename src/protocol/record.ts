/**
 * The session record: who holds the locks that are links to it, and a heartbeat counter. Written in place, always with
 * the same size, so that a write never truncates; what was read in the middle of a write is recognised, because the
 * counter and the state stand at both ends.
 */

export interface SessionOwner {
  host: string
  /** Identifies one boot of one kernel; `null` where the platform has none: then nobody is "on the same host". */
  bootId: string | null
  /** Process ids mean something only within one of these; `null` where it cannot be read. */
  pidNamespace: string | null
  pid: number
  /** When the process started, in the kernel's ticks; `null` where it cannot be read. */
  startTime: string | null
  uid: number
  user: string | null
}

export interface SessionRecord extends SessionOwner {
  /** 16 random hexadecimal digits: the session's identity. Inode numbers differ between names on some file systems. */
  id: string
  label: string
  refreshRateMs: number
  timeoutIntervalMs: number
  /** The heartbeat counter. */
  beat: number
  /** `ended`: it will never be written again, and all its locks are free. */
  state: 'alive' | 'ended'
}

export const RECORD_BYTES = 2560
/** The longest timeout-interval that is believed: a record that names more is not one of ours. */
export const TIMEOUT_INTERVAL_MS_MAX = 24 * 60 * 60 * 1000
export const LABEL_LENGTH_MAX = 120
export const HOST_LENGTH_MAX = 100
export const USER_LENGTH_MAX = 64
const TOKEN_LENGTH_MAX = 64

const CONTROL = /\p{Cc}/u

/** Text that fits into a record: without control characters (which JSON writes in six bytes) and not too long. */
export function plainText(text: string, lengthMax: number): string {
  return text.replace(/\p{Cc}/gu, ' ').slice(0, lengthMax)
}

const PADDING = `${' '.repeat(RECORD_BYTES - 1)}\n`

export function encodeRecord(record: SessionRecord): string {
  const { beat, state } = record
  const text = JSON.stringify(Object.assign({ mountlock: 1, beat, state }, record, { check: `${beat} ${state}` }))
  const bytes = Buffer.byteLength(text)
  if (bytes >= RECORD_BYTES) throw new RangeError(`Expected a session record of at most ${RECORD_BYTES - 1} bytes, got ${bytes}`)
  return text + PADDING.slice(bytes)
}

/** The text by which a rewrite recognises that a file still is this session's. */
export const recordMark = (id: string) => `"id":"${id}"`

/** `null` for anything that is not a whole record of ours: torn, truncated, foreign, or of another version. */
export function decodeRecord(text: string): SessionRecord | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return isRecord(value) ? value : null
}

/** Its writer may have died in the middle: it is no record of any version. */
export function isUnfinished(text: string): boolean {
  try {
    JSON.parse(text)
    return false
  } catch {
    return true
  }
}

function isRecord(value: unknown): value is SessionRecord {
  if (typeof value !== 'object' || value === null) return false
  const r = value as Record<string, unknown>
  return (
    r.mountlock === 1 &&
    typeof r.id === 'string' &&
    /^[0-9a-f]{16}$/.test(r.id) &&
    isText(r.host, HOST_LENGTH_MAX) &&
    isTextOrNull(r.bootId, TOKEN_LENGTH_MAX) &&
    isTextOrNull(r.pidNamespace, TOKEN_LENGTH_MAX) &&
    isTextOrNull(r.startTime, TOKEN_LENGTH_MAX) &&
    isTextOrNull(r.user, USER_LENGTH_MAX) &&
    isWhole(r.pid, 1, 2 ** 31) &&
    isWhole(r.uid, -1, 2 ** 32) &&
    isText(r.label, LABEL_LENGTH_MAX) &&
    isWhole(r.refreshRateMs, 1, TIMEOUT_INTERVAL_MS_MAX) &&
    isWhole(r.timeoutIntervalMs, 1, TIMEOUT_INTERVAL_MS_MAX) &&
    isWhole(r.beat, 0, Number.MAX_SAFE_INTEGER) &&
    (r.state === 'alive' || r.state === 'ended') &&
    r.check === `${r.beat} ${r.state}`
  )
}

const isText = (value: unknown, lengthMax: number) =>
  typeof value === 'string' && value.length <= lengthMax && !CONTROL.test(value)
const isTextOrNull = (value: unknown, lengthMax: number) => value === null || isText(value, lengthMax)
const isWhole = (value: unknown, least: number, most: number) =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
