/** Goal: the log file gets every line whole, whatever else writes to it; and where it cannot, no lock notices. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DirectoryResult, dir } from 'tmp-promise'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogger } from '../../src/log/logger.js'
import { Writer } from './logging-writer.js'

const isRoot = process.getuid?.() === 0
const LINE =
  /^\d{4}-\d\d-\d\dT[\d:.]+Z pid=\d+ host=\S+ type=linkbased event=acquire path="?\/shared\/\w+\/ä*\d+"? outcome=acquired token=\d+$/
const EVENT = { event: 'release', path: '/shared/a', lockType: 'advisory', outcome: 'released' } as const

let temporary: DirectoryResult
let file: string
beforeEach(async () => {
  temporary = await dir({ unsafeCleanup: true })
  file = join(temporary.path, 'locks.log')
})
afterEach(() => temporary.cleanup())

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8')
  expect(text.endsWith('\n')).toBe(true)
  return text.slice(0, -1).split('\n')
}

describe('whole lines', { timeout: 60_000 }, () => {
  it('lines of several processes that append at once are neither torn nor lost, and keep their order', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const writers = names.map((name) => new Writer({ logFile: file, name }))
    await Promise.all(
      writers.map(async (writer) => {
        for (let round = 0; round < 20; round++) await writer.tell('log 50 300')
        await writer.tell('end')
        expect(await writer.ended()).toEqual({ status: 3, complaints: [] })
      }),
    )
    const lines = await linesOf(file)
    for (const line of lines) expect(line).toMatch(LINE)
    for (const name of names) {
      const numbers = lines
        .filter((line) => line.includes(`/shared/${name}/`))
        .map((line) => Number(line.match(/token=(\d+)/)?.[1]))
      expect(numbers).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1))
    }
  })

  it('lines of a program that never returns to its event loop come out when it exits', async () => {
    const writer = new Writer({ logFile: file, blockingCount: 500 })
    expect(await writer.ended()).toEqual({ status: 3, complaints: [] })
    expect(await linesOf(file)).toHaveLength(500)
  })

  it('lines come out when the event loop was blocked for long while one was being appended', async () => {
    const writer = new Writer({ logFile: file })
    writer.send('block')
    expect(await writer.ended()).toEqual({ status: 3, complaints: [] })
    expect(await linesOf(file)).toHaveLength(2)
  })

  it('a line whose append was under way when flushSync() was called comes out once', async () => {
    const logger = createLogger({ enableLogging: true, logFile: file })
    logger.log(EVENT)
    await new Promise((resolve) => setImmediate(resolve))
    logger.flushSync()
    expect(await linesOf(file)).toHaveLength(1)
    await logger.close()
    expect(await linesOf(file)).toHaveLength(1)
  })

  it('two loggers of one process may share a file, and each may be closed first', async () => {
    const [one, other] = [1, 2].map(() => createLogger({ enableLogging: true, logFile: file }))
    one?.log(EVENT)
    await one?.close()
    other?.log(EVENT)
    await other?.close()
    other?.log(EVENT)
    expect(await linesOf(file)).toHaveLength(2)
  })
})

describe('the file', { timeout: 60_000 }, () => {
  it('is new with mode 0640, and keeps the mode that it has', async () => {
    await writeFile(file, '')
    await chmod(file, 0o666)
    const other = join(temporary.path, 'new.log')
    for (const logFile of [file, other]) {
      const logger = createLogger({ enableLogging: true, logFile })
      logger.log(EVENT)
      await logger.close()
    }
    expect((await stat(file)).mode & 0o777).toBe(0o666)
    expect((await stat(other)).mode & 0o777).toBe(0o640)
  })

  it('is not kept open, so that logrotate can move it away and a mount is not pinned', async () => {
    const logger = createLogger({ enableLogging: true, logFile: file })
    logger.log(EVENT)
    logger.flushSync()
    expect(await openFiles()).not.toContain(file)
    await rename(file, `${file}.1`)
    logger.log(EVENT)
    await logger.close()
    expect(await linesOf(`${file}.1`)).toHaveLength(1)
    expect(await linesOf(file)).toHaveLength(1)
  })

  it('is not written when logging is off', async () => {
    const logger = createLogger({ enableLogging: false, logFile: file })
    logger.log(EVENT)
    logger.flushSync()
    await logger.close()
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })
})

describe('a log that cannot be written costs one sentence on standard error, and nothing else', { timeout: 60_000 }, () => {
  async function expectComplaint(logFile: string, cause: string, uid?: number): Promise<void> {
    for (const blockingCount of [undefined, 3]) {
      const options = {
        logFile,
        ...(blockingCount === undefined ? {} : { blockingCount }),
        ...(uid === undefined ? {} : { uid }),
      }
      const writer = new Writer(options)
      if (blockingCount === undefined) {
        await writer.tell('log 3')
        await writer.complained()
        await writer.tell('log 3')
        await writer.tell('end')
      }
      const { status, complaints } = await writer.ended()
      expect(status).toBe(3)
      expect(complaints).toHaveLength(1)
      expect(complaints[0]).toMatch(/^mountlock: cannot write the log file .* \(\w+\): .*; the locks work on without it\.$/)
      expect(complaints[0]).toContain(`${logFile} (${cause})`)
    }
  }

  it('when its directory is missing', async () => {
    await expectComplaint(join(temporary.path, 'none', 'locks.log'), 'ENOENT')
  })

  it('when it is a directory', () => expectComplaint(temporary.path, 'EISDIR'))

  it('when it is a pipe that nothing reads', async () => {
    execFileSync('mkfifo', [file])
    await expectComplaint(file, 'ENXIO')
  })

  it('when it is a symbolic link, which is not followed', async () => {
    const target = join(temporary.path, 'target')
    await symlink(target, file)
    await expectComplaint(file, 'ELOOP')
    await expect(stat(target)).rejects.toThrow('ENOENT')
  })

  it('when the device is full', () => expectComplaint('/dev/full', 'ENOSPC'))

  it.skipIf(!isRoot)('when the user may not write it', async () => {
    await chmod(temporary.path, 0o755)
    await writeFile(file, '', { mode: 0o600 })
    await expectComplaint(file, 'EACCES', 65_534)
  })
})

describe.skipIf(!isRoot)('a file system in trouble', { timeout: 60_000 }, () => {
  let mount: string
  beforeEach(async () => {
    mount = join(temporary.path, 'mount')
    await mkdir(mount)
  })
  afterEach(() => {
    execFileSync('umount', [mount])
  })

  it('when there is space again the log goes on, beginning with how many lines were lost', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount])
    const [log, filler] = [join(mount, 'locks.log'), join(mount, 'filler')]
    await writeFile(log, '')
    await expect(writeFile(filler, Buffer.alloc(128 * 1024))).rejects.toThrow('ENOSPC')
    const writer = new Writer({ logFile: log })
    await writer.tell('log 7')
    await writer.complained()
    await rm(filler)
    await writer.tell('log 1')
    await writer.tell('end')
    expect(await writer.ended()).toMatchObject({ status: 3, complaints: { length: 1 } })
    const lines = await linesOf(log)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/event=log outcome=dropped detail="7 lines could not be written"$/)
    expect(lines[1]).toMatch(LINE)
  })

  /** How long this thread has waited for anything but a processor: a busy machine is not the log's fault. */
  async function waitedMs(work: () => void | Promise<void>): Promise<number> {
    const awayMs = () => {
      const [ranNs, queuedNs] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ').map(Number) as [number, number]
      return performance.now() - (ranNs + queuedNs) / 1e6
    }
    const beforeMs = awayMs()
    await work()
    return awayMs() - beforeMs
  }

  it('while the log hangs, the event loop turns and flushSync() does not wait', async () => {
    const image = join(temporary.path, 'image')
    execFileSync('truncate', ['-s', '16M', image])
    execFileSync('mkfs.ext4', ['-q', image])
    execFileSync('mount', ['-o', 'loop', image, mount])
    const log = join(mount, 'locks.log')
    await writeFile(log, '')
    const logger = createLogger({ enableLogging: true, logFile: log })
    execFileSync('fsfreeze', ['--freeze', mount])
    let longestMs = 0
    try {
      logger.log(EVENT)
      for (const endMs = performance.now() + 1000; performance.now() < endMs;) {
        const turn = waitedMs(async () => {
          logger.log(EVENT)
          await new Promise((resolve) => setImmediate(resolve))
        })
        longestMs = Math.max(longestMs, await turn)
      }
      longestMs = Math.max(longestMs, await waitedMs(() => logger.flushSync()))
    } finally {
      execFileSync('fsfreeze', ['--unfreeze', mount])
    }
    await logger.close()
    expect(longestMs).toBeLessThan(250)
    expect((await linesOf(log)).at(-1)).toMatch(/outcome=(released|dropped)/)
  })
})

