/**
 * Advisory locks between processes. Goal: whatever a hold excludes, it excludes for all processes, and for exactly as long as
 * it lasts. Method: agents (child processes) lock on command; python's own system calls are the independent witness.
 */
import { existsSync, linkSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dir } from 'tmp-promise'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseKernelLocks } from '../../src/advisory/kernel-locks.js'
import { Agent, witness } from './fixtures/advisory-driver.mjs'

const KINDS = ['flock', 'fcntl'] as const

let folder: string
let path: string
let removeFolder: () => Promise<void>
const agents: Agent[] = []

function startAgent(): Agent {
  const agent = new Agent()
  agents.push(agent)
  return agent
}

beforeEach(async () => {
  const temporary = await dir({ unsafeCleanup: true })
  folder = temporary.path
  removeFolder = temporary.cleanup
  path = join(folder, 'resource.lock')
})

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.end()))
  await removeFolder()
})

describe.each(KINDS)('%s between processes', (kind) => {
  it('an exclusive hold keeps other processes out until it is released', async () => {
    const [first, second] = [startAgent(), startAgent()]
    const held = await first.ask({ op: 'attempt', path, kind })
    expect(held).toMatchObject({ outcome: 'held', dev: statSync(path).dev, ino: statSync(path).ino })
    expect(await second.ask({ op: 'attempt', path, kind })).toEqual({ outcome: 'busy' })
    expect(await second.ask({ op: 'attempt', path, kind, shared: true })).toEqual({ outcome: 'busy' })
    expect(witness(path, kind)).toBe('busy')
    await first.ask({ op: 'release', hold: held.hold })
    expect(witness(path, kind)).toBe('free')
    expect(await second.ask({ op: 'attempt', path, kind })).toMatchObject({ outcome: 'held' })
  })

  it('shared holds coexist, and keep an exclusive one out until the last is released', async () => {
    const [first, second, third] = [startAgent(), startAgent(), startAgent()]
    await first.ask({ op: 'attempt', path, kind, shared: true })
    expect(await second.ask({ op: 'attempt', path, kind, shared: true })).toMatchObject({ outcome: 'held' })
    expect(witness(path, kind, 'shared')).toBe('free')
    expect(await third.ask({ op: 'attempt', path, kind })).toEqual({ outcome: 'busy' })
    await first.ask({ op: 'release', hold: 0 })
    expect(await third.ask({ op: 'attempt', path, kind })).toEqual({ outcome: 'busy' })
    await second.ask({ op: 'release', hold: 0 })
    expect(await third.ask({ op: 'attempt', path, kind })).toMatchObject({ outcome: 'held' })
  })

  it('a holder that is killed loses the lock at once', async () => {
    const [first, second] = [startAgent(), startAgent()]
    await first.ask({ op: 'attempt', path, kind })
    expect(await second.ask({ op: 'attempt', path, kind })).toEqual({ outcome: 'busy' })
    await first.end('SIGKILL')
    expect(await second.ask({ op: 'attempt', path, kind })).toMatchObject({ outcome: 'held' })
  })

  it('a stopped holder keeps the lock', async () => {
    const [first, second] = [startAgent(), startAgent()]
    await first.ask({ op: 'attempt', path, kind })
    first.child.kill('SIGSTOP')
    expect(await second.ask({ op: 'attempt', path, kind })).toEqual({ outcome: 'busy' })
  })

  it('the lock file stays where it is, whatever happens', async () => {
    const agent = startAgent()
    await agent.ask({ op: 'attempt', path, kind })
    const { ino } = statSync(path)
    await agent.ask({ op: 'release', hold: 0 })
    await agent.ask({ op: 'attempt', path, kind })
    await agent.ask({ op: 'attempt', path, kind })
    await agent.end('SIGKILL')
    expect(statSync(path).ino).toBe(ino)
    expect(readdirSync(folder)).toEqual(['resource.lock'])
  })

  it('a file that replaced the lock file is the one that is locked from then on', async () => {
    const [first, second] = [startAgent(), startAgent()]
    await first.ask({ op: 'attempt', path, kind })
    writeFileSync(`${path}.new`, '')
    renameSync(`${path}.new`, path)
    const held = await second.ask({ op: 'attempt', path, kind })
    expect(held).toMatchObject({ outcome: 'held', ino: statSync(path).ino })
  })

  it('a release lets go once: repeated, or in both ways at once, it changes nothing that others do', async () => {
    const [first, second] = [startAgent(), startAgent()]
    await first.ask({ op: 'attempt', path, kind })
    expect(await first.ask({ op: 'releaseBothWays', hold: 0 })).toEqual({})
    await second.ask({ op: 'attempt', path, kind })
    expect(await first.ask({ op: 'release', hold: 0 })).toEqual({})
    expect(await first.ask({ op: 'releaseSync', hold: 0 })).toEqual({})
    expect(witness(path, kind)).toBe('busy')
  })

  it('a probe names the process that holds it, and says free when none does', async () => {
    const [holder, watcher] = [startAgent(), startAgent()]
    expect(await watcher.ask({ op: 'probe', path, kind })).toEqual({ state: 'free', pid: null })
    expect(existsSync(path)).toBe(false)
    await holder.ask({ op: 'attempt', path, kind })
    expect(await watcher.ask({ op: 'probe', path, kind })).toEqual({ state: 'held', pid: holder.pid })
    expect(await holder.ask({ op: 'probe', path, kind })).toEqual({ state: 'held', pid: holder.pid })
    await holder.ask({ op: 'release', hold: 0 })
    expect(await watcher.ask({ op: 'probe', path, kind })).toEqual({ state: 'free', pid: null })
  })

  it('a probe in a process namespace that hides the holder says held, not free', async () => {
    const holder = startAgent()
    await holder.ask({ op: 'attempt', path, kind })
    const watcher = new Agent({ under: ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] })
    agents.push(watcher)
    expect(await watcher.ask({ op: 'probe', path, kind })).toEqual({ state: 'held', pid: null })
    await holder.ask({ op: 'release', hold: 0 })
    expect(await watcher.ask({ op: 'probe', path, kind })).toEqual({ state: 'free', pid: null })
    expect(witness(path, kind)).toBe('free')
  })
})

