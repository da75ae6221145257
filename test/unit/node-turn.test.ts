/**
 * Goal: nodes share a contended lock: each has it for a quarter of a second, then all its processes stand back for as long as
 * another node needs to ask, and where nobody comes no time is wasted for long. Method: one process's view, with made-up times.
 */

import { expect, test } from 'vitest'
import { NodeTurn } from '../../build/node-turn.js'

const TURN_MS = 250
const STAND_BACK_MS = 450
const STEP_MS = 10

/** Takes and releases it every few milliseconds, as long as it is its turn. Returns when that was over. */
function useUp(turn: NodeTurn, fromMs: number, untilMs = Number.POSITIVE_INFINITY): number {
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += STEP_MS) {
    if (turn.standBackMs(nowMs) > 0) return nowMs
    turn.acquired(nowMs, false)
    turn.released(nowMs + STEP_MS / 2)
  }
  return untilMs
}

test('a turn ends after a quarter of a second, for those who come back and for those who wait', () => {
  const turn = new NodeTurn()
  turn.sawFar()
  const overMs = useUp(turn, 1000)
  expect(overMs).toBe(1000 + TURN_MS)
  const releasedMs = overMs - STEP_MS / 2
  expect(turn.standBackMs(overMs)).toBe(releasedMs + STAND_BACK_MS - overMs)
  expect(turn.leaveMs(overMs)).toBe(turn.standBackMs(overMs))
  expect(turn.leaveMs(releasedMs + STAND_BACK_MS)).toBe(0)
})

test('a new turn begins when another node has had it', () => {
  const turn = new NodeTurn()
  const overMs = useUp(turn, 1000)
  turn.sawFar()
  expect(useUp(turn, overMs + 600)).toBe(overMs + 600 + TURN_MS)
})

test('who stands back in vain stops doing so, and gives others a chance only now and then', () => {
  const turn = new NodeTurn()
  turn.sawFar()
  let nowMs = 0
  let stoodBackMs = 0
  const seconds = 20
  while (nowMs < seconds * 1000) {
    nowMs = useUp(turn, nowMs, seconds * 1000)
    const restMs = turn.standBackMs(nowMs)
    stoodBackMs += restMs
    nowMs += restMs
  }
  expect(stoodBackMs).toBeGreaterThan(5 * STAND_BACK_MS)
  expect(stoodBackMs).toBeLessThan(8 * STAND_BACK_MS)
})

test("who stood back while another node had it does not take its own node's next turn for a new one", () => {
  const turn = new NodeTurn()
  turn.sawFar()
  const overMs = useUp(turn, 0)
  // Asleep until now; then it finds another process of its node, which goes on for a while.
  const foundMs = overMs + STAND_BACK_MS
  for (let nowMs = foundMs; nowMs < foundMs + TURN_MS; nowMs += STEP_MS) {
    turn.released(nowMs)
    expect(turn.leaveMs(nowMs)).toBeGreaterThan(0)
  }
})

test('who waits is not kept away for good by processes of its node that do not stand back', () => {
  const turn = new NodeTurn()
  turn.sawFar()
  let leftOutMs = 0
  for (let nowMs = 0; nowMs < 10_000; nowMs += STEP_MS) {
    turn.released(nowMs)
    if (turn.leaveMs(nowMs) > 0) leftOutMs += STEP_MS
  }
  expect(leftOutMs).toBeGreaterThan(STAND_BACK_MS)
  expect(leftOutMs).toBeLessThan(5000)
})