async function openFiles(): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd')
  return Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
}

describe('a limit for the size of files (ulimit -f)', () => {
  const DIST = new URL('../../dist/index.js', import.meta.url).href
  const program = (where: 'main thread' | 'worker') => `
    import { Worker, isMainThread } from 'node:worker_threads'
    import { createLocker } from ${JSON.stringify(DIST)}
    if (${where === 'worker'} && isMainThread) new Worker(new URL(process.argv[1], 'file:'), { argv: process.argv.slice(2) })
    else {
      process.on('warning', ({ message }) => console.log(message))
      const locker = createLocker({ enableLogging: true, logFile: ${JSON.stringify('LOG')}.replace('LOG', process.argv[2]) })
      const lock = await locker.acquire(process.argv[3])
      for (let i = 0; i < 5; i++) (await locker.acquire(process.argv[3] + i)).releaseSync()
      await new Promise((resolve) => setImmediate(resolve))
      console.log('held', lock.held)
      await lock.release()
      await locker.close()
    }`

  it.each(['main thread', 'worker'] as const)(
    'ends no process and no lock, in the %s: the log has its complaint',
    async (where) => {
      await writeFile(file, Buffer.alloc(20_000))
      const script = join(temporary.path, 'program.mjs')
      await writeFile(script, program(where))
      const limited = ['-c', `ulimit -f 16; exec "$@"`, 'bash', process.execPath, script, file, join(temporary.path, 'lock')]
      const told = execFileSync('bash', limited, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      expect(told).toContain('held true')
      expect((await stat(file)).size).toBe(20_000)
    },
  )
})
