/**
 * Programs in which a test has faked its process: `process.kill`, as tests of pid files do, and random numbers. Goal: whether
 * a holder lives, and what a session is called, is told by what the platform had when the library was loaded. Method: both are
 * replaced afterwards, as the fakes of vitest, jest and sinon do.
 */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isSessionName } from '../../build/protocol/names.js'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { program } from './support/program.js'

test('a live holder is not taken for dead where process.kill says that no process has its number', async () => {
  const folder = await temporaryFolder()
  const holder = await Agent.start({ locker: { refreshRateMs: 20_000, timeoutIntervalMs: 30_000 } })
  const held = await holder.acquire(join(folder, 'lock'))
  const [tried, waited, blocking] = await program(
    `process.kill = () => { throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH', syscall: 'kill' }) }
    const path = process.argv[1]
    tell(await locker.tryAcquire(path).then((lock) => lock === null))
    tell(await locker.acquire(path, { waitMs: 300 }).then(() => 'acquired', ({ code }) => code))
    tell(locker.tryAcquireSync(path) === null)
    await locker.close()`,
    { args: [join(folder, 'lock')] },
  )
  expect([tried, waited, blocking]).toEqual([true, 'LOCK_TIMEOUT', true])
  expect(await held.status()).toMatchObject({ held: true })
})

test('a session has a name of its own where the random numbers of a test are always the same', async () => {
  const folder = await temporaryFolder()
  const [names] = await program(
    `import { readdirSync } from 'node:fs'
    import crypto from 'node:crypto'
    import { syncBuiltinESMExports } from 'node:module'
    crypto.randomBytes = () => Buffer.from('abc')
    syncBuiltinESMExports()
    const lock = await locker.acquire(process.argv[1] + '/lock')
    tell(readdirSync(process.argv[1]).filter((name) => name.startsWith('.mountlock')))
    await lock.release()
    await locker.close()`,
    { args: [folder] },
  )
  expect((names as string[]).map(isSessionName)).toEqual([true])
  expect(await readdir(folder)).toEqual(['lock'])
})
