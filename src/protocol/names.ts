/** The names in a lock directory and beside it: the only place that knows how they are spelled. */

/** What kind of lock a directory is. Hard and symbolic links are one kind, because they exclude each other. */
export type LockKind = 'links' | 'renames'

const MARKERS = new Map<string, LockKind>([
  ['.links', 'links'],
  ['.renames', 'renames'],
])
export const markerName = (kind: LockKind) => `.${kind}`

export const MARKER_TEXT =
  'This directory is a mountlock lock. It stays when the lock is free.\nDo not delete anything in it while a process may hold the lock.\n'

const OWNER = '[A-Za-z0-9._-]{1,40}-[0-9]{1,10}-[0-9a-f]{16}'
/** A generation: `18` (a link), `18.<owner>` (renamed) or `18.free`. */
const ENTRY = new RegExp(`^(0|[1-9][0-9]{0,19})(?:\\.(free|${OWNER}))?$`)
const LOOK = /^\.look-[0-9a-f]{16}$/
const SESSION_PREFIX = '.mountlock-41c29-'
const SESSION = /^\.mountlock-41c29-([A-Za-z0-9._-]{1,40})-([0-9]{1,10})-([0-9a-f]{16})$/
const NEW_LOCK = /^\.mountlock-new-[0-9a-f]{16}$/
const DISSOLVING = /^\.dissolving-(links|renames)-[0-9a-f]{16}$/
/** Without a kind: of a version that did not tell it. */
const DISSOLVED = /^\.dissolved-((?:(links|renames)-)?(0|[1-9][0-9]{0,19})-[0-9a-f]{16})$/
const DISSOLVED_NOTE = /^\.mountlock-dissolved-([0-9a-f]{1,16})-((?:(?:links|renames)-)?[0-9]{1,20}-[0-9a-f]{16})$/
const REVIVING = /^\.reviving-(links|renames)-(0|[1-9][0-9]{0,19})-[0-9a-f]{16}$/
/**
 * The directory in which waiters leave their tickets (`waiting/tickets.ts`). A lock knows no more of it than that it may be
 * there. Its name is short: nfsd lists 32 names of ours, at most 89 characters each, in 3904 bytes of its page of 4096, and
 * this one in 32 more, so that it does not count among those that a listing may have.
 */
export const WAIT_ROOM = '.wait'
/** One that is on its way out: it was moved beside the lock, and is being emptied. */
const MOVED_WAIT_ROOM = /^\.mountlock-wait-[0-9a-f]{16}$/
export const movedWaitRoomName = (random: string) => `.mountlock-wait-${random}`
export const isMovedWaitRoomName = (name: string) => MOVED_WAIT_ROOM.test(name)
/** A ticket: the generation that was in its owner's way, and the owner, spelled as in the entry of a generation that it holds. */
export const ticketName = (generation: bigint, sessionFile: string) => ownedName(generation, sessionFile)
export function parseTicketName(name: string): { generation: bigint; sessionFile: string } | null {
  const [, generation, owner] = ENTRY.exec(name) ?? []
  if (generation === undefined || owner === undefined || owner === 'free') return null
  return { generation: BigInt(generation), sessionFile: `${SESSION_PREFIX}${owner}` }
}
/** What an NFS client makes of a file that is removed while it is open; it goes away when it is closed. */
const SILLY_RENAMED = /^\.nfs[0-9a-f]+$/

/** A listing counts only if the server makes it in one piece: few names, and none of them long. */
const ENTRIES_MAX = 32
const NAME_LENGTH_MAX = 100

export const heldName = (generation: bigint) => String(generation)
/** The highest generation that has a next one within the digits of a name. */
export const GENERATION_MAX = 10n ** 20n - 2n

/** The name of a held generation that carries its owner: the session file's, without the prefix. */
export const ownedName = (generation: bigint, sessionFile: string) => `${generation}.${sessionFile.slice(SESSION_PREFIX.length)}`
export const freeName = (generation: bigint) => `${generation}.free`
export const lookName = (random: string) => `.look-${random}`
/** What the draft of a lock directory contains. */
export const isNameInDraft = (name: string) => MARKERS.has(name) || (ENTRY.test(name) && name.endsWith('.free'))
export const newLockName = (random: string) => `.mountlock-new-${random}`
/** What a process makes for a moment only: it stays where that process died. */
export const isMomentaryName = (name: string) => NEW_LOCK.test(name) || LOOK.test(name) || MOVED_WAIT_ROOM.test(name)

/** The marker of a lock directory of which it is being decided whether it may be dissolved; see `dissolve.ts`. */
export const dissolvingName = (kind: LockKind, random: string) => `.dissolving-${kind}-${random}`
export const dissolvingKind = (name: string) => (DISSOLVING.exec(name)?.[1] as LockKind | undefined) ?? null
/** The marker of one that is decided: it is emptied and removed. It tells what it was, and the last generation. */
export const dissolvedName = (kind: LockKind, last: bigint, random: string) => `.dissolved-${kind}-${last}-${random}`
export const isDissolvedName = (name: string) => DISSOLVED.test(name)
export function dissolvedKind(name: string): LockKind | null {
  const match = DISSOLVED.exec(name)
  return match === null ? null : ((match[2] as LockKind | undefined) ?? 'links')
}
export const lastGeneration = (dissolved: string) => BigInt(DISSOLVED.exec(dissolved)?.[3] ?? 0)
/** The marker of one that could not be removed, and becomes a free lock again. It tells the generation that will be free. */
export const revivingName = (kind: LockKind, free: bigint, random: string) => `.reviving-${kind}-${free}-${random}`
export function parseReviving(name: string): { kind: LockKind; free: bigint } | null {
  const match = REVIVING.exec(name)
  return match === null ? null : { kind: match[1] as LockKind, free: BigInt(match[2] as string) }
}
export const isSillyRenamed = (name: string) => SILLY_RENAMED.test(name)
/** The kind of a lock that is being dissolved or revived, told by its marker; `null`: the name is no such marker. */
export const halfWayKind = (name: string) => dissolvingKind(name) ?? dissolvedKind(name) ?? parseReviving(name)?.kind ?? null
/** That marker, moved out beside the lock: it says which directory, by its inode number, is empty because of us. */
export const dissolvedNote = (ino: number, dissolved: string) =>
  `.mountlock-dissolved-${ino.toString(16)}-${DISSOLVED.exec(dissolved)?.[1]}`
