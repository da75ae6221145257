/** The names in a lock directory and beside it: the only place that knows how they are spelled. */

/** Says what kind of lock a directory is: link-based, hard and symbolic links alike, because they exclude each other. */
export const LINKS_MARKER = '.links'

export const MARKER_TEXT =
  'This directory is a mountlock lock (link-based). It stays when the lock is free.\nDo not delete anything in it while a process may hold the lock.\n'

const ENTRY = /^(0|[1-9][0-9]{0,19})(\.free)?$/
const LOOK = /^\.look-[0-9a-f]{16}$/
const SESSION = /^\.mountlock-41c29-([A-Za-z0-9._-]{1,40})-([0-9]{1,10})-([0-9a-f]{16})$/
const NEW_LOCK = /^\.mountlock-new-[0-9a-f]{16}$/

/** A listing counts only if the server makes it in one piece: few names, and none of them long. */
const ENTRIES_MAX = 32
const NAME_LENGTH_MAX = 100

export const heldName = (generation: bigint) => String(generation)
export const freeName = (generation: bigint) => `${generation}.free`
export const lookName = (random: string) => `.look-${random}`
export const newLockName = (random: string) => `.mountlock-new-${random}`
export const isNewLockName = (name: string) => NEW_LOCK.test(name)

/** The name of a session file; the host is made harmless and short, it is for people. */
export function sessionName(host: string, pid: number, id: string): string {
  const harmless = host.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 40) || '_'
  return `.mountlock-41c29-${harmless}-${pid}-${id}`
}

/** The parts of a session file's name, or `null` for any other name. */
export function parseSessionName(name: string): { host: string; pid: number; id: string } | null {
  const match = SESSION.exec(name)
  return match === null ? null : { host: match[1] as string, pid: Number(match[2]), id: match[3] as string }
}

/** The session file that a symlink of ours points to, or `null` if the target is not of our form. */
export function sessionOfTarget(target: string): string | null {
  const name = target.startsWith('../') ? target.slice(3) : ''
  return SESSION.test(name) ? name : null
}

/** What a listing of a lock directory says. */
export interface LockListing {
  /** It has our marker. */
  marked: boolean
  /** Too many or too long names to be sure that the listing was made in one piece. */
  crowded: boolean
  /** The highest generation, `null` if there is none. */
  highest: bigint | null
  /** The highest generation was released. */
  free: boolean
  /** What a successful acquirer may remove, in ascending order: lower generations, and traces of waiters. */
  below: string[]
  /** Names that are not ours. */
  unknown: string[]
}

export function parseListing(names: readonly string[]): LockListing {
  const listing: LockListing = {
    marked: false,
    crowded: names.length > ENTRIES_MAX,
    highest: null,
    free: false,
    below: [],
    unknown: [],
  }
  const entries: { generation: bigint; free: boolean; name: string }[] = []
  for (const name of names) {
    if (name.length > NAME_LENGTH_MAX) listing.crowded = true
    const match = ENTRY.exec(name)
    if (match !== null) entries.push({ generation: BigInt(match[1] as string), free: match[2] !== undefined, name })
    else if (name === LINKS_MARKER) listing.marked = true
    else if (LOOK.test(name)) listing.below.push(name)
    else listing.unknown.push(name)
  }
  for (const { generation, free } of entries) {
    if (listing.highest === null || generation > listing.highest) {
      listing.highest = generation
      listing.free = free
    } else if (generation === listing.highest && free) {
      listing.free = true // where both exist, free wins
    }
  }
  entries.sort((a, b) => (a.generation < b.generation ? -1 : a.generation > b.generation ? 1 : 0))
  for (const { generation, name } of entries) if (generation !== listing.highest) listing.below.push(name)
  return listing
}
