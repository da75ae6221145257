/**
 * `locktester nodes`: with processes here, and over a real sshd whose node has process and mount namespaces of its own, so that it is
 * another node to the locks. What does not exclude is real as well: sshfs keeps advisory locks to itself.
 */

import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Bench, OTHER_NODE, withMounts } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'
import { startSshd } from './fixtures/locktester-sshd.mjs'

interface Attempt {
  by: string
  result: string
  heldBefore: boolean
  heldAfter: boolean
  heldByBoth: boolean
  heldBy: string | null
}
interface Round {
  node: string
  mark: string
  /** Of advisory locks. */
  neighbour: Attempt | null
  attempts: Attempt[]
  handOver: { tookMs: number } | null
  takeOver: { tookMs: number } | null
}
interface Kind {
  kind: string
  mark: string
  rounds: Round[]
}

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

async function report(args: readonly string[], code = 0, env: Record<string, string> = {}) {
  const only = bench.locktester(['nodes', '--json', ...args, directory], { env })
  expect(await only.end, only.stderr).toBe(code)
  const found = JSON.parse(only.stdout)
  expect(await conformsTo('nodes', found)).toEqual([])
  expect(found.exitCode).toBe(code)
  return found
}

describe('local local', () => {
  test('every kind passes, the matrix says so for each holder, and the directory is as it was', async () => {
    const only = bench.locktester(['nodes', 'local', 'local', directory])
    expect(await only.end).toBe(0)
    const [head, first, second] = only.stdout.split('\n')
    expect(head).toMatch(/^HOLDER +HARD LINK +SYMLINK +RENAME +FLOCK +FCNTL$/)
    expect(first).toMatch(/^local#1( +pass \d+ (ms|s)){5}$/)
    expect(second).toMatch(/^local#2( +pass \d+ (ms|s)){5}$/)
    expect(only.stdout).toContain('Locks by hard link, symlink, rename, flock, fcntl exclude between processes here.')
    expect(only.stdout).toContain('All of it ran on one machine, which proves nothing about others.')
    expect(only.stdout).not.toContain('lock-type=')
    expect(await readdir(directory)).toEqual([])
  })

  test('--json says in one word that only one machine took part, and recommends nothing', async () => {
    const { result, verdict, recommendation, fileLocks } = await report(['--kinds', 'hard-link,flock', 'local', 'local'])
    expect(result).toBe('one-machine')
    expect(verdict).toContain('one machine')
    expect(verdict).not.toContain('between these nodes')
    expect({ recommendation, fileLocks }).toEqual({ recommendation: null, fileLocks: null })
  })

  test('a holder that stands still for longer than its lease is slow, and has not failed: it is measured again', async () => {
    const [{ mark, rounds }] = (await stalled(1, 0)).kinds
    expect(mark).toBe('pass')
    expect(rounds[0].tries).toBeGreaterThan(1)
  }, 60_000)

  test('of one that stands still again and again it is too slow to tell, and no kind of lock has failed: 69', async () => {
    const { result, kinds, verdict, recommendation } = await stalled(100, 69)
    expect({ result, recommendation }).toEqual({ result: 'unclear', recommendation: null })
    expect(kinds).toMatchObject([{ mark: 'unclear', rounds: [{ mark: 'unclear', tries: 3, doubt: { code: 'TOO_SLOW' } }, {}] }])
    expect(verdict).toContain('too slow to tell')
    expect(verdict).not.toContain('cannot be used')
  }, 120_000)

  /** With so many times that a process stands still. */
  async function stalled(most: number, code: number) {
    const stalling = new URL('fixtures/locktester-stall.mjs', import.meta.url).href
    const env = { NODE_OPTIONS: `--import ${stalling}`, STALLS: `${await bench.directory()} ${most}` }
    return await report(['--kinds', 'hard-link', 'local', 'local'], code, env)
  }

  test('a page that cannot be written is told before the work: 69, and nothing else', async () => {
    const only = bench.locktester(['nodes', '--html', join(directory, 'no/where.html'), 'local', 'local', directory])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('where.html')
    expect(only.stderr).not.toContain('Holding, trying')
    expect(only.stdout).toBe('')
  })

  test('of three nodes each attempt lies between two answers of the holder that it holds, and of an advisory lock so does one of its node', async () => {
    const { kinds } = await report(['--kinds', 'hard-link,flock', 'local', 'local', 'local'])
    expect(kinds.map(({ kind }: Kind) => kind)).toEqual(['hard link', 'flock'])
    for (const { kind, rounds } of kinds as Kind[]) {
      expect(rounds.map(({ node }) => node)).toEqual(['local#1', 'local#2', 'local#3'])
      for (const { node, neighbour, attempts, handOver, takeOver } of rounds) {
        const excluded = { result: 'excluded', heldBefore: true, heldAfter: true, heldByBoth: false }
        if (kind === 'hard link') expect(neighbour).toBeNull()
        else expect(neighbour).toMatchObject({ ...excluded, by: node })
        expect(attempts).toMatchObject([excluded, excluded])
        expect(handOver?.tookMs).toBeGreaterThan(0)
        expect(takeOver?.tookMs).toBeGreaterThan(0)
      }
    }
  })

  test('the evidence of a refusal names the process that held it', async () => {
    const { kinds, nodes } = await report(['--kinds', 'hard-link', 'local', 'local'])
    const [{ rounds }] = kinds as [Kind]
    const holder = (rounds[0] as unknown as { holder: { pid: number } }).holder
    expect(rounds[0]?.attempts[0]?.heldBy).toBe(`${nodes[0].host} pid ${holder.pid}`)
  })

  test('--html writes a page of its own with the matrix and the evidence, in which nothing is markup that came from outside', async () => {
    const strange = join(directory, '<b>&amp')
    await mkdir(strange)
    const html = join(directory, 'report.html')
    const only = bench.locktester(['nodes', '--html', html, '--kinds', 'flock', 'local', 'local', strange])
    expect(await only.end).toBe(0)
    const text = await readFile(html, 'utf8')
    expect(text).toMatch(/^<!doctype html>/)
    expect(text).toContain('<td class="pass">pass')
    expect(text).toContain('local#1 was killed')
    expect(text).toContain('&lt;b&gt;&amp;amp')
    expect(text).not.toContain('<b>')
    expect(text).not.toMatch(/(src|href)=/)
  })

  test('Ctrl+C in the middle ends it by that signal, and leaves neither a process nor a file', async () => {
    const html = join(await bench.directory(), 'report.html')
    const only = bench.locktester(['nodes', '--html', html, 'local', 'local', directory])
    await only.says('Holding, trying', 'stderr')
    await vi.waitUntil(async () => (await readdir(directory)).length > 0, { timeout: 20_000 })
    const children = await agentsOf(only.pid)
    expect(children).toHaveLength(2)
    only.kill('SIGINT')
    expect(await only.end).toBe('SIGINT')
    expect(only.stderr).toContain('interrupted: nothing was judged')
    expect(only.stderr).not.toContain('cannot be used')
    expect(only.stdout).toBe('')
    expect(await readdir(directory)).toEqual([])
    expect(await readdir(join(html, '..'))).toEqual([])
    for (const child of children) expect(() => process.kill(child, 0)).toThrow('ESRCH')
  })

  test('killed with no chance to clean up, its agents notice, and leave neither a process nor a file', async () => {
    const only = bench.locktester(['nodes', 'local', 'local', directory])
    await only.says('Holding, trying', 'stderr')
    const children = await agentsOf(only.pid)
    only.kill('SIGKILL')
    const isGone = (pid: number) => {
      try {
        return !process.kill(pid, 0)
      } catch {
        return true
      }
    }
    await vi.waitUntil(() => children.every(isGone), { timeout: 20_000 })
    expect(await readdir(directory)).toEqual([])
  })
})

async function agentsOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}

describe('over ssh', () => {
  test('a node of its own is refused by all kinds and gets them; a killed link-based holder is taken over after its timeout-interval', async () => {
    const { host, sshCommand } = await startSshd(bench, { through: OTHER_NODE })
    const { kinds, nodes, result, recommendation } = await report(['--ssh-command', sshCommand, 'local', host])
    expect(nodes.map(({ name }: { name: string }) => name)).toEqual(['local', host])
    expect(kinds.map(({ kind, mark }: Kind) => `${kind}: ${mark}`)).toEqual(
      ['hard link', 'symlink', 'rename', 'flock', 'fcntl'].map((kind) => `${kind}: pass`),
    )
    for (const { kind, rounds } of kinds as Kind[]) {
      for (const { takeOver } of rounds) {
        // The kernel frees an advisory lock with the process; of the others the heartbeat must be seen to stand still.
        if (['flock', 'fcntl'].includes(kind)) expect(takeOver?.tookMs).toBeLessThan(1000)
        else expect(takeOver?.tookMs).toBeGreaterThan(1000)
      }
    }
    // A process namespace of its own makes it another node to the locks, and not another machine.
    expect({ result, recommendation }).toEqual({ result: 'one-machine', recommendation: null })
    expect(await readdir(directory)).toEqual([])
  })

  test('another machine that would have to see a local disk proves nothing: nothing is recommended', async () => {
    const { host, sshCommand } = await startSshd(bench, { through: withMounts(await ofAnotherBoot()) })
    const args = ['--kinds', 'rename', '--ssh-command', sshCommand, 'local', host]
    const { result, verdict, recommendation } = await report(args)
    expect({ result, recommendation }).toEqual({ result: 'local-disk', recommendation: null })
    expect(verdict).toContain('on a local disk')
  })

  /** A machine is told by what its kernel calls this boot. */
  async function ofAnotherBoot(): Promise<string> {
    const file = join(await bench.directory(), 'boot_id')
    await writeFile(file, '00000000-0000-4000-8000-000000000001\n')
    return `mount --bind ${file} /proc/sys/kernel/random/boot_id`
  }

  test('Ctrl+C leaves nothing behind on the remote node either', async () => {
    const { host, sshCommand } = await startSshd(bench, { through: OTHER_NODE })
    const only = bench.locktester(['nodes', '--ssh-command', sshCommand, host, host, directory])
    await only.says('Holding, trying', 'stderr')
    await vi.waitUntil(async () => (await remoteAgents()).length > 2, { timeout: 20_000 }) // workers, too
    only.kill('SIGINT')
    expect(await only.end).toBe('SIGINT')
    expect(await readdir(directory)).toEqual([])
    await vi.waitUntil(async () => (await remoteAgents()).length === 0, { timeout: 20_000 })

    async function remoteAgents() {
      const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
      const texts = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')))
      return texts.filter((text) => text.includes(`SSH_CONNECTION=127.0.0.1`) && text.includes(sshPort(sshCommand)))
    }
  })

  test('advisory locks that stay on their node are unsafe, with the overlap as evidence, and links are recommended', async () => {
    const served = directory
    const script = join(await bench.directory(), 'ssh')
    await writeFile(script, '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n', { mode: 0o755 })
    // Over there the same directory is behind sshfs, at the same place; the server answers from a second name for it.
    const behind = await bench.directory()
    const mounts = `mount --bind ${served} ${behind}; sshfs -o ssh_command=${script},dir_cache=no server:${behind} ${served}`
    const { host, sshCommand } = await startSshd(bench, { through: withMounts(`${mounts}; ${await ofAnotherBoot()}`) })
    const kinds = ['--kinds', 'hard-link,flock,fcntl']
    const found = await report(['--ssh-command', sshCommand, ...kinds, 'local', host])
    const byKind = Object.fromEntries(found.kinds.map((kind: Kind) => [kind.kind, kind]))
    for (const kind of ['flock', 'fcntl']) {
      expect(byKind[kind].mark).toBe('unsafe')
      expect(byKind[kind].rounds[0].attempts).toMatchObject([
        { by: host, result: 'acquired', heldBefore: true, heldAfter: true, heldByBoth: true },
      ])
      expect(byKind[kind].rounds[0].evidence[0]).toContain(`local held it, said so before and after, and ${host} acquired it`)
    }
    expect(byKind['hard link'].mark).toBe('pass')
    expect(found.result).toBe('excludes')
    expect(found.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })
    expect(found.fileLocks).toBe('lock-type=linkbased\nuse-symlinks=0\n')
    const only = bench.locktester(['nodes', '--kinds', 'flock', '--ssh-command', sshCommand, 'local', host, directory])
    expect(await only.end).toBe(76)
    expect(only.stdout).toMatch(/^local +UNSAFE$/m)
    expect(only.stdout).toContain('Locks by flock do NOT exclude')
  })

  test('two different directories of one name are found out before any lock is tried: 69, with both mounts', async () => {
    const mine = await bench.directory()
    const { host, sshCommand } = await startSshd(bench, { through: withMounts(`mount -t tmpfs mine ${directory}`) })
    const only = bench.locktester(['nodes', '--ssh-command', `env MINE=${mine} ${sshCommand}`, 'local', host, directory])
    const startMs = performance.now()
    expect(await only.end).toBe(69)
    expect(performance.now() - startMs).toBeGreaterThan(1000)
    expect(only.stderr).toContain('this is not the same directory')
    expect(only.stderr).toContain(`tmpfs mine on ${directory}`)
    expect(only.stdout).toBe('')
    expect(await readdir(directory)).toEqual([])
  }, 120_000)
})

