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

test.each(WAITS_MS)(
  'a process that gets no processor in the middle of its first try has the free lock when it goes on (%i ms)',
  async (waitMs) => {
    const text = `import { createLocker } from ${JSON.stringify(LIBRARY)}
    const acquiring = createLocker().acquire(process.argv[1], { waitMs: ${waitMs} })
    process.kill(process.pid, 'SIGSTOP')
    console.log(await acquiring.then(({ held }) => held, ({ message }) => message))
    process.exit()`
    const node = spawn(process.execPath, ['--input-type=module', '-e', text, join(await temporaryFolder(), 'lock')])
    const lines = createInterface(node.stdout)[Symbol.asyncIterator]()
    await processState(node.pid as number, 'T')
    await outlast(1500)
    node.kill('SIGCONT')
    expect((await lines.next()).value).toBe('true')
  },
)

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
