/** `locktester status`: locks of every type and state, held by real processes, as the table and the JSON report show them. */

import { execFileSync } from 'node:child_process'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Bench, keeperOf, OTHER_NODE, type Program } from './fixtures/locktester-driver.mjs'
import { endHolding } from './fixtures/locktester-library.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'

const PATIENCE = { timeout: 20_000 }

const HOLDING = ['sh', '-c', 'echo running; cat >/dev/null']

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

async function hold(
  name: string,
  options: readonly string[] = [],
  more: Parameters<Bench['locktester']>[1] = {},
): Promise<Program> {
  const holder = bench.locktester(['run', join(directory, name), ...options, '--', ...HOLDING], more)
  await holder.says('running')
  return holder
}

/** A lock that was held, and is free by now. */
async function leave(name: string): Promise<void> {
  const holder = await hold(name)
  holder.endInput()
  await holder.end
}

/** A process that has held a lock, has given it back, and lives on. */
async function startIdle(path: string): Promise<Program> {
  const library = new URL('../../dist/index.js', import.meta.url).href
  const script = `
    const { createLocker } = await import('${library}')
    const lock = await createLocker({ label: 'idler' }).tryAcquire(process.argv[1])
    await lock.release()
    console.log('idle')
    for await (const _ of process.stdin);`
  const idle = bench.start([process.execPath, '--input-type=module', '-e', script, path])
  await idle.says('idle')
  return idle
}

async function report(...args: string[]) {
  const only = bench.locktester(['status', '--json', ...args])
  const code = await only.end
  expect(only.stdout, only.stderr).not.toBe('')
  const found = JSON.parse(only.stdout)
  expect(await conformsTo('status', found)).toEqual([])
  expect(found.exitCode).toBe(code)
  return found
}

describe('what it finds', () => {
  test('a held lock under a directory, with host, user, pid, label, token and heartbeat', async () => {
    await mkdir(join(directory, 'deep/er'), { recursive: true })
    const holder = await hold('deep/er/job.lock', ['--label', 'nightly backup'])
    const { locks } = await report(directory)
    expect(locks).toEqual([
      {
        path: join(directory, 'deep/er/job.lock'),
        lockType: 'linkbased',
        state: 'held',
        reason: null,
        token: expect.stringMatching(/^\d+$/),
        holder: {
          host: hostname(),
          pid: await keeperOf(holder),
          uid: 0,
          user: 'root',
          label: 'nightly backup',
          since: expect.any(String),
          heartbeatAgeMs: expect.any(Number),
          sameHost: true,
        },
        waiters: [],
      },
    ])
  })

  test('a free lock, and the stale one of a killed process', async () => {
    await leave('free.lock')
    const killed = await hold('stale.lock')
    const keeper = await keeperOf(killed)
    process.kill(keeper, 'SIGKILL')
    await killed.end
    const { locks } = await report(directory)
    expect(locks).toMatchObject([
      { path: join(directory, 'free.lock'), state: 'free', holder: null },
      { path: join(directory, 'stale.lock'), state: 'stale', holder: { pid: keeper } },
    ])
  })

  test.each([
    ['hard link', {}],
    ['symlink', { useSymlinks: true }],
    ['rename', { lockType: 'renamebased' }],
  ])('free is the lock by %s of a process that ended as it should without releasing: none died', async (_, options) => {
    const token = await endHolding(bench, join(directory, 'ended.lock'), options)
    const { locks } = await report(directory)
    expect(locks).toMatchObject([{ path: join(directory, 'ended.lock'), state: 'free', holder: null, token }])
  })

  test('the advisory lock in a file that was named, with the process that holds it', async () => {
    const holder = await hold('data.lock', ['--lock-type', 'advisory'])
    const { locks } = await report(join(directory, 'data.lock'))
    expect(locks).toMatchObject([{ lockType: 'advisory', state: 'held', token: null, holder: { pid: await keeperOf(holder) } }])
  })

  test('locks by symbolic link and by rename', async () => {
    const bySymlink = await hold('a.lock', ['--use-symlinks', '1'])
    const byRename = await hold('b.lock', ['--lock-type', 'renamebased'])
    const { locks } = await report(directory)
    expect(locks).toMatchObject([
      { lockType: 'linkbased', state: 'held', holder: { pid: await keeperOf(bySymlink) } },
      { lockType: 'renamebased', state: 'held', holder: { pid: await keeperOf(byRename) } },
    ])
  })

  test.each([
    ['this node', {}],
    ['another node', { through: OTHER_NODE }],
  ])('the processes of %s that wait for a lock, in order, and one that has held one and is idle', async (_, where) => {
    const holder = await hold('job.lock')
    const idle = await startIdle(join(directory, 'other.lock'))
    const waiters = []
    for (const label of ['first', 'second']) {
      waiters.push(bench.locktester(['run', '--label', label, join(directory, 'job.lock'), '--', 'true'], where))
      await vi.waitUntil(async () => (await report(directory)).locks[0]?.waiters.length === waiters.length, PATIENCE)
    }
    const { locks, waitingOrIdle } = await report(directory)
    const sameHost = _ === 'this node'
    const waiting = {
      host: expect.any(String),
      pid: expect.any(Number),
      uid: 0,
      user: 'root',
      since: expect.any(String),
      sameHost,
    }
    const labels = locks[0].waiters.map(({ label }: { label: string }) => label)
    expect(labels.toSorted()).toEqual(['first', 'second'])
    expect(locks).toMatchObject([
      { holder: { pid: await keeperOf(holder) }, waiters: labels.map((label: string) => ({ ...waiting, label })) },
      { state: 'free', waiters: [] },
    ])
    const isWaiting = Object.fromEntries(
      waitingOrIdle.map((one: { label: string; isWaiting: unknown }) => [one.label, one.isWaiting]),
    )
    expect(isWaiting).toEqual({ idler: null, first: true, second: true })
    const table = bench.locktester(['status', directory])
    expect(await table.end).toBe(0)
    expect(table.stdout).toMatch(/^job\.lock +held .* 2$/m)
    const [one, other] = labels
    expect(table.stderr).toMatch(
      new RegExp(`^waiting for ${join(directory, 'job.lock')}, in this order: .*\\(${one}\\) since .*\\(${other}\\) since `, 'm'),
    )
    expect(table.stderr).toContain(`in ${directory}, with no lock and no ticket: ${hostname()} pid ${idle.pid} (idler)`)
    // And that they wait no longer.
    holder.kill('SIGTERM')
    await vi.waitUntil(async () => (await report(directory)).locks[0]?.waiters.length === 0, PATIENCE)
    await Promise.all(waiters.map(({ end }) => end))
  })

  test('under a directory, files with an advisory lock of a process of this node; other files are left alone', async () => {
    const holder = await hold('data.lock', ['--lock-type', 'advisory'])
    await writeFile(join(directory, 'other'), '')
    const { locks } = await report(directory)
    expect(locks).toMatchObject([
      { path: join(directory, 'data.lock'), lockType: 'advisory', state: 'held', holder: { pid: await keeperOf(holder) } },
    ])
  })

  test('nothing through a symbolic link, nothing deeper than --depth, and a link that is named itself', async () => {
    const elsewhere = await bench.directory()
    const other = bench.locktester(['run', join(elsewhere, 'x.lock'), '--', 'true'])
    await other.end
    await symlink(elsewhere, join(directory, 'link'))
    expect((await report(directory)).locks).toEqual([])
    expect((await report(join(directory, 'link'))).locks).toHaveLength(1)
    await mkdir(join(directory, 'one/two'), { recursive: true })
    await leave('one/two/deep.lock')
    expect((await report('--depth', '1', directory)).locks).toHaveLength(0)
    expect((await report('--depth', '2', directory)).locks).toHaveLength(1)
  })
})

