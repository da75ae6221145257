/**
 * A process in which candidates live: does what the harness asks of them, one thing at a time. See requests.ts.
 *
 * JavaScript, because it is measured: Node as it is, without a compiler in it.
 */

import { accessSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { candidate } from './peers.mjs'

/** @import { Contender } from './candidate.js' */
/** @import { Mode, Requests } from './requests.js' */
/** @typedef {{ [Ask in keyof Requests]: (ask: Requests[Ask]['ask']) => Promise<Requests[Ask]['value']> }} Answers */

/** @type {Map<string, Contender>} */
const contenders = new Map()
/** @type {(() => void)[]} */
let held = []

/** @param {string} id */
function contender(id) {
  const found = contenders.get(id)
  if (found === undefined) throw new TypeError(`Expected a candidate that was opened, got ${id}`)
  return found
}

/** The machine's monotonic clock, the same for all processes. */
const nowUs = () => Number(process.hrtime.bigint()) / 1000

/** @type {Answers} */
const answers = {
  async open({ candidate: id, directory, refreshMs }) {
    await contenders.get(id)?.close?.()
    const opened = await candidate(id).open?.({ directory, refreshMs })
    if (opened === undefined) throw new TypeError(`Expected a candidate that runs in Node, got ${id}`)
    contenders.set(id, opened)
    return null
  },

  async close({ candidate: id }) {
    await contenders.get(id)?.close?.()
    contenders.delete(id)
    return null
  },

  async block({ candidate: id, mode, forMs, most }) {
    return await block(contender(id), mode, forMs, most)
  },

  async contend({ candidate: id, fromUs, toUs, holdMs, pauseMs }) {
    const { acquire = refuse } = contender(id)
    /** @type {[number, number][]} */
    const turns = []
    await sleep(Math.max(0, (fromUs - nowUs()) / 1000))
    while (nowUs() < toUs) {
      const release = await acquire()
      const acquiredUs = nowUs()
      if (holdMs > 0) await sleep(holdMs)
      turns.push([acquiredUs, nowUs()])
      await release()
      if (pauseMs > 0) await sleep(pauseMs)
    }
    return turns
  },

  async keep({ candidate: id, forMs }) {
    const release = await (contender(id).acquire ?? refuse)()
    await sleep(forMs)
    await release()
    return null
  },

  async wait({ candidate: id }) {
    const release = await (contender(id).acquire ?? refuse)()
    await release()
    return null
  },

  async hold({ candidate: id, count }) {
    const { hold = refuse } = contender(id)
    const startedUs = nowUs()
    for (let number = 0; number < count; number++) held.push(hold(`lock-${number}`))
    return (nowUs() - startedUs) / 1000
  },

  async drop() {
    const startedUs = nowUs()
    for (const release of held) release()
    held = []
    return (nowUs() - startedUs) / 1000
  },

  async heap() {
    if (globalThis.gc === undefined) throw new TypeError('Expected to be started with --expose-gc')
    globalThis.gc()
    // What the last turn of the event loop left behind goes with the second collection.
    await sleep(10)
    globalThis.gc()
    return process.memoryUsage().heapUsed
  },

  async stall({ candidate: id, cycles }) {
    const { cycle = refuse } = contender(id)
    let longestMs = 0
    let last = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      longestMs = Math.max(longestMs, now - last)
      last = now
    }, 1)
    for (let done = 0; done < cycles; done++) await cycle()
    clearInterval(timer)
    return Math.max(longestMs, performance.now() - last)
  },

  async mark({ path }) {
    try {
      accessSync(path)
    } catch {
      // It is the question that counts.
    }
    return null
  },

  async exit() {
    process.exit()
  },
}

/** @returns {never} */
function refuse() {
  throw new TypeError('Expected a candidate that can do this')
}

/**
 * @param {Contender} contender
 * @param {Mode} mode
 * @param {number} forMs
 * @param {number} most
 */
async function block({ cycleBlocking = refuse, cycle = refuse }, mode, forMs, most) {
  /** @type {number[]} */
  const samplesUs = []
  const end = performance.now() + forMs
  // The loops are separate, so that a blocking cycle is not charged with an `await`.
  if (mode === 'blocking') {
    do {
      const before = performance.now()
      cycleBlocking()
      samplesUs.push(toUs(performance.now() - before))
    } while (samplesUs.length < most && performance.now() < end)
  } else {
    do {
      const before = performance.now()
      await cycle()
      samplesUs.push(toUs(performance.now() - before))
    } while (samplesUs.length < most && performance.now() < end)
  }
  return samplesUs
}

/**
 * Hundredths of a microsecond are finer than the clock.
 * @param {number} ms
 */
const toUs = (ms) => Math.round(ms * 1e5) / 100

for await (const line of createInterface({ input: process.stdin })) {
  /** @type {{ ask: keyof Requests }} */
  const { ask, ...rest } = JSON.parse(line)
  const answer = /** @type {(rest: object) => Promise<unknown>} */ (answers[ask])
  /** @type {object} */
  let reply
  try {
    reply = { value: await answer(rest) }
  } catch (error) {
    reply = { error: String(/** @type {Error} */ (error).message).split('\n')[0] }
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`)
}
process.exit()
