/**
 * How long a first try is waited for. Goal: it ends when nothing answers, and not because an answer that is there was not looked
 * at. Method: an operation in the pool of threads, and a thread of ours that stands still until it is over.
 */

import { pbkdf2 } from 'node:crypto'
import { expect, test } from 'vitest'
import { Lane } from '../../src/drivers/lane.js'
import { wantsProcessor } from '../../src/drivers/threads.js'
import { Patience } from '../../src/locker/patience.js'

const FIRST_TRY_MS = 50
/** A tenth of a second of a processor: longer than the first try. */
const ROUNDS = 400_000

const word = new Int32Array(new SharedArrayBuffer(4))
const standStill = (ms: number) => void Atomics.wait(word, 0, 0, ms)

test('an answer that came while the thread stood still counts, also when the wait was over before it', async () => {
  const patience = new Patience('/lock', 0, undefined, FIRST_TRY_MS)
  const startMs = performance.now()
  const answer = new Lane().run<Buffer>((done) => pbkdf2('lock', 'salt', ROUNDS, 8, 'sha512', done))
  const waited = patience.race(answer)
  const standStillInTheMiddle = () => {
    // In the middle of what is waited for silence, and not just before its timer is made.
    if (performance.now() - startMs < 1.5 * FIRST_TRY_MS) return setImmediate(standStillInTheMiddle)
    while (wantsProcessor()) standStill(10)
    standStill(200)
  }
  setImmediate(standStillInTheMiddle)
  expect(await waited).toHaveLength(8)
  patience.done()
})
