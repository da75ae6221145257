/**
 * Everything that keeps an advisory lock from being taken, provoked for real: each is an error that says what it is, and
 * none leaves anything behind.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
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

  it('a FIFO, a socket and a device are errors, and nobody waits for their other end', async () => {
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

  it('on a read-only mount, an exclusive lock is an error, and a shared one on an existing file is not', async () => {
    const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    const agent = startAgent(['unshare', '--mount', 'sh', '-c', script, folder])
    expect(await agent.ask({ op, kind, path })).toMatchObject({ outcome: 'error', code: 'READ_ONLY' })
    writeFileSync(path, '')
    expect(await agent.ask({ op, kind, path })).toMatchObject({ outcome: 'error', code: 'READ_ONLY' })
    expect(await agent.ask({ op, kind, path, shared: true })).toMatchObject({ outcome: 'held' })
    expect(witness(path, kind)).toBe('busy')
  })

  it('a user who may only read gets a shared lock and no exclusive one', async () => {
    const agent = startAgent()
    await agent.ask({ op: 'becomeNobody' })
    expect(await agent.ask({ op, kind, path })).toMatchObject({ outcome: 'error', code: 'ACCESS_DENIED' })
    expect(existsSync(path)).toBe(false)
    writeFileSync(path, '')
    expect(await agent.ask({ op, kind, path })).toMatchObject({ outcome: 'error', code: 'ACCESS_DENIED' })
    expect(await agent.ask({ op, kind, path, shared: true })).toMatchObject({ outcome: 'held' })
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
  ])('whoever may write into the directory ($directory) may lock the new file ($file), whatever the umask', async (mode) => {
    chmodSync(folder, mode.directory)
    await startAgent(['sh', '-c', 'umask 077; exec "$@"', 'sh']).ask({ op, kind, path })
    expect(statSync(path).mode & 0o7777).toBe(mode.file)
  })

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

  it('says unknown where it can neither see all processes nor notice shared holders', async () => {
    writeFileSync(path, '')
    const agent = startAgent(['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'])
    await agent.ask({ op: 'becomeNobody' })
    const answer = await agent.ask({ op: 'probe', kind, path })
    expect(answer).toMatchObject({ state: 'unknown', pid: null })
    expect(answer.reason).toContain('Without write permission')
  })
})
