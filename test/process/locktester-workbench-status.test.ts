/**
 * `locktester status` and the locks of Workbench: what its sessions leave on disk (written here as they write it) is shown
 * beside our own locks, and not touched by that.
 */

import { execFileSync } from 'node:child_process'
import { link, lstat, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Bench, OTHER_NODE, type Program, withMounts } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'

const OWNER = '.rstudio-lock-owner-41c29-0123456789abcdef0123456789abcdef'
const PROXY = '.rstudio-lock-41c29-node-7-4711-7f3c5a2b9740'
const DATA = '.local/share/rstudio'

let bench: Bench
let home: string
beforeEach(async () => {
  bench = new Bench()
  home = await bench.directory()
})
afterEach(() => bench.close())

/** A file that was refreshed so long ago. */
async function write(name: string, text: string, ageS = 0): Promise<string> {
  const path = join(home, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  const modifiedS = Date.now() / 1000 - ageS
  await utimes(path, modifiedS, modifiedS)
  return path
}

async function report(paths: readonly string[] = [home], more: Parameters<Bench['locktester']>[1] = {}) {
  const only = bench.locktester(['status', '--json', ...paths], more)
  const code = await only.end
  expect(only.stdout, only.stderr).not.toBe('')
  const found = JSON.parse(only.stdout)
  expect(await conformsTo('status', found)).toEqual([])
  expect(found.exitCode).toBe(code)
  return found
}

/** A process that holds an fcntl lock on all of a file, as Workbench's advisory locks do. */
async function holdByFcntl(path: string): Promise<Program> {
  const script =
    'import fcntl, sys; f = open(sys.argv[1], "r+"); fcntl.lockf(f, fcntl.LOCK_EX); print("locked", flush=True); sys.stdin.read()'
  const holder = bench.start(['python3', '-c', script, path])
  await holder.says('locked')
  return holder
}

/** All that lies below, with its time stamps. */
async function everythingBelow(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true })
  const lines = names.map(async (name) => {
    const { mtimeMs, size, ino } = await lstat(join(directory, name))
    return `${name} ${mtimeMs} ${size} ${ino}`
  })
  return (await Promise.all(lines)).sort()
}

