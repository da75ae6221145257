/** What tests of waiters know of the graces and the tickets, and how long they wait for what they mean. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const PATIENCE = { timeout: 20_000, interval: 5 }
export const GRACE_MS = 5
/** The lock is left to so many for a grace each. */
export const TURNS = 8
/** Far less than a waiter takes that is not told, and looks by itself. */
export const TOLD_MS_MAX = 100
/** A session that stands still or idles is not ended meanwhile. */
export const UNHURRIED = { refreshRateMs: 20_000, timeoutIntervalMs: 60_000 }

/** The tickets of a lock. The room for them comes and goes with them. */
export function tickets(path: string): string[] {
  try {
    return readdirSync(join(path, '.wait'))
  } catch {
    return []
  }
}

/** Makes tickets by hand. A waiter that leaves may remove the room while it is empty: it is made until a ticket is in it. */
export function plant(path: string, names: readonly string[]): void {
  for (const name of names) while (!plantOne(join(path, '.wait'), name));
}

function plantOne(room: string, name: string): boolean {
  mkdirSync(room, { recursive: true })
  try {
    writeFileSync(join(room, name), '')
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
}
