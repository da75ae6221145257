/**
 * The descriptors that this process has inherited, beside the standard three: a shell's `9>file`, the jobserver of make.
 * Node marks them close-on-exec when it starts, so each has to be handed on by its number.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The first descriptor that is not one of the standard ones. */
const FIRST = 3

/**
 * To be called before anything else is opened. Descriptors that Node has made for itself are told apart by what they are:
 * event descriptors, pipes that have both their ends here and that the parent does not know, and one /dev/null. So an
 * inherited event descriptor (epoll, eventfd, signalfd, inotify) counts as Node's own. Empty where there is no /proc.
 */
export function inheritedDescriptors(): number[] {
  const all = descriptorsOf('self')
  const isEvent = (what: string) => what.startsWith('anon_inode:')
  const ofParent = new Set(descriptorsOf(process.ppid).map(({ what }) => what))
  const isPipeOfNode = (what: string) =>
    what.startsWith('pipe:') && !ofParent.has(what) && all.filter((other) => other.what === what).length > 1
  // With the first stream libuv opens it, for a day without free descriptors: behind its event descriptors, in the first free
  // place.
  const lastEvent = Math.max(...all.filter(({ what }) => isEvent(what)).map(({ fd }) => fd))
  const reserve = all.find(({ fd, what }) => what === '/dev/null' && fd > lastEvent && isOnlyRead(fd))?.fd
  return all.filter(({ fd, what }) => fd >= FIRST && fd !== reserve && !isEvent(what) && !isPipeOfNode(what)).map(({ fd }) => fd)
}

/** The flags of open(2), in octal digits; the last one says how it may be used. */
function isOnlyRead(fd: number): boolean {
  try {
    return /^flags:\s+\d*[04]$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
  } catch {
    return false
  }
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

/**
 * What each descriptor of a process leads to, in the order of their numbers. A descriptor that is closed meanwhile is left
 * out, and so is a process of another user.
 */
export function descriptorsOf(pid: number | 'self'): { fd: number; what: string }[] {
  const folder = `/proc/${pid}/fd`
  try {
    const numbers = readdirSync(folder)
      .map(Number)
      .sort((one, other) => one - other)
    return numbers.flatMap((fd) => {
      const what = linkOf(`${folder}/${fd}`)
      return what === null ? [] : [{ fd, what }]
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