describe('how it says it', () => {
  test('a table on standard output, without colours where there is no terminal', async () => {
    const holder = await hold('job.lock', ['--label', 'nightly'])
    const only = bench.locktester(['ls', directory])
    expect(await only.end).toBe(0)
    const [head, line, rest] = only.stdout.split('\n')
    expect(head?.split(/ +/)).toEqual(['PATH', 'STATE', 'TYPE', 'HOLDER', 'LABEL', 'SINCE', 'HEARTBEAT', 'WAITING'])
    expect(line).toMatch(
      new RegExp(`^job.lock +held +linkbased +root@${hostname()} pid ${await keeperOf(holder)} +nightly +[0-9:]+ +.* ago +-$`),
    )
    expect(rest).toBe('')
    expect(only.stderr).toBe('')
  })

  test('held before free, by their way from what was named; tokens with --long', async () => {
    await leave('a-free.lock')
    await hold('held.lock')
    const only = bench.locktester(['status', '--long', directory])
    expect(await only.end).toBe(0)
    expect(only.stdout.split('\n').map((line) => line.split(/ +/)[0])).toEqual(['PATH', 'held.lock', 'a-free.lock', ''])
    expect(only.stdout).toMatch(/TOKEN\n/)
    expect(only.stdout).toMatch(/^held\.lock .* \d{10,}$/m)
    const both = bench.locktester(['status', join(directory, 'held.lock'), `${directory}/../${basename(directory)}`])
    expect(await both.end).toBe(0)
    expect(both.stdout).toMatch(new RegExp(`^${join(directory, 'held.lock')} +held`, 'm'))
  })

  test('on a narrow terminal lines end between two words, and --watch fits its height', async () => {
    await hold('job.lock', ['--label', 'a label of several words'])
    await Promise.all(['b', 'c', 'd', 'e', 'f'].map((name) => leave(`${name}.lock`)))
    const locktester = `${process.execPath} ${join(import.meta.dirname, '../../bin/locktester')}`
    const onTerminal = (command: string) =>
      bench.start(['script', '-qec', `stty cols 40 rows 5; ${command}`, '/dev/null'], { env: { TERM: 'xterm', NO_COLOR: '1' } })
    const once = onTerminal(`${locktester} status ${directory}`)
    await once.end
    const lines = once.stdout.trim().split(/\r?\n/)
    expect(lines).toHaveLength(7)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40)
    expect(lines[0]).toBe('PATH      STATE  TYPE       HOLDER')
    const watch = onTerminal(`${locktester} status --watch ${directory}`)
    await watch.says('more lines')
    const screen = watch.stdout.split('\x1b[H\x1b[2J').at(1)?.trimEnd().split(/\r?\n/) ?? []
    expect(screen).toHaveLength(4)
    expect(screen[1]).toMatch(/^job\.lock +held/)
    for (const line of screen) expect(line.length).toBeLessThanOrEqual(40)
  })

  test('--watch fits a window at once that gets another size, and does not wait for the next look', async () => {
    await hold('job.lock')
    await Promise.all(['b', 'c', 'd', 'e', 'f'].map((name) => leave(`${name}.lock`)))
    const gate = join(await bench.directory(), 'gate')
    execFileSync('mkfifo', [gate])
    const status = `${process.execPath} ${join(import.meta.dirname, '../../bin/locktester')} status --watch --interval 3600 ${directory}`
    const script = `stty cols 80 rows 24; ${status} & read line < ${gate}; stty cols 40 rows 5; wait`
    const watch = bench.start(['script', '-qec', script, '/dev/null'], { env: { TERM: 'xterm', NO_COLOR: '1' } })
    await watch.says('f.lock')
    await writeFile(gate, 'now\n')
    await watch.says('more lines')
    const screen = watch.stdout.split('\x1b[H\x1b[2J').at(-1)?.trimEnd().split(/\r?\n/) ?? []
    expect(screen).toHaveLength(4)
    for (const line of screen) expect(line.length).toBeLessThanOrEqual(40)
  })

  test('on a terminal in colours, unless NO_COLOR is set', async () => {
    await hold('job.lock')
    const command = [process.execPath, join(import.meta.dirname, '../../bin/locktester'), 'status', directory].join(' ')
    const coloured = bench.start(['script', '-qec', command, '/dev/null'], { env: { TERM: 'xterm' } })
    await coloured.end
    expect(coloured.stdout).toContain('\x1b[32mheld')
    const plain = bench.start(['script', '-qec', command, '/dev/null'], { env: { TERM: 'xterm', NO_COLOR: '1' } })
    await plain.end
    expect(plain.stdout).toContain('held ')
    expect(plain.stdout).not.toContain('\x1b[')
  })

  test('where there are no locks: so on standard error, nothing on standard output, 0', async () => {
    const only = bench.locktester(['status', directory])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe('')
    expect(only.stderr).toContain('There are no locks here')
  })

  test('--watch looks again, sees the heartbeat of a dead node stand still, and ends with 0 on Ctrl+C', async () => {
    const config = await bench.config('refresh-rate=1\ntimeout-interval=2\n')
    const holder = await hold('job.lock', ['--config', config], { through: OTHER_NODE })
    const watch = bench.locktester(['status', '--watch', '--interval', '0.3', '--json', directory])
    await watch.says('"state":"held"')
    await holder.killChild('SIGKILL')
    await watch.says('"state":"stale"')
    watch.kill('SIGINT')
    expect(await watch.end).toBe(0)
    for (const line of watch.stdout.trim().split('\n')) expect(await conformsTo('status', JSON.parse(line))).toEqual([])
  })

  test('--watch on a terminal refreshes in place', async () => {
    await hold('job.lock')
    const command = [process.execPath, join(import.meta.dirname, '../../bin/locktester'), 'status', '--watch', directory]
    const watch = bench.start(['script', '-qec', command.join(' '), '/dev/null'], { env: { TERM: 'xterm' } })
    await watch.says('job.lock')
    expect(watch.stdout).toContain('\x1b[H\x1b[2J')
  })
})

describe('what it cannot read', () => {
  test('a lock of another program is named, and the exit code is 69', async () => {
    await mkdir(join(directory, 'torn.lock'))
    await writeFile(join(directory, 'torn.lock/.links'), '')
    const only = bench.locktester(['status', directory])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain(join(directory, 'torn.lock'))
    expect(only.stderr).toContain('its generations have probably been deleted')
  })

  test('a directory without permission is named, the others are shown, and the exit code is 69', async () => {
    await mkdir(join(directory, 'secret'), { mode: 0o700 })
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    await chmod(directory, 0o755)
    await hold('job.lock')
    const only = bench.locktester(['status', directory], { through: asNobody })
    expect(await only.end).toBe(69)
    expect(only.stdout).toMatch(/^job\.lock +held /m)
    expect(only.stderr).toContain(join(directory, 'secret'))
    expect(only.stderr).toContain('Permission denied (opendir: EACCES). Look as a user that may read and search it.')
  })

  test('a path that does not exist is wrong usage', async () => {
    const only = bench.locktester(['status', join(directory, 'nowhere')])
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain('There is no such file or directory')
  })
})
