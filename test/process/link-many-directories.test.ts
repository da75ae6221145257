/**
 * Locks in many directories. Goal: a lock that is held is never lost because of directories in which nothing is held; a
 * session that nothing uses ends; and what could not be kept alive is refused before it is handed out. Method: a process in
 * which each write of a session file takes as long as on a slow server, by strace; directories that were used once.
 */

import { spawnSync } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Agent, type AgentError, BRISK, type RemoteLock } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { outlast } from './support/time.js'

const hasStrace = spawnSync('strace', ['-V']).status === 0

/** A process in which writing a record takes so long. */
function slowWriter(writeMs: number): Promise<Agent> {
  const delay = `inject=pwrite64:delay_enter=${writeMs * 1000}`
  return Agent.start({ under: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=pwrite64', '-e', delay] })
}

async function directories(count: number): Promise<string[]> {
  const folder = await temporaryFolder()
  const paths = Array.from({ length: count }, (_, i) => join(folder, String(i)))
  for (const path of paths) await mkdir(path)
  return paths
}

const sessionsIn = async (folder: string) => (await readdir(folder)).filter((name) => name.startsWith('.mountlock-41c29-'))

describe.skipIf(!hasStrace)('where heartbeats are slow (needs strace)', () => {
  test('a held lock is not lost because of directories that were used once', async () => {
    const writeMs = 20
    const agent = await slowWriter(writeMs)
    const [first = '', ...others] = await directories(1 + (1.5 * BRISK.timeoutIntervalMs) / writeMs)
    const held = await agent.acquire(join(first, 'lock'))
    const useInTurn = async () => {
      for (let path = others.pop(); path !== undefined; path = others.pop())
        await (await agent.acquire(join(path, 'lock'), 60_000)).release()
    }
    await Promise.all([useInTurn(), useInTurn(), useInTurn()])
    await outlast(1.5 * BRISK.timeoutIntervalMs)
    expect(await held.status()).toMatchObject({ held: true, aborted: false })
    expect(await held.release()).toEqual({ lost: false })
  }, 60_000)

  test('a lock in one directory too many is refused, and those that were handed out stay held', async () => {
    const agent = await slowWriter(40)
    const held: RemoteLock[] = []
    let refusal: AgentError | undefined
    for (const path of await directories(60)) {
      try {
        held.push(await agent.acquire(join(path, 'lock')))
      } catch (error) {
        refusal = error as AgentError
        break
      }
    }
    expect(refusal?.remote).toMatchObject({ code: 'TOO_MANY_DIRECTORIES' })
    expect(refusal?.remote.message).toMatch(/ms each/)
    await outlast(1.5 * BRISK.timeoutIntervalMs)
    for (const lock of held) expect(await lock.release()).toEqual({ lost: false })
    // There is room again.
    const [another = ''] = await directories(1)
    expect(await (await agent.acquire(join(another, 'lock'))).release()).toEqual({ lost: false })
  }, 60_000)
})

test('a session that nothing uses ends after a while, and the lock can be taken again; waiting is use', async () => {
  const [idle = '', waitedFor = ''] = await directories(2)
  const [agent, waiter] = await Promise.all([Agent.start(), Agent.start()])
  const [before, held] = [await agent.acquire(join(idle, 'lock')), await agent.acquire(join(waitedFor, 'lock'))]
  await before.release()
  expect(await sessionsIn(idle)).toHaveLength(1)
  const waiting = waiter.acquire(join(waitedFor, 'lock'), 60_000)
  await expect.poll(() => sessionsIn(waitedFor), { timeout: 20_000, interval: 20 }).toHaveLength(2)
  const sessions = await sessionsIn(waitedFor)
  await outlast(2 * BRISK.timeoutIntervalMs)
  await expect.poll(() => sessionsIn(idle), { timeout: 20_000, interval: 50 }).toEqual([])
  expect(await sessionsIn(waitedFor)).toEqual(sessions)

  const after = await agent.acquire(join(idle, 'lock'))
  expect(after.token).toBeGreaterThan(before.token)
  for (const lock of [after, held]) expect(await lock.release()).toEqual({ lost: false })
  expect(await (await waiting).release()).toEqual({ lost: false })
})

test('sessions end in a program of blocking calls too, whose event loop never turns', async () => {
  const [used = '', next = ''] = await directories(2)
  const library = new URL('../../dist/index.js', import.meta.url)
  const script = `
    import { createLocker } from '${library}'
    import { readdirSync } from 'node:fs'
    const locker = createLocker(${JSON.stringify(BRISK)})
    const [used, next] = process.argv.slice(1)
    const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    const names = () => readdirSync(used).filter((name) => name.startsWith('.mountlock'))
    locker.acquireSync(used + '/lock').releaseSync()
    if (names().length !== 1) throw new Error('no session')
    sleep(${1.2 * BRISK.timeoutIntervalMs})
    locker.acquireSync(next + '/lock').releaseSync()
    for (let looks = 0; names().length > 0 && looks < 200; looks++) sleep(50)
    console.log(names().length)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, used, next], { encoding: 'utf8' })
  expect({ stdout, stderr }).toEqual({ stdout: '0\n', stderr: '' })
})
