/**
 * Mutual exclusion between processes. Goal: whatever kind of link, whatever intervals and whichever node, one process at a
 * time holds a lock, and its token is higher than all before. Method: agents on this node and on another one (in a process
 * namespace of its own) go for the same path; a counter file shows what a double hold would lose.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { otherNode } from './support/space.js'

const HARD = { useSymlinks: false }
const SYMBOLIC = { useSymlinks: true }

describe.each([
  { name: 'hard link', first: HARD, second: HARD },
  { name: 'symlink', first: SYMBOLIC, second: SYMBOLIC },
  { name: 'hard link against symlink', first: HARD, second: SYMBOLIC },
  { name: 'symlink against hard link', first: SYMBOLIC, second: HARD },
  {
    name: 'hard link, slow against fast intervals',
    first: { ...HARD, refreshRateMs: 20_000, timeoutIntervalMs: 30_000 },
    second: { ...SYMBOLIC, refreshRateMs: 200, timeoutIntervalMs: 1000 },
  },
])('$name', ({ first, second }) => {
  test.each(['this node', 'another node'])(
    'a lock that one process holds is refused to a process on %s until it is released',
    async (where) => {
      const folder = await temporaryFolder()
      const path = join(folder, 'lock')
      const on = where === 'another node' ? { on: await otherNode() } : {}
      const [holder, rival] = await Promise.all([Agent.start({ locker: first }), Agent.start({ locker: second, ...on })])

      const held = await holder.acquire(path)
      expect(await rival.tryAcquire(path)).toBeNull()
      expect(await rival.tryAcquireSync(path)).toBeNull()
      expect(await rival.refusal(path, 'acquire', 50)).toMatchObject({ code: 'LOCK_TIMEOUT' })

      expect(await held.release()).toEqual({ lost: false })
      const next = await rival.acquire(path)
      expect(next.token).toBeGreaterThan(held.token)
      expect(await holder.tryAcquire(path)).toBeNull()
      expect(await holder.tryAcquireSync(path)).toBeNull()
      expect(await next.releaseSync()).toEqual({ lost: false })
      expect((await holder.acquireSync(path)).token).toBeGreaterThan(next.token)
    },
  )
})

test('a holder with short intervals is not taken over by one with longer ones, nor the other way round, as long as both live', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const on = await otherNode()
  const quick = { refreshRateMs: 200, timeoutIntervalMs: 1200 }
  const slow = { refreshRateMs: 4000, timeoutIntervalMs: 6000 }
  const [hasty, calm] = await Promise.all([Agent.start({ locker: quick }), Agent.start({ locker: slow, on })])

  const first = await hasty.acquire(path)
  // Longer than the hasty one's timeout-interval: it lives on its own heartbeats.
  expect(await calm.refusal(path, 'acquire', 3000)).toMatchObject({ code: 'LOCK_TIMEOUT' })
  expect(await first.status()).toMatchObject({ held: true, asserted: null })
  await first.release()

  const second = await calm.acquire(path)
  // Twice the hasty one's timeout-interval without a heartbeat: the holder's interval counts, not the judge's.
  expect(await hasty.refusal(path, 'acquire', 3000)).toMatchObject({ code: 'LOCK_TIMEOUT' })
  expect(await second.status()).toMatchObject({ held: true, asserted: null })
})

test.each(KINDS)(
  'of two processes that go for a free lock at the same moment exactly one gets it ($kind)',
  async ({ locker }) => {
    const folder = await temporaryFolder()
    const on = await otherNode()
    const agents = await Promise.all([{}, { on }, {}, { on }].map((where) => Agent.start({ locker, ...where })))
    for (let round = 0; round < 25; round++) {
      const path = join(folder, `lock ${round}`)
      const results = await Promise.all(agents.map((agent) => agent.tryAcquire(path)))
      // None would be allowed too (both withdraw), but one that waits must get it.
      expect(results.filter((lock) => lock !== null).length).toBeLessThanOrEqual(1)
      const winner = results.find((lock) => lock !== null) ?? (await (agents[0] as Agent).acquire(path))
      await winner.release()
    }
  },
)

test('1,000 increments of a counter file by 8 processes on two nodes lose nothing, and no token is given twice', async () => {
  const folder = await temporaryFolder()
  const on = await otherNode()
  const [path, file] = [join(folder, 'lock'), join(folder, 'counter')]
  await writeFile(file, '0')
  const agents = await Promise.all(
    Array.from({ length: 8 }, (_, i) => Agent.start({ locker: { useSymlinks: i % 4 < 2 }, ...(i % 2 === 0 && { on }) })),
  )
  const tokens = await Promise.all(
    agents.map(async (agent) => ((await agent.ask('increment', { path, file, times: 125 })) as string[]).map(BigInt)),
  )
  expect(await readFile(file, 'utf8')).toBe('1000')
  expect(new Set(tokens.flat()).size).toBe(1000)
  for (const own of tokens) expect(own).toEqual([...own].sort((a, b) => (a < b ? -1 : 1)))
})
