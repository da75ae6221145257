/**
 * Everything that keeps an advisory lock from being taken, provoked for real: each is an error that says what it is, and
 * none leaves anything behind.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { dir } from 'tmp-promise'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Agent, witness } from './fixtures/advisory-driver.mjs'

const WAYS = [
  { op: 'attempt', kind: 'flock' },
  { op: 'attemptSync', kind: 'flock' },
  { op: 'attempt', kind: 'fcntl' },
] as const

let folder: string
let path: string
let removeFolder: () => Promise<void>
const agents: Agent[] = []

function startAgent(under: string[] = []): Agent {
  const agent = new Agent({ under })
  agents.push(agent)
  return agent
}

beforeEach(async () => {
  const temporary = await dir({ unsafeCleanup: true })
  folder = temporary.path
  removeFolder = temporary.cleanup
  chmodSync(folder, 0o755)
  path = join(folder, 'resource.lock')
})

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.end()))
  await removeFolder()
})

describe.each(WAYS)('$kind ($op)', ({ op, kind }) => {
  it('a missing directory is an error, and is not created', async () => {
    const answer = await startAgent().ask({ op, kind, path: join(folder, 'missing', 'resource.lock') })
    expect(answer).toMatchObject({ outcome: 'error', name: 'LockFileSystemError', code: 'PARENT_MISSING' })
    expect(readdirSync(folder)).toEqual([])
  })

  it('a file in the place of the directory is an error', async () => {
    writeFileSync(path, '')
    const answer = await startAgent().ask({ op, kind, path: join(path, 'resource.lock') })
    expect(answer).toMatchObject({ outcome: 'error', name: 'LockFileSystemError', code: 'PARENT_NOT_DIRECTORY' })
  })

  it('a directory is an error, and one that is a link-based lock is called that', async () => {
    const agent = startAgent()
    mkdirSync(path)
    const foreign = await agent.ask({ op, kind, path })
    expect(foreign).toMatchObject({ outcome: 'error', name: 'ForeignLockError', code: 'FOREIGN_LOCK' })
    expect(foreign.message).toContain('it is a directory')
    writeFileSync(join(path, '.links'), '')
    expect((await agent.ask({ op, kind, path })).message).toContain('is used as a link-based lock')
  })

  it('a FIFO, a socket and a device are errors, and no process waits for their other end', async () => {
    const agent = startAgent()
    execFileSync('mkfifo', [path])
    expect((await agent.ask({ op, kind, path })).message).toContain('it is a FIFO')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(`${path}.socket`, resolve))
    expect((await agent.ask({ op, kind, path: `${path}.socket` })).message).toContain('it is a socket')
    await new Promise((resolve) => server.close(resolve))
    expect(await agent.ask({ op, kind, path: '/dev/null' })).toMatchObject({ code: 'FOREIGN_LOCK' })
  })

  it('a symbolic link is an error, and is not followed', async () => {
    const target = join(folder, 'target')
    symlinkSync(target, path)
    const answer = await startAgent().ask({ op, kind, path })
    expect(answer).toMatchObject({ outcome: 'error', name: 'ForeignLockError', code: 'FOREIGN_LOCK' })
    expect(answer.message).toContain('it is a symbolic link')
    expect(existsSync(target)).toBe(false)
  })

  it('too long a name is an error', async () => {
    const answer = await startAgent().ask({ op, kind, path: join(folder, 'n'.repeat(256)) })
    expect(answer).toMatchObject({ outcome: 'error', name: 'LockFileSystemError', code: 'NAME_TOO_LONG' })
  })

  it('on a read-only mount nothing is created, and a file that is there is locked as far as reading it is enough', async () => {
    const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    const agent = startAgent(['unshare', '--mount', 'sh', '-c', script, folder])
    expect(await agent.ask({ op, kind, path })).toMatchObject({ outcome: 'error', code: 'READ_ONLY' })
    writeFileSync(path, '')
    const exclusive = await agent.ask({ op, kind, path })
    if (kind === 'fcntl') expect(exclusive).toMatchObject({ outcome: 'error', code: 'READ_ONLY' })
    else expect(exclusive).toMatchObject({ outcome: 'held' })
    if (kind === 'fcntl') expect(await agent.ask({ op, kind, path, shared: true })).toMatchObject({ outcome: 'held' })
    expect(witness(path, kind)).toBe('busy')
  })

  it('a user with the right to read alone creates nothing, and gets a shared lock on a file that is there; flock also an exclusive one', async () => {
    const agent = startAgent()
    await agent.ask({ op: 'becomeNobody' })
    expect(await agent.ask({ op, kind, path })).toMatchObject({ outcome: 'error', code: 'ACCESS_DENIED' })
    expect(existsSync(path)).toBe(false)
    writeFileSync(path, '')
    if (kind === 'fcntl') {
      const refused = await agent.ask({ op, kind, path })
      expect(refused).toMatchObject({ outcome: 'error', code: 'ACCESS_DENIED' })
      expect(refused.message).toContain('for fcntl, and for exclusive locks on NFSv4, to write it')
    } else {
      const held = await agent.ask({ op, kind, path })
      expect(held).toMatchObject({ outcome: 'held' })
      await agent.ask({ op: 'release', hold: held.hold as number })
    }
    expect(await agent.ask({ op, kind, path, shared: true })).toMatchObject({ outcome: 'held' })
    expect(witness(path, kind)).toBe('busy')
  })

  it('a program that is being executed is locked by flock, and can be executed meanwhile; fcntl says that it cannot', async () => {
    copyFileSync('/bin/sleep', path)
    chmodSync(path, 0o755)
    const running = spawn(path, ['1000'])
    try {
      await once(running, 'spawn')
      const agent = startAgent()
      const answer = await agent.ask({ op, kind, path })
      if (kind === 'fcntl') {
        expect(answer).toMatchObject({ outcome: 'error', code: 'BEING_EXECUTED' })
        expect(answer.message).toContain('Use flock')
      } else {
        expect(answer).toMatchObject({ outcome: 'held' })
        expect(spawnSync('flock', ['--nonblock', path, 'true']).status).toBe(1)
        execFileSync(path, ['0'])
      }
    } finally {
      running.kill('SIGKILL')
    }
  })

  it('a file whose process died while it gave it up is emptied by the next holder, which must be able to write it', async () => {
    writeFileSync(path, 'mountlock gives this lock file up: its path becomes a lock of another type.\n')
    const reader = startAgent()
    await reader.ask({ op: 'becomeNobody' })
    expect(await reader.ask({ op, kind, path })).toMatchObject({ outcome: 'error' })
    expect(statSync(path).size).not.toBe(0)
    expect(await startAgent().ask({ op, kind, path })).toMatchObject({ outcome: 'held' })
    expect(statSync(path).size).toBe(0)
    expect(witness(path, kind)).toBe('busy')
  })

  it('a process without free descriptors gets an error that says so', async () => {
    const agent = startAgent(['prlimit', '--nofile=64', '--'])
    for (let held = 0; ; held++) {
      const answer = await agent.ask({ op, kind, path: `${path}.${held}` })
      if (answer.outcome === 'held') continue
      expect(answer).toMatchObject({ outcome: 'error', code: 'TOO_MANY_FILES' })
      break
    }
  })

  it.each([
    { directory: 0o755, file: 0o644 },
    { directory: 0o770, file: 0o660 },
    { directory: 0o1777, file: 0o666 },
    { directory: 0o700, file: 0o600 },
  ])(
    'a user with the right to write into the directory ($directory) may lock the new file ($file), whatever the umask',
    async (mode) => {
      chmodSync(folder, mode.directory)
      await startAgent(['sh', '-c', 'umask 077; exec "$@"', 'sh']).ask({ op, kind, path })
      expect(statSync(path).mode & 0o7777).toBe(mode.file)
    },
  )

  it('the mode of a file that exists is left alone', async () => {
    writeFileSync(path, '')
    chmodSync(path, 0o600)
    await startAgent().ask({ op, kind, path })
    expect(statSync(path).mode & 0o7777).toBe(0o600)
  })
})

describe.each(['flock', 'fcntl'] as const)('a %s probe', (kind) => {
  it('says what is in the way, and creates nothing', async () => {
    const agent = startAgent()
    mkdirSync(path)
    expect(await agent.ask({ op: 'probe', kind, path })).toMatchObject({ outcome: 'error', code: 'FOREIGN_LOCK' })
    expect(await agent.ask({ op: 'probe', kind, path: join(folder, 'missing', 'resource.lock') })).toMatchObject({
      outcome: 'error',
      code: 'PARENT_MISSING',
    })
    expect(readdirSync(folder)).toEqual(['resource.lock'])
  })

  it('says unknown where it can neither see all processes nor notice shared holders, as fcntl of a user that may only read', async () => {
    writeFileSync(path, '')
    const agent = startAgent(['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'])
    await agent.ask({ op: 'becomeNobody' })
    const answer = await agent.ask({ op: 'probe', kind, path })
    if (kind === 'flock') return expect(answer).toMatchObject({ state: 'free', pid: null })
    expect(answer).toMatchObject({ state: 'unknown', pid: null })
    expect(answer.reason).toContain('Without write permission')
  })
})
