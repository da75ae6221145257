/**
 * What the tool finds out beyond the lines: that every node acquired the same lock (made real: on one node a mount hides the
 * directory of the locks, as where a share is not what it seems), and that nothing of the kind is said without proof.
 */

import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Bench, OTHER_NODE, type Program, presenceRecords, stoppingFrom, withMounts } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'
import { processState } from './support/time.js'

const ACQUIRED_BOTH = '* Acquired advisory lock\n* Acquired link-based lock\n'
const ALARM = 'EVERY NODE ACQUIRED IT'

let bench: Bench
let directory: string
let hideLocks: string[]
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
  hideLocks = withMounts(`mount -t tmpfs none ${directory}/.locktester`)
})
afterEach(() => bench.close())

/** Two pipes: what was said last on the one may be heard before what was said first on the other. */
async function holding(node: Program, lastLine: string): Promise<void> {
  await Promise.all([node.says(lastLine), node.says('Holding.', 'stderr')])
}

async function firstNode(...args: string[]) {
  const first = bench.locktester([directory, ...args])
  await holding(first, args.includes('--all') ? 'rename-based lock\n' : 'link-based lock\n')
  return first
}

describe('every node acquired it', () => {
  test('the second of two that hold the same locks says so, names the first, waits like one that acquired all, and ends with 76', async () => {
    const first = await firstNode()
    const second = bench.locktester([directory], { through: hideLocks })
    await holding(second, 'link-based lock\n')
    expect(second.stdout).toBe(ACQUIRED_BOTH)
    expect(second.stderr).toContain(`${ALARM}: this process holds the advisory lock, and so does locktester on`)
    expect(second.stderr).toContain(`${ALARM}: this process holds the link-based lock, and so does locktester on`)
    expect(second.stderr).toContain(`(pid ${first.pid}, root)`)
    second.kill('SIGINT')
    expect(await second.end).toBe(76)
  })

  test('the first one, which is holding, learns of it too and ends with 76', async () => {
    const first = await firstNode()
    const second = bench.locktester([directory], { through: hideLocks })
    await first.says(`${ALARM}: this process holds the link-based lock`, 'stderr')
    expect(first.stderr).toContain(`(pid ${second.pid}, root)`)
    first.kill('SIGINT')
    expect(await first.end).toBe(76)
  })

  test('it is noticed between two process namespaces, where only the moving record shows that the other one lives', async () => {
    await firstNode()
    const second = bench.locktester(['--no-hold', directory], { through: [...OTHER_NODE, ...hideLocks] })
    expect(await second.end).toBe(76)
    expect(second.stdout).toBe(ACQUIRED_BOTH)
    expect(second.stderr).toContain(ALARM)
  })

  test('of two that start at the same moment and do not hold, at least one notices it', async () => {
    await mkdir(join(directory, '.locktester'))
    // Each stops as soon as it has announced itself, and goes on when both have: on a busy machine one would else be done first.
    const both = [1, 2].map(() => bench.locktester(['--no-hold', directory], { through: hideLocks, env: stoppingFrom(1) }))
    await Promise.all(both.map(({ pid }) => processState(pid, 'T')))
    expect(await presenceRecords(directory)).toHaveLength(2)
    for (const each of both) each.kill('SIGCONT')
    expect(await Promise.all(both.map(({ end }) => end))).toContain(76)
  })

  test('--quiet does not silence it', async () => {
    await firstNode()
    const second = bench.locktester(['--quiet', '--no-hold', directory], { through: hideLocks })
    expect(await second.end).toBe(76)
    expect(second.stderr).toContain(ALARM)
  })

  test('--json names the other holders', async () => {
    const first = await firstNode()
    const second = bench.locktester(['--json', '--no-hold', directory], { through: hideLocks })
    expect(await second.end).toBe(76)
    const report = JSON.parse(second.stdout)
    expect(await conformsTo('test', report)).toEqual([])
    expect(report).toMatchObject({ verdict: 'unsafe', exitCode: 76, supported: [], others: [{ pid: first.pid }] })
    for (const lock of report.locks) expect(lock).toMatchObject({ result: 'acquired', alsoHeldBy: [{ pid: first.pid, uid: 0 }] })
  })

  test('a record that claims the locks but does not move is no proof', async () => {
    const first = await firstNode()
    const [record] = await presenceRecords(directory)
    // A stopped process is alive, and its record stays as it is; nothing shows that it still counts on its locks.
    first.kill('SIGSTOP')
    const second = bench.locktester(['--no-hold', directory], { through: hideLocks })
    expect(await second.end).toBe(0)
    expect(second.stderr).not.toContain(ALARM)
    expect(await presenceRecords(directory)).toEqual([record])
  })

  test('a forged record in the directory neither stops the test nor reaches the terminal', async () => {
    await writeFile(join(directory, '.locktester-evil-1-0123456789abcdef.json'), '{"version":1,"id":"\\u001b[2J","pid":-1}')
    await writeFile(join(directory, '.locktester-evil-2-0123456789abcdef.json'), 'x'.repeat(100_000))
    const only = bench.locktester(['--no-hold', directory])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe(ACQUIRED_BOTH)
    expect(only.stderr).not.toContain('\u001b')
  })
})

describe('what killed instances leave in the directory', () => {
  test('is removed by one that holds: a record without contents, and the file of an interrupted look', async () => {
    const crashed = await firstNode()
    crashed.kill('SIGKILL')
    await crashed.end
    const [record = ''] = await presenceRecords(directory)
    await writeFile(join(directory, record.replace(/json$/, 'look')), '')
    await writeFile(join(directory, '.locktester-elsewhere-1-0123456789abcdef.json'), '')
    await firstNode()
    await vi.waitUntil(async () => (await readdir(directory)).length === 2, { timeout: 30_000 })
    expect(await readdir(directory)).toContain('.locktester')
    expect(await presenceRecords(directory)).toHaveLength(1)
  })
})

describe('warnings', () => {
  test('a directory on a local disk is called one, also with --quiet', async () => {
    const only = bench.locktester(['--quiet', '--no-hold', directory])
    expect(await only.end).toBe(0)
    expect(only.stderr).toMatch(
      /^locktester: warning: This directory is on a local disk \(\w+ on \/\S*\): other nodes cannot see it.*\n$/,
    )
  })

  test('an instance of another user is named, with both users', async () => {
    await chmod(directory, 0o777)
    await firstNode()
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    const second = bench.locktester(['--no-hold', directory], { through: asNobody })
    await second.end
    expect(second.stderr).toContain('The other instance runs as another user: root (uid 0)')
    expect(second.stderr).toMatch(/this one is \w+ \(uid 65534\)/)
  })

  test('an instance of the same user is nothing to warn of', async () => {
    await firstNode()
    const second = bench.locktester([directory])
    await second.end
    expect(second.stderr).not.toContain('another user')
  })
})
