/** `locktester break` and `locktester prune`: on locks that real processes hold, wait for, and have left. */

import { chmod, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { endHolding } from './fixtures/locktester-library.mjs'
import { Bench, keeperOf, OTHER_NODE, type Program } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'

let bench: Bench
let directory: string
let path: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
  path = join(directory, 'job.lock')
})
afterEach(() => bench.close())

/** Holds the lock at `path`, and says its token. */
async function hold(
  options: readonly string[] = [],
  more: Parameters<Bench['locktester']>[1] = {},
): Promise<{ program: Program; token: bigint }> {
  const config = await bench.config('refresh-rate=1\ntimeout-interval=3\n')
  const command = ['sh', '-c', 'echo "token $MOUNTLOCK_TOKEN."; cat >/dev/null; exit 7']
  const program = bench.locktester(['run', path, '--config', config, '--label', 'nightly', ...options, '--', ...command], more)
  await program.says('.\n')
  return { program, token: BigInt(/token (\d+)/.exec(program.stdout)?.[1] as string) }
}

const KINDS: [string, string[]][] = [
  ['hard link', []],
  ['symlink', ['--use-symlinks', '1']],
  ['rename', ['--lock-type', 'renamebased']],
]

const KIND_OPTIONS: [string, object][] = [
  ['hard link', {}],
  ['symlink', { useSymlinks: true }],
  ['rename', { lockType: 'renamebased' }],
]

