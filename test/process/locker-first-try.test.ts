/**
 * However short the wait, a first try is made. Goal: it ends without the lock when the file system does not answer, and not
 * because this process gets no processor. Method: a program stops itself in the middle of the try for longer than a try may
 * take, which is what a machine does to it that is busy with others; and a mount that really hangs.
 */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { sshShare } from './support/ssh-share.js'
import { outlast, processState } from './support/time.js'

const LIBRARY = new URL('../../dist/index.js', import.meta.url).href

/** Shorter and longer than a first try has in any case. */
const WAITS_MS = [0, 1200]

/**
 * Starts an acquisition that stops its process in the middle of the first try.
 * @returns what lets it go on and tells how it ends: `true`, or the message
 */
async function stoppedInFirstTry({ path, waitMs = 0, entrance = [], then = '' }: StoppedTry): Promise<() => Promise<string>> {
  const text = `import { createLocker } from ${JSON.stringify(LIBRARY)}
    const acquiring = createLocker().acquire(process.argv[1], { waitMs: ${waitMs} })
    process.kill(process.pid, 'SIGSTOP')
    ${then}
    console.log(await acquiring.then(({ held }) => held, ({ message }) => message))
    process.exit()`
  const [command = '', ...args] = [...entrance, process.execPath, '--input-type=module', '-e', text, path]
  const node = spawn(command, args)
  const lines = createInterface(node.stdout)[Symbol.asyncIterator]()
  await processState(node.pid as number, 'T')
  return async () => {
    node.kill('SIGCONT')
    return (await lines.next()).value
  }
}

interface StoppedTry {
  path: string
  waitMs?: number
  entrance?: readonly string[]
  /** What the program does first when it goes on. */
  then?: string
}

test.each(WAITS_MS)(
  'a process that gets no processor in the middle of its first try has the free lock when it goes on (%i ms)',
  async (waitMs) => {
    const goOn = await stoppedInFirstTry({ path: join(await temporaryFolder(), 'lock'), waitMs })
    await outlast(1500)
    expect(await goOn()).toBe('true')
  },
)

test('the file system has the time for its answer that the process stood still', async () => {
  const { space, path, hang, pid } = await sshShare()
  await hang()
  const then = `setTimeout(() => process.kill(${pid}, 'SIGCONT'), 300)`
  const goOn = await stoppedInFirstTry({ path: join(path, 'lock'), entrance: space.entrance, then })
  await outlast(2500)
  expect(await goOn()).toBe('true')
})

test('a heartbeat thread that starts slowly is waited for, and is not taken for a file system that does not answer', async () => {
  const text = `import { subscribe } from 'node:diagnostics_channel'
    import { createLocker } from ${JSON.stringify(LIBRARY)}
    // What the thread says arrives later than it would.
    subscribe('worker_threads', ({ worker }) => {
      const on = worker.on.bind(worker)
      worker.on = (event, hear) => on(event, event === 'message' ? (said) => setTimeout(hear, 2500, said) : hear)
    })
    const acquiring = createLocker().acquire(process.argv[1], { waitMs: 0 })
    console.log(await acquiring.then(({ held }) => held, ({ message }) => message))
    process.exit()`
  const node = spawn(process.execPath, ['--input-type=module', '-e', text, join(await temporaryFolder(), 'lock')])
  const lines = createInterface(node.stdout)[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('true')
})

test('where the file system does not answer, the first try ends', async () => {
  const { space, path, hang } = await sshShare()
  const agent = await Agent.start({ on: space })
  await (await agent.acquire(join(path, 'lock'))).release()
  await hang()
  const from = performance.now()
  expect(await agent.refusal(join(path, 'lock'), 'acquire', 0)).toMatchObject({
    code: 'LOCK_TIMEOUT',
    message: expect.stringMatching(/does the mount hang/),
  })
  // A process that gets no processor would be waited for up to 11 s.
  expect(performance.now() - from).toBeLessThan(8000)
})
