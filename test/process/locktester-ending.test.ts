/**
 * How it ends: by Ctrl+C and its kin at any moment, on a mount that does not answer, and with a reader that went away; and
 * that nothing is left behind then. Also what it says of itself: --help, --version, --json, --quiet.
 */

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Bench, OTHER_NODE, PACKAGE, pausingUntil, presenceRecords, withMounts } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'

const ACQUIRED_BOTH = '* Acquired advisory lock\n* Acquired link-based lock\n'

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

describe('signals', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s while holding releases everything and ends with 0', async (signal) => {
    const first = bench.locktester(['--quiet', directory])
    // The last line is enough: a user that reads it may press Ctrl+C.
    await first.says('* Acquired link-based lock\n')
    first.kill(signal)
    expect(await first.end).toBe(0)
    expect(await presenceRecords(directory)).toEqual([])
    const next = bench.locktester(['--no-hold', directory])
    expect(await next.end).toBe(0)
    expect(next.stdout).toBe(ACQUIRED_BOTH)
  })

  test('Ctrl+C while a lock is still being tried ends it by that signal, and leaves neither lock nor record', async () => {
    const config = await bench.config('refresh-rate=5\ntimeout-interval=20\n')
    const crashed = bench.locktester(['--config', config, directory], { through: OTHER_NODE })
    await crashed.says('Holding.', 'stderr')
    await crashed.killChild('SIGKILL')
    await crashed.end
    await Promise.all((await presenceRecords(directory)).map((name) => rm(join(directory, name))))
    const waiting = bench.locktester(['--config', config, directory])
    await waiting.says('Watching whether it lives', 'stderr')
    await waiting.says('\n') // standard output is another pipe: what was written first may be read later
    expect(waiting.stdout).toBe('* Acquired advisory lock\n')
    waiting.kill('SIGINT')
    expect(await waiting.end).toBe('SIGINT')
    expect(waiting.stdout).toBe('* Acquired advisory lock\n')
    expect(await presenceRecords(directory)).toEqual([])
    const holder = await bench.holder('advisory', join(directory, '.locktester/advisory'))
    expect(holder.stdout).toBe('held\n')
  })

  test('SIGQUIT lets a command clean up, as Ctrl+C does', async () => {
    const through = ['sh', '-c', 'ulimit -c 0; exec "$@"', 'sh']
    const only = bench.locktester(['doctor', directory], { through, env: pausingUntil('SIGQUIT') })
    await vi.waitUntil(async () => (await readdir(directory)).length > 0, { timeout: 20_000 })
    only.kill('SIGQUIT')
    expect(await only.end).toBe('SIGQUIT')
    expect(await readdir(directory)).toEqual([])
  })

  test('a reader of its lines that goes away while locks are tried ends it by SIGPIPE, and everything is released', async () => {
    const config = await bench.config('refresh-rate=5\ntimeout-interval=20\n')
    const only = bench.locktester(['--config', config, '--all', directory])
    only.closeOutput()
    expect(await only.end).toBe('SIGPIPE')
    expect(await presenceRecords(directory)).toEqual([])
  })

  test('the first process of a container releases and ends with 0, too', async () => {
    const first = bench.locktester([directory], { through: OTHER_NODE })
    await first.says('Holding.', 'stderr')
    await first.killChild('SIGINT')
    expect(await first.end).toBe(0)
    expect(await presenceRecords(directory)).toEqual([])
  })

  test('the first process of a container, which no signal of its own can end, still ends when cut short', async () => {
    const config = await bench.config('refresh-rate=5\ntimeout-interval=20\n')
    await mkdir(join(directory, '.locktester'))
    await bench.holder('linkbased', join(directory, '.locktester/link-based'))
    const waiting = bench.locktester(['--config', config, directory], { through: OTHER_NODE })
    await waiting.says('Watching whether it lives', 'stderr')
    await waiting.killChild('SIGTERM')
    expect(await waiting.end).toBe(128 + 15)
    expect(await presenceRecords(directory)).toEqual([])
  })
})

