/**
 * The life of a heartbeat thread. Goal: it starts, or the call says at once why not and the next one tries again; it ends
 * when nothing is left to keep alive; and when it dies, what it kept alive is lost, for the reason that is true, and nothing
 * else is. Method: programs of their own, on real directories, in which the thread really cannot start, or really dies.
 */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'
import { program } from './support/program.js'

const LOCKTESTER = join(import.meta.dirname, '../../bin/locktester')

/** Far less than the time that a thread may take to start, and more than a busy machine takes to see that it did not. */
const AT_ONCE_MS = 5000

const CALLS = { acquire: 'await locker.acquire', acquireSync: 'locker.acquireSync' }

describe('where no file descriptors are left for it', () => {
  const situations = Object.entries(CALLS).flatMap(([name, call]) => [0, 2].map((left) => ({ name, call, left })))
  test.each(situations)('$name says so at once, with $left left, and the next call tries again', async ({ call, left }) => {
    const path = join(await temporaryFolder(), 'lock')
    const [refused, held] = (await program(
      `import { closeSync, openSync } from 'node:fs'
      const descriptors = []
      try { for (;;) descriptors.push(openSync('/dev/null')) } catch {}
      for (let left = 0; left < ${left}; left++) closeSync(descriptors.pop())
      const start = performance.now()
      try { ${call}(process.argv[1], { waitMs: 200 }) } catch (error) {
        tell({ ...describe(error), cause: error.cause?.code, tookMs: performance.now() - start })
      }
      descriptors.forEach((descriptor) => closeSync(descriptor))
      const lock = ${call}(process.argv[1], { waitMs: 20000 })
      tell(lock.held)
      process.exit()`,
      { before: 'ulimit -n 64', args: [path] },
    )) as [{ tookMs: number }, boolean]
    expect(refused).toMatchObject({
      code: 'HEARTBEAT_FAILED',
      cause: 'EMFILE',
      message: expect.stringContaining('no file descriptors are left'),
    })
    expect(refused.tookMs).toBeLessThan(AT_ONCE_MS)
    expect(held).toBe(true)
  })
})

describe('where too little address space is left for it (ulimit -v)', () => {
  test.each(Object.entries(CALLS))('%s says so at once, and the process goes on', async (_, call) => {
    const path = join(await temporaryFolder(), 'lock')
    const told = await program(
      `import { execFileSync } from 'node:child_process'
      import { readFileSync } from 'node:fs'
      const usedKb = Number(/^VmSize:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])
      execFileSync('prlimit', ['--pid', process.pid, '--as=' + (usedKb * 1024 + 300 * 1024 * 1024)])
      const start = performance.now()
      try { ${call}(process.argv[1], { waitMs: 200 }) } catch (error) {
        tell({ ...describe(error), cause: error.cause?.code, tookMs: performance.now() - start })
      }
      setTimeout(() => tell('goes on'), 100)`,
      { args: [path] },
    )
    expect(told).toMatchObject([
      { code: 'HEARTBEAT_FAILED', cause: 'ENOMEM', message: expect.stringContaining('too little address space') },
      'goes on',
    ])
  })
})

