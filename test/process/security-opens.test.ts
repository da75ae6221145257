/**
 * How files are opened. Goal: nothing in a directory that others may write to is ever opened through a symbolic link, or
 * created where something is already. Method: the system calls of real runs, as strace shows them.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { LockerOptions } from '../../dist/index.js'
import { Bench } from './fixtures/locktester-driver.mjs'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'

const hasStrace = spawnSync('strace', ['-V']).status === 0

const TRACED = ['-f', '-qq', '-e', 'trace=open,openat,openat2,creat,mknod,mknodat']

interface Open {
  name: string
  flags: string
}

/** What was opened in a folder, each way once. */
function opensIn(folder: string, trace: string): Open[] {
  const found = new Map<string, Open>()
  // A call that another one interrupted is written in two lines; the first has all that matters.
  for (const [, path = '', flags = ''] of readFileSync(trace, 'utf8').matchAll(
    /(?:open|openat|openat2|creat)\((?:AT_FDCWD, )?"([^"]*)", ([A-Z_|{}= a-z]+)/g,
  )) {
    if (!path.startsWith(folder)) continue
    const name = path.slice(folder.length)
    found.set(`${name} ${flags}`, { name, flags })
  }
  return [...found.values()]
}

/** A listing opens a directory, which creates nothing and writes nothing; whose it is was asked before. */
const isCareful = ({ flags }: Open) =>
  /O_EXCL|O_NOFOLLOW|O_DIRECTORY/.test(flags) && (!flags.includes('O_CREAT') || /O_EXCL|O_NOFOLLOW/.test(flags))

describe.skipIf(!hasStrace)('in the directory of the locks (needs strace)', () => {
  test.each<{ kind: string; locker: LockerOptions; opens: RegExp[] }>([
    { kind: 'hard link', locker: {}, opens: [/^\/\.mountlock-41c29-/, /\.links$/, /\.free$/, /^\/log$/, /\.look-/] },
    { kind: 'symlink', locker: { useSymlinks: true }, opens: [/^\/\.mountlock-41c29-/, /\.links$/, /\.free$/, /^\/log$/] },
    { kind: 'rename', locker: { lockType: 'renamebased' }, opens: [/^\/\.mountlock-41c29-/, /\.renames$/, /\.free$/, /^\/log$/] },
    { kind: 'flock', locker: { lockType: 'advisory', advisoryKind: 'flock' }, opens: [/^\/lock$/, /^\/log$/] },
    { kind: 'fcntl', locker: { lockType: 'advisory', advisoryKind: 'fcntl' }, opens: [/^\/lock$/, /^\/log$/] },
  ])('nothing is opened through a symbolic link, nor created where something is ($kind)', async ({ kind, locker, opens }) => {
    const [folder, traces] = [await temporaryFolder(), await temporaryFolder()]
    const [path, trace] = [join(folder, 'lock'), join(traces, 'trace')]
    const logging = { ...locker, enableLogging: true, logFile: join(folder, 'log') }
    const traced = await Agent.start({ locker: logging, under: ['strace', '-o', trace, ...TRACED] })
    const rival = await Agent.start({ locker })

    const { handle } = (await traced.ask('acquire', { path })) as { handle: number }
    await traced.inspect(path)
    expect(await rival.ask('tryAcquire', { path })).toBeNull()
    await traced.ask('release', { handle })
    const { handle: other } = (await rival.ask('acquire', { path })) as { handle: number }
    expect(await traced.ask('tryAcquire', { path })).toBeNull()
    await traced.inspect(path)
    if (kind !== 'fcntl') expect(await traced.ask('tryAcquireSync', { path })).toBeNull()
    await rival.ask('release', { handle: other })
    // Through some heartbeats and a patrol.
    await traced.refusal(join(folder, 'missing', 'lock'))
    if (locker.lockType !== 'advisory')
      await vi.waitFor(() => expect(readFileSync(trace, 'utf8')).toMatch(/mountlock-41c29-[^"]*", O_RDWR/), { timeout: 10_000 })
    await traced.ask('close')
    await traced.ask('end', { how: 'return' })
    await traced.ended

    const seen = opensIn(folder, trace)
    for (const expected of opens) expect(seen.map(({ name }) => name)).toContainEqual(expect.stringMatching(expected))
    expect(seen.filter((open) => !isCareful(open))).toEqual([])
  })

  test('nothing is opened so by locktester either, with another instance beside it', async () => {
    const bench = new Bench()
    onTestFinished(() => bench.close())
    const [folder, traces] = [await bench.directory(), await bench.directory()]
    const trace = join(traces, 'trace')
    const first = bench.locktester([folder])
    await first.says('Holding.', 'stderr')
    await bench.locktester(['--all', '--no-hold', folder], { through: ['strace', '-o', trace, ...TRACED] }).end
    first.kill('SIGTERM')
    await first.end
    const seen = opensIn(folder, trace)
    expect(seen.filter(({ name }) => /^\/\.locktester-.*json$/.test(name)).length).toBeGreaterThan(1)
    expect(seen.filter((open) => !isCareful(open))).toEqual([])
  })

  test('a careless open would be seen', async () => {
    const [folder, traces] = [await temporaryFolder(), await temporaryFolder()]
    const trace = join(traces, 'trace')
    const script = `require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'careless'))}, '')`
    spawnSync('strace', ['-o', trace, ...TRACED, process.execPath, '-e', script])
    expect(opensIn(folder, trace).filter((open) => !isCareful(open))).toMatchObject([{ name: '/careless' }])
    writeFileSync(trace, '')
    expect(opensIn(folder, trace)).toEqual([])
  })
})
