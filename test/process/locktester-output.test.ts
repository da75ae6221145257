/**
 * What surrounds a command fails: the reader of its lines goes away, the device behind them is full, there is no home directory. Each
 * ends as docs/cli.md says, with a sentence at the most and never with a stack.
 */

import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Bench, presenceRecords, withMounts } from './fixtures/locktester-driver.mjs'

const STACK = /^ {4}at |Unhandled|node:events/m
/** A user that the user database does not know. */
const STRANGER = ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups']

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

/** Its standard output leads there: `| true`, `> /dev/full`. The shell tells its status. */
const into = (where: string) => ['bash', '-c', `{ "$@"; echo "status $?" >&2; } ${where}`, 'bash']

async function ended(args: readonly string[], where: string, env: Record<string, string> = {}) {
  const only = bench.locktester(args, { through: into(where), env })
  await only.end
  expect(only.stderr).not.toMatch(STACK)
  return { ...only, stderr: only.stderr, status: Number(/status (\d+)/.exec(only.stderr)?.[1]) }
}

describe('a reader that goes away', () => {
  const gone = '| true'

  test.each([['config', 'show'], ['--help'], ['run', '--help'], ['--version'], ['completion']])(
    'what is printed at once is done: %s %s ends with 0',
    async (...args) => {
      expect(await ended(args, gone)).toMatchObject({ status: 0 })
    },
  )

  test('doctor, which works on after its first lines, ends by SIGPIPE, and leaves nothing in the directory', async () => {
    expect(await ended(['doctor', directory], gone)).toMatchObject({ status: 141 })
    expect(await readdir(directory)).toEqual([])
  })

  test('status --watch ends by SIGPIPE with the first look that nothing reads', async () => {
    const lock = join(directory, 'a.lock')
    expect(await bench.locktester(['run', lock, '--', 'true']).end).toBe(0)
    expect(await ended(['status', '--watch', directory], gone)).toMatchObject({ status: 141 })
  })

  test('standard error that nothing reads changes no status', async () => {
    const script = '{ "$@"; echo "status $?" >&3; } 3>&1 >/dev/null 2> >(true)'
    const only = bench.locktester(['no-such-command', directory], { through: ['bash', '-c', script, 'bash'] })
    await only.end
    expect(only.stdout).toBe('status 64\n')
  })
})

describe('a full device', () => {
  const full = '> /dev/full'

  test.each([
    ['config', 'show'],
    ['--help'],
    ['--version'],
    ['completion'],
    ['doctor'],
    ['--no-hold'],
    ['nodes', '--kinds', 'flock', 'local', 'local'],
  ])('ends %s with 73, and standard error says what and why', async (...args) => {
    const named = ['doctor', '--no-hold', 'nodes'].includes(args[0] as string) ? [...args, directory] : args
    const { status, stderr } = await ended(named, full)
    expect(stderr).toContain('Standard output cannot be written (ENOSPC')
    expect(stderr.match(/cannot be written/g)).toHaveLength(1)
    expect(status).toBe(73)
  })

  test('a file that may grow no more does not swallow the rest of a line: 73', async () => {
    const file = join(directory, 'report')
    const limited = ['bash', '-c', 'ulimit -f 1; trap "" XFSZ; "$@" > "$0"', file]
    const only = bench.locktester(['doctor', '--json', directory], { through: limited })
    expect(await only.end).toBe(73)
    expect((await stat(file)).size).toBe(1024)
    expect(only.stderr).toContain('Standard output cannot be written (EFBIG')
  })
})

describe('what goes wrong', () => {
  const [NOWHERE, LOCK] = ['/no/such/directory', '/no/such/directory/x.lock']

  test.each([
    [[NOWHERE], 64],
    [['--workbench', LOCK], 64],
    [['demo'], 69],
    [['run', LOCK, 'true'], 69],
    [['run', '--workbench', LOCK, '--', 'true'], 69],
    [['status', NOWHERE], 64],
    [['doctor', NOWHERE], 64],
    [['doctor', '--report', LOCK, '/tmp'], 69],
    [['nodes', 'local', 'local', NOWHERE], 69],
    [['stress', NOWHERE, '--duration', '1'], 69],
    [['break', LOCK, '--token', '1'], 64],
    [['prune', NOWHERE], 64],
    [['config', 'show', LOCK], 64],
  ])('begins with the name of the command and the word error: locktester %j', async (args, code) => {
    const only = bench.locktester(args, { env: { TMPDIR: NOWHERE } })
    expect(await only.end).toBe(code)
    const [command = ''] = args.filter((word) => /^[a-z]+$/.test(word))
    expect(only.stderr).toMatch(new RegExp(`^locktester${command && ` ${command}`}: error: `, 'm'))
    expect(only.stderr).not.toMatch(/^(error|warning):|^locktester( \w+)?: (?!error: |warning: )/m)
  })
})