describe('where the current directory has been removed', () => {
  const REMOVE = `import { mkdtempSync, readlinkSync, rmdirSync } from 'node:fs'
    const gone = mkdtempSync(process.argv[1] + '/gone-')
    process.chdir(gone)
    rmdirSync(gone)
    const where = () => readlinkSync('/proc/self/cwd')
    const before = where()`

  test('a blocking call takes the lock nevertheless, and leaves the process where it was', async () => {
    const folder = await temporaryFolder()
    const answers = await program(
      `${REMOVE}
      const lock = locker.acquireSync(process.argv[1] + '/lock', { waitMs: 5000 })
      tell(lock.held); tell(where() === before); tell((await locker.acquire(process.argv[1] + '/another')).held)
      process.exit()`,
      { args: [folder] },
    )
    expect(answers).toEqual([true, true, true])
  })

  test('an asynchronous call says at once that the directory is gone, and so does a blocking one of a worker', async () => {
    const folder = await temporaryFolder()
    const [asynchronous, inWorker] = await program(
      `${REMOVE}
      await locker.acquire(process.argv[1] + '/lock').catch((error) => tell(describe(error)))
      process.chdir('/')
      const { Worker } = await import('node:worker_threads')
      const started = new Int32Array(new SharedArrayBuffer(4))
      const worker = new Worker(\`
        const { workerData, parentPort } = require('node:worker_threads')
        import(workerData.library).then(({ createLocker }) => {
          Atomics.store(workerData.started, 0, 1); Atomics.notify(workerData.started, 0)
          Atomics.wait(workerData.started, 0, 1)
          try { createLocker().acquireSync(workerData.path) } catch ({ code, message }) { parentPort.postMessage({ code, message }) }
        })\`, { eval: true, execArgv: [], workerData: { library: ${JSON.stringify(join(import.meta.dirname, '../../dist/index.js'))}, path: process.argv[1] + '/lock', started } })
      worker.once('message', (error) => { tell(error); process.exit() })
      Atomics.wait(started, 0, 0, 20000)
      const goneLater = mkdtempSync(process.argv[1] + '/gone-')
      process.chdir(goneLater)
      rmdirSync(goneLater)
      Atomics.store(started, 0, 2); Atomics.notify(started, 0)`,
      { args: [folder] },
    )
    const said = { code: 'HEARTBEAT_FAILED', message: expect.stringContaining('the current directory is gone') }
    expect(asynchronous).toMatchObject(said)
    expect(inWorker).toMatchObject(said)
  })

  test('a relative path is refused as one that leads nowhere', async () => {
    const [refused] = await program(`${REMOVE}\nawait locker.acquire('lock').catch((error) => tell(describe(error)))`, {
      args: [await temporaryFolder()],
    })
    expect(refused).toMatchObject({ code: 'PARENT_MISSING' })
  })

  test('locktester runs a command under the lock', async () => {
    const folder = await temporaryFolder()
    const inMissingDirectory = (lock: string) =>
      promisify(execFile)('bash', ['-c', `mkdir gone; cd gone; rmdir ../gone; exec ${LOCKTESTER} run ${lock} -- echo ran`], {
        cwd: folder,
      })
    expect((await inMissingDirectory(`${folder}/lock`)).stdout).toBe('ran\n')
    await expect(inMissingDirectory('lock')).rejects.toMatchObject({
      code: 64,
      stderr: expect.stringContaining('the current directory is gone'),
    })
  })
})

/** How a program gets hold of a heartbeat thread: Node tells of each that is made. */
const CATCH_THREAD = `import { subscribe } from 'node:diagnostics_channel'
  const threads = []
  subscribe('worker_threads', ({ worker }) => threads.push(worker))
  setInterval(() => {}, 1000) // the program lives until it says that it is over`

