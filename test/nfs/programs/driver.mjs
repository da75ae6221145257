/**
 * One locker on a node, driven by the test: driver.mjs OPTIONS. Takes commands as lines of JSON, answers each with one line,
 * and says on its own when a lock was lost.
 */

import { subscribe } from 'node:diagnostics_channel'
import { createInterface } from 'node:readline'
import { createLocker, LockLostError } from '../../../dist/index.js'

/** @typedef {import('../../../dist/index.js').Lock} Lock */

const locker = createLocker(JSON.parse(process.argv[2] ?? '{}'))
/** @type {Map<string, Lock>} */
const locks = new Map()

/** @param {object} message */
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

let failedHeartbeats = 0
subscribe('mountlock:refresh', () => failedHeartbeats++)

/** @param {string} name @param {Lock | null} lock */
function keep(name, lock) {
  if (lock === null) return { held: false }
  locks.set(name, lock)
  const tellLoss = () => {
    const { reason } = lock.signal
    say({ lost: name, reason: reason instanceof LockLostError ? reason.reason : String(reason), uptimeMs: performance.now() })
  }
  // A driver that stood still finds it aborted already, and no event comes any more.
  if (lock.signal.aborted) setImmediate(tellLoss)
  else lock.signal.addEventListener('abort', tellLoss)
  return { held: true, token: lock.token === null ? null : String(lock.token) }
}

/** @param {string} name */
function lockNamed(name) {
  const lock = locks.get(name)
  if (lock === undefined) throw new Error(`There is no lock "${name}" here`)
  return lock
}

/** @type {Record<string, (command: any) => Promise<object>>} */
const commands = {
  acquire: async ({ path, name = path, waitMs, abortAfterMs }) => {
    const signal = abortAfterMs === undefined ? undefined : AbortSignal.timeout(abortAfterMs)
    const options = { ...(waitMs !== undefined && { waitMs }), ...(signal !== undefined && { signal }) }
    return keep(name, await locker.acquire(path, options))
  },
  tryAcquire: async ({ path, name = path }) => keep(name, await locker.tryAcquire(path)),
  release: async ({ name }) => await lockNamed(name).release(),
  state: async ({ name }) => {
    const { held, remainingMs, signal } = lockNamed(name)
    return { held, remainingMs: Math.min(remainingMs, 1e9), aborted: signal.aborted, failedHeartbeats }
  },
  /** Writes a file that the lock protects. */
  write: async ({ name, file, data }) => {
    await lockNamed(name).replaceFile(file, data)
    return {}
  },
  inspect: async ({ path }) =>
    JSON.parse(JSON.stringify(await locker.inspect(path), (_, value) => (typeof value === 'bigint' ? String(value) : value))),
  /** How late timers fire: a blocked event loop would show. */
  latency: async ({ forMs }) => ({ latencyMsMax: await latencyMsMax(forMs) }),
  close: async () => {
    await locker.close()
    return {}
  },
}

/** @param {number} forMs */
async function latencyMsMax(forMs) {
  const start = performance.now()
  let worst = 0
  for (let last = start; last - start < forMs;) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = performance.now()
    worst = Math.max(worst, now - last - 20)
    last = now
  }
  return worst
}

/** @param {{ id: number, op: string }} command */
async function answer({ id, op, ...rest }) {
  const startMs = performance.now()
  const took = () => ({ tookMs: performance.now() - startMs })
  try {
    const result = await commands[op]?.(rest)
    say({ id, ...result, ...took() })
  } catch (error) {
    const { name, code, message } = /** @type {Error & { code?: string }} */ (error)
    say({ id, error: { name, code, message }, ...took() })
  }
}

say({ ready: process.pid })
for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line))
await locker.close()