describe('flock with blocking calls', () => {
  it('excludes other processes, again and again on the same file', async () => {
    const [first, second] = [startAgent(), startAgent()]
    writeFileSync(path, '')
    await settled(path)
    for (let cycle = 0; cycle < 3; cycle++) {
      expect(await first.ask({ op: 'attemptSync', path, kind: 'flock' })).toMatchObject({ outcome: 'held' })
      expect(await second.ask({ op: 'attemptSync', path, kind: 'flock' })).toEqual({ outcome: 'busy' })
      expect(witness(path, 'flock')).toBe('busy')
      await first.ask({ op: 'releaseSync', hold: cycle })
      expect(witness(path, 'flock')).toBe('free')
    }
  })

  it('follows the path to a new file after many cycles on the old one', async () => {
    const agent = startAgent()
    writeFileSync(path, '')
    await settled(path)
    await agent.ask({ op: 'attemptSync', path, kind: 'flock' })
    await agent.ask({ op: 'releaseSync', hold: 0 })
    linkSync(path, `${path}.kept`)
    writeFileSync(`${path}.new`, '')
    renameSync(`${path}.new`, path)
    expect(await agent.ask({ op: 'attemptSync', path, kind: 'flock' })).toMatchObject({
      outcome: 'held',
      ino: statSync(path).ino,
    })
    expect(witness(path, 'flock')).toBe('busy')
  })

  it('a lock that was got synchronously can be released asynchronously', async () => {
    const agent = startAgent()
    await agent.ask({ op: 'attemptSync', path, kind: 'flock' })
    await agent.ask({ op: 'release', hold: 0 })
    expect(witness(path, 'flock')).toBe('free')
  })

  it('fcntl is refused with an error that says what to do instead', async () => {
    const answer = await startAgent().ask({ op: 'attemptSync', path, kind: 'fcntl' })
    expect(answer).toMatchObject({ outcome: 'error', name: 'UnsupportedPlatformError', code: 'UNSUPPORTED_PLATFORM' })
    expect(answer.message).toContain('Use the asynchronous acquire')
    expect(existsSync(path)).toBe(false)
  })
})

describe('/proc/locks', () => {
  it('names holders, and not processes that wait or hold something that is no lock', () => {
    const text = `1: FLOCK  ADVISORY  WRITE 4191 fe:00:2146345 0 EOF
1: -> FLOCK  ADVISORY  WRITE 4192 fe:00:2146345 0 EOF
2: OFDLCK ADVISORY  READ  -1 00:2d:18446744073709551615 0 EOF
3: POSIX  ADVISORY  READ  77 103:0a:7 128 128
4: DELEG  ACTIVE    READ 0 fe:00:2146345 0 EOF
`
    expect(parseKernelLocks(text)).toEqual([
      { kind: 'flock', pid: 4191, major: 0xfe, minor: 0, ino: '2146345' },
      { kind: 'fcntl', pid: null, major: 0, minor: 0x2d, ino: '18446744073709551615' },
      { kind: 'fcntl', pid: 77, major: 0x103, minor: 0x0a, ino: '7' },
    ])
  })
})

/** The short road of the blocking calls is only taken on a file whose last change is more than a second old. */
async function settled(file: string): Promise<void> {
  const due = statSync(file).ctimeMs + 1001 - Date.now()
  await new Promise((resolve) => setTimeout(resolve, due))
}
