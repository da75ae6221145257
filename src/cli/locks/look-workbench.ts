/**
 * Workbench's own locks as they are shown beside ours. They are read and never asked for: an fcntl lock that was taken for a
 * moment, to see whether it is free, would be held for that moment, and a session that starts just then would not get it.
 */

import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { findKernelLocks, seesEveryProcess } from '../../advisory/kernel-locks.js'
import { directoryFacts } from '../../drivers/file-system.js'
import { Lane } from '../../drivers/lane.js'
import { runProtocol } from '../../drivers/run.js'
import { fileSystemError } from '../../advice/file-system-error.js'
import { fileSystemAt } from '../../drivers/mount-info.js'
import { ageMs, type Found, type Generation, stateOf, TIMEOUT_INTERVAL_MS, whatLies } from '../../workbench/format.js'
import { look } from '../../workbench/look.js'
import { hiddenDirectory, type WorkbenchPath } from '../../workbench/places.js'
import { serverTime } from '../../workbench/server-time.js'
import { bounded } from '../shared/bounded.js'
import { messageOf } from '../shared/output.js'

/** One of Workbench's own locks. */
export interface WorkbenchStatus extends Omit<WorkbenchPath, 'path'> {
  path: string
  /** `free`: only of advisory locks. `foreign`: what lies there is no lock of theirs. */
  state: 'held' | 'stale' | 'released' | 'free' | 'unknown' | 'foreign'
  /** Why the state is unknown, or what it is that lies there. */
  reason: string | null
  form: 'hard link' | 'symlink' | 'advisory' | null
  generation: Generation | null
  /** It is held by a process of ours, which wrote the file. */
  byMountlock: boolean
  /** As written: of whatever host. Of an advisory lock: of this node, as its kernel tells. */
  pid: number | null
  /** When it was refreshed, by the file server's clock: to be compared with itself only. */
  modifiedMs: number | null
  ageMs: number | null
  /** By which clock its age was taken: that of this node where the file server's could not be asked. */
  ageBy: 'server' | 'node' | null
  /** Is there an fcntl lock on the file, as far as this node's kernel can tell? `null`: there is no file. */
  fcntl: 'held' | 'free' | 'unknown' | null
}

interface KernelAnswer {
  state: 'held' | 'free' | 'unknown'
  pid: number | null
  /** Why it is unknown. */
  reason: string | null
}

export class WorkbenchLooker {
  readonly #timeoutMs: number
  readonly #lane = new Lane()
  /** How far each file server's clock is ahead of this node's, by the number of its device; `null`: it could not be asked. */
  readonly #aheadMs = new Map<number, number | null>()

  /** @param timeoutMs the timeout-interval by which their locks get old */
  constructor(timeoutMs: number = TIMEOUT_INTERVAL_MS) {
    this.#timeoutMs = timeoutMs
  }

  /** `null`: nothing lies there any more. @throws LockFileSystemError */
  async look(place: WorkbenchPath, byMountlock = false): Promise<WorkbenchStatus | null> {
    const { path } = place
    const looked = await bounded(path, runProtocol(look(path), this.#lane))
    if (!looked.ok) {
      const { code: errno, error: cause } = looked
      throw fileSystemError({ action: 'open', path, errno, fileSystem: fileSystemAt(path), cause })
    }
    const found = whatLies(looked.value.seen)
    if (found.kind === 'nothing') return null
    const none = {
      reason: null,
      form: null,
      generation: null,
      byMountlock,
      pid: null,
      modifiedMs: null,
      ageMs: null,
      ageBy: null,
      fcntl: null,
    }
    if (found.kind === 'foreign') return { ...place, ...none, state: 'foreign', reason: found.what }
    return { ...place, ...none, ...(await this.#judge(path, found)) }
  }

  async #judge(
    path: string,
    found: Exclude<Found, { kind: 'nothing' | 'foreign' }>,
  ): Promise<Pick<WorkbenchStatus, 'state'> & Partial<WorkbenchStatus>> {
    // A link that leads nowhere leads to no file.
    const kernel = found.modifiedMs === null ? NO_LOCK : await this.#askKernel(fileOf(path, found))
    const { serverMs, ageBy } = await this.#now(path)
    const { modifiedMs } = found
    const aged = modifiedMs === null ? {} : { modifiedMs, ageMs: ageMs(modifiedMs, serverMs), ageBy }
    const fcntl = found.modifiedMs === null ? null : kernel.state
    const limit = { serverMs, timeoutMs: this.#timeoutMs }
    switch (found.kind) {
      case 'link': {
        const { generation, pid } = found
        const form = found.target === null ? 'hard link' : 'symlink'
        const state = stateOf(found, limit)
        // What was released has no age: its time stamp is part of the mark.
        return { state, form, generation, pid, fcntl, ...(state === 'released' ? {} : aged) }
      }
      case 'unreadable':
        return { state: 'unknown', reason: 'this user may not read it', fcntl, ...aged }
      case 'advisory': {
        const { state, pid, reason } = kernel
        return { state, reason, form: 'advisory', pid, fcntl, ...aged }
      }
    }
  }

  /** Free is said only where this node's kernel knows every lock there is. */
  async #askKernel(file: string): Promise<KernelAnswer> {
    try {
      const status = await bounded(file, lstat(file, { bigint: true }))
      const locks = await findKernelLocks('fcntl', status, this.#lane)
      if (locks?.[0] !== undefined) return { state: 'held', pid: locks[0].pid, reason: null }
      const { plainLocal } = await bounded(file, directoryFacts(dirname(file), this.#lane))
      if (!plainLocal) return unknown('this node does not know the locks of other nodes, and asking for it would take it')
      if (locks !== null && (await seesEveryProcess(this.#lane))) return NO_LOCK
      return unknown('this process does not see every process of its machine')
    } catch (error) {
      return unknown(messageOf(error))
    }
  }

  /** By the file server's clock, or by our own where that cannot be asked. */
  async #now(path: string): Promise<{ serverMs: number; ageBy: 'server' | 'node' }> {
    const aheadMs = await bounded(path, this.#serverAheadMs(dirname(hiddenDirectory(path)))).catch(() => null)
    return aheadMs === null ? { serverMs: Date.now(), ageBy: 'node' } : { serverMs: Date.now() + aheadMs, ageBy: 'server' }
  }

  /** Asked once for each file system: it costs a change there. Where the clocks are one, nothing is asked. */
  async #serverAheadMs(directory: string): Promise<number | null> {
    const { dev, plainLocal } = await directoryFacts(directory, this.#lane)
    if (plainLocal) return 0
    const known = this.#aheadMs.get(dev)
    if (known !== undefined) return known
    const beforeMs = Date.now()
    const serverMs = await runProtocol(serverTime(directory), this.#lane)
    const aheadMs = serverMs === null ? null : serverMs - (beforeMs + Date.now()) / 2
    this.#aheadMs.set(dev, aheadMs)
    return aheadMs
  }
}

const NO_LOCK: KernelAnswer = { state: 'free', pid: null, reason: null }
const unknown = (why: string): KernelAnswer => ({
  state: 'unknown',
  pid: null,
  reason: `whether it is held cannot be told from here: ${why}`,
})

const fileOf = (path: string, found: Found) => ('target' in found ? (found.target ?? path) : path)
