/**
 * Goal: on SMB locks exclude between nodes, a holder keeps its lock however many processes of its node wait for it, and what cannot
 * be promised on a mount is refused there before anything is locked; doctor, nodes and the test say the same.
 * Method: Samba beside the lab's NFS server, and the kernel's cifs on both nodes, with the options that decide.
 */

import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { expectDialogue, holds } from './dialogue.js'
import { examine, judge, marks, TRUST } from './judge.js'
import type { GuestProgram } from './lab/guest-program.js'
import type { NodeName } from './lab/messages.js'
import { mountSmb, startSamba } from './lab/other-servers.js'
import { BY_BOTH_CALLS, expectToExclude, KEEPS_OUT_EITHER } from './questions/advisory.js'
import { askForExclusion } from './questions/exclusion.js'
import { askForHandOff } from './questions/hand-off.js'
import { askForRenameRefusal } from './questions/locktester.js'
import { askForTakeover } from './questions/takeover.js'
import {
  connectLab,
  Driver,
  figure,
  GUEST_LOCKTESTER,
  isSoak,
  LINK_KINDS,
  LOCK_KINDS,
  type LockKind,
  newDirectory,
  NODES,
  PACE,
  type Place,
  program,
  proves,
} from './support.js'

const lab = await connectLab()
/** The first time it downloads and unpacks. */
const START_MS_MAX = 300_000
const NODES_MS_MAX = 300_000
const CONTENTION = { durationMs: figure(8000, 60_000), processesPerNode: figure(1, 2), isShared: false }
/** So many intervals a waiter waits in vain, while its holder's heartbeats go on. */
const INTERVALS = figure(2, 20)

const mounted = (options: string): Place => {
  const at = `/mnt/smb-${options.replace(/\W+/g, '-')}`
  return { name: `SMB, ${options}`, at, mountOn: (client, node) => mountSmb(client, node, at, `vers=3.1.1,${options}`) }
}
const LEASES = mounted('mfsymlinks')
const QUIET = mounted('nolease,mfsymlinks')
const UNCACHED = mounted('nolease,mfsymlinks,cache=none')
const LOCAL = mounted('nolease,nobrl')

const KEEPS_BESIDE_OTHERS = 'keeps an advisory lock beside other processes of its node'

beforeAll(() => startSamba(lab), START_MS_MAX)

const programs: GuestProgram[] = []
afterEach(() => {
  for (const program of programs.splice(0)) program.kill('SIGKILL')
})

async function start(node: NodeName, kind: LockKind): Promise<Driver> {
  const driver = await Driver.start(lab, node, LOCK_KINDS[kind])
  programs.push(driver.program)
  return driver
}

async function startDefault(node: NodeName): Promise<Driver> {
  const driver = await Driver.start(lab, node, BY_BOTH_CALLS)
  programs.push(driver.program)
  return driver
}

/** A program of its own that locks a file by flock. */
class Flocker {
  readonly #program: GuestProgram
  #asked = 0

  static start(node: NodeName, file: string): Flocker {
    const started = lab.start(node, { argv: [...program('flocker.mjs'), file] })
    programs.push(started)
    return new Flocker(started)
  }

  constructor(started: GuestProgram) {
    this.#program = started
  }

  async does(what: string): Promise<string> {
    const index = this.#asked++
    this.#program.write(`${what}\n`)
    const answers = () => this.#program.stdout.split('\n').slice(0, -1)
    return await this.#program.sees(() => answers()[index], { what: `answer to ${what}` })
  }
}

function locktester(node: NodeName, directory: string): GuestProgram {
  const argv = ['sh', '-c', `exec ${GUEST_LOCKTESTER} ${directory}`]
  const program = lab.start(node, { argv, env: { RSTUDIO_CONFIG_DIR: '/nonexistent' } })
  programs.push(program)
  return program
}

const KINDS_ON: readonly (readonly [Place, readonly LockKind[]])[] = [
  [QUIET, isSoak ? LINK_KINDS : ['hard link']],
  [LEASES, ['symlink']],
]

