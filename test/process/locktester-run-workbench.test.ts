/**
 * `locktester run --workbench`: a command runs while no session of Workbench can adopt or take the state below a directory.
 * A specimen of Workbench's locking stands for its sessions.
 */

import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { acquireAll } from '../../build/cli/run/workbench-locks.js'
import { createLocker } from '../../build/locker/locker.js'
import type { Locker } from '../../build/types.js'
import { Bench, type Program } from './fixtures/locktester-driver.mjs'
import { outlast } from './support/time.js'

const SPECIMEN = fileURLToPath(new URL('fixtures/workbench-locktester.mjs', import.meta.url))
const HOLDING = ['sh', '-c', 'echo "running with token <$MOUNTLOCK_TOKEN>"; cat >/dev/null']
const DATA = '.local/share/rstudio'

let bench: Bench
let home: string
let env: Record<string, string>
let config: string
beforeEach(async () => {
  bench = new Bench()
  home = await bench.directory()
  config = await bench.config('refresh-rate=1\ntimeout-interval=4\n')
  env = { RSTUDIO_CONFIG_DIR: dirname(config) }
})
afterEach(() => bench.close())

/** The directory of a session, as it is while no session uses it. */
async function session(id: string, below = DATA): Promise<string> {
  const directory = join(home, below, `sources/session-${id}`)
  await mkdir(directory, { recursive: true })
  return join(directory, 'lock_file')
}

const run = (paths: readonly string[], options: readonly string[], command: readonly string[] = HOLDING): Program =>
  bench.locktester(['run', '--workbench', ...paths, '--config', config, ...options, '--', ...command], { env })

/** What a session does first, and then it holds the lock. */
const takeLikeWorkbench = (path: string): Program => bench.start([process.execPath, SPECIMEN, path], { env })
const TAKEN = '* Acquired link-based lock'
const REFUSED = '* Unable to acquire advisory lock \n\n* Unable to acquire link-based lock \n'

describe('while the command runs', () => {
  test('all that Workbench locks below a home is held, also where no lock file is at the moment; afterwards it is free', async () => {
    const paths = [
      await session('1'),
      await session('2'),
      await session('3', 'projects/survey/.Rproj.user/1A2B3C4D'),
      join(home, 'projects/survey/.Rproj.user/shared/notebooks/lock_file'),
    ]
    await mkdir(dirname(paths[3] as string), { recursive: true })
    await writeFile(paths[1] as string, '-1\n')
    const holder = run([home], [])
    await holder.says('running with token <>') // it would be the token of one of them
    for (const path of paths) {
      const other = takeLikeWorkbench(path)
      await other.end
      expect(other.stdout).toContain(REFUSED)
    }
    holder.endInput()
    expect(await holder.end, holder.stderr).toBe(0)
    for (const path of paths) {
      expect(await readFile(path, 'utf8')).toBe('-1\n')
      await takeLikeWorkbench(path).says(TAKEN)
    }
  })

  test('the lock of one session is held that was named by its directory, or by its file', async () => {
    const path = await session('1')
    for (const named of [dirname(path), path]) {
      const holder = run([named], [])
      await holder.says('running with token <')
      expect(holder.stdout).toMatch(/<\d+>/)
      const other = takeLikeWorkbench(path)
      await other.end
      expect(other.stdout).toContain(REFUSED)
      holder.endInput()
      expect(await holder.end).toBe(0)
    }
  })

  test('a lock that was removed under it is told, and the command is terminated', async () => {
    const path = await session('1')
    const holder = run([home], [])
    await holder.says('running')
    await unlink(path) // as a reaper does
    expect(await holder.end).toBe(74)
    expect(holder.stderr).toContain('Terminating sh')
  })
})

test('a run that dies while it takes fifty locks leaves them to the next one, and nothing else', async () => {
  const paths = await Promise.all([...Array(50).keys()].map((number) => session(String(100 + number))))
  const dying = run([home], ['--verbose'])
  await vi.waitFor(async () => expect(await readFile(paths[20] as string, 'utf8')).toBe('1\n'), { timeout: 30_000, interval: 5 })
  dying.kill('SIGKILL')
  await dying.end
  await outlast(2 * 4000 + 1000) // by then what it has left is as old as it has to be
  const next = run([home], [], ['true'])
  expect(await next.end, next.stderr).toBe(0)
  for (const path of paths) expect(await readFile(path, 'utf8')).toBe('-1\n')
  const names = await readdir(join(home, DATA), { recursive: true })
  expect(names.filter((name) => !/^sources(\/session-1\d\d(\/lock_file)?)?$/.test(name))).toEqual([])
})