describe('of the locks of Workbench it shows', () => {
  test('what each is for, its form, its process as written, its age, and whether it is held, stale or released', async () => {
    const young = await write(`${DATA}/sources/session-1/lock_file`, '4711\n', 3)
    await link(young, join(dirname(young), OWNER))
    const old = await write(`${DATA}/sources/session-2/lock_file`, '815', 300)
    const released = await write(`${DATA}/notebooks/lock_file`, '-1\n')
    await utimes(released, 0, 0)
    const legacy = { generation: 'legacy', form: 'hard link' }
    const { workbench, locks } = await report()
    expect(locks).toEqual([])
    expect(workbench).toEqual([
      {
        path: released,
        purpose: 'notebooks',
        session: null,
        project: null,
        state: 'released',
        reason: null,
        form: 'hard link',
        generation: '2026',
        byMountlock: false,
        pid: null,
        ageMs: null,
        ageBy: null,
        fcntl: 'free',
      },
      expect.objectContaining({
        path: young,
        purpose: 'session',
        session: '1',
        state: 'held',
        form: 'hard link',
        generation: '2026',
        pid: 4711,
        ageBy: 'server',
      }),
      expect.objectContaining({ path: old, session: '2', state: 'stale', pid: 815, ageMs: expect.any(Number), ...legacy }),
    ])
    expect(workbench[1].ageMs).toBeGreaterThanOrEqual(3000)
    expect(workbench[1].ageMs).toBeLessThan(30_000)
    expect(workbench[2].ageMs).toBeGreaterThanOrEqual(300_000)
  })

  test('symbolic links, and the dangling one that 2026 leaves at its release', async () => {
    const target = await write(`${DATA}/sources/session-1/${PROXY}`, '4711')
    await symlink(target, join(dirname(target), 'lock_file'))
    await mkdir(join(home, DATA, 'sources/session-2'))
    await symlink(join(home, DATA, 'sources/session-2', OWNER), join(home, DATA, 'sources/session-2/lock_file'))
    const { workbench } = await report()
    expect(workbench).toMatchObject([
      { state: 'held', form: 'symlink', generation: 'legacy', pid: 4711 },
      { state: 'released', form: 'symlink', generation: '2026', pid: null, fcntl: null },
    ])
    // The link itself, by name: one that leads nowhere is there all the same.
    expect((await report([join(home, DATA, 'sources/session-2/lock_file')])).workbench).toHaveLength(1)
  })

  test('an advisory lock with the process that holds it, and a free one', async () => {
    const held = await write(`${DATA}/sources/session-1/lock_file`, '')
    await write(`${DATA}/sources/session-2/lock_file`, '')
    const holder = await holdByFcntl(held)
    const { workbench, locks } = await report()
    expect(locks).toEqual([])
    expect(workbench).toMatchObject([
      { state: 'held', form: 'advisory', generation: null, pid: holder.pid, fcntl: 'held' },
      { state: 'free', form: 'advisory', generation: null, pid: null, fcntl: 'free' },
    ])
  })

  test('those of a project, however deep below it, and through a symbolic link that was named', async () => {
    const path = await write('a/b/c/survey/.Rproj.user/1A2B3C4D/sources/session-9/lock_file', '4711\n')
    await write('a/b/c/survey/.Rproj.user/shared/notebooks/lock_file', '4711\n')
    const project = join(home, 'a/b/c/survey')
    const { workbench } = await report()
    expect(workbench).toMatchObject([
      { path, purpose: 'session', session: '9', project },
      { purpose: 'notebooks', project },
    ])
    await symlink(dirname(path), join(home, 'state'))
    expect((await report([join(home, 'state/lock_file')])).workbench).toMatchObject([{ path, session: '9' }])
    expect((await report([join(home, 'state')])).workbench).toMatchObject([{ path, session: '9' }])
  })

  test('what lies at such a path and is no lock of theirs, without opening what would block', async () => {
    const document = await write(`${DATA}/sources/session-1/lock_file`, 'Dear Ann,')
    const fifo = join(home, DATA, 'locktester_file')
    execFileSync('mkfifo', [fifo])
    await mkdir(join(home, DATA, 'notebooks'))
    await symlink('/etc/passwd', join(home, DATA, 'notebooks/lock_file'))
    const { workbench } = await report()
    expect(workbench).toMatchObject([
      { path: fifo, purpose: 'locktester', state: 'foreign', reason: expect.stringContaining('FIFO') },
      { purpose: 'notebooks', state: 'foreign', reason: expect.stringContaining('symbolic link') },
      { path: document, state: 'foreign', reason: expect.stringContaining('no lock of Workbench'), pid: null },
    ])
    expect(await readFile(document, 'utf8')).toBe('Dear Ann,')
  })

  test('their timeout-interval is the one that Workbench is configured to', async () => {
    await write(`${DATA}/sources/session-1/lock_file`, '4711\n', 300)
    const RSTUDIO_CONFIG_DIR = dirname(await bench.config('timeout-interval=600\n'))
    expect((await report()).workbench).toMatchObject([{ state: 'stale' }])
    expect((await report([home], { env: { RSTUDIO_CONFIG_DIR } })).workbench).toMatchObject([{ state: 'held' }])
  })

  test('a table of their own below ours, with the warning that a process id names no host', async () => {
    await write(`${DATA}/sources/session-4f2a/lock_file`, '4711\n')
    const holder = bench.locktester(['run', join(home, 'job.lock'), '--', 'sh', '-c', 'echo running; cat'])
    await holder.says('running')
    const table = bench.locktester(['status', home])
    expect(await table.end, table.stderr).toBe(0)
    const [ours, theirs] = table.stdout.split('\n\n')
    expect(ours).toMatch(/^job\.lock +held +linkbased /m)
    expect(theirs).toMatch(/session-4f2a\/lock_file +held +session 4f2a +2026 hard link +pid 4711 +\d+ m?s$/m)
    expect(table.stderr).toContain('name no host')
  })
})

test('a lock that both respect is shown with its holder among ours, and as held by mountlock among theirs', async () => {
  const path = await write(`${DATA}/sources/session-1/lock_file`, '-1\n')
  const holder = bench.locktester(['run', '--workbench', home, '--label', 'backup', '--', 'sh', '-c', 'echo running; cat'])
  await holder.says('running')
  for (const named of [home, path]) {
    const { workbench, locks } = await report([named])
    expect(workbench).toMatchObject([{ path, state: 'held', byMountlock: true, fcntl: 'held', generation: '2026' }])
    expect(locks).toMatchObject([
      { path: join(home, DATA, 'sources/.session-1.lock_file.mountlock/lock'), state: 'held', holder: { label: 'backup' } },
    ])
  }
  const table = bench.locktester(['status', home])
  await table.end
  expect(table.stdout).toMatch(/session-1\/lock_file +held +session 1 +2026 hard link +mountlock /m)
  expect(table.stderr).toBe('')
})

