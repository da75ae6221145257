/**
 * Goal: between nodes, where looks tell of releases, a free lock is left to those that came before, however it was found to be free.
 * Method: one waiter, and a line whose looks and tickets show what the test says.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Glance, Line, Place, WaitStyle } from '../../build/lock-type/lock-type.js'
import { Waiter } from '../../build/waiting/waiter.js'

const BETWEEN_NODES = { isLocal: false }
/** Two cheap looks of the first in line: `NETWORK` in src/waiting/pace.ts. A timer may fire a fraction of a millisecond early. */
const GRACE_MS = 130
const EARLY_MS = 1

interface Shown {
  /** How many have tickets that are older. */
  before: number
  /** What look number so and so shows, from 0. */
  look(isCertain: boolean, number: number): Glance
}

/** A line that shows what it is told to, and when it showed what. */
class ShownLine implements Line {
  readonly path = mkdtempSync(join(tmpdir(), 'mountlock-line-'))
  readonly looks: { isCertain: boolean; glance: Glance; atMs: number }[] = []
  readonly #shown: Shown
  #onLook: () => void = () => {}

  constructor(shown: Shown) {
    this.#shown = shown
    onTestFinished(() => rmSync(this.path, { recursive: true }))
  }

  async glance(isCertain: boolean): Promise<Glance> {
    const glance = this.#shown.look(isCertain, this.looks.length)
    this.looks.push({ isCertain, glance, atMs: performance.now() })
    this.#onLook()
    return glance
  }

  async stand(): Promise<Place> {
    const ahead = Array.from({ length: this.#shown.before }, (_, index) => ({
      ticket: join(this.path, `ticket-${index}`),
      generation: 1n,
      sessionFile: `session-${index}`,
    }))
    return { ahead, isCoarse: false }
  }

  others = async () => 0
  leave = async () => {}

  looked(times: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onLook = () => this.looks.length >= times && resolve()
    })
  }
}

function waiterAt(line: Line, style: WaitStyle = BETWEEN_NODES): Waiter {
  const waiter = new Waiter(style, line)
  onTestFinished(async () => {
    await waiter.close()
  })
  return waiter
}

const held = (generation: bigint): Glance => ({ generation, isFree: false, sessionFile: null })
const free = (generation: bigint): Glance => ({ generation, isFree: true, sessionFile: null })

test('a certain look that finds the lock free leaves it to those that came before, for a grace each', async () => {
  // What this node has in its cache never shows the release.
  const line = new ShownLine({ before: 2, look: (isCertain) => (isCertain ? free(5n) : held(5n)) })
  expect(await waiterAt(line).again(5n)).toBe('released')
  const foundMs = line.looks.find(({ isCertain }) => isCertain)?.atMs ?? Number.NaN
  expect(performance.now() - foundMs).toBeGreaterThanOrEqual(2 * GRACE_MS - EARLY_MS)
})

test('a certain look of the first in line is its turn', async () => {
  const line = new ShownLine({ before: 0, look: (isCertain) => (isCertain ? free(5n) : held(5n)) })
  expect(await waiterAt(line).again(5n)).toBe('released')
  expect(line.looks.filter(({ isCertain }) => isCertain)).toHaveLength(1)
})

test('while a lock changes hands, a waiter that is not the first does not try because time goes by', async () => {
  const line = new ShownLine({ before: 5, look: (_, number) => held(6n + BigInt(number)) })
  const waiting = waiterAt(line).again(5n)
  expect(await Promise.race([waiting, line.looked(5)])).toBeUndefined()
})

test.each([
  ['that has just got its place', { before: 0, look: () => held(5n) }],
  ['that sees the process before it take the lock', { before: 1, look: () => ({ ...held(6n), sessionFile: 'session-0' }) }],
] as const)(
  'the first in line, also one %s, looks after the holder within its own interval, and not that of the others',
  async (_, shown) => {
    const line = new ShownLine(shown)
    const waiter = waiterAt(line, { isLocal: false, refreshRateMs: 1000 })
    const fromMs = performance.now()
    expect(await waiter.again(5n)).toBe('late')
    // As one of the others it would have been 3200 ms at the least: four times as long, less a fifth.
    expect(performance.now() - fromMs).toBeLessThan(3000)
  },
)

test('a waiter counts the turns that its looks have missed, and knows when it is the first', async () => {
  const line = new ShownLine({ before: 3, look: () => free(8n) })
  expect(await waiterAt(line).again(5n)).toBe('released')
  expect(line.looks).toHaveLength(1)
})

test('a process that stands back looks for a successor soon', async () => {
  const line = new ShownLine({ before: 0, look: () => held(6n) })
  let isLate = false
  const late = setTimeout(() => (isLate = true), 3 * GRACE_MS)
  expect(await waiterAt(line).standBack(performance.now() + 60_000)).toBe(true)
  // By the order of timers, which a process that stands still keeps.
  expect(isLate).toBe(false)
  clearTimeout(late)
})