describe('a mount that does not answer', () => {
  /** A FUSE file system whose server never replies: every call on it hangs, as on a dead NFS mount. */
  const hang = (place: string) => `exec 9<>/dev/fuse; mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 none ${place}`
  /** The descriptor must stay open, or the calls would fail instead: a shell keeps it. */
  const onDeadMount = (place: string) => [...['unshare', '--mount', 'sh', '-ec'], `${hang(place)}\n"$@" 9>&- & wait $!`, 'sh']

  /** Waits until a call of the only child is stuck. */
  async function isStuck({ pid }: { pid: number }) {
    await vi.waitUntil(
      async () => {
        const child = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim()
        const threads = await readdir(`/proc/${child}/task`).catch(() => [])
        const states = await Promise.all(
          threads.map((thread) => readFile(`/proc/${child}/task/${thread}/stat`, 'utf8').catch(() => '')),
        )
        return states.some((state) => / D /.test(state.slice(state.lastIndexOf(')'))))
      },
      { timeout: 30_000 },
    )
  }

  test('under the directory: Ctrl+C ends it by that signal, with nothing printed', async () => {
    const stuck = bench.locktester([directory], { through: onDeadMount(directory) })
    await isStuck(stuck)
    await stuck.killChild('SIGINT')
    expect(await stuck.end).toBe(130)
    expect(stuck.stdout).toBe('')
  })

  test('under the locks only: Ctrl+C ends it by that signal, and its presence record is gone', async () => {
    const locks = join(directory, '.locktester')
    await mkdir(locks)
    const stuck = bench.locktester([directory], { through: onDeadMount(locks) })
    await stuck.says('configuration:', 'stderr')
    await isStuck(stuck)
    await stuck.killChild('SIGINT')
    expect(await stuck.end).toBe(130)
    expect(await presenceRecords(directory)).toEqual([])
  })

  /** A first node that holds its locks, on a mount that has died since. */
  async function holderOnDeadMount() {
    const first = bench.locktester([directory], { through: withMounts(':') })
    await first.says('Holding.', 'stderr')
    const script = `${hang(join(directory, '.locktester'))}; echo dead; exec sleep infinity`
    const mounter = bench.start(['nsenter', '--mount', '--target', String(first.pid), 'sh', '-ec', script])
    await mounter.says('dead')
    return first
  }

  test('once the locks are held: Ctrl+C still ends it within seconds, and says that the mount does not answer', async () => {
    const first = await holderOnDeadMount()
    const startMs = performance.now()
    first.kill('SIGINT')
    expect(await first.end).toBeOneOf(['SIGTERM', 'SIGKILL'])
    expect(performance.now() - startMs).toBeLessThan(15_000)
    expect(first.stderr).toContain('The directory does not answer')
    expect(await presenceRecords(directory)).toEqual([])
  })

  test('a second Ctrl+C does not wait for it', async () => {
    const first = await holderOnDeadMount()
    first.kill('SIGINT')
    await first.says('Ctrl+C once more ends this at once', 'stderr')
    first.kill('SIGINT')
    expect(await first.end).toBe('SIGINT')
  })
})

