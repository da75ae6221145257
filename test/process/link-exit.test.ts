/**
 * Processes that end. Goal: whatever ends a process, short of SIGKILL, releases at once what it held, and the process ends
 * with the status or signal that it would have had without us. Method: a holder in another process namespace ends in each
 * way; with such long intervals that only a release can have freed its lock.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { KINDS, temporaryFolder } from './support/folder.js'
import { otherNode } from './support/space.js'

const SLOW = { refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }

const WAYS = [
  { way: 'comes to its end', how: 'return', status: { code: 0, signal: null } },
  { way: 'calls process.exit(7)', how: 'exit', status: { code: 7, signal: null } },
  { way: 'throws what nothing catches', how: 'throw', status: { code: 1, signal: null } },
  { way: 'rejects what nothing handles', how: 'reject', status: { code: 1, signal: null } },
  { way: 'gets SIGINT', signal: 'SIGINT', status: { code: null, signal: 'SIGINT' } },
  { way: 'gets SIGTERM', signal: 'SIGTERM', status: { code: null, signal: 'SIGTERM' } },
  { way: 'gets SIGHUP', signal: 'SIGHUP', status: { code: null, signal: 'SIGHUP' } },
] as const

describe.each(KINDS)('$kind', ({ locker }) => {
  test.each(WAYS)('a process that $way releases everything at once, and ends as it would without us', async (way) => {
    const folder = await temporaryFolder()
    const paths = ['one', 'two', 'three'].map((name) => join(folder, name))
    // Signals are sent to a holder on this node: a program that enters a namespace for it would pass them on as a status.
    const on = 'signal' in way ? {} : { on: await otherNode() }
    const rivalOn = 'signal' in way ? { on: await otherNode() } : {}
    const [holder, rival] = await Promise.all([
      Agent.start({ locker: { ...locker, ...SLOW }, ...on }),
      Agent.start({ locker: { ...locker, ...SLOW }, ...rivalOn }),
    ])
    for (const path of paths) await holder.acquire(path)
    for (const path of paths) expect(await rival.tryAcquire(path)).toBeNull()
    if ('signal' in way) holder.kill(way.signal)
    else await holder.ask('end', { how: way.how })
    expect(await holder.ended).toEqual(way.status)
    for (const path of paths) expect(await rival.tryAcquire(path)).not.toBeNull()
  })
})

test('a waiter on another node gets the lock as soon as its holder has ended', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const [holder, waiter] = await Promise.all([
    Agent.start({ locker: SLOW }),
    Agent.start({ locker: SLOW, on: await otherNode() }),
  ])
  await holder.acquire(path)
  const waiting = await waiter.wait(path, 20_000)
  const from = performance.now()
  holder.kill('SIGTERM')
  await waiting.lock
  expect(performance.now() - from).toBeLessThan(3000)
})

test('a process that has a mind of its own about SIGINT goes on living and keeps its lock', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const [holder, rival] = await Promise.all([Agent.start(), Agent.start()])
  const held = await holder.acquire(path)
  await holder.ask('ignoreInterrupt')
  const interrupted = holder.says('interrupted')
  holder.kill('SIGINT')
  await interrupted
  expect(await held.status()).toMatchObject({ held: true, aborted: false })
  expect(await rival.tryAcquire(path)).toBeNull()
  expect(await held.release()).toEqual({ lost: false })
})

test('the first process of a container, on which SIGTERM has no effect, goes on living and keeps its lock', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const [holder, rival] = await Promise.all([
    Agent.start({ under: ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] }),
    Agent.start(),
  ])
  expect(await holder.ask('ping')).toBe(1)
  const held = await holder.acquire(path)
  holder.kill('SIGTERM')
  expect(await holder.ask('ping')).toBe(1)
  expect(await held.status()).toMatchObject({ held: true, aborted: false })
  expect(await rival.tryAcquire(path)).toBeNull()
})

test('a held lock does not keep a process alive that has nothing else to do', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const holder = await Agent.start()
  await holder.acquire(path)
  await holder.ask('end', { how: 'return' })
  expect(await holder.ended).toEqual({ code: 0, signal: null })
})

test('a locker that is open but holds nothing does not keep a process alive', async () => {
  const path = join(await temporaryFolder(), 'lock')
  const agent = await Agent.start()
  await (await agent.acquire(path)).release()
  await agent.ask('end', { how: 'return' })
  expect(await agent.ended).toEqual({ code: 0, signal: null })
})

describe('a program that waits at its top level for what never comes', () => {
  /** With and without a locker it must end with the same status, whatever status was set before. */
  const statusOf = async (text: string) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', text], { stdio: 'ignore' })
    return (await once(child, 'exit'))[0]
  }
  const LIBRARY = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)

  test.each(['', 'process.exitCode = 0', 'process.exitCode = 3', "process.on('exit', () => { process.exitCode = 9 })"])(
    'ends with the status that it would have without us (%j)',
    async (before) => {
      const path = join(await temporaryFolder(), 'lock')
      const waiting = 'await new Promise(() => {})'
      const without = await statusOf(`${before}\n${waiting}`)
      const create = `import { createLocker } from ${LIBRARY}\nconst locker = createLocker()`
      expect(await statusOf(`${create}\n${before}\n${waiting}`)).toBe(without)
      const holding = `await locker.withLock(${JSON.stringify(path)}, () => new Promise(() => {}))`
      expect(await statusOf(`${create}\n${before}\n${holding}`)).toBe(without)
      if (before === '') expect(without).toBe(13)
    },
  )
})
