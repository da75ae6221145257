/**
 * What the start of a thread depends on: descriptors and a current directory. And whether a thread lives, for callers
 * that are blocked.
 */

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename } from 'node:path'

/** The threads of this process; `null` where it cannot be told: without /proc, or without a descriptor for looking. */
export function ownThreads(): string[] | null {
  try {
    return readdirSync(TASKS)
  } catch {
    return null
  }
}

/** How many there are: needs no descriptor. `null` without /proc. */
export function ownThreadCount(): number | null {
  const facts = statSync(TASKS, { throwIfNoEntry: false })
  return facts === undefined ? null : facts.nlink - DIRECTORY_LINKS
}

/** Needs no descriptor. */
export function isThreadAlive(id: string): boolean {
  return statSync(`${TASKS}/${id}`, { throwIfNoEntry: false }) !== undefined
}

/** Its own two, and one for each directory in it. */
const DIRECTORY_LINKS = 2
const TASKS = '/proc/self/task'

/**
 * Does another thread of this process run, or wait for a processor? One that waits for a mount does not. `false` also
 * where it cannot be told.
 */
export function wantsProcessor(): boolean {
  try {
    const me = basename(readlinkSync('/proc/thread-self'))
    return readdirSync(TASKS).some((id) => id !== me && isRunnable(id))
  } catch {
    return false
  }
}

function isRunnable(id: string): boolean {
  const status = readFileSync(`${TASKS}/${id}/stat`, 'utf8')
  return status.startsWith('R', status.lastIndexOf(')') + 2) // behind the name, in which anything may stand
}

let startsAwaited = 0

/** Waits until a thread of ours has started: on a busy machine that takes seconds. */
export async function startOfThread(started: Promise<unknown>): Promise<void> {
  startsAwaited++
  try {
    await started
  } finally {
    startsAwaited--
  }
}

/** Is that waited for at the moment? */
export const isStartAwaited = (): boolean => startsAwaited > 0

/** An event loop takes so many (Node 20 to 24, Linux: with three the thread ended with EMFILE, with four it ran). */
const DESCRIPTORS_OF_THREAD = 4

/**
 * A V8 of its own reserves so much, and where it cannot, it ends the whole process (Node 20.20, x64: with 577 MiB left it did,
 * with 597 the thread ran).
 */
const ADDRESS_SPACE_OF_THREAD = 640 * 1024 * 1024

/** Too little of what `ulimit -v` leaves to this process. Where that cannot be read, there is no limit, most likely. */
export function missingAddressSpace(): Error | null {
  const limit = numberIn('/proc/self/limits', /^Max address space +(\d+)/m)
  const usedKb = limit === null ? null : numberIn('/proc/self/status', /^VmSize:\s+(\d+)/m)
  if (limit === null || usedKb === null || limit - usedKb * 1024 >= ADDRESS_SPACE_OF_THREAD) return null
  return Object.assign(new Error('ENOMEM: too little address space for a thread'), { code: 'ENOMEM' })
}

function numberIn(path: string, pattern: RegExp): number | null {
  try {
    const [, digits] = pattern.exec(readFileSync(path, 'utf8')) ?? []
    return digits === undefined ? null : Number(digits)
  } catch {
    return null
  }
}

/** Why a thread cannot start at the moment, as far as that can be found out: the system's error, or `null`. */
export function obstacleToThreads(): Error | null {
  return missingDirectory() ?? missingDescriptors()
}

export function missingDescriptors(): Error | null {
  const opened: number[] = []
  try {
    while (opened.length < DESCRIPTORS_OF_THREAD) opened.push(openSync('/dev/null', 'r'))
    return null
  } catch (error) {
    return error as Error
  } finally {
    for (const descriptor of opened) closeSync(descriptor)
  }
}

/** The current directory may have been removed. `process.cwd()` remembers what it said first, so the system is asked. */
export function missingDirectory(): Error | null {
  try {
    realpathSync.native('.')
    return null
  } catch (error) {
    return error as Error
  }
}

/**
 * Where the current directory is gone: goes elsewhere while the work, which must be blocking, is done, and comes back.
 * Elsewhere is a directory in which no process can make a file, for the sake of what the pool's threads may be doing meanwhile.
 * @throws the system's error; in a worker, which may not change the directory, Node's
 */
export function awayFromMissingDirectory<T>(work: () => T): T {
  const descriptor = openSync('.', 'r')
  try {
    // Not imported from node:process, which makes the standard streams when it is loaded, and a descriptor with them.
    process.chdir('/proc/self')
    try {
      return work()
    } finally {
      process.chdir(`/proc/self/fd/${descriptor}`)
    }
  } finally {
    closeSync(descriptor)
  }
}
