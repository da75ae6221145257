/**
 * Goal: a process that has just released a lock leaves it to those that wait for it, always and not by chance, and loses no time
 * where it knows of none. Method: what one process knows, at times of its own choice.
 */

import { expect, test } from 'vitest'
import { ComingBack } from '../../build/waiting/coming-back.js'

const LOCAL = { isLocal: true }

/** Takes it and releases it again at once. */
function cycle(comingBack: ComingBack, nowMs: number, isAwaited: boolean | null): void {
  comingBack.acquired(nowMs, isAwaited)
  comingBack.released(nowMs)
}

test('a process that saw tickets leaves the lock for a grace after its release, each time; one that saw none never does', () => {
  const comingBack = new ComingBack(LOCAL, true)
  for (let nowMs = 1000; nowMs < 3000; nowMs++) {
    cycle(comingBack, nowMs, true)
    expect(comingBack.leaveUntilMs(nowMs, 1)).toBe(nowMs + 5)
    cycle(comingBack, nowMs, false)
    expect(comingBack.leaveUntilMs(nowMs, 1)).toBeNull()
  }
})

test('one that comes back later than a grace after its release leaves it to no process: others have had their chance', () => {
  const comingBack = new ComingBack(LOCAL, true)
  cycle(comingBack, 1000, true)
  expect(comingBack.leaveUntilMs(1004.9, 1)).toBe(1005)
  expect(comingBack.leaveUntilMs(1005, 1)).toBeNull()
  // Each of several has a grace.
  expect(comingBack.leaveUntilMs(1005, 3)).toBe(1015)
})

test('a claim that tells nothing of waiters asks once a second, and each time while others were met', () => {
  const comingBack = new ComingBack(LOCAL, true)
  const asks: number[] = []
  for (let nowMs = 1000; nowMs <= 4000; nowMs++) {
    if (comingBack.leaveUntilMs(nowMs, 1) !== null) {
      asks.push(nowMs)
      comingBack.asked(nowMs, false)
    }
    cycle(comingBack, nowMs, null)
  }
  expect(asks).toEqual([2000, 3000, 4000])
  comingBack.met(4000)
  expect(comingBack.leaveUntilMs(4001, 1)).not.toBeNull()
  cycle(comingBack, 4500, null)
  expect(comingBack.leaveUntilMs(4501, 1)).not.toBeNull()
})

test('between nodes, where no tickets tell, a process comes back freely for a turn, and then leaves the lock for as long as others take to ask', () => {
  const comingBack = new ComingBack({ isLocal: false }, false)
  comingBack.met(1000)
  cycle(comingBack, 1000, null)
  expect(comingBack.leaveUntilMs(1100, 1)).toBeNull()
  cycle(comingBack, 1249, null)
  expect(comingBack.leaveUntilMs(1250, 1)).toBe(1249 + 450)
})

test('between nodes, a claim that tells nothing of waiters asks for their tickets twice a second', () => {
  const comingBack = new ComingBack({ isLocal: false }, true)
  const asks: number[] = []
  for (let nowMs = 1000; nowMs <= 2500; nowMs += 10) {
    if (comingBack.leaveUntilMs(nowMs, 1) !== null) {
      asks.push(nowMs)
      comingBack.asked(nowMs, false)
    }
    cycle(comingBack, nowMs, null)
  }
  expect(asks).toEqual([1500, 2000, 2500])
})
