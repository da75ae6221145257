/**
 * The session record: the holder of the locks that are links to it, and a heartbeat counter. Written in place, always with
 * the same size, so that a write never truncates; what was read in the middle of a write is recognised, because the
 * counter and the state stand at both ends.
 *
 * A record also tells from where its process looks at /proc, because what /proc shows depends on the reader. A process id
 * means one process only within one boot and one pid namespace. A start time is shifted by the offset of the *reader's*
 * time namespace, so that a reader of another one sees a live process start at another time, as if its id had been used
 * again. A judge that goes by one of these has to know that both look from the same place: {@link isSameHost} and
 * {@link provingStartTime} are the only two questions that are asked, by locks and by commands alike.
 *
 * Two versions of it are written by programs in use. The first one has a start time and no word about namespaces: it is
 * read as a record without a start time. The second one has its start time under another name, where programs that know
 * only the first do not look for it, so that they do not convict by it either; for them it is a record without a start time.
 * That is why it needs no other number: a record that a judge cannot read is alive for ever.
 */

export interface SessionOwner {
  host: string
  /** Identifies one boot of one kernel; `null` where the platform has none: then no process is "on the same host". */
  bootId: string | null
  /** Process ids mean something only within one of these; `null` where it cannot be read, or /proc shows those of another. */
  pidNamespace: string | null
  pid: number
  /** When the process started, in the kernel's ticks, as it sees that itself; `null` where it cannot be read. */
  startTime: string | null
  /**
   * Start times are the same only within one of these; {@link NO_NAMESPACE} where the kernel has none, `null` where it
   * is not known.
   */
  timeNamespace: string | null
  /** As {@link timeNamespace}. */
  userNamespace: string | null
  uid: number
  user: string | null
}

/** The kernel has no namespaces of that kind: then all processes of one boot share the one view that there is. */
export const NO_NAMESPACE = 'none'

/** Where a process looks at others from. */
export type Viewpoint = Pick<SessionOwner, 'bootId' | 'pidNamespace' | 'startTime' | 'timeNamespace' | 'userNamespace'>

const isKnownToBeSame = (one: string | null, other: string | null) => one !== null && one === other

/** A process id means the same process to both: only then may it be asked for. */
export function isSameHost(one: Viewpoint, other: Viewpoint): boolean {
  return isKnownToBeSame(one.bootId, other.bootId) && isKnownToBeSame(one.pidNamespace, other.pidNamespace)
}

/** The start time by which a judge may tell a process from a later one with the same id; `null`: it would see another one. */
export function provingStartTime(other: Viewpoint, me: Viewpoint): string | null {
  const isSameView =
    isSameHost(other, me) &&
    isKnownToBeSame(other.timeNamespace, me.timeNamespace) &&
    isKnownToBeSame(other.userNamespace, me.userNamespace)
  return isSameView ? other.startTime : null
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
  const started = { startTime: null, started: record.startTime }
  const text = JSON.stringify(Object.assign({ mountlock: 1, beat, state }, record, started, { check: `${beat} ${state}` }))
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
  return isRecord(value) ? fromWritten(value) : null
}

/** As it stands in a file. */
type WrittenRecord = Omit<SessionRecord, 'timeNamespace' | 'userNamespace'> & {
  /** Of versions without tickets: for which locks it waited. */
  waitingFor?: unknown
  started?: string | null
  timeNamespace?: string | null
  userNamespace?: string | null
}

/** An old record's start time is not taken over: it is not known by which clock it was read. */
function fromWritten(written: WrittenRecord): SessionRecord {
  const { started = null, timeNamespace = null, userNamespace = null, waitingFor: _, ...rest } = written
  return { ...rest, startTime: started, timeNamespace, userNamespace }
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

/**
 * It was read in the middle of a write, or its writer died there: what it says of its own interval is not certain. A record of
 * another version is a whole one.
 */
export function isTorn(text: string): boolean {
  if (isUnfinished(text)) return true
  const value = JSON.parse(text) as Record<string, unknown> | null
  return value?.mountlock === 1 && !isChecked(value)
}

/** Its first field and its last say the same. */
const isChecked = ({ beat, state, check }: Record<string, unknown>) =>
  typeof beat === 'number' && typeof state === 'string' && check === `${beat} ${state}`

function isRecord(value: unknown): value is WrittenRecord {
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
    isTextOrAbsent(r.started, TOKEN_LENGTH_MAX) &&
    isTextOrAbsent(r.timeNamespace, TOKEN_LENGTH_MAX) &&
    isTextOrAbsent(r.userNamespace, TOKEN_LENGTH_MAX) &&
    isTextOrNull(r.user, USER_LENGTH_MAX) &&
    isWhole(r.pid, 1, 2 ** 31) &&
    isWhole(r.uid, -1, 2 ** 32) &&
    isText(r.label, LABEL_LENGTH_MAX) &&
    isWhole(r.refreshRateMs, 1, TIMEOUT_INTERVAL_MS_MAX) &&
    isWhole(r.timeoutIntervalMs, 1, TIMEOUT_INTERVAL_MS_MAX) &&
    isWhole(r.beat, 0, Number.MAX_SAFE_INTEGER) &&
    (r.state === 'alive' || r.state === 'ended') &&
    isChecked(r)
  )
}

const isText = (value: unknown, lengthMax: number) =>
  typeof value === 'string' && value.length <= lengthMax && !CONTROL.test(value)
const isTextOrNull = (value: unknown, lengthMax: number) => value === null || isText(value, lengthMax)
const isTextOrAbsent = (value: unknown, lengthMax: number) => value === undefined || isTextOrNull(value, lengthMax)
const isWhole = (value: unknown, least: number, most: number) =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