/** That note, about any lock. */
export const isDissolvedNote = (name: string) => DISSOLVED_NOTE.test(name)
/** What the marker was called that a note beside the lock was made of; `null`: it is not a note about that inode. */
export function dissolvedOfNote(note: string, ino: number): string | null {
  const match = DISSOLVED_NOTE.exec(note)
  return match !== null && match[1] === ino.toString(16) ? `.dissolved-${match[2]}` : null
}
/**
 * What a dissolved lock directory may contain besides its marker: generations, other markers, and the traces of
 * processes that looked.
 */
export const isSpentName = (name: string) => ENTRY.test(name) || LOOK.test(name) || DISSOLVING.test(name) || DISSOLVED.test(name)
/** A lock directory that is being made. */
export const isNewLockName = (name: string) => NEW_LOCK.test(name)

/** The name of a session file; the host is made harmless and short, it is for people. */
export const sessionName = (host: string, pid: number, id: string) => `${SESSION_PREFIX}${harmless(host)}-${pid}-${id}`

const harmless = (host: string) => host.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 40) || '_'
/** It may have been made on that host: names of hosts are not unique, and are cut. */
export const isNameOfHost = (name: string, host: string) => parseSessionName(name)?.host === harmless(host)

export const isSessionName = (name: string) => SESSION.test(name)

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
  /** Its marker; `null`: it has none, and is not ours. */
  kind: LockKind | null
  /** Too many or too long names to be sure that the listing was made in one piece. */
  crowded: boolean
  /** The highest generation, `null` if there is none. */
  highest: bigint | null
  /** The highest generation was released. */
  free: boolean
  /** The name of the highest generation's entry. */
  entry: string
  /** The session file of the highest generation's owner, where its name says so. */
  sessionFile: string | null
  /** What a successful acquirer may remove, in ascending order: lower generations. */
  below: string[]
  /** Traces of waiters: most waiters are about to remove their own. */
  looks: string[]
  /** There is a directory for the tickets of waiters. Nothing else is said of it here, and nothing that decides asks. */
  isWaitedFor: boolean
  /** Names that are not ours. */
  unknown: string[]
}

/** What kind of lock a directory is, also while it is being dissolved or revived; `null`: it is not ours. */
export function lockKindIn(names: readonly string[]): LockKind | null {
  const marker = names.find((name) => MARKERS.has(name))
  if (marker !== undefined) return MARKERS.get(marker) ?? null
  const halfWay = names.find((name) => halfWayKind(name) !== null)
  return halfWay === undefined ? null : halfWayKind(halfWay)
}

/** What the name of an entry in a lock directory says by itself; `null`: it is none. */
export function parseEntry(name: string): { generation: bigint; isFree: boolean; sessionFile: string | null } | null {
  const [, generation, owner] = ENTRY.exec(name) ?? []
  return generation === undefined
    ? null
    : { generation: BigInt(generation), isFree: owner === 'free', sessionFile: sessionOf(owner) }
}

/** The session file that the name of an entry tells, if it tells one. */
const sessionOf = (owner: string | undefined) => (owner === undefined || owner === 'free' ? null : `${SESSION_PREFIX}${owner}`)

interface Entry {
  generation: bigint
  owner: string | undefined
  name: string
}

export function parseListing(names: readonly string[]): LockListing {
  const listing: LockListing = {
    kind: null,
    crowded: false,
    highest: null,
    free: false,
    entry: '',
    sessionFile: null,
    below: [],
    looks: [],
    isWaitedFor: false,
    unknown: [],
  }
  const entries: Entry[] = []
  for (const name of names) {
    if (name === WAIT_ROOM) {
      listing.isWaitedFor = true
      continue
    }
    if (name.length > NAME_LENGTH_MAX) listing.crowded = true
    const kind = MARKERS.get(name)
    const match = kind === undefined ? ENTRY.exec(name) : null
    if (kind !== undefined) listing.kind = kind
    else if (match !== null) entries.push({ generation: BigInt(match[1] as string), owner: match[2], name })
    else if (LOOK.test(name)) listing.looks.push(name)
    else listing.unknown.push(name)
  }
  listing.crowded ||= names.length - Number(listing.isWaitedFor) > ENTRIES_MAX
  let highest: bigint | undefined
  for (const { generation } of entries) if (highest === undefined || generation > highest) highest = generation
  const below: string[] = []
  for (const entry of entries) {
    if (entry.generation === highest) takeAsHighest(listing, entry)
    else below.push(entry.name)
  }
  listing.below = ascending(below)
  return listing
}

/** Names of generations, the lowest first. */
export function ascending(names: Iterable<string>): string[] {
  const generationOf = (name: string) => parseEntry(name)?.generation ?? -1n
  return [...names].sort((one, other) => Number(generationOf(one) - generationOf(other)))
}

/** Where a generation is there both held and free, free wins. */
function takeAsHighest(listing: LockListing, { generation, owner, name }: Entry): void {
  listing.highest = generation
  if (listing.free) return
  listing.free = owner === 'free'
  listing.entry = name
  listing.sessionFile = sessionOf(owner)
}
