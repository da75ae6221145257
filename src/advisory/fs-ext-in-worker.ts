/**
 * The addon of `fs-ext` in a worker thread. It keeps handles of the thread that loaded it last in variables of the process, and
 * frees them when the next thread loads it: where the thread before has ended, V8 aborts the whole process ("Check failed:
 * node->IsInUse()"). So each worker loads a copy of its own, which the system takes for another library; it is unloaded with
 * the worker.
 */

import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { UnsupportedPlatformError } from '../errors.js'

/** What of the addon itself works in a worker: calls that block for no longer than the kernel takes. */
export interface Addon {
  flock(fd: number, operation: number): void
  readonly constants: Readonly<Record<string, number>>
}

/** @throws what Node says of an addon that it cannot load, UnsupportedPlatformError */
export function loadAddonInWorker(addon: string): Addon {
  for (const place of [tmpdir(), '/dev/shm', dirname(addon)]) {
    const copied = loadCopy(addon, place)
    if (copied !== null) return copied
  }
  if (isLoadedByAnotherThread())
    throw new UnsupportedPlatformError(
      'fs-ext can be loaded by one thread of a process only, and its addon could not be copied for another one',
      `Let ${tmpdir()} be writable, and not mounted with noexec, or acquire advisory locks in one thread.`,
    )
  return load(addon)
}

/** `null`: not in that place, which may be read-only or mounted with `noexec`. */
function loadCopy(addon: string, place: string): Addon | null {
  let folder: string | undefined
  try {
    folder = mkdtempSync(join(place, 'mountlock-fs-ext-'))
    const copy = join(folder, 'fs_ext.node')
    copyFileSync(addon, copy)
    return load(copy)
  } catch {
    return null
  } finally {
    // What was loaded stays, without a name.
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

function load(addon: string): Addon {
  const module = { exports: {} }
  process.dlopen(module, addon)
  return module.exports as Addon
}

function isLoadedByAnotherThread(): boolean {
  try {
    return readFileSync('/proc/self/maps', 'latin1').includes('fs_ext.node')
  } catch {
    return true
  }
}