describe('looking', () => {
  test('changes nothing: neither a file nor a time stamp', async () => {
    await write(`${DATA}/sources/session-1/lock_file`, '4711\n', 300)
    await write(`${DATA}/sources/session-2/lock_file`, '')
    await write(`${DATA}/notebooks/lock_file`, '-1\n')
    const before = await everythingBelow(home)
    await report()
    await report([join(home, DATA, 'sources/session-2/lock_file')])
    expect(await everythingBelow(home)).toEqual(before)
  })

  test('asks for no lock, not even for a moment where the kernel does not tell: then it is unknown, and says so', async () => {
    const path = await write(`${DATA}/sources/session-1/lock_file`, '')
    const trace = join(await bench.directory(), 'trace')
    // A process that does not see all others cannot know from /proc/locks that a lock is free.
    const through = [...OTHER_NODE, 'strace', '-f', '-qq', '-o', trace, '-e', 'trace=fcntl,flock,openat']
    for (const named of [home, path]) {
      const { workbench, locks } = await report([named], { through })
      expect(locks).toEqual([])
      expect(workbench).toMatchObject([{ state: 'unknown', reason: expect.stringContaining('cannot be told from here') }])
      const calls = (await readFile(trace, 'utf8')).split('\n')
      expect(calls.some((call) => call.includes(path))).toBe(true) // it was traced
      expect(calls.filter((call) => /F_(OFD_)?SETLK|flock\(/.test(call))).toEqual([])
    }
  })
})

describe('on a file system whose clock and locks are not known to be those of this node', () => {
  /** An overlay stands for it. What is found there was there before. */
  async function overlay(): Promise<string[]> {
    const layers = await bench.directory()
    for (const name of ['upper', 'work']) await mkdir(join(layers, name))
    return withMounts(`mount -t overlay overlay -o lowerdir=${home},upperdir=${layers}/upper,workdir=${layers}/work ${home}`)
  }

  test('its clock is asked with a directory that goes at once, for a session reads every file as a document', async () => {
    const path = await write(`${DATA}/sources/session-1/lock_file`, '4711\n', 300)
    const trace = join(await bench.directory(), 'trace')
    const through = [...(await overlay()), 'strace', '-f', '-qq', '-o', trace, '-e', 'trace=mkdir,rmdir,openat']
    const { workbench } = await report([home], { through })
    expect(workbench).toMatchObject([{ path, state: 'stale', ageBy: 'server' }])
    const calls = (await readFile(trace, 'utf8')).split('\n')
    const named = (call: string) =>
      calls.filter((line) => line.includes(`${call}("${join(home, DATA, 'sources')}/.mountlock-new-`))
    expect([named('mkdir').length, named('rmdir').length]).toEqual([1, 1])
    expect(calls.filter((line) => line.includes(home) && line.includes('O_CREAT'))).toEqual([])
  })

  test('a user that may not write there sees ages by the clock of the node, and is told so', async () => {
    await write(`${DATA}/sources/session-1/lock_file`, '4711\n', 300)
    execFileSync('chmod', ['-R', 'a+rX', home])
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    const through = [...(await overlay()), ...asNobody]
    expect((await report([home], { through })).workbench).toMatchObject([{ state: 'stale', ageBy: 'node' }])
    const table = bench.locktester(['status', home], { through })
    expect(await table.end).toBe(0)
    expect(table.stderr).toContain("The file server's clock could not be asked")
  })

  test('whether an advisory lock is held is unknown, and free is never said', async () => {
    await write(`${DATA}/sources/session-1/lock_file`, '')
    const { workbench } = await report([home], { through: await overlay() })
    expect(workbench).toMatchObject([{ state: 'unknown', fcntl: 'unknown', reason: expect.stringContaining('of other nodes') }])
  })
})

describe('what administrators do elsewhere leaves them alone', () => {
  test('prune removes none of them, in whatever state, and nothing beside them', async () => {
    for (const [id, text, ageS] of [
      ['1', '4711\n', 0],
      ['2', '815', 9e6],
      ['3', '-1\n', 9e6],
      ['4', '', 9e6],
    ] as const) {
      await write(`${DATA}/sources/session-${id}/lock_file`, text, ageS)
    }
    await write(`${DATA}/sources/session-2/${PROXY}`, '815', 9e6)
    await mkdir(join(home, DATA, 'sources/session-3/.rstudio-lock-claims-41c29'))
    await write(`${DATA}/locktester_file`, '4711', 9e6)
    const before = await everythingBelow(home)
    const only = bench.locktester(['prune', '--older-than', '0', home, join(home, DATA, 'locktester_file')])
    expect(await only.end, only.stderr).toBe(0)
    expect(only.stderr).toContain('0 removed, 0 kept, 0 failed')
    expect(await everythingBelow(home)).toEqual(before)
  })

  test('break says that it is none of ours', async () => {
    const path = await write(`${DATA}/sources/session-1/lock_file`, '4711\n', 300)
    const only = bench.locktester(['break', path, '--token', '1'])
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain("is a lock of Workbench's own")
    expect(await readFile(path, 'utf8')).toBe('4711\n')
  })
})
