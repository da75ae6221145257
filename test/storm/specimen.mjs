/**
 * A specimen of how lock files are usually made, and broken: one fixed path, `link` to acquire, `unlink` to release, and
 * a process that sees an old modification time unlinks it and tries again. The storm must catch it: see storm.test.ts.
 */

import { linkSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** @typedef {import('../../dist/index.js').Lock} Lock */

/** @param {{ refreshRateMs: number, timeoutIntervalMs: number }} options @returns {import('../../dist/index.js').Locker} */
export function createSpecimen({ refreshRateMs, timeoutIntervalMs }) {
  /** @param {string} path @returns {Lock | null} */
  const tryOnce = (path) => {
    const dummy = `${path}.${process.pid}.${Math.random()}`
    writeFileSync(dummy, '')
    try {
      linkSync(dummy, path)
      return held(path)
    } catch {
      return null
    } finally {
      unlinkSync(dummy)
    }
  }
  /** @param {string} path */
  const removeStale = (path) => {
    try {
      if (Date.now() - statSync(path).mtimeMs > timeoutIntervalMs) unlinkSync(path)
    } catch {
      // Another process has removed it.
    }
  }
  /** @param {string} path @returns {any} */
  const held = (path) => {
    const now = () => {
      try {
        utimesSync(path, new Date(), new Date())
      } catch {
        // The next try is soon.
      }
    }
    now()
    const timer = setInterval(now, refreshRateMs)
    const releaseSync = () => {
      clearInterval(timer)
      try {
        unlinkSync(path)
      } catch {
        return { lost: true }
      }
      return { lost: false }
    }
    return {
      path,
      token: null,
      signal: new AbortController().signal,
      assertHeld() {},
      releaseSync,
      release: async () => releaseSync(),
    }
  }
  /** @type {any} */
  const specimen = {
    /** @param {string} path @param {{ waitMs: number }} options */
    async acquire(path, { waitMs }) {
      for (const deadline = performance.now() + waitMs; performance.now() < deadline; await sleep(20)) {
        removeStale(path)
        const lock = tryOnce(path)
        if (lock !== null) return lock
      }
      throw Object.assign(new Error('not acquired in time'), { code: 'LOCK_TIMEOUT' })
    },
    /** @param {string} path */
    async tryAcquire(path) {
      removeStale(path)
      return tryOnce(path)
    },
    async close() {},
  }
  return specimen
}