describe('where a session holds one of them', () => {
  test('none is kept, the command does not run, and it is said which is held, and by which process', async () => {
    const [free, held] = [await session('1'), await session('2')]
    const other = takeLikeWorkbench(held)
    await other.says(TAKEN)
    const refused = run([home], ['--no-wait'], ['touch', join(home, 'ran')])
    expect(await refused.end).toBe(75)
    expect(existsSync(join(home, 'ran'))).toBe(false)
    expect(refused.stderr).toContain(
      `${held}: held by Workbench's session 2, process ${other.pid} of a node that it does not name`,
    )
    expect(refused.stderr).not.toContain(`${free}: held`)
    await takeLikeWorkbench(free).says(TAKEN)
  })

  test('it is waited for, while the others are free for sessions', async () => {
    const [free, held] = [await session('1'), await session('2')]
    const other = takeLikeWorkbench(held)
    await other.says(TAKEN)
    const waiting = run([home], ['--verbose'], ['echo', 'at last'])
    await waiting.says(`waiting for ${held}`, 'stderr')
    expect(await readFile(free, 'utf8')).toBe('-1\n')
    other.kill('SIGKILL')
    expect(await waiting.end, waiting.stderr).toBe(0)
    expect(waiting.stdout).toBe('at last\n')
  })

  test('another one of ours is named with its node and its label', async () => {
    const path = await session('1')
    await run([home], ['--label', 'nightly backup']).says('running')
    const refused = run([path], ['--no-wait'], ['true'])
    expect(await refused.end).toBe(75)
    expect(refused.stderr).toMatch(/session-1\/lock_file: held by process \d+ on .* \(nightly backup\)/)
  })
})

describe('a new session, which no lock keeps out,', () => {
  test('that came while the command ran, is told with an exit code of its own', async () => {
    await session('1')
    const came = join(home, DATA, 'sources/session-2')
    const only = run([home], [], ['mkdir', came])
    expect(await only.end).toBe(79)
    expect(only.stderr).toContain(`A new session came while the command ran, which the locks do not keep out: ${came}/lock_file`)
  })

  test('does not hide that the command itself failed', async () => {
    await session('1')
    const came = join(home, DATA, 'sources/session-2')
    const only = run([home], [], ['sh', '-c', `mkdir ${came}; exit 3`])
    expect(await only.end).toBe(3)
    expect(only.stderr).toContain('A new session came')
  })

  test('that came while the locks were taken, is locked as well: all is begun anew', async () => {
    const paths = [await session('1')]
    const locker = createLocker({ workbench: { timeoutIntervalMs: 4000 } })
    bench.onEnd(() => locker.close())
    const tryAcquire = async (path: string) => {
      if (paths.length === 1) paths.push(await session('2')) // after the first listing
      return await locker.tryAcquire(path)
    }
    const overtaken = { tryAcquire, acquire: locker.acquire.bind(locker) } as unknown as Locker
    const held = await acquireAll(overtaken, { named: [home], waitMs: 0 }, new AbortController().signal)
    expect(held.paths).toEqual(paths)
    for (const path of paths) {
      const other = takeLikeWorkbench(path)
      await other.end
      expect(other.stdout).toContain(REFUSED)
    }
    expect(await held.release()).toEqual({ lost: false })
  })

  test('that ended in the meantime is not told of, nor one whose directory was there before', async () => {
    await session('1')
    const came = join(home, DATA, 'sources/session-2')
    const only = run([home], [], ['sh', '-c', `mkdir ${came} && rmdir ${came}`])
    expect(await only.end, only.stderr).toBe(0)
  })
})

describe('it does nothing', () => {
  test('where Workbench locks nothing: the directory is probably not the one that was meant', async () => {
    const only = run([home], [], ['touch', join(home, 'ran')])
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain('There is nothing that Workbench locks')
    expect(existsSync(join(home, 'ran'))).toBe(false)
  })

  test('where a symbolic link may lead to more of its locks', async () => {
    await session('1')
    const elsewhere = await bench.directory()
    await symlink(elsewhere, join(home, '.Rproj.user'))
    const only = run([home], [], ['touch', join(home, 'ran')])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain(join(home, '.Rproj.user'))
    expect(only.stderr).toContain('it is a symbolic link')
    expect(existsSync(join(home, 'ran'))).toBe(false)
  })

  test('where a path may not be looked at, which is no defect of the program', async () => {
    const closed = join(home, 'closed')
    await mkdir(closed, { mode: 0o700 })
    await chmod(home, 0o755)
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', 'HOME=/tmp']
    const only = bench.locktester(['run', '--workbench', join(closed, 'lock_file'), '--', 'touch', join(home, 'ran')], {
      through: asNobody,
    })
    expect(await only.end, only.stderr).toBe(69)
    expect(only.stderr).toContain('EACCES')
    expect(only.stderr).not.toContain('defect')
  })

  test('where a document lies at such a path, which stays, and the locks before it are given back', async () => {
    const [free, taken] = [await session('1'), await session('2')]
    await writeFile(taken, 'Dear Ann,')
    const only = run([home], [], ['touch', join(home, 'ran')])
    expect(await only.end).toBe(69)
    expect(await readFile(taken, 'utf8')).toBe('Dear Ann,')
    await takeLikeWorkbench(free).says(TAKEN)
  })

  test.each([
    ['--shared', ['--shared']],
    ['--unlock', ['--unlock']],
    ['--lock-type', ['--lock-type', 'advisory']],
  ])('where %s contradicts it, nor with several paths where they are not of Workbench', async (_, options) => {
    const path = await session('1')
    expect(await run([path], options, ['true']).end).toBe(64)
    const several = bench.locktester(['run', path, home, '--', 'true'])
    expect(await several.end).toBe(64)
    expect(several.stderr).toContain('Expected one PATH')
  })
})
