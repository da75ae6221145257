/**
 * `locktester stress`: real processes here and behind a real sshd, whose node has process and mount namespaces of its own. What does
 * not exclude is real as well: sshfs keeps advisory locks to itself, and the checker must say so.
 */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { NodeClock } from '../../src/cli/stress/node-clock.js'
import { Bench, OTHER_NODE, withMounts } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'
import { startSshd } from './fixtures/locktester-sshd.mjs'

const BEGUN = 'Ctrl+C ends it early'

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

async function report(args: readonly string[], code = 0) {
  const only = bench.locktester(['stress', '--json', ...args])
  expect(await only.end, only.stderr).toBe(code)
  const found = JSON.parse(only.stdout)
  expect(await conformsTo('stress', found)).toEqual([])
  expect(found.exitCode).toBe(code)
  return found
}

const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0)

describe('locks that exclude', () => {
  test.each(['hard-link', 'symlink', 'rename', 'flock', 'fcntl'])(
    '%s: processes of two nodes here get it, nothing is violated, and the directory is as it was',
    async (kind) => {
      const { counts, nodes, violations } = await report([directory, '--kind', kind, '--nodes', 'local,local', '--duration', '3'])
      expect(violations).toEqual([])
      expect(nodes.map(({ name }: { name: string }) => name)).toEqual(['local#1', 'local#2'])
      expect(counts.acquisitions).toBe(sum(nodes.map(({ acquisitions }: { acquisitions: number }) => acquisitions)))
      for (const { acquisitions } of nodes) expect(acquisitions).toBeGreaterThan(0)
      expect(counts.increments).toBeGreaterThan(counts.acquisitions / 2)
      expect(await readdir(directory)).toEqual([])
    },
  )

  test('over ssh, at another place there, with kills and stalls: holders are taken over, and still nothing is violated', async () => {
    const there = await bench.directory()
    const node = [...OTHER_NODE, ...withMounts(`mount --bind ${directory} ${there}`)]
    const { host, sshCommand } = await startSshd(bench, { through: node })
    const html = join(await bench.directory(), 'stress.html')
    const args = ['--nodes', `local:${directory},${host}:${there}`, '--procs', '3', '--chaos', '--duration', '12']
    const { counts, nodes, takeovers, chaos } = await report(['--ssh-command', sshCommand, '--html', html, ...args])
    expect(nodes.map((node: { name: string; directory: string }) => [node.name, node.directory])).toEqual([
      ['local', directory],
      [host, there],
    ])
    expect(chaos).toBe(true)
    expect(counts.kills).toBeGreaterThan(0)
    expect(counts.stalls).toBeGreaterThan(0)
    expect(takeovers).toHaveLength(counts.takeovers)
    const page = await readFile(html, 'utf8')
    expect(page).toContain('<svg')
    expect(page).not.toMatch(/<script|(src|href)=/)
    expect(await readdir(directory)).toEqual([])
  }, 120_000)

  test('the table, the counts and the verdict are on standard output, and nothing of the progress is in a pipe', async () => {
    const only = bench.locktester(['stress', directory, '--duration', '2', '--procs', '2'])
    expect(await only.end).toBe(0)
    expect(only.stdout).toMatch(/^NODE +ACQUISITIONS +WAIT \(MEDIAN\) +WAIT \(MAX\) +TAKEOVERS +LOSSES TOLD\nlocal +\d+ /)
    expect(only.stdout).toMatch(/^[\d.]+ s: [\d,]+ acquisitions, [\d,]+ increments, 0 takeovers$/m)
    expect(only.stdout).toContain('No violation: no two processes were sure of the lock at once')
    expect(only.stderr).toContain('which proves nothing about others')
    expect(`${only.stdout}${only.stderr}`).not.toMatch(/[\r\x1b]/)
  })

  test('on a terminal the progress is written in place', async () => {
    const command = `${process.execPath} bin/locktester stress ${directory} --duration 2 --procs 2`
    const only = bench.start(['script', '-qec', command, '/dev/null'], { cwd: join(import.meta.dirname, '../..') })
    expect(await only.end).toBe(0)
    expect(only.stdout).toMatch(/\r\x1b\[K[01] s of 2: \d+ acquisitions?, 0 kills, 0 stalls, 0 losses told/)
  })

  test('relative to where it was started, and with the settings of a file-locks file', async () => {
    const config = await bench.config('lock-type=renamebased\nrefresh-rate=2\ntimeout-interval=5\n')
    const only = bench.locktester(['stress', '--json', '--config', config, '.', '--duration', '3', '--procs', '2'], {
      cwd: directory,
    })
    expect(await only.end, only.stderr).toBe(0)
    const { kind, settings } = JSON.parse(only.stdout)
    expect({ kind, settings }).toEqual({ kind: 'rename', settings: { refreshRateMs: 2000, timeoutIntervalMs: 5000 } })
  })
})

describe('a lock that does not exclude', () => {
  test('is caught: 76, with what was violated', async () => {
    const script = join(await bench.directory(), 'ssh')
    await writeFile(script, '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n', { mode: 0o755 })
    const behind = await bench.directory()
    const mounts = `mount --bind ${directory} ${behind}; sshfs -o ssh_command=${script},dir_cache=no server:${behind} ${directory}`
    const { host, sshCommand } = await startSshd(bench, { through: withMounts(mounts) })
    const args = [directory, '--ssh-command', sshCommand, '--kind', 'flock', '--nodes', `local,${host}`, '--duration', '4']
    const found = await report(args, 76)
    const rules = new Set(found.violations.map(({ rule }: { rule: string }) => rule))
    expect(rules).toContain('lost-increment')
    expect(rules).toContain('overlap')
    const only = bench.locktester(['stress', ...args])
    expect(await only.end).toBe(76)
    expect(only.stdout).toMatch(/^overlap after [\d.]+ s: .+ had it while .+ was still sure of it, for [\d.]+ ms$/m)
    expect(only.stdout).toMatch(/NOT SAFE: [\d,]+ violations\. Locks of this kind do not exclude here/)
  }, 120_000)
})

describe('however it ends', () => {
  test('Ctrl+C ends it early: what was seen is judged, it ends by that signal, and leaves neither a process nor a file', async () => {
    const only = bench.locktester(['stress', directory, '--nodes', 'local,local', '--chaos', '--duration', '600'])
    await only.says(BEGUN, 'stderr')
    const agents = await childrenOf(only.pid)
    await vi.waitUntil(async () => (await Promise.all(agents.map(childrenOf))).every((workers) => workers.length === 4), PATIENCE)
    only.kill('SIGINT')
    expect(await only.end).toBe('SIGINT')
    expect(only.stdout).toMatch(/^[\d.]+ s: /m)
    expect(await readdir(directory)).toEqual([])
    for (const agent of agents) expect(() => process.kill(agent, 0)).toThrow('ESRCH')
  })

  test('Ctrl+C leaves nothing behind on the remote node either, stalled processes included', async () => {
    const { host, sshCommand } = await startSshd(bench, { through: OTHER_NODE })
    const only = bench.locktester([
      'stress',
      directory,
      '--ssh-command',
      sshCommand,
      '--nodes',
      `${host},${host}`,
      '--duration',
      '600',
    ])
    await only.says(BEGUN, 'stderr')
    await vi.waitUntil(async () => (await remoteProcesses(sshCommand)).length > 8, PATIENCE)
    const [stopped] = (await remoteProcesses(sshCommand)).slice(-1)
    process.kill(Number(stopped), 'SIGSTOP')
    only.kill('SIGINT')
    expect(await only.end).toBe('SIGINT')
    expect(await readdir(directory)).toEqual([])
    await vi.waitUntil(async () => (await remoteProcesses(sshCommand)).length === 0, PATIENCE)
  })

  test('killed with no chance to clean up, its agents notice, and leave neither a process nor a file', async () => {
    const only = bench.locktester(['stress', directory, '--nodes', 'local,local', '--duration', '600'])
    await only.says(BEGUN, 'stderr')
    const agents = await childrenOf(only.pid)
    expect(agents).toHaveLength(2)
    only.kill('SIGKILL')
    const isGone = (pid: number) => {
      try {
        return !process.kill(pid, 0)
      } catch {
        return true
      }
    }
    await vi.waitUntil(() => agents.every(isGone), PATIENCE)
    expect(await readdir(directory)).toEqual([])
  })

  test('an agent that is killed leaves no stalled process behind; its node is named: 69', async () => {
    const only = bench.locktester(['stress', directory, '--nodes', 'local,local', '--procs', '8', '--chaos', '--duration', '20'])
    await only.says(BEGUN, 'stderr')
    const [, agent = 0] = await childrenOf(only.pid)
    let stopped: number[] = []
    const isStopped = async (pid: number) => / T /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
    await vi.waitUntil(async () => {
      const workers = await childrenOf(agent)
      const are = await Promise.all(workers.map(isStopped))
      stopped = workers.filter((_, index) => are[index])
      return stopped.length > 0
    }, PATIENCE)
    process.kill(agent, 'SIGKILL')
    await vi.waitUntil(async () => !(await Promise.all(stopped.map(isStopped))).includes(true), PATIENCE)
    expect(await only.end).toBe(69)
    expect(only.stdout).toContain('local#2 is gone')
    expect(await readdir(directory)).toEqual([])
  })

  test('a process that ends by itself is named, and is no violation: 69', async () => {
    const only = bench.locktester(['stress', directory, '--json', '--procs', '2', '--duration', '5'])
    await only.says(BEGUN, 'stderr')
    const [agent = 0] = await childrenOf(only.pid)
    await vi.waitUntil(async () => (await childrenOf(agent)).length === 2, PATIENCE)
    const [worker = 0] = await childrenOf(agent)
    await vi.waitUntil(async () => (await namesBelow(directory)).some((name) => name.includes('.mountlock-')), PATIENCE)
    process.kill(worker, 'SIGKILL')
    expect(await only.end, only.stderr).toBe(69)
    const { failures, violations } = JSON.parse(only.stdout)
    expect(violations).toEqual([])
    expect(failures).toEqual([{ text: expect.stringMatching(/^The process local \d ended by itself \(SIGKILL\)$/), count: 1 }])
  })

  test('where no process can have the lock it says why, once, and how often: 69', async () => {
    const root = await bench.packageWithoutFsExt()
    const only = bench.locktester(['stress', directory, '--kind', 'flock', '--duration', '2'], { root })
    expect(await only.end).toBe(69)
    expect(only.stdout).toMatch(/fs-ext.*\(\d+ times\)$/m)
    expect(only.stdout).toContain('No process got the lock, so nothing is proved.')
  })

  test('a page that cannot be written is told before the work: 69, and nothing else', async () => {
    const only = bench.locktester(['stress', directory, '--html', join(directory, 'no/where.html')])
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe('')
    expect(only.stderr).toContain('where.html')
    expect(only.stderr).not.toContain(BEGUN)
  })

  test('a page from before stays until there is another one', async () => {
    const html = join(directory, 'stress.html')
    await writeFile(html, 'the page from before, which is longer than nothing')
    await mkdir(join(directory, 'shared'))
    const refused = bench.locktester(['stress', join(directory, 'nowhere'), '--html', html])
    expect(await refused.end).toBe(69)
    expect(await readFile(html, 'utf8')).toContain('the page from before')
    const done = bench.locktester(['stress', join(directory, 'shared'), '--duration', '3', '--html', html])
    expect(await done.end).toBe(0)
    expect(await readFile(html, 'utf8')).toMatch(/^<!doctype html>/)
  })

  test('with chaos the first fault is a kill, so that no run of some seconds is without one', async () => {
    const only = bench.locktester([
      'stress',
      '--json',
      directory,
      '--chaos',
      '--procs',
      '4',
      '--duration',
      '1.5',
      '--kind',
      'flock',
    ])
    await only.end
    expect(JSON.parse(only.stdout).counts.kills).toBeGreaterThan(0)
  })

  test('chaos that had no time to kill says so, and not that there was no violation: 69', async () => {
    const args = [directory, '--chaos', '--procs', '2', '--duration', '0.3', '--kind', 'flock']
    const { verdict } = await report(args, 69)
    expect(['no-kills', 'nothing-proved']).toContain(verdict)
    const only = bench.locktester(['stress', ...args])
    expect(await only.end, only.stderr).toBe(69)
    expect(only.stdout).toMatch(/No process was killed|nothing is proved/)
    expect(only.stdout).not.toContain('No violation')
  })

  test('a process that is alone proves nothing of exclusion: 69', async () => {
    const args = [directory, '--procs', '1', '--duration', '1']
    expect(await report(args, 69)).toMatchObject({ verdict: 'nothing-proved', gap: 'No more than one process got the lock' })
    const only = bench.locktester(['stress', ...args])
    expect(await only.end).toBe(69)
    expect(only.stdout).toContain('No more than one process got the lock, so nothing is proved.')
    expect(only.stdout).not.toContain('No violation')
  })

  test('on one machine, the verdict itself says that nothing is proved about others', async () => {
    const only = bench.locktester(['stress', directory, '--quiet', '--duration', '3'])
    expect(await only.end).toBe(0)
    expect(only.stdout).toContain('All of it ran on one machine, which proves nothing about others.')
    expect((await report([directory, '--duration', '3'])).verdict).toBe('one-machine')
  })
})

describe('wrong usage', () => {
  test.each([
    [[], 'Expected a directory: locktester stress DIR'],
    [['/tmp', '--duration', '0'], 'above 0'],
    [['/tmp', '--duration', '4000'], 'at most 3600'],
    [['/tmp', '--procs', '0'], 'from 1 to 64'],
    [['/tmp', '--procs', '65'], 'from 1 to 64'],
    [['/tmp', '--kind', 'flok'], 'flok'],
    [['relative', '--nodes', 'local,node2'], 'Expected an absolute path'],
    [['--nodes', 'local:/a,node2'], 'write node2:/its/directory'],
    [['/tmp', '--choas'], 'Did you mean --chaos?'],
  ])('%j: %s', async (args, words) => {
    const only = bench.locktester(['stress', ...args])
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain(words)
  })

  test('a directory that is not there is named: 69', async () => {
    const only = bench.locktester(['stress', join(directory, 'nowhere')])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('There is no such directory')
  })
})

describe('the clock of another node', () => {
  test('is known as exactly as messages bracket it, and not better', () => {
    const clock = new NodeClock(false)
    clock.learn(1000, 5000, 1010)
    const { atMs, slackMs } = clock.ours(5000)
    expect([atMs, slackMs]).toEqual([1005, 5])
  })

  test('the sample before and the one after bound a moment together, widened by what clocks may drift', () => {
    const clock = new NodeClock(false)
    clock.learn(1000, 5000, 1010)
    clock.learn(2009, 6003, 2010)
    // 1000 to 1010 and a ms of drift, and the second sample: 0 to 1 before 2010 - 6003, without drift.
    expect(clock.ours(6003).slackMs).toBeCloseTo(0.5, 5)
    expect(clock.ours(5500).slackMs).toBeLessThan(1.1)
  })

  test('samples that contradict each other prove nothing', () => {
    const clock = new NodeClock(false)
    clock.learn(1000, 5000, 1010)
    clock.learn(2000, 9000, 2010)
    expect(clock.ours(5001).slackMs).toBe(Number.POSITIVE_INFINITY)
  })

  test('on this machine it is ours, unless the samples speak against it', () => {
    const clock = new NodeClock(true)
    clock.learn(1000, 1004, 1010)
    expect(clock.ours(1007)).toEqual({ atMs: 1007, slackMs: 0 })
    clock.learn(2000, 5004, 2010)
    expect(clock.ours(5004).slackMs).toBeGreaterThan(0)
  })
})

const PATIENCE = { timeout: 20_000 }

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text.split(' ').filter(Boolean).map(Number)
}

/** None where a directory has just gone that was to be read. */
async function namesBelow(directory: string): Promise<string[]> {
  return await readdir(directory, { recursive: true }).catch(() => [])
}

/** Those that this sshd has started, in the order of their ids. */
async function remoteProcesses(sshCommand: string): Promise<string[]> {
  const port = / -p (\d+) /.exec(sshCommand)?.[1] ?? 'none'
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b))
  const texts = await Promise.all(ids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')))
  return ids.filter((_, index) => /SSH_CONNECTION=127\.0\.0\.1/.test(texts[index] ?? '') && texts[index]?.includes(port))
}
