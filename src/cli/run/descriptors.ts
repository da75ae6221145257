/**
 * The descriptors that this process has inherited, beside the standard three: a shell's `9>file`, the jobserver of make.
 * Node marks them close-on-exec when it starts, so each has to be handed on by its number.
 */

import { readdirSync, readlinkSync } from 'node:fs'

/** The first descriptor that is not one of the standard ones. */
const FIRST = 3

/**
 * To be called before anything else is opened. Descriptors that Node has made for itself are told apart by what they are:
 * event descriptors, and pipes that have both their ends here and that the parent does not know. So an inherited event
 * descriptor (epoll, eventfd, signalfd, inotify) counts as Node's own. Empty where there is no /proc.
 */
export function inheritedDescriptors(): number[] {
  const own = descriptorsOf('self')
  const ofParent = new Set(descriptorsOf(process.ppid).map(({ what }) => what))
  const isOfNode = (what: string) =>
    what.startsWith('anon_inode:') ||
    (what.startsWith('pipe:') && own.filter((other) => other.what === what).length > 1 && !ofParent.has(what))
  return own.filter(({ fd, what }) => fd >= FIRST && !isOfNode(what)).map(({ fd }) => fd)
}

/** The inherited ones in their places, then the one that is added, in the first place from `from` on that is free. */
export function stdioOf(inherited: readonly number[], added: number | null, from: number): (number | 'ignore')[] {
  const places = new Map<number, number>([0, 1, 2, ...inherited].map((fd) => [fd, fd]))
  if (added !== null) {
    let place = from
    while (places.has(place)) place++
    places.set(place, added)
  }
  return Array.from({ length: Math.max(...places.keys()) + 1 }, (_, place) => places.get(place) ?? 'ignore')
}

/** What each descriptor of a process leads to; one that is closed meanwhile is left out, and so is a process of another user. */
export function descriptorsOf(pid: number | 'self'): { fd: number; what: string }[] {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).flatMap((fd) => {
      const what = linkOf(`${folder}/${fd}`)
      return what === null ? [] : [{ fd: Number(fd), what }]
    })
  } catch {
    return []
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
