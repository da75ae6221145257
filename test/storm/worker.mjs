/**
 * A process of the storm: takes locks, works under them, gives them back, and writes down what happened. `argv[2]` says
 * which; see `WorkerSettings` in worker-process.ts. It is told to end by a message, or by the end of its parent.
 */

import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from './random.mjs'
import { createSpecimen } from './specimen.mjs'

/** @typedef {import('../../dist/index.js').Lock} Lock */
/** @typedef {import('./worker-process.js').WorkerSettings} WorkerSettings */
/** @typedef {{ lock: Lock, number: number, attempt: number, token: string | null }} Hold */

/** @type {WorkerSettings} */
const settings = JSON.parse(process.argv[2] ?? '')
const { kind, directory, locks, seed, locker: lockerOptions, once } = settings
const random = seededRandom(seed)
const log = openSync(settings.log, 'a')
const waitMs = 4 * lockerOptions.timeoutIntervalMs

const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** One write for each line, so that a kill can tear the last one only. @param {object} event */
const write = (event) => writeSync(log, `${JSON.stringify(event)}\n`)

async function createLocker() {
  if (kind === 'specimen') return createSpecimen(lockerOptions)
  const { createLocker } = await import('../../dist/index.js')
  if (kind === 'flock' || kind === 'fcntl') {
    return createLocker({ ...lockerOptions, lockType: 'advisory', advisoryKind: kind })
  }
  if (kind === 'rename') return createLocker({ ...lockerOptions, lockType: 'renamebased' })
  return createLocker({ ...lockerOptions, lockType: 'linkbased', useSymlinks: kind === 'symlink' })
}

let locker = await createLocker()
let attempts = 0
let questionsAsked = 0
let stopping = false

/** @type {Map<number, (answer: { accepted: boolean, value: number }) => void>} */
const questions = new Map()

/** Asks the fenced resource. @param {Hold} hold @param {number | null} written */
function ask({ token, attempt, number: lock }, written) {
  const id = questionsAsked++
  process.send?.({ id, token, attempt, lock, written })
  return new Promise((/** @type {(answer: { accepted: boolean, value: number }) => void} */ resolve) =>
    questions.set(id, resolve),
  )
}

process.on('message', (/** @type {any} */ message) => {
  if (message.stop) {
    stopping = true
    return
  }
  questions.get(message.id)?.(message)
  questions.delete(message.id)
})
process.on('disconnect', () => process.exit(stopping ? 0 : 1))

/** Mostly short, sometimes long. @param {number} mostMs */
const pause = (mostMs) => sleep(random() ** 4 * mostMs)

/** @param {string} path */
async function acquire(path) {
  const dice = random()
  if (dice < 0.7 || once) return locker.acquire(path, { waitMs })
  if (dice < 0.9) return locker.tryAcquire(path)
  return kind === 'fcntl' || kind === 'specimen' ? locker.tryAcquire(path) : locker.tryAcquireSync(path)
}

/** Says that the lock is held, if it is. @param {Hold} hold */
function isSure({ lock, attempt, number, token }) {
  const atMs = nowMs()
  try {
    lock.assertHeld()
  } catch {
    write({ type: 'lost', attempt, lock: number, atMs: nowMs(), token, how: 'asserted' })
    return false
  }
  write({ type: 'sure', attempt, lock: number, atMs, token })
  return true
}

/** Increments at the resource. A loss that is noticed does not always stop it: the resource has to. @param {Hold} hold */
async function workAtResource(hold) {
  for (let more = true; more; more = random() < 0.3) {
    const { accepted, value } = await ask(hold, null)
    await pause(30)
    const isLost = !isSure(hold)
    if (accepted && (!isLost || random() < 0.8)) await ask(hold, value + 1)
    if (isLost) return
  }
}

/** Increments a file in place. @param {Hold} hold */
async function workAtCounter({ number: lock, attempt }) {
  const file = openSync(join(directory, `counter-${lock}`), 'r+')
  const bytes = Buffer.alloc(16)
  readSync(file, bytes, 0, 16, 0)
  const value = Number(bytes.toString())
  write({ type: 'read', attempt, lock, atMs: nowMs(), value })
  await pause(30)
  write({ type: 'writing', attempt, lock, atMs: nowMs(), value: value + 1 })
  writeSync(file, String(value + 1).padStart(16, '0'), 0)
  write({ type: 'wrote', attempt, lock, atMs: nowMs(), value: value + 1 })
  closeSync(file)
}

/** @param {number} number */
async function turn(number) {
  const attempt = attempts++
  write({ type: 'asked', attempt, lock: number, atMs: nowMs() })
  try {
    const lock = await acquire(join(directory, `lock-${number}`))
    if (lock === null) return void (await pause(100))
    const token = lock.token === null ? null : String(lock.token)
    const hold = { lock, number, attempt, token }
    write({ type: 'acquired', attempt, lock: number, atMs: nowMs(), token })
    process.send?.({ acquired: true })
    const writeLoss = () => write({ type: 'lost', attempt, lock: number, atMs: nowMs(), token, how: 'signal' })
    // A process that stood still finds it aborted already, and no event comes any more.
    if (lock.signal.aborted) writeLoss()
    else lock.signal.addEventListener('abort', writeLoss)
    if (isSure(hold)) {
      if (token === null) await workAtCounter(hold)
      else await workAtResource(hold)
      await pause(random() < 0.05 ? lockerOptions.timeoutIntervalMs : 5)
      if (!isSure(hold) && token !== null) await workAtResource(hold)
    }
    write({ type: 'releasing', attempt, lock: number, atMs: nowMs(), token })
    const { lost } = random() < 0.7 ? await lock.release() : lock.releaseSync()
    write({ type: 'released', attempt, lock: number, atMs: nowMs(), token, lost })
  } catch (error) {
    const { code = 'NO_CODE', message } = /** @type {Error & { code?: string }} */ (error)
    write({ type: 'failed', attempt, lock: number, atMs: nowMs(), code, message })
    await pause(100)
  }
}

/** Two at a time, so that the locks of one process meet each other as well. */
async function hammer() {
  while (!stopping) {
    await turn(Math.floor(random() * locks))
    await pause(20)
    if (random() < 0.01) {
      const old = locker
      locker = await createLocker()
      await old.close()
    }
  }
}

process.send?.({ ready: true })
if (once) {
  stopping = true
  for (let number = 0; number < locks; number++) await turn(number)
} else await Promise.all([hammer(), hammer()])
await locker.close()
process.disconnect?.()
