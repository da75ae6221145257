/**
 * Two processes that see the same process differently. Goal: a live holder is never taken for dead because its judge looks
 * at /proc from somewhere else, and a dead one's lock always goes on, at once where the process id proves it and after
 * watching where nothing but watching does. Method: real processes in time, user and pid namespaces of their own, before a
 * /proc that is another namespace's, or none; and records as programs before this one wrote them.
 */

import { execFile } from 'node:child_process'
import { linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { sessionOwner } from '../../build/drivers/identity.js'
import { NO_NAMESPACE } from '../../build/protocol/record.js'
import { Agent, type AgentOptions, BRISK, SILENCE_MS } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { otherNode, privateMounts, Space } from './support/space.js'
import { outlast } from './support/time.js'

const execute = promisify(execFile)
const SLOW = { refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }
const IDENTITY = join(import.meta.dirname, '../../build/drivers/identity.js')

const lockPath = async () => join(await temporaryFolder(), 'lock')

/** Same boot, same pid namespace, and yet another view of /proc. */
const VIEWS: { view: string; under: readonly string[] }[] = [
  // Start times are shifted by a day there.
  { view: 'another time namespace', under: ['unshare', '--time', '--fork', '--boottime', '100000'] },
  { view: 'another user namespace', under: ['unshare', '--user', '--map-root-user', '--fork'] },
]

describe.each(VIEWS)('between two processes of one host, one of them in $view,', ({ under }) => {
  const SIDES: [string, AgentOptions, AgentOptions][] = [
    ['the holder', { under }, {}],
    ['its judge', {}, { under }],
  ]
  describe.each(SIDES)('which is %s,', (_, here, there) => {
    test('a live holder is not taken for dead, and a killed one is at once', async () => {
      const path = await lockPath()
      const [holder, rival] = await Promise.all([Agent.start({ ...here, locker: SLOW }), Agent.start({ ...there, locker: SLOW })])
      const held = await holder.acquire(path)
      expect(await rival.tryAcquire(path)).toBeNull()
      expect(await held.status()).toMatchObject({ held: true, aborted: false })
      await holder.murder()
      expect(await rival.tryAcquire(path)).not.toBeNull()
    })
  })
})

/** What a process that is started in a space says of itself. */
async function identityIn(command: readonly string[]): Promise<Record<string, unknown>> {
  const script = `let seen = null; try { seen = require('node:fs').readlinkSync('/proc/self') } catch {}
    import(${JSON.stringify(IDENTITY)}).then(({ sessionOwner }) => console.log(JSON.stringify({ ...sessionOwner(), seen })))`
  const [file = '', ...args] = [...command, process.execPath, '-e', script]
  return JSON.parse((await execute(file, args)).stdout)
}

describe('what /proc says of this process counts', () => {
  test('where it is that of its own pid namespace', async () => {
    const owner = sessionOwner()
    expect(owner.pidNamespace).toMatch(/^pid:\[\d+\]$/)
    expect(owner.startTime).toMatch(/^\d+$/)
    for (const namespace of [owner.timeNamespace, owner.userNamespace])
      expect(namespace === NO_NAMESPACE ? 'a:[1]' : namespace).toMatch(/^\w+:\[\d+\]$/)
    const node = await otherNode()
    expect((await identityIn(node.entrance)).pidNamespace).not.toBeNull()
  })

  const NOTHING = { pidNamespace: null, startTime: null, timeNamespace: null, userNamespace: null }

  test('and not where it is that of the namespace outside', async () => {
    const inside = await Space.open(['--pid', '--fork', '--kill-child'], ['--pid'], [])
    const said = await identityIn([...inside.entrance, 'unshare', '--fork'])
    expect(said.seen).not.toBe(String(said.pid))
    expect(said).toMatchObject(NOTHING)
  })

  test('not even where this process happens to have one number in both', async () => {
    const outside = await otherNode()
    // Nothing else starts processes in there: the next one is the 5001st on both sides.
    const script = `
      last=/proc/sys/kernel/ns_last_pid; mkfifo "$1/go"
      unshare --pid --fork sh -c 'echo 5000 > '$last'; read go < "$0/go"; "$@"; exit' "$@" &
      exec 9> "$1/go"; echo 5000 > $last; echo go >&9; wait $!`
    const command = [...outside.entrance, 'sh', '-e', '-c', script, 'sh', await temporaryFolder()]
    const said = await identityIn(command)
    expect(said.seen).toBe(String(said.pid))
    expect(said).toMatchObject(NOTHING)
  })

  const FAKES = [
    { what: 'nothing', fake: '' },
    {
      what: 'a directory that answers like it',
      fake: 'printf "NSpid:\\t%s\\n" $$ > self/status; ln -s "pid:[4026531836]" self/ns/pid;',
    },
  ]
  test.each(FAKES)('and not where $what is in its place', async ({ fake }) => {
    const space = await privateMounts()
    await space.run('mount -t tmpfs none /proc; mkdir -p /proc/self/ns')
    const script = `cd /proc; ${fake} exec "$@"`
    expect(await identityIn([...space.entrance, 'sh', '-e', '-c', script, 'sh'])).toMatchObject(NOTHING)
  })
})

test('where there is no /proc, a live holder keeps its lock, and a dead one loses it to a judge that watched', async () => {
  const path = await lockPath()
  const space = await privateMounts()
  await space.run('mount -t tmpfs none /proc')
  const [holder, rival] = await Promise.all([Agent.start({ on: space }), Agent.start({ on: space })])
  const held = await holder.acquire(path)
  expect(await rival.refusal(path, 'acquire', SILENCE_MS + BRISK.refreshRateMs)).toMatchObject({ code: 'LOCK_TIMEOUT' })
  expect(await held.status()).toMatchObject({ held: true, aborted: false })
  await holder.murder()
  expect(await rival.tryAcquire(path)).toBeNull()
  await rival.acquire(path, 20_000)
})

describe('a record of the first version, with a start time that cannot be compared', () => {
  /** A lock that is held by a session of an older program, whose process has this number. */
  async function heldByOldProgram(pid: number): Promise<string> {
    const path = await lockPath()
    const { bootId, pidNamespace } = sessionOwner()
    const owner = { host: 'h', bootId, pidNamespace, pid, startTime: '1', uid: 0, user: null, id: 'abcdefabcdefabcd', label: '' }
    const record = { mountlock: 1, beat: 7, state: 'alive', ...owner, ...BRISK, check: '7 alive' }
    const session = join(path, `../.mountlock-41c29-h-${pid}-${record.id}`)
    writeFileSync(session, JSON.stringify(record).padEnd(2560))
    mkdirSync(path)
    writeFileSync(join(path, '.links'), '')
    linkSync(session, join(path, '1'))
    return path
  }

  test('does not convict a process that lives; watching does', async () => {
    const path = await heldByOldProgram(process.pid)
    const rival = await Agent.start()
    expect(await rival.tryAcquire(path)).toBeNull()
    await outlast(SILENCE_MS + 100)
    expect((await rival.tryAcquire(path))?.token).toBe(2n)
  })

  test('convicts at once when no process has its process id any more', async () => {
    const gone = await Agent.start()
    const { pid } = gone
    await gone.murder()
    const path = await heldByOldProgram(pid)
    const rival = await Agent.start()
    expect((await rival.tryAcquire(path))?.token).toBe(2n)
  })
})
