/**
 * Counts the calls that a lock makes to the NFS server: count-rpcs.mjs OPTIONS, one line of JSON.
 */

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import properLockfile from 'proper-lockfile'
import { createLocker } from '../../../dist/index.js'
import { callsOf } from './mountstats.mjs'

const {
  at,
  directory,
  what,
  locker: options,
  cycles = 20,
  held = 1,
  beats = 5,
  forMs = 5000,
} = JSON.parse(process.argv[2] ?? '{}')

/** The calls so far, by operation. */
const calls = () => callsOf(readFileSync('/proc/self/mountstats', 'utf8'), at)

/** @param {() => Promise<unknown>} work @param {number} times */
async function count(work, times) {
  const before = calls()
  await work()
  /** @type {Record<string, number>} */
  const byOperation = {}
  let total = 0
  for (const [name, after] of calls()) {
    const made = after - (before.get(name) ?? 0)
    if (made === 0) continue
    byOperation[name] = Math.round((made / times) * 100) / 100
    total += made
  }
  return { perTime: Math.round((total / times) * 100) / 100, byOperation }
}

const WORK = {
  async cycles() {
    const locker = createLocker(options)
    const cycle = async () => await (await locker.acquire(`${directory}/lock`)).release()
    await cycle() // creates the lock, and the session
    const counted = await count(async () => {
      for (let done = 0; done < cycles; done++) await cycle()
    }, cycles)
    await locker.close()
    return counted
  },
  async 'proper-lockfile'() {
    const file = `${directory}/lock`
    const cycle = async () => await (await properLockfile.lock(file, { realpath: false }))()
    await cycle()
    return await count(async () => {
      for (let done = 0; done < cycles; done++) await cycle()
    }, cycles)
  },
  /** Another process on this node waits meanwhile. */
  async seconds() {
    return await count(() => sleep(forMs), forMs / 1000)
  },
  /** Waits itself, for a lock that another node holds. */
  async 'proper-lockfile waits'() {
    const retries = { forever: true, minTimeout: 1000, maxTimeout: 1000 }
    void properLockfile.lock(`${directory}/lock`, { realpath: false, retries })
    return await count(() => sleep(forMs), forMs / 1000)
  },
  /** Takes it and keeps it. */
  async 'proper-lockfile holds'() {
    await properLockfile.lock(`${directory}/lock`, { realpath: false })
    console.log('holds')
    return await sleep(10 * 60_000)
  },
  async heartbeats() {
    const locker = createLocker(options)
    const locks = []
    for (let index = 0; index < held; index++) locks.push(await locker.acquire(`${directory}/${index}`))
    const counted = await count(() => sleep(beats * options.refreshRateMs), beats)
    const lost = locks.filter((lock) => !lock.held).length
    await locker.close()
    return { ...counted, lost }
  },
}

console.log(JSON.stringify(await WORK[/** @type {keyof typeof WORK} */ (what)]()))
process.exit()