describe('break', () => {
  test.each(KINDS)('takes a lock by %s from its holder, which is told, and names it', async (_, options) => {
    const { program, token } = await hold(options)
    const keeper = await keeperOf(program)
    const only = bench.locktester(['break', path, '--token', String(token)])
    expect(await only.end, only.stderr).toBe(0)
    expect(only.stdout).toContain(`Broken: process ${keeper} on`)
    expect(only.stdout).toContain('(nightly)')
    // Its command is terminated, because its signal told it of the loss: which no other process is behind.
    expect(await program.end).toBe(74)
    expect(program.stderr).toContain('it was taken from this holder and is free now')
    expect(program.stderr).not.toContain('another process')
    const next = await hold(options)
    expect(next.token).toBeGreaterThan(token)
  })

  test('shows nothing of the path and of the label that would do something to a terminal', async () => {
    path = join(directory, 'job\x1b[31m.lock')
    const command = ['sh', '-c', 'echo "token $MOUNTLOCK_TOKEN."; cat >/dev/null']
    const holder = bench.locktester(['run', path, '--label', 'night\u202ely', '--', ...command])
    await holder.says('.\n')
    const token = /token (\d+)/.exec(holder.stdout)?.[1] as string
    const only = bench.locktester(['break', path, '--token', token])
    expect(await only.end, only.stderr).toBe(0)
    expect(only.stdout).toContain('(night\\u202ely)')
    expect(only.stdout).toContain('job\\u001b[31m.lock')
    expect(only.stdout.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })

  test('of an entry that tells no process says that, and not that a process had the lock', async () => {
    const { program } = await hold()
    program.endInput()
    await program.end
    // What another program has put there: a directory in the place of a record.
    const last = (await readdir(path)).find((name) => name.endsWith('.free'))
    const token = BigInt((last as string).replace('.free', '')) + 1n
    await mkdir(join(path, String(token)))
    const only = bench.locktester(['break', path, '--token', String(token)])
    expect(await only.end, only.stderr).toBe(0)
    expect(only.stdout).toContain('by which process cannot be told (its record cannot be read: EINVAL)')
    expect(only.stdout).not.toContain('another process')
  })

  test('of a holder on another node works as well', async () => {
    const { program, token } = await hold([], { through: OTHER_NODE })
    expect(await bench.locktester(['break', path, '--token', String(token)]).end).toBe(0)
    expect(await program.end).toBe(74)
  })

  test('leaves a holder with another token alone, names him, and ends with 75', async () => {
    const { program, token } = await hold()
    const only = bench.locktester(['break', path, '--token', String(token - 1n), '--json'])
    expect(await only.end).toBe(75)
    const report = JSON.parse(only.stdout)
    expect(await conformsTo('break', report)).toEqual([])
    expect(report).toMatchObject({ result: 'other-holder', token: String(token), holder: { pid: await keeperOf(program) } })
    program.endInput()
    expect(await program.end).toBe(7)
  })

  test('of a free lock changes nothing, and ends with 0', async () => {
    const { program, token } = await hold()
    program.endInput()
    await program.end
    const only = bench.locktester(['break', path, '--token', String(token)])
    expect(await only.end).toBe(0)
    expect(only.stderr).toContain('nothing was broken')
    expect(only.stdout).toBe('')
  })

  test.each(KIND_OPTIONS)('of a lock by %s whose holder ended without giving it back breaks nothing', async (_, options) => {
    const token = await endHolding(bench, path, options)
    const only = bench.locktester(['break', path, '--token', token, '--json'])
    expect(await only.end).toBe(0)
    expect(JSON.parse(only.stdout)).toMatchObject({ result: 'already-free', holder: null, token })
  })

  test('refuses what is no lock, an advisory lock, and a token that is none', async () => {
    expect(await bench.locktester(['break', directory, '--token', '1']).end).toBe(64)
    expect(await bench.locktester(['break', path, '--token', '1']).end).toBe(64)
    expect(await bench.locktester(['break', path, '--token', 'last']).end).toBe(64)
    expect(await bench.locktester(['break', path]).end).toBe(64)
    expect(await bench.locktester(['run', path, '--lock-type', 'advisory', '--', 'true']).end).toBe(0)
    const advisory = bench.locktester(['break', path, '--token', '1'])
    expect(await advisory.end).toBe(64)
    expect(advisory.stderr).toContain('end the process that holds it')
  })

  test('of a directory with one lock in it does not mean that lock', async () => {
    const { program, token } = await hold()
    const only = bench.locktester(['break', directory, '--token', String(token)])
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain(`There is no lock at ${directory}`)
    program.endInput()
    expect(await program.end).toBe(7)
  })

  test('without permission breaks nothing, and says why: 69', async () => {
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    await chmod(directory, 0o755)
    const { program, token } = await hold()
    const only = bench.locktester(['break', path, '--token', String(token)], { through: asNobody })
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('Nothing was broken: Permission denied')
    await chmod(path, 0o700)
    const blind = bench.locktester(['break', path, '--token', String(token)], { through: asNobody })
    expect(await blind.end).toBe(69)
    expect(blind.stderr).toMatch(/Permission denied \(\w+: EACCES\)\. Look as a user/)
    expect(`${only.stderr}${blind.stderr}`).not.toContain('    at ')
    program.endInput()
    expect(await program.end).toBe(7)
  })
})

describe('prune', () => {
  const DAY_MS = 86_400_000

  async function age(ageMs: number): Promise<void> {
    const then = new Date(Date.now() - ageMs)
    await utimes(path, then, then)
  }

  /** A lock that was used and is free. */
  async function leave(options: readonly string[]): Promise<bigint> {
    const { program, token } = await hold(options)
    program.endInput()
    await program.end
    return token
  }

  test.each(KINDS)('removes a lock by %s that was not used for a day, and tokens go on increasing', async (_, options) => {
    const token = await leave(options)
    await age(2 * DAY_MS)
    const only = bench.locktester(['prune', directory])
    expect(await only.end, only.stderr).toBe(0)
    expect(only.stdout).toBe(`${path}\n`)
    expect(only.stderr).toBe('1 removed, 0 kept, 0 failed\n')
    expect(await readdir(directory)).toEqual([])
    expect((await hold(options)).token).toBeGreaterThan(token)
  })

  test('keeps one that was used since, unless --older-than says otherwise', async () => {
    await leave([])
    await age(DAY_MS / 2)
    const kept = bench.locktester(['prune', directory])
    expect(await kept.end).toBe(0)
    expect(kept.stderr).toBe('0 removed, 1 kept (used within the last 24 h: --older-than SECONDS), 0 failed\n')
    expect(await readdir(path)).not.toEqual([])
    expect(await bench.locktester(['prune', '--older-than', '3600', directory]).end).toBe(0)
    expect(await readdir(directory)).toEqual([])
  })

  test('keeps one that is held, however old, and --dry-run does not name it', async () => {
    const { program } = await hold()
    await age(2 * DAY_MS)
    const dry = bench.locktester(['prune', '--dry-run', directory])
    await dry.end
    expect(dry.stdout).toBe('')
    await age(2 * DAY_MS)
    const only = bench.locktester(['prune', directory])
    expect(await only.end).toBe(0)
    expect(only.stderr).toBe('0 removed, 1 kept (in use), 0 failed\n')
    program.endInput()
    expect(await program.end).toBe(7)
  })

  test('where some are in use and some were used of late, it says how many of each', async () => {
    await leave([])
    const idle = path
    path = join(directory, 'held.lock')
    const { program } = await hold()
    await age(2 * DAY_MS)
    const only = bench.locktester(['prune', '--dry-run', directory])
    expect(await only.end).toBe(0)
    expect(only.stderr).toBe(
      '0 would be removed, 2 kept (1 in use; 1 used within the last 24 h: --older-than SECONDS), 0 failed\n',
    )
    expect(await readdir(idle)).not.toEqual([])
    program.endInput()
    expect(await program.end).toBe(7)
  })

  test('--dry-run names what would go, and removes nothing', async () => {
    await leave([])
    await age(2 * DAY_MS)
    const only = bench.locktester(['prune', '--dry-run', directory])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe(`${path}\n`)
    expect(only.stderr).toBe('1 would be removed, 0 kept, 0 failed\n')
    expect(await readdir(path)).not.toEqual([])
  })

  test('names what is in the way without what would do something to a terminal', async () => {
    await leave([])
    await writeFile(join(path, 'x\u009b31m\u202e'), '')
    const only = bench.locktester(['prune', '--older-than', '0', directory])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('"x\\u009b31m\\u202e" is in the way')
  })

  test.each(KINDS)(
    'keeps a lock by %s in which a file of an NFS client lies, names the file, and the lock goes on',
    async (_, options) => {
      await leave(options)
      await writeFile(join(path, '.nfs000000000a3b00010000002a'), '')
      const only = bench.locktester(['prune', '--older-than', '0', directory])
      expect(await only.end).toBe(69)
      expect(only.stderr).toContain('".nfs000000000a3b00010000002a" is in the way')
      expect(await bench.locktester(['run', '--no-wait', ...options, path, '--', 'true']).end).toBe(0)
      await rm(join(path, '.nfs000000000a3b00010000002a'))
      expect(await bench.locktester(['prune', '--older-than', '0', directory]).end).toBe(0)
      expect(await readdir(directory)).toEqual([])
    },
  )

  // As an earlier version, a crash, or a process that may not remove everything leaves it.
  test.each([
    ['decided', '.dissolved-links-1795847652637001-00000000000000aa'],
    ['decided, by an earlier version', '.dissolved-1795847652637001-00000000000000aa'],
    ['undecided', '.dissolving-links-00000000000000aa'],
    ['on its way back', '.reviving-links-1795847652637003-00000000000000aa'],
  ])(
    'a lock whose removal was left half-way (%s) is shown, can be had although a strange file lies in it, and can be pruned',
    async (_, marker) => {
      const token = await leave([])
      await rename(join(path, '.links'), join(path, marker.replace('1795847652637', String(token).slice(0, -3))))
      await writeFile(join(path, 'strange'), '')
      const status = bench.locktester(['status', '--json', directory])
      await status.end
      expect(JSON.parse(status.stdout).locks).toMatchObject([{ path, state: 'free', lockType: 'linkbased' }])
      const taken = await hold(['--no-wait'])
      expect(taken.token).toBeGreaterThan(token)
      taken.program.endInput()
      expect(await taken.program.end).toBe(7)
      await rm(join(path, 'strange'))
      expect(await bench.locktester(['prune', '--older-than', '0', directory]).end).toBe(0)
      expect(await readdir(directory)).toEqual([])
    },
  )

  test('leaves other directories and files alone', async () => {
    await mkdir(path)
    await age(2 * DAY_MS)
    const only = bench.locktester(['prune', '--older-than', '0', directory])
    expect(await only.end).toBe(0)
    expect(only.stderr).toBe('0 removed, 0 kept, 0 failed\n')
    expect(await readdir(directory)).toEqual(['job.lock'])
  })
})

describe('a lock whose marker was removed by a cleaner of temporary files', () => {
  const WAY_OUT = /without our marker, .*Remove the whole directory when no process holds the lock or waits for it/
  const ended = async (...args: string[]) => {
    const only = bench.locktester(args)
    return { code: await only.end, stdout: only.stdout, stderr: only.stderr }
  }

  test.each(KINDS.flatMap(([kind, options]) => [true, false].map((isHeld) => ({ kind, options, isHeld }))))(
    'by $kind, held: $isHeld, is named by status, prune and break with the way out, as by acquire',
    async ({ options, isHeld }) => {
      const { program, token } = await hold(options)
      if (!isHeld) {
        program.endInput()
        expect(await program.end).toBe(7)
      }
      await rm(join(path, options.includes('renamebased') ? '.renames' : '.links'))
      const unusable = { code: 69, stderr: expect.stringMatching(WAY_OUT) }
      expect(await ended('run', path, '--no-wait', ...options, '--', 'true')).toMatchObject(unusable)
      expect(await ended('status', directory)).toMatchObject(unusable)
      expect(await ended('status', path)).toMatchObject(unusable)
      expect(await ended('prune', '--older-than', '0', directory)).toMatchObject(unusable)
      expect(await ended('break', path, '--token', String(token))).toMatchObject(unusable)
      const { stdout } = await ended('status', '--json', directory)
      expect(await conformsTo('status', JSON.parse(stdout))).toEqual([])
      expect(JSON.parse(stdout)).toMatchObject({ locks: [], unread: [{ path, message: expect.stringMatching(WAY_OUT) }] })
    },
  )

  test('is not seen in files that another program calls by the time, in drafts of locks and in tickets of former ones', async () => {
    const microseconds = '1795847652637001'
    for (const [name, file] of [
      ['readings', microseconds],
      ['.mountlock-new-00000000000000aa', `${microseconds}.free`],
      ['.mountlock-wait-00000000000000aa', `${microseconds}.node1-17-00000000000000aa`],
    ] as const) {
      await mkdir(join(directory, name))
      await writeFile(join(directory, name, file), 'theirs')
    }
    expect(await ended('status', directory)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('There are no locks here'),
    })
    expect(await ended('prune', '--older-than', '0', directory)).toMatchObject({
      code: 0,
      stderr: '0 removed, 0 kept, 0 failed\n',
    })
  })
})