for (const [place, kinds] of KINDS_ON) {
  describe(`on ${place.name}`, () => {
    askForExclusion(lab, place, kinds, CONTENTION)

    test.for(kinds)('a holder keeps its %s lock while two processes of its own node wait for it', async (kind, context) => {
      proves(context, place, 'keeps a lock for which two processes of its node wait', kind)
      const path = `${await newDirectory(lab, place)}/lock`
      const [holder, ...waiters] = await Promise.all([start('A', kind), start('A', kind), start('A', kind)])
      expect(await holder.ask('acquire', { path, name: 'lock' })).toMatchObject({ held: true })
      const waitMs = INTERVALS * PACE.timeoutIntervalMs
      const waits = waiters.map((waiter) => waiter.ask('acquire', { path, name: 'lock', waitMs }, waitMs + START_MS_MAX))
      for (const { error } of await Promise.all(waits)) expect(error).toMatchObject({ code: 'LOCK_TIMEOUT' })
      expect(await holder.ask('state', { name: 'lock' })).toMatchObject({ held: true, aborted: false, failedHeartbeats: 0 })
      expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
      expect(holder.said()).not.toContainEqual(expect.objectContaining({ lost: 'lock' }))
    })

    if (!isSoak) return
    askForHandOff(lab, place, kinds, { rounds: 50 })
    askForTakeover(lab, place, kinds)
  })
}

/** With one process on each node even flock, which does not exclude, never had two holders. */
const ADVISORY_CONTENTION = { ...CONTENTION, processesPerNode: 2 }

for (const place of isSoak ? [QUIET, LEASES, UNCACHED] : [QUIET])
  describe(`advisory locks on ${place.name}`, () => {
    askForExclusion(lab, place, isSoak ? ['advisory', 'fcntl'] : ['advisory'], ADVISORY_CONTENTION)
  })

for (const place of [QUIET, LEASES]) {
  test(`on ${place.name} a holder keeps its advisory lock when other processes of its node have tried it, or looked at it`, async (context) => {
    proves(context, place, KEEPS_BESIDE_OTHERS, 'advisory')
    const path = `${await newDirectory(lab, place)}/lock`
    const [holder, neighbour, other] = await Promise.all([startDefault('A'), startDefault('A'), startDefault('B')])
    // The process that makes the file opens it with other flags than those that find it, and shares it with none.
    expect(await other.ask('acquire', { path, name: 'first' })).toMatchObject({ held: true })
    expect(await other.ask('release', { name: 'first' })).toMatchObject({ lost: false })
    expect(await holder.ask('acquire', { path, name: 'lock' })).toMatchObject({ held: true })
    expect(await neighbour.ask('tryAcquire', { path })).toMatchObject({ held: false })
    expect(await neighbour.ask('inspect', { path })).toMatchObject({ state: 'held' })
    expect(await other.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: false })
    expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
    expect(await other.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
  })
}

test('locks by flock are refused with what to use instead, with leases and without, and nothing is made', async (context) => {
  const driver = await start('A', 'flock')
  for (const place of [QUIET, LEASES]) {
    proves(context, place, 'refuses locks that a mount breaks, with the remedies', 'flock')
    const directory = await newDirectory(lab, place, ['A'])
    const { error } = await driver.ask('tryAcquire', { path: `${directory}/lock` })
    expect(error).toMatchObject({ code: 'FLOCK_UNSAFE' })
    expect(error.message).toMatch(/Leave advisoryKind out, which takes fcntl here, or use lock-type=linkbased/)
    expect(await lab.exec('A', `ls -A ${directory}`)).toBe('')
  }
})

/** Of any program: the reason why ours take no flock there. Should a kernel do better, this test says so. */
test('a flock ends on the server when another process of its node closes the file, and two nodes hold it', async () => {
  const file = `${await newDirectory(lab, QUIET)}/file`
  await lab.exec('A', `: > ${file}`)
  const [holder, neighbour, other] = (['A', 'A', 'B'] as const).map((node) => Flocker.start(node, file))
  for (const each of [holder, other]) expect(await each?.does('open')).toBe('ok')
  expect(await holder?.does('lock')).toBe('ok')
  expect(await other?.does('lock')).toBe('EACCES')
  for (const what of ['open', 'close']) expect(await neighbour?.does(what)).toBe('ok')
  expect(await other?.does('lock')).toBe('ok')
})

test('a lock by hard links is refused on a mount with leases, with both remedies, and nothing is made', async (context) => {
  proves(context, LEASES, 'refuses locks that a mount breaks, with the remedies', 'hard link')
  const directory = await newDirectory(lab, LEASES)
  const driver = await start('A', 'hard link')
  const { error } = await driver.ask('tryAcquire', { path: `${directory}/lock` })
  expect(error).toMatchObject({ code: 'HARD_LINKS_UNSAFE' })
  expect(error.message).toMatch(/nolease.*use-symlinks=1 on a mount with mfsymlinks/)
  expect(await lab.exec('A', `ls -A ${directory}`)).toBe('')
})

