/**
 * Acquires and releases one lock as often as it can, and watches for overlap: contend.mjs OPTIONS. Says "ready" when it has had a
 * lock of its own, starts at a line on its standard input, and reports one line of JSON.
 *
 * Overlap is proved by operations of the server, never by clocks: inside the lock a marker is created with O_EXCL, and a chain
 * of names is moved on by one `rename`, whose source only one process can ever get: `last-17` to `last-18`.
 */

import { once } from 'node:events'
import { closeSync, openSync, readdirSync, renameSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createLocker } from '../../../dist/index.js'

const { lock: path, witness, locker: options, durationMs, pauseMs = 0, mayRefuse = null } = JSON.parse(process.argv[2] ?? '{}')

const locker = createLocker(options)
const report = { acquired: 0, refused: 0, overlaps: 0, outOfOrder: 0, lost: 0, waitMsMax: 0, firstToken: '', lastToken: '' }

// Its session and its heartbeat thread take seconds to start where processors are scarce, and others would contend without it.
await (await locker.acquire(`${path}-of-${process.pid}-${Math.random()}`)).release()
console.log('ready')
await once(process.stdin, 'data')
const startMs = performance.now()
while (performance.now() - startMs < durationMs) {
  const askedMs = performance.now()
  const lock = await acquire()
  if (lock === null) continue
  report.waitMsMax = Math.max(report.waitMsMax, performance.now() - askedMs)
  report.acquired++
  report.firstToken ||= String(lock.token)
  report.lastToken = String(lock.token)
  enter(lock.token)
  if ((await lock.release()).lost) report.lost++
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
}
await locker.close()
console.log(JSON.stringify(report))
process.exit()

/** `null`: it was refused with the code that was named as possible. */
async function acquire() {
  try {
    return await locker.acquire(path, { waitMs: durationMs + 60_000 })
  } catch (error) {
    if (mayRefuse === null || /** @type {NodeJS.ErrnoException} */ (error).code !== mayRefuse) throw error
    report.refused++
    return null
  }
}

/** @param {bigint | null} token */
function enter(token) {
  const marker = join(witness, 'marker')
  try {
    closeSync(openSync(marker, 'wx'))
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    report.overlaps++
    return
  }
  // A change of our own precedes the listing, so that it is fresh on version 3 too.
  const last = readdirSync(witness).find((name) => name.startsWith('last-')) ?? ''
  const before = BigInt(last.slice('last-'.length))
  const now = token ?? before + 1n
  if (now <= before) report.outOfOrder++
  try {
    renameSync(join(witness, last), join(witness, `last-${now}`))
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error
    report.overlaps++
  }
  unlinkSync(marker)
}
