/**
 * One process that takes and gives back one lock on command, in one of several ways: taker.mjs OPTIONS. Takes commands as lines
 * of JSON and answers each with one line. Times are those of this machine's wall clock, in milliseconds: the bench asks for
 * `now` to learn how far the clocks of two machines are apart.
 */

import { link, readFile, unlink, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import properLockfile from 'proper-lockfile'
import { createLocker } from '../../../dist/index.js'
import { callsOf } from './mountstats.mjs'

/** @typedef {{ acquire(): Promise<void>, release(): Promise<void> }} Taker */

const { way, directory, at, refreshRateMs } = JSON.parse(process.argv[2] ?? '{}')
const path = `${directory}/${way}`

const nowMs = () => performance.timeOrigin + performance.now()

/** @param {object} options @returns {Taker} */
function ours(options) {
  const locker = createLocker({ ...options, ...(refreshRateMs !== undefined && { refreshRateMs }) })
  /** @type {import('../../../dist/index.js').Lock} */
  let lock
  return {
    async acquire() {
      lock = await locker.acquire(path)
    },
    async release() {
      if ((await lock.release()).lost) throw new Error('the lock was lost')
    },
  }
}

/** @type {Record<string, () => Promise<Taker> | Taker>} */
const WAYS = {
  linkbased: () => ours({ lockType: 'linkbased' }),
  symlinks: () => ours({ lockType: 'linkbased', useSymlinks: true }),
  renamebased: () => ours({ lockType: 'renamebased' }),

  /** A file of its own is linked to the name of the lock, again and again. No lock: nothing notices that its holder died. */
  async naive() {
    const own = `${directory}/own-${process.pid}-${Math.random()}`
    await writeFile(own, '')
    const isTaken = () =>
      link(own, path).then(
        () => false,
        (error) => {
          if (error.code !== 'EEXIST') throw error
          return true
        },
      )
    return {
      async acquire() {
        while (await isTaken()) await sleep(50)
      },
      release: () => unlink(path),
    }
  },

  /** As it waits by default once it is told to: every second. */
  'proper-lockfile'() {
    /** @type {() => Promise<void>} */
    let release
    return {
      async acquire() {
        release = await properLockfile.lock(path, { realpath: false, retries: { forever: true, factor: 1 } })
      },
      release: () => release(),
    }
  },
}

const taker = await (WAYS[way] ?? refuse)()

/** @returns {never} */
function refuse() {
  throw new TypeError(`Expected one of ${Object.keys(WAYS)}, got ${way}`)
}

/** @type {Record<string, (command: any) => Promise<object>>} */
const commands = {
  now: async () => ({ atMs: nowMs() }),
  async acquire() {
    await taker.acquire()
    return { atMs: nowMs() }
  },
  async release() {
    const atMs = nowMs()
    await taker.release()
    return { atMs }
  },
  calls: async () => ({ calls: Object.fromEntries(callsOf(await readFile('/proc/self/mountstats', 'utf8'), at)) }),
  /** Takes it and gives it back for so long, each time for `holdMs`. */
  async contend({ forMs, holdMs }) {
    const endMs = performance.now() + forMs
    let [turns, waitMsMax] = [0, 0]
    while (performance.now() < endMs) {
      const askedMs = performance.now()
      await taker.acquire()
      // What is waited for beyond the end is a wait like any other.
      waitMsMax = Math.max(waitMsMax, performance.now() - askedMs)
      turns++
      await sleep(holdMs)
      await taker.release()
    }
    return { turns, waitMsMax }
  },
}

/** @param {object} message */
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

/** @param {{ id: number, op: string }} command */
async function answer({ id, op, ...rest }) {
  try {
    say({ id, ...(await commands[op]?.(rest)) })
  } catch (error) {
    say({ id, error: String(error) })
  }
}

say({ ready: process.pid })
for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line))
process.exit()