test('the default advisory lock and programs that use flock or fcntl keep each other out', async (context) => {
  proves(context, QUIET, KEEPS_OUT_EITHER)
  const path = `${await newDirectory(lab, QUIET)}/lock`
  const [both, ...rivals] = await Promise.all([startDefault('A'), ...NODES.map((node) => start(node, 'fcntl'))])
  await expectToExclude(
    { driver: both, path },
    rivals.map((driver) => ({ driver, path })),
  )
  for (const node of NODES) {
    const flocker = Flocker.start(node, path)
    expect(await flocker.does('open')).toBe('ok')
    expect(await both.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
    expect(await flocker.does('lock')).toBe('EACCES')
    expect(await both.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
    expect(await flocker.does('lock')).toBe('ok')
    expect(await both.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: false })
    expect(await flocker.does('close')).toBe('ok')
  }
  expect(await both.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
})

askForRenameRefusal(lab, QUIET)

test('an advisory lock that another node holds is busy, though the server answers EACCES', async (context) => {
  proves(context, QUIET, 'takes a lock that another node holds for held', 'fcntl')
  const path = `${await newDirectory(lab, QUIET)}/lock`
  const [holder, other] = await Promise.all([start('A', 'fcntl'), start('B', 'fcntl')])
  expect(await holder.ask('acquire', { path, name: 'lock' })).toMatchObject({ held: true })
  expect(await other.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: false })
  expect(await holder.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
  expect(await other.ask('tryAcquire', { path, name: 'lock' })).toMatchObject({ held: true })
})

test('doctor says of each mount what its options do, finds the collision of leases, and what to install', async (context) => {
  for (const place of [LEASES, QUIET, LOCAL]) proves(context, place, 'doctor: says what the mount options do')
  const [leases, quiet, local] = await Promise.all([examine(lab, LEASES), examine(lab, QUIET), examine(lab, LOCAL)])
  expect(leases.finding('SMB_LEASES')).toMatchObject({ severity: 'error' })
  expect(leases.finding('HEARTBEAT')).toMatchObject({ severity: 'warning', remedy: expect.stringContaining('nolease') })
  expect(leases.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: true })

  expect(quiet.finding('SMB_LEASES')).toBeUndefined()
  expect(quiet.finding('HEARTBEAT')).toMatchObject({ severity: 'ok' })
  expect(quiet.finding('ADVISORY_LOCAL')).toBeUndefined()
  expect(quiet.finding('LOCK_FLOCK')).toMatchObject({ severity: 'note', seen: expect.stringContaining('flock does not exclude') })
  expect(quiet.finding('LOCK_FCNTL')).toMatchObject({ severity: 'ok' })
  expect(quiet.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })

  expect(local.finding('ADVISORY_LOCAL')).toMatchObject({ severity: 'error' })
})

test(
  'nodes finds which locks exclude, with leases and without, with nobrl and without',
  { timeout: NODES_MS_MAX },
  async (context) => {
    for (const place of [LEASES, LOCAL]) proves(context, place, TRUST)
    const onLeases = await judge(lab, LEASES, ['hard-link', 'flock', 'fcntl'])
    expect(marks(onLeases)).toEqual(['hard link: failed', 'flock: failed', 'fcntl: pass'])
    expect(onLeases.kinds[1].rounds[0].error).toMatchObject({ code: 'FLOCK_UNSAFE' })
    // No symlink was asked for: of what passed, fcntl is what lock-type=advisory takes there.
    expect(onLeases.recommendation).toEqual({ lockType: 'advisory', useSymlinks: false })
    expect(marks(await judge(lab, LOCAL, ['hard-link', 'flock']))).toEqual(['hard link: pass', 'flock: unsafe'])
  },
)

test("locktester has the manual's dialogue with nolease, and says what is wrong on the other mounts", async (context) => {
  proves(context, QUIET, 'locktester: the two-node dialogue, to the letter')
  proves(context, LEASES, 'refuses locks that a mount breaks, with the remedies', 'hard link')
  proves(context, LOCAL, 'locktester: says that advisory locks do not exclude')
  const quiet = await newDirectory(lab, QUIET)
  await expectDialogue({ first: () => locktester('A', quiet), second: () => locktester('B', quiet) })

  const leases = locktester('A', await newDirectory(lab, LEASES))
  await leases.end
  expect(leases.stdout).toBe('* Acquired advisory lock\n* Unable to acquire link-based lock\n')
  expect(leases.stderr).toMatch(/nolease.*use-symlinks=1/)

  const local = await newDirectory(lab, LOCAL)
  await holds(locktester('A', local))
  const second = locktester('B', local)
  await second.end
  expect(second.stderr).toContain('EVERY NODE ACQUIRED IT')
})
