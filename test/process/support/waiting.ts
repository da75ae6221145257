/** What tests of waiters know of the graces, and how long they wait for what they mean. */

export const PATIENCE = { timeout: 20_000, interval: 5 }
export const GRACE_MS = 5
/** The lock is left to so many for a grace each. */
export const TURNS = 8
/** Far less than a waiter takes that is not told, and looks by itself. */
export const TOLD_MS_MAX = 100
/** A session that stands still or idles is not ended meanwhile. */
export const UNHURRIED = { refreshRateMs: 20_000, timeoutIntervalMs: 60_000 }
