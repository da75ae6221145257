/**
 * The lines that administrators know, to the letter, from real processes: which are printed when, by the first node, by the
 * next ones, and for each combination of what is refused.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Bench, OTHER_NODE, presenceRecords, withMounts, type Program } from './fixtures/locktester-driver.mjs'

const ACQUIRED_BOTH = '* Acquired advisory lock\n* Acquired link-based lock\n'
const REFUSED_BOTH =
  '* Unable to acquire advisory lock\n* Unable to acquire link-based lock\n\n' +
  'Your filesystem appears to support advisory and link-based locks.\n'

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

/** A first node that holds everything. */
/** Two pipes: what was said last on the one may be heard before what was said first on the other. */
async function holding(node: Program, lastLine: string): Promise<void> {
  await Promise.all([node.says(lastLine), node.says('Holding.', 'stderr')])
}

async function firstNode(...args: string[]) {
  const first = bench.locktester([directory, ...args])
  await holding(first, args.includes('--all') ? 'rename-based lock\n' : 'link-based lock\n')
  return first
}

describe('the dialogue of two nodes', () => {
  test('the first node acquires both locks, prints these two lines and no more, and holds them until Ctrl+C', async () => {
    const first = await firstNode()
    expect(first.stdout).toBe(ACQUIRED_BOTH)
    expect(first.isRunning).toBe(true)
    first.kill('SIGINT')
    expect(await first.end).toBe(0)
    expect(first.stdout).toBe(ACQUIRED_BOTH)
  })

  test('the second node is refused both, prints the verdict, and ends with 0', async () => {
    const first = await firstNode()
    const second = bench.locktester([directory])
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(REFUSED_BOTH)
    expect(second.stderr).toContain(`The advisory lock is held by locktester on`)
    expect(second.stderr).toContain(`(pid ${first.pid}`)
    expect(first.isRunning).toBe(true)
  })

  test('a node in another process namespace is refused as one on the same host is', async () => {
    await firstNode()
    const second = bench.locktester([directory], { through: OTHER_NODE })
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(REFUSED_BOTH)
  })

  test('the next node acquires both after Ctrl+C on the first', async () => {
    const first = await firstNode()
    first.kill('SIGINT')
    await first.end
    const next = await firstNode()
    expect(next.stdout).toBe(ACQUIRED_BOTH)
    expect(next.stderr).not.toContain('EVERY NODE')
  })

  test('where only the advisory lock is excluded, the verdict names advisory locks', async () => {
    await mkdir(join(directory, '.locktester'))
    await bench.holder('advisory', join(directory, '.locktester/advisory'))
    const second = bench.locktester([directory])
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(
      '* Unable to acquire advisory lock\n* Acquired link-based lock\n\nYour filesystem appears to support advisory locks.\n',
    )
    expect(second.stderr).toContain('The advisory lock is held by something that is no running locktester of this directory')
    expect(await presenceRecords(directory)).toEqual([])
  })

  test('where only the link-based lock is excluded, the verdict names link-based locks, and advisory ones are called unsafe', async () => {
    const first = await firstNode()
    // On this node the advisory lock is another file, as with local_lock=all; the link-based one is shared.
    const hideAdvisory = `touch ${directory}/mine; mount --bind ${directory}/mine ${directory}/.locktester/advisory`
    const second = bench.locktester([directory], { through: withMounts(hideAdvisory) })
    expect(await second.end).toBe(76)
    expect(second.stdout).toBe(
      '* Acquired advisory lock\n* Unable to acquire link-based lock\n\nYour filesystem appears to support link-based locks.\n',
    )
    expect(second.stderr).toContain('EVERY NODE ACQUIRED IT: this process holds the advisory lock, and so does locktester on')
    expect(second.stderr).toContain(`(pid ${first.pid}`)
    expect(second.stderr).not.toContain('EVERY NODE ACQUIRED IT: this process holds the link-based lock')
  })

  test('a link-based lock whose holder is no running locktester is watched before the verdict', async () => {
    const config = await bench.config('refresh-rate=1\ntimeout-interval=2\n')
    await mkdir(join(directory, '.locktester'))
    await bench.holder('linkbased', join(directory, '.locktester/link-based'))
    const second = bench.locktester([directory, '--config', config])
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(
      '* Acquired advisory lock\n* Unable to acquire link-based lock\n\nYour filesystem appears to support link-based locks.\n',
    )
    expect(second.stderr).toContain('Watching whether it lives')
  })
})