describe('a thread that dies while locks are held', () => {
  const DEATHS = {
    // As a defect would: 'error' is told, and then 'exit'.
    'by an error that nothing catches': "threads[0].postMessage({ type: 'watch' })",
    'because it is ended from outside': 'void threads[0].terminate()',
  }

  test.each(Object.entries(DEATHS))('%s: every holder hears what happened', async (_, die) => {
    const folder = await temporaryFolder()
    const [heard, asserted] = await program(
      `${CATCH_THREAD}
      const locks = await Promise.all(['one', 'two'].map((name) => locker.acquire(process.argv[1] + '/' + name)))
      const lost = locks.map(({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason))))
      ${die}
      tell((await Promise.all(lost)).map(describe))
      try { locks[0].assertHeld() } catch (error) { tell({ ...describe(error), held: locks[0].held, remainingMs: locks[0].remainingMs }) }
      process.exit()`,
      { args: [folder] },
    )
    const lost = { code: 'LOCK_LOST', reason: 'heartbeat-ended', message: expect.stringContaining('heartbeat thread') }
    expect(heard).toMatchObject([lost, lost])
    expect(asserted).toMatchObject({ ...lost, held: false, remainingMs: 0 })
  })

  test.each(Object.entries(DEATHS))(
    '%s: what is acquired in the moment of the loss is kept by another thread',
    async (_, die) => {
      const folder = await temporaryFolder()
      const [later, count] = await program(
        `${CATCH_THREAD}
      const lock = await locker.acquire(process.argv[1] + '/one')
      const exited = new Promise((resolve) => threads[0].once('exit', resolve))
      const next = await new Promise((resolve) => {
        lock.signal.addEventListener('abort', () => resolve(locker.acquireSync(process.argv[1] + '/two')))
        ${die}
      })
      await exited
      // Some heartbeats later.
      await new Promise((resolve) => setTimeout(resolve, 2500))
      tell({ held: next.held, aborted: next.signal.aborted, lost: (await next.release()).lost })
      tell(threads.length)
      process.exit()`,
        { args: [folder] },
      )
      expect(later).toEqual({ held: true, aborted: false, lost: false })
      expect(count).toBe(2)
    },
  )
})

describe('a mount on which nothing is to be kept alive', () => {
  const THREADS = `import { readdirSync } from 'node:fs'
    const threadCount = () => readdirSync('/proc/self/task').length
    const until = async (isSo) => { while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20)) }`

  test('ends its thread, and starts another one for the next lock', async () => {
    const folder = await temporaryFolder()
    const answers = await program(
      `${THREADS}
      ${CATCH_THREAD}
      await locker.inspect(process.argv[1] + '/lock') // the pool's threads are there
      const before = threadCount()
      await (await locker.acquire(process.argv[1] + '/lock')).release()
      tell(threadCount() - before)
      await locker.close()
      await until(() => threadCount() === before)
      const another = createLocker({ refreshRateMs: 500, timeoutIntervalMs: 2000 })
      const lock = another.acquireSync(process.argv[1] + '/lock')
      tell(lock.held); tell(threads.length)
      process.exit()`,
      { args: [folder] },
    )
    expect(answers).toEqual([1, true, 2])
  })

  test('keeps its thread as long as another locker of the process has a session on it', async () => {
    const folder = await temporaryFolder()
    const answers = await program(
      `${CATCH_THREAD}
      const short = createLocker({ refreshRateMs: 500, timeoutIntervalMs: 2000 })
      const lock = await locker.acquire(process.argv[1] + '/lock')
      await (await short.acquire(process.argv[1] + '/another')).release()
      await short.close()
      await new Promise((resolve) => setTimeout(resolve, 2500)) // longer than the lease, and than an idle thread lives
      tell({ held: lock.held, lost: (await lock.release()).lost }); tell(threads.length)
      process.exit()`,
      { args: [folder] },
    )
    expect(answers).toEqual([{ held: true, lost: false }, 1])
  })

  test('keeps its thread while a session is being made, however long that takes', async () => {
    const MOUNT = new URL('../../build/mounts/mount.js', import.meta.url).href
    const WORK = new URL('../../build/drivers/work.js', import.meta.url).href
    const answers = await program(
      `${CATCH_THREAD}
      import { Mount } from ${JSON.stringify(MOUNT)}
      import { eitherWay, runAsynchronously } from ${JSON.stringify(WORK)}
      const mount = new Mount()
      const work = (ms) => () => eitherWay(() => {}, () => new Promise((resolve) => setTimeout(resolve, ms)))
      let isOver = false
      const slow = runAsynchronously(mount.withHeartbeat(work(2500))).then(() => { isOver = true })
      await runAsynchronously(mount.withHeartbeat(work(0))) // leaves an idle thread behind
      await new Promise((resolve) => threads[0].once('exit', resolve))
      tell({ isOver, threads: threads.length })
      process.exit()`,
    )
    expect(answers).toEqual([{ isOver: true, threads: 1 }])
  })
})