describe('what it says of itself', () => {
  test('--version is that of the package', async () => {
    const { version } = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8'))
    for (const args of [['--version'], ['--version', '--quiet']]) {
      const only = bench.locktester(args)
      expect(await only.end).toBe(0)
      expect(only.stdout).toBe(`${version}\n`)
    }
  })

  test('--help starts with how it is used, and tells the options and the schema of --json', async () => {
    const only = bench.locktester(['--help'])
    expect(await only.end).toBe(0)
    expect(only.stdout).toMatch(/^Usage: locktester \[DIR\]/)
    for (const word of [
      '--config',
      '--all',
      '--json',
      '--hold',
      '--no-hold',
      '--quiet',
      '--version',
      'demo',
      'docs/schema/test.json',
    ]) {
      expect(only.stdout).toContain(word)
    }
    expect(only.stderr).toBe('')
  })

  test('--json prints one object in place of the lines, once all locks were tried, and holds then', async () => {
    const first = bench.locktester(['--json', '--all', directory])
    await first.says('\n}\n')
    const report = JSON.parse(first.stdout)
    expect(await conformsTo('test', report)).toEqual([])
    expect(report).toMatchObject({
      version: 1,
      directory,
      fileSystem: { reach: 'local' },
      configuration: { found: false, settings: { lockType: 'linkbased', refreshRateMs: 20_000 }, diagnostics: [] },
      self: { pid: first.pid, uid: 0, user: 'root' },
      supported: [],
      others: [],
      warnings: [{ code: 'LOCAL_DISK' }],
      verdict: 'acquired',
      holds: true,
      exitCode: 0,
    })
    expect(report.locks).toMatchObject(
      [
        ['advisory', 'flock'],
        ['advisory', 'fcntl'],
        ['linkbased', 'hard link'],
        ['linkbased', 'symlink'],
        ['renamebased', null],
      ].map(([lockType, variant]) => ({ lockType, variant, result: 'acquired', heldBy: null, alsoHeldBy: [], error: null })),
    )
    first.kill('SIGINT')
    expect(await first.end).toBe(0)
    expect(JSON.parse(first.stdout)).toEqual(report)
  })

  test('--json of a refused instance names the types and their holders', async () => {
    const first = bench.locktester([directory])
    await first.says('Holding.', 'stderr')
    const second = bench.locktester(['--json', directory])
    expect(await second.end).toBe(0)
    expect(await conformsTo('test', JSON.parse(second.stdout))).toEqual([])
    expect(JSON.parse(second.stdout)).toMatchObject({
      locks: [
        { lockType: 'advisory', variant: null, result: 'excluded', heldBy: { pid: first.pid } },
        { lockType: 'linkbased', variant: null, result: 'excluded', heldBy: { pid: first.pid } },
      ],
      supported: ['advisory', 'link-based'],
      verdict: 'one-machine',
      warnings: [{ code: 'LOCAL_DISK' }, { code: 'ONE_MACHINE' }],
      holds: false,
      exitCode: 0,
    })
  })

  test('--json says local-disk where another machine holds the locks of a directory that it should not be able to see', async () => {
    const bootId = join(await bench.directory(), 'boot_id')
    await writeFile(bootId, '00000000-0000-4000-8000-000000000001\n')
    const through = withMounts(`mount --bind ${bootId} /proc/sys/kernel/random/boot_id`)
    const first = bench.locktester([directory], { through })
    await first.says('Holding.', 'stderr')
    const second = bench.locktester(['--json', directory])
    expect(await second.end).toBe(0)
    expect(JSON.parse(second.stdout)).toMatchObject({ verdict: 'local-disk', warnings: [{ code: 'LOCAL_DISK' }] })
    expect(second.stderr).not.toContain('this very machine')
  })

  test('--json of a failure carries the code and the message of the error', async () => {
    const config = await bench.config('lock-type=advisory\n')
    const only = bench.locktester(['--json', '--config', config, directory], { root: await bench.packageWithoutFsExt() })
    expect(await only.end).toBe(69)
    const report = JSON.parse(only.stdout)
    expect(await conformsTo('test', report)).toEqual([])
    expect(report).toMatchObject({ verdict: 'failed', exitCode: 69, holds: false })
    expect(report.locks[0]).toMatchObject({ result: 'failed', error: { code: 'FS_EXT_NOT_INSTALLED' } })
    expect(report.locks[0].error.message).toContain('npm install fs-ext')
  })

  test('--json has the lock that could not be tried as a failure and a warning, and a verdict of the others', async () => {
    const only = bench.locktester(['--json', directory], { root: await bench.packageWithoutFsExt() })
    expect(await only.end).toBe(0)
    const report = JSON.parse(only.stdout)
    expect(await conformsTo('test', report)).toEqual([])
    expect(report).toMatchObject({ verdict: 'acquired', exitCode: 0, holds: false })
    expect(report.locks[0]).toMatchObject({ result: 'failed', error: { code: 'FS_EXT_NOT_INSTALLED' } })
    expect(report.warnings.map(({ code }: { code: string }) => code)).toContain('NOT_TRIED')
  })

  test('--quiet leaves the lines, and of the talk only the warning', async () => {
    const only = bench.locktester(['--quiet', '--no-hold', directory])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe(ACQUIRED_BOTH)
    expect(only.stderr.split('\n')).toEqual([expect.stringMatching(/^locktester: warning: /), ''])
  })

  test('without its compiled files it says how to build them', async () => {
    const root = await bench.packageWithoutFsExt()
    await rm(join(root, 'dist'), { recursive: true })
    const only = bench.locktester(['--version'], { root })
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('npm run build')
  })
})