describe('what crashed nodes leave', () => {
  test('the locks of a killed first node are acquired at once, and its presence record is removed', async () => {
    const crashed = await firstNode()
    crashed.kill('SIGKILL')
    await crashed.end
    expect(await presenceRecords(directory)).toHaveLength(1)
    const next = await firstNode()
    expect(next.stdout).toBe(ACQUIRED_BOTH)
    next.kill('SIGINT')
    expect(await next.end).toBe(0)
    expect(await presenceRecords(directory)).toEqual([])
  })

  test('the link-based lock of a killed node elsewhere is acquired after watching it, not taken for held', async () => {
    const config = await bench.config('refresh-rate=1\ntimeout-interval=2\n')
    const crashed = bench.locktester([directory, '--config', config], { through: OTHER_NODE })
    await crashed.says('Holding.', 'stderr')
    await crashed.killChild('SIGKILL')
    await crashed.end
    const next = await firstNode('--config', config)
    expect(next.stdout).toBe(ACQUIRED_BOTH)
    expect(next.stderr).toContain('Watching whether it lives')
    expect(next.stderr).not.toContain('EVERY NODE')
    next.kill('SIGINT')
    expect(await next.end).toBe(0)
    expect(await presenceRecords(directory)).toEqual([])
  })
})

describe('--all', () => {
  const lines = (word: string) =>
    [
      `* ${word} advisory lock (flock)`,
      `* ${word} advisory lock (fcntl)`,
      `* ${word} link-based lock (hard link)`,
      `* ${word} link-based lock (symlink)`,
      `* ${word} rename-based lock`,
      '',
    ].join('\n')

  test('the first node acquires every variant and holds them all', async () => {
    const first = await firstNode('--all')
    expect(first.stdout).toBe(lines('Acquired'))
    first.kill('SIGTERM')
    expect(await first.end).toBe(0)
  })

  test('the second node is refused every variant, and the verdict names them', async () => {
    await firstNode('--all')
    const second = bench.locktester(['--all', directory])
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(
      `${lines('Unable to acquire')}\n` +
        'Your filesystem appears to support advisory (flock, fcntl), link-based (hard link, symlink) and rename-based locks.\n',
    )
  })

  test('the verdict names only the variants that were excluded', async () => {
    await mkdir(join(directory, '.locktester'))
    await bench.holder('advisory', join(directory, '.locktester/flock'))
    const second = bench.locktester(['--all', directory])
    expect(await second.end).toBe(0)
    expect(second.stdout).toContain('\n\nYour filesystem appears to support advisory (flock) locks.\n')
  })
})

describe('--hold and --no-hold', () => {
  test('--no-hold releases at once and ends with 0', async () => {
    const only = bench.locktester(['--no-hold', directory])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe(ACQUIRED_BOTH)
    expect(await presenceRecords(directory)).toEqual([])
    expect((await firstNode()).stdout).toBe(ACQUIRED_BOTH)
  })

  test('--hold SECONDS holds for so long, and ends with 0', async () => {
    const startMs = performance.now()
    const only = bench.locktester(['--hold', '2.5', directory])
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe(ACQUIRED_BOTH)
    expect(performance.now() - startMs).toBeGreaterThan(2500)
  })

  test('--hold SECONDS refuses others meanwhile', async () => {
    const first = bench.locktester(['--hold', '1000', directory])
    await first.says('Holding.', 'stderr')
    const second = bench.locktester([directory])
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(REFUSED_BOTH)
    expect(first.isRunning).toBe(true)
    first.kill('SIGINT')
    expect(await first.end).toBe(0)
  })
})