describe('no home directory', () => {
  test.each([
    ['is not set, and there is no entry in the user database', [...STRANGER, 'env', '-u', 'HOME'], {}, 'HOME is not set'],
    ['is empty, and there is no entry in the user database', STRANGER, { HOME: '' }, 'HOME is not set'],
    ['is not an absolute path', [], { HOME: 'home' }, 'HOME is not an absolute path'],
  ])('HOME %s: one sentence and 69, and nothing is created', async (_, through, env, sentence) => {
    const only = bench.locktester(['--no-hold', '--quiet'], { through, env: env as Record<string, string>, cwd: directory })
    expect(await only.end).toBe(69)
    expect(only.stderr).toMatch(
      new RegExp(`^locktester: error: ${sentence}.*\\. Name the directory to test: locktester DIR\\.\\n$`),
    )
    expect(await readdir(directory)).toEqual([])
  })

  test('one that is not there is not made: one sentence and 69', async () => {
    const only = bench.locktester(['--no-hold', '--quiet'], { env: { HOME: join(directory, 'far/home') } })
    expect(await only.end).toBe(69)
    expect(only.stderr).toMatch(
      /^locktester: error: The home directory is not there.*\. Name the directory to test: locktester DIR\.\n$/,
    )
    expect(await readdir(directory)).toEqual([])
  })

  test('an empty HOME means that of the user database, as an absent one does', async () => {
    const users = join(await bench.directory(), 'passwd')
    await writeFile(users, `root:x:0:0:root:${directory}:/bin/sh\n`)
    const through = withMounts(`mount --bind ${users} /etc/passwd`)
    const only = bench.locktester(['--no-hold'], { through, env: { HOME: '' }, cwd: '/' })
    expect(await only.end).toBe(0)
    expect(only.stderr).toContain(`directory: ${directory}/.local/share/rstudio\n`)
  })

  test('one that is there is used, and what is missing in it is made', async () => {
    await mkdir(join(directory, 'home'))
    const only = bench.locktester(['--no-hold'], { env: { HOME: join(directory, 'home') } })
    expect(await only.end).toBe(0)
    expect(only.stderr).toContain(`directory: ${join(directory, 'home')}/.local/share/rstudio`)
  })
})

describe('an error that was not foreseen', () => {
  /** A module that is loaded before the program lets it happen at a signal: when the locks are held. */
  async function holdingWhen(what: string) {
    const module = `data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2', () => ${what})`)}`
    const only = bench.locktester(['--quiet', directory], { env: { NODE_OPTIONS: `--import ${module}` } })
    await only.says('* Acquired link-based lock\n')
    only.kill('SIGUSR2')
    const status = await only.end
    expect(only.stderr).not.toMatch(STACK)
    expect(await presenceRecords(directory), 'its presence record').toEqual([])
    const next = bench.locktester(['--no-hold', directory])
    expect(await next.end, 'its locks are free').toBe(0)
    return { status, stderr: only.stderr }
  }

  test.each(['null.x', 'Promise.reject(new TypeError("no promise"))'])(
    '%s ends it with 70 and one sentence, which says what to report',
    async (what) => {
      const { status, stderr } = await holdingWhen(what)
      expect(status).toBe(70)
      expect(stderr).toMatch(/This is a defect of locktester \S+ \(TypeError: .*\): please report it/)
    },
  )

  test('where it happens to doctor, its directory is removed as well', async () => {
    const module = `data:text/javascript,${encodeURIComponent(`
      import fs from 'node:fs/promises'
      import { syncBuiltinESMExports } from 'node:module'
      fs.symlink = () => new Promise(() => setTimeout(() => null.x))
      syncBuiltinESMExports()`)}`
    const only = bench.locktester(['doctor', directory], { env: { NODE_OPTIONS: `--import ${module}` } })
    expect(await only.end).toBe(70)
    expect(only.stderr).toMatch(/This is a defect of locktester/)
    expect(await readdir(directory)).toEqual([])
  })

  test('a system call that fails there is what the machine refused: 69', async () => {
    const { status, stderr } = await holdingWhen('process.chdir("/no/such")')
    expect(status).toBe(69)
    expect(stderr).toContain('The system refused what is needed here (ENOENT')
  })

  test('so is what Node does not permit (node --permission)', async () => {
    const denied = 'Object.assign(new Error("Access to this API has been restricted"), { code: "ERR_ACCESS_DENIED" })'
    const { status, stderr } = await holdingWhen(`Promise.reject(${denied})`)
    expect(status).toBe(69)
    expect(stderr).toContain('The system refused what is needed here (Access to this API has been restricted)')
  })
})