describe('a node that cannot be used', () => {
  test('nothing answers there: 69, with what ssh said', async () => {
    const only = bench.locktester([
      'nodes',
      '--ssh-command',
      'ssh -F none -p 1 -o BatchMode=yes',
      'local',
      '127.0.0.1',
      directory,
    ])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('127.0.0.1: ssh could not connect')
    expect(only.stderr).toContain('ssh -F none -p 1 -o BatchMode=yes 127.0.0.1 true')
    expect(only.stderr).toContain('Connection refused')
    expect(await readdir(directory)).toEqual([])
  })

  test('there is no ssh here: 69, and no option is blamed that was not given', async () => {
    const only = bench.locktester(['nodes', '--ssh-command', '/no/ssh -q', 'local', 'node2', directory])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('node2: there is probably no such command here: /no/ssh -q')
    expect(only.stderr).not.toContain('--remote-command')
  })

  test('there is no Node over there: 69, with what to install', async () => {
    const path = await bench.directory()
    await symlink('/bin/sh', join(path, 'sh'))
    const { host, sshCommand } = await startSshd(bench, { path })
    const only = bench.locktester(['nodes', '--ssh-command', sshCommand, 'local', host, directory])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain(`${host}: there is no Node in the PATH`)
    expect(only.stderr).toContain('--remote-command')
  })

  test('the package is not over there: 69, with how to install it', async () => {
    const { host, sshCommand } = await startSshd(bench, {
      through: withMounts(`mount -t tmpfs none ${join(import.meta.dirname, '../../bin')}`),
    })
    const only = bench.locktester(['nodes', '--ssh-command', sshCommand, 'local', host, directory])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain(`${host}: the package is not there: npm install --global mountlock`)
  })

  test('--remote-command is used as it is, and named when it is not there', async () => {
    const { host, sshCommand } = await startSshd(bench)
    const program = join(import.meta.dirname, '../../bin/locktester')
    const good = ['--ssh-command', sshCommand, '--remote-command', `${process.execPath} ${program}`]
    expect((await report([...good, '--kinds', 'flock', 'local', host])).exitCode).toBe(0)
    const bad = bench.locktester([
      'nodes',
      '--ssh-command',
      sshCommand,
      '--remote-command',
      '/no/locktester',
      'local',
      host,
      directory,
    ])
    expect(await bad.end).toBe(69)
    expect(bad.stderr).toContain('the command of --remote-command is not there')
  })

  test('the directory is not there: 69', async () => {
    const only = bench.locktester(['nodes', 'local', 'local', join(directory, 'nowhere')])
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('There is no such directory')
  })

  test('without fs-ext advisory locks are marked with the code of the error, and only the others pass', async () => {
    const root = await bench.packageWithoutFsExt()
    const only = bench.locktester(['nodes', '--kinds', 'flock,rename', 'local', 'local', directory], { root })
    expect(await only.end).toBe(0)
    expect(only.stdout).toMatch(/^local#1 +pass \d+ m?s +FS_EXT_NOT_INSTALLED$/m)
    expect(only.stdout).toContain('Locks by rename exclude')
    expect(only.stdout).toContain('Locks by flock cannot be used: see the evidence.')
  })

  test.each([
    [['nodes', 'local', '/tmp'], 'at least two hosts'],
    [['nodes', 'local', 'node2', 'relative'], 'Expected an absolute path'],
    [['nodes', 'local', '/a', '/b'], 'the directory comes last'],
    [['nodes', 'local:/a', 'node2'], 'at least two hosts'],
    [['nodes', 'local:/a', 'node2', 'node3:/b'], 'write node2:/its/directory'],
    [['nodes', '--kinds', 'flok', 'local', 'local', '/tmp'], 'flok'],
  ])('%j is wrong usage: %s', async (args, words) => {
    const only = bench.locktester(args)
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain(words)
  })
})

function sshPort(sshCommand: string): string {
  return / -p (\d+) /.exec(sshCommand)?.[1] ?? 'none'
}

test.each([
  ['nodes', ['local', 'local', 'local', 'local']],
  ['stress', ['--nodes', 'local', 'local', 'local', 'local', '--duration', '1']],
  ['demo', []],
] as const)('%s says in one sentence that the machine has no descriptors for its processes: 69', async (command, words) => {
  const args = command === 'demo' ? [command] : [command, ...words, directory]
  for (const descriptors of [24, 26, 28, 30]) {
    const only = bench.locktester(args, { through: ['bash', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'bash'] })
    const status = await only.end
    if (status === 0) continue
    expect(status, only.stderr).toBe(69)
    if (command !== 'demo') expect(only.stderr).toContain('EMFILE') // there a terminal says it
    expect(only.stderr).not.toMatch(/TypeError|is not a function|defect/)
  }
  expect(await readdir(directory)).toEqual([])
})
