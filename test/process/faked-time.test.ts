/**
 * Programs in which a test has faked time. Goal: a lock is held and lost by the time of the machine, because that is the time
 * by which other nodes judge it. Method: everything that tells the time or waits for it is replaced after the library was
 * loaded (as the fakes of vitest, jest and sinon do, and more), and real time passes.
 */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'
import { program } from './support/program.js'

/** `pass(ms)` lets real time pass. */
const FAKE = `import os from 'node:os'
  import timers from 'node:timers'
  import promises from 'node:timers/promises'
  import { syncBuiltinESMExports } from 'node:module'
  const [real, realNow] = [setTimeout, performance.now.bind(performance)]
  const pass = (ms) => new Promise((resolve) => real(resolve, ms))
  const never = () => ({ unref() { return this }, ref() { return this }, hasRef: () => false })
  const instant = Date.now()
  class FakeDate extends Date { constructor(...args) { super(...(args.length > 0 ? args : [instant])) } }
  Date.now = () => instant
  FakeDate.now = () => instant
  globalThis.Date = FakeDate
  performance.now = () => 0
  process.hrtime = Object.assign(() => [0, 0], { bigint: () => 0n })
  process.uptime = () => 0
  os.uptime = () => 0
  for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
    globalThis[name] = timers[name] = promises[name] = never
  }
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask']) globalThis[name] = timers[name] = () => {}
  process.nextTick = () => {}
  globalThis.performance = { now: () => 0 }
  Atomics.wait = () => 'timed-out'
  syncBuiltinESMExports()
  const took = (since) => Math.round(realNow() - since)`

test('what is left of a lock, and its end, are told by the real clock', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const [fresh, later] = (await program(
    `const lock = await locker.acquire(process.argv[1])
    ${FAKE}
    const remainingMs = []
    for (let look = 0; look < 8; look++) { remainingMs.push(lock.remainingMs); await pass(400) }
    tell(remainingMs)
    tell({ held: lock.held, lost: (await lock.release()).lost })
    process.exit()`,
    { args: [path] },
  )) as [number[], unknown]
  // A lease of 1800 ms that is renewed every 500 ms: it neither stands still, nor grows, nor runs out.
  expect(Math.max(...fresh)).toBeLessThanOrEqual(2000)
  expect(Math.min(...fresh)).toBeGreaterThan(0)
  expect(new Set(fresh).size).toBeGreaterThan(1)
  expect(later).toEqual({ held: true, lost: false })
})

test('a holder whose heartbeats stop hears of it when its lease is over', async () => {
  const folder = await temporaryFolder()
  const [reason] = await program(
    `import { mkdirSync, renameSync } from 'node:fs'
    const directory = process.argv[1] + '/directory'
    mkdirSync(directory)
    const lock = await locker.acquire(directory + '/lock')
    ${FAKE}
    const lost = new Promise((resolve) => lock.signal.addEventListener('abort', () => resolve(lock.signal.reason.reason)))
    renameSync(directory, directory + '-away') // no heartbeat finds its session any more
    tell(await Promise.race([lost, pass(20000)]))
    process.exit()`,
    { args: [folder] },
  )
  expect(reason).toBe('lease-expired')
})

test('waits end in time, asynchronous and blocking ones, and a waiter gets what is released', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const answers = await program(
    `const other = createLocker({ refreshRateMs: 500, timeoutIntervalMs: 2000 })
    const lock = await locker.acquire(process.argv[1] + '/lock')
    ${FAKE}
    const start = realNow()
    const refused = await other.acquire(process.argv[1] + '/lock', { waitMs: 300 }).catch(({ code }) => code)
    tell([refused, took(start) >= 299])
    const waiting = other.acquire(process.argv[1] + '/lock', { waitMs: 20000 })
    await pass(100)
    await lock.release()
    tell((await waiting).held)
    await other.close(); await locker.close()
    process.exit()`,
    { args: [path.replace(/\/lock$/, '')] },
  )
  expect(answers).toEqual([['LOCK_TIMEOUT', true], true])
})
