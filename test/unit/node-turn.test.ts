/**
 * Goal: nodes share a contended lock: each has it for a quarter of a second, then all its processes stand back for as long as
 * another node needs to ask, and where nobody comes no time is wasted for long. Method: one process's view, with made-up times.
 */

import { expect, test } from 'vitest'
import { NodeTurn } from '../../build/waiting/node-turn.js'

const TURN_MS = 250
const STAND_BACK_MS = 450
const STEP_MS = 10

/** Asks how long to stand back, and does: for a process that comes back to the lock, or that waits already. */
function standBackMs(turn: NodeTurn, nowMs: number): number {
  return noting(turn, nowMs, turn.leaveOnReturnMs(nowMs))
}
function leaveMs(turn: NodeTurn, nowMs: number): number {
  return noting(turn, nowMs, turn.leaveMs(nowMs))
}
function noting(turn: NodeTurn, nowMs: number, restMs: number): number {
  if (restMs > 0) turn.standsBack(nowMs)
  return restMs
}

/** Takes and releases it every few milliseconds, as long as it is its turn. Returns when that was over. */
function useUp(turn: NodeTurn, fromMs: number, untilMs = Number.POSITIVE_INFINITY): number {
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += STEP_MS) {
    if (standBackMs(turn, nowMs) > 0) return nowMs
    turn.acquired(nowMs, { token: null, hadToWait: false })
    turn.released(nowMs + STEP_MS / 2)
  }
  return untilMs
}

test('a turn ends after a quarter of a second, for those who come back and for those who wait', () => {
  const turn = new NodeTurn()
  turn.saw(0, true)
  const overMs = useUp(turn, 1000)
  expect(overMs).toBe(1000 + TURN_MS)
  const releasedMs = overMs - STEP_MS / 2
  expect(standBackMs(turn, overMs)).toBe(releasedMs + STAND_BACK_MS - overMs)
  expect(leaveMs(turn, overMs)).toBe(standBackMs(turn, overMs))
  expect(leaveMs(turn, releasedMs + STAND_BACK_MS)).toBe(0)
})

test('a new turn begins when another node has had it', () => {
  const turn = new NodeTurn()
  const overMs = useUp(turn, 1000)
  turn.saw(overMs + 300, true)
  expect(useUp(turn, overMs + 600)).toBe(overMs + 600 + TURN_MS)
})

test('who stands back in vain stops doing so, and gives others a chance only now and then', () => {
  const turn = new NodeTurn()
  turn.saw(0, true)
  let nowMs = 0
  let stoodBackMs = 0
  const seconds = 20
  while (nowMs < seconds * 1000) {
    nowMs = useUp(turn, nowMs, seconds * 1000)
    const restMs = standBackMs(turn, nowMs)
    stoodBackMs += restMs
    nowMs += restMs
  }
  expect(stoodBackMs).toBeGreaterThan(5 * STAND_BACK_MS)
  expect(stoodBackMs).toBeLessThan(8 * STAND_BACK_MS)
})

test("who stood back while another node had it does not take its own node's next turn for a new one", () => {
  const turn = new NodeTurn()
  turn.saw(0, true)
  const overMs = useUp(turn, 0)
  // Asleep until now; then it finds another process of its node, which goes on for a while.
  const foundMs = overMs + STAND_BACK_MS
  for (let nowMs = foundMs; nowMs < foundMs + TURN_MS; nowMs += STEP_MS) {
    turn.released(nowMs)
    expect(leaveMs(turn, nowMs)).toBeGreaterThan(0)
  }
})

test('who waits is not kept away for good by processes of its node that do not stand back', () => {
  const turn = new NodeTurn()
  turn.saw(0, true)
  let leftOutMs = 0
  for (let nowMs = 0; nowMs < 10_000; nowMs += STEP_MS) {
    turn.released(nowMs)
    if (leaveMs(turn, nowMs) > 0) leftOutMs += STEP_MS
  }
  expect(leftOutMs).toBeGreaterThan(STAND_BACK_MS)
  expect(leftOutMs).toBeLessThan(5000)
})

/** The same with generations: returns when the turn was over, and the last generation. */
function useUpFrom(turn: NodeTurn, generation: bigint, fromMs: number): { overMs: number; last: bigint } {
  let [nowMs, next] = [fromMs, generation]
  while (standBackMs(turn, nowMs) === 0) {
    turn.acquired(nowMs, { token: next, hadToWait: false })
    turn.released(nowMs + STEP_MS / 2, next)
    nowMs += STEP_MS
    next++
  }
  return { overMs: nowMs, last: next - 1n }
}

/** How long the fourth turn is, when others had it so often between two turns. */
function fourthTurnMs(missing: bigint): number {
  const turn = new NodeTurn()
  turn.saw(0, true)
  let [sinceMs, end] = [0, useUpFrom(turn, 100n, 0)]
  for (let turns = 1; turns < 4; turns++) {
    sinceMs = end.overMs + STAND_BACK_MS
    end = useUpFrom(turn, end.last + missing + 1n, sinceMs)
  }
  return end.overMs - sinceMs
}

test('generations that are missing tell that another node had its turn meanwhile, though nobody was seen', () => {
  expect(fourthTurnMs(30n)).toBe(TURN_MS)
  expect(fourthTurnMs(0n)).toBeGreaterThan(TURN_MS)
})

test('another node that slips in now and then does not make the turn longer', () => {
  const turn = new NodeTurn()
  turn.saw(0, true)
  const before = useUpFrom(turn, 100n, 0)
  turn.acquired(before.overMs + STAND_BACK_MS, { token: before.last + 50n, hadToWait: false })
  const sinceMs = before.overMs + STAND_BACK_MS
  let generation = before.last + 50n
  for (let nowMs = sinceMs + STEP_MS; nowMs < sinceMs + TURN_MS; nowMs += STEP_MS) {
    turn.released(nowMs, generation)
    expect(standBackMs(turn, nowMs)).toBe(0)
    generation += nowMs % (4 * STEP_MS) === 0 ? 2n : 1n // one of five is another node's
    turn.acquired(nowMs, { token: generation, hadToWait: false })
  }
  turn.released(sinceMs + TURN_MS, generation)
  expect(standBackMs(turn, sinceMs + TURN_MS)).toBe(STAND_BACK_MS)
})
