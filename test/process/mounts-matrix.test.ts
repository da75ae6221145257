/**
 * Every error in every operation. Goal: whatever a mount answers to whichever call of whichever kind of lock, the process is told the
 * call, the error by its name, and a next step that can help; nothing hangs, and nothing is left held: as soon as the mount works
 * again, another process has the lock at once, and the one that was refused after it. Method: real processes on a local directory
 * that they see as another mount, with the rules for network mounts; a preloaded library answers one kind of call, each time.
 */

import { rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errnoName } from '../../build/advice/errno-names.js'
import type { LockMeans } from '../../src/advice/meanings.js'
import type { LockerOptions } from '../../dist/index.js'
import { Agent, AgentError, BRISK, type RemoteError } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'
import { type MountedAs, refusing, shownAs } from './support/refusing.js'

/** In the full run each call is answered with each error on three mounts, otherwise with one on one. */
const isFull = process.env.MOUNTLOCK_SOAK !== undefined

const { errno } = constants
/** Also what Node has no name for: EREMOTEIO, EKEYEXPIRED, the kernel's own ENOTSUPP, and a number that nothing has a name for. */
const ERRORS: readonly number[] = [
  ...[
    errno.EPERM,
    errno.EACCES,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.ENOLCK,
    errno.EDQUOT,
    errno.ENOSPC,
    errno.EMLINK,
    errno.EROFS,
  ],
  ...[errno.ESTALE, errno.EIO, 121, errno.ETIMEDOUT, errno.EXDEV, errno.ENOTEMPTY, errno.EBUSY, errno.ENAMETOOLONG, errno.EINTR],
  ...[errno.EAGAIN, errno.EDEADLK, errno.EINVAL, errno.ENOENT, errno.ELOOP, errno.EEXIST, errno.ENOTDIR, 127, 524, 999],
]
const SOME = 1
const MOUNTS_TRIED = isFull ? 3 : 1
const LIMIT_MS = isFull ? 600_000 : 120_000

interface Mount extends MountedAs {
  /** What statfs(2) calls it. */
  magic: number
}

const NFS = 0x6969
const MOUNTS: readonly Mount[] = [
  { type: 'nfs4', source: 'fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/', options: ['vers=4.1'], magic: NFS },
  { type: 'nfs', source: 'filer:/vol/home', options: ['vers=3'], magic: NFS },
  { type: 'lustre', source: '10.0.0.7@tcp:/abcdebev', options: ['flock'], magic: 0x0bd00bd0 },
  { type: 'gpfs', source: 'scratch', magic: 0x47504653 },
  { type: 'cifs', source: '//account.file.core.windows.net/share', options: ['nolease', 'mfsymlinks'], magic: 0xff534d42 },
  { type: 'ceph', source: '10.0.0.1:6789:/', magic: 0x00c36400 },
  { type: 'fuse.something', source: 'something', magic: 0x65735546 },
]

/** How Node calls them. */
const NAMES = {
  ...{
    create: 'open',
    open: 'open',
    pwrite: 'write',
    read: 'read',
    list: 'scandir',
    stat: '(l?stat)',
    fstat: 'fstat',
    statfs: 'statfs',
  },
  ...{ mkdir: 'mkdir', rmdir: 'rmdir', rename: 'rename', link: 'link', symlink: 'symlink', unlink: 'unlink' },
  ...{ flock: 'flock', fcntl: 'fcntl' },
} as const

interface Call {
  call: keyof typeof NAMES
  /** Of the path by which it is told from others. */
  part: string
}

const OF_LOCK_DIRECTORIES: readonly Call[] = [
  { call: 'stat', part: '/cell' },
  { call: 'statfs', part: '/cell' },
  { call: 'create', part: '.mountlock-41c29-' },
  { call: 'pwrite', part: '.mountlock-41c29-' },
  { call: 'fstat', part: '.mountlock-41c29-' },
  { call: 'open', part: '.mountlock-41c29-' },
  { call: 'read', part: '.mountlock-41c29-' },
  { call: 'mkdir', part: '.mountlock-new-' },
  { call: 'create', part: '.mountlock-new-' },
  { call: 'rmdir', part: '.mountlock-new-' },
  { call: 'rename', part: '/lock' },
  { call: 'list', part: '/lock' },
  { call: 'stat', part: '/lock' },
  { call: 'create', part: '/lock/' },
  { call: 'unlink', part: '/lock/' },
]
const OF_LOCK_FILES: readonly Call[] = [
  { call: 'stat', part: '/cell' },
  { call: 'statfs', part: '/cell' },
  { call: 'open', part: '/lock' },
  { call: 'create', part: '/lock' },
  { call: 'fstat', part: '/lock' },
  { call: 'stat', part: '/lock' },
]

interface Kind {
  means: LockMeans
  locker: LockerOptions
  calls: readonly Call[]
  /** What would be no help: it is what was refused. */
  inUse: RegExp
}

const KINDS: readonly Kind[] = [
  {
    ...{ means: 'hard link', locker: { useSymlinks: false }, inUse: /lock-type=linkbased|use-symlinks=0/ },
    calls: [...OF_LOCK_DIRECTORIES, { call: 'link', part: '/lock/' }],
  },
  {
    ...{ means: 'symlink', locker: { useSymlinks: true }, inUse: /lock-type=linkbased|use-symlinks=1/ },
    calls: [...OF_LOCK_DIRECTORIES, { call: 'symlink', part: '/lock/' }],
  },
  {
    ...{ means: 'rename', locker: { lockType: 'renamebased' }, inUse: /lock-type=renamebased/ },
    calls: [...OF_LOCK_DIRECTORIES, { call: 'rename', part: '/lock/' }],
  },
  {
    ...{ means: 'flock', locker: { lockType: 'advisory', advisoryKind: 'flock' }, inUse: /lock-type=advisory|[Uu]se flock/ },
    calls: [...OF_LOCK_FILES, { call: 'flock', part: '/lock' }],
  },
  {
    ...{ means: 'fcntl', locker: { lockType: 'advisory', advisoryKind: 'fcntl' }, inUse: /lock-type=advisory|[Uu]se fcntl/ },
    calls: [...OF_LOCK_FILES, { call: 'fcntl', part: '/lock' }],
  },
]

/** libuv repeats a call that was interrupted: told each time, it would never end, and no kernel does that. */
const isTold = ({ call }: Call, error: number): boolean => error !== errno.EINTR || call === 'flock' || call === 'fcntl'

/** What stands for an error that says that nothing, or something else, is there: the protocol looks again, and tells what it saw. */
function isSeen({ message }: RemoteError, { call }: Call, error: number): boolean {
  const isThere = [errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT, errno.ENOTDIR].includes(error)
  return (
    isThere && ['mkdir', 'create', 'rename', 'list'].includes(call) && message.includes('was missing at each look that followed')
  )
}

/** An answer that says that another process has the lock, or was faster: it has made, removed or changed what was asked for. */
function saysHeld({ call, part }: Call, error: number): boolean {
  if (part === '/lock/' && [errno.EEXIST, errno.ENOENT, errno.ENOTDIR].includes(error)) return true
  const held = { flock: [errno.EAGAIN], fcntl: [errno.EAGAIN, errno.EACCES] }
  return (call === 'flock' || call === 'fcntl') && held[call].includes(error)
}

/** What is wrong with a refusal, as a reader sees it. */
function faultsOf(refusal: RemoteError, { call }: Call, error: number, inUse: RegExp): string[] {
  const { name, code, message, errno: told, advice } = refusal
  const wanted = errnoName(error) === 'EOPNOTSUPP' ? 'ENOTSUP' : errnoName(error)
  const faults: [boolean, string][] = [
    [name !== 'LockFileSystemError', `is a ${name}`],
    [code === undefined || code === 'INTERNAL_ERROR', `has the code ${code}`],
    [told !== wanted, `names ${told}`],
    [!new RegExp(`\\(${NAMES[call]}: ${wanted}\\)`).test(message), 'does not say what was answered to which call'],
    [/EIO_After|Unknown system error|undefined|null/.test(message), 'has inner names'],
    [advice === undefined || advice.length < 10, 'has no next step'],
    [inUse.test(advice ?? ''), 'advises what is in use'],
  ]
  return faults.filter(([isSo]) => isSo).map(([, what]) => what)
}

/** Of a lock of any kind, also one without a token. */
type Held = { handle: number }
type Outcome = { held: Held } | { refusal: RemoteError } | 'busy'

async function outcomeOf(trying: Promise<unknown>): Promise<Outcome> {
  try {
    const held = (await trying) as Held | null
    return held === null ? 'busy' : { held }
  } catch (error) {
    if (error instanceof AgentError) return { refusal: error.remote }
    throw error
  }
}

/** Two processes that see that mount: the one is refused what the plan says. */
async function stage({ locker }: Kind, mount: Mount) {
  const { env, plan, refuse } = await refusing()
  const root = await temporaryFolder()
  const seen = { ...shownAs(root, mount), STATFS_TYPE: String(mount.magic) }
  const [told, other] = await Promise.all([
    Agent.start({ locker, env: { ...env, ...seen } }),
    Agent.start({ locker, env: { ...env, ...seen, REFUSAL: '' } }),
  ])
  let cells = 0
  return {
    ...{ told, other, refuse },
    heal: () => rmSync(plan, { force: true }),
    /** A directory of its own, and so a session of its own. */
    path: async () => {
      const cell = join(root, `cell-${cells++}`)
      await mkdir(cell)
      return join(cell, 'lock')
    },
  }
}

/** On a mount that works again. */
async function expectFree(what: string, path: string, agents: readonly Agent[]): Promise<void> {
  for (const agent of agents) {
    const outcome = await outcomeOf(agent.ask('acquire', { path, waitMs: 2 * BRISK.timeoutIntervalMs }))
    const isHeld = typeof outcome === 'object' && 'held' in outcome
    expect.soft(isHeld, `${what}: afterwards the lock can be taken, ${JSON.stringify(outcome)}`).toBe(true)
    if (isHeld)
      expect.soft(await agent.ask('release', outcome.held), `${what}: afterwards it is given back`).toEqual({ lost: false })
  }
}

/** Which of all are tried in a run that is not the full one: others for each call. */
function chosen<Item>(all: readonly Item[], from: number, max: number): readonly Item[] {
  return Array.from({ length: Math.min(max, all.length) }, (_, index) => all[(from * max + index) % all.length] as Item)
}

const errorsFor = (call: Call, from: number, max = isFull ? ERRORS.length : SOME) =>
  chosen(
    ERRORS.filter((error) => isTold(call, error)),
    from,
    max,
  )

/** It is refused there before anything is asked. */
const isRefused = ({ means }: Kind, { type, magic }: Mount) =>
  (means === 'rename' && magic !== NFS) || (means === 'flock' && type === 'cifs')

describe.each(KINDS.map((kind, index) => ({ ...kind, index })))('$means', (kind) => {
  const mounts = chosen(
    MOUNTS.filter((mount) => !isRefused(kind, mount)),
    kind.index,
    MOUNTS_TRIED,
  )

  test.each(mounts)(
    '$type: what is refused of an acquisition is told, and leaves nothing held',
    async (mount) => {
      const { told, other, refuse, heal, path: newPath } = await stage(kind, mount)
      for (const [index, call] of kind.calls.entries()) {
        for (const error of errorsFor(call, index + kind.index * OF_LOCK_DIRECTORIES.length)) {
          const what = `${call.call} of ${call.part}: ${errnoName(error)}`
          const path = await newPath()
          refuse(call.call, error, `${call.part} never`)
          const beganMs = performance.now()
          const outcome = await outcomeOf(
            told.ask(index % 2 === 0 || kind.means === 'fcntl' ? 'tryAcquire' : 'tryAcquireSync', { path }),
          )
          expect.soft(performance.now() - beganMs, `${what}: it does not hang`).toBeLessThan(10_000)
          heal()
          if (outcome === 'busy') expect.soft(saysHeld(call, error), `${what}: it is held by nothing`).toBe(true)
          else if ('refusal' in outcome && isSeen(outcome.refusal, call, error)) expect.soft(outcome.refusal.advice).toBeTruthy()
          else if ('refusal' in outcome)
            expect.soft(faultsOf(outcome.refusal, call, error, kind.inUse), `${what}: ${outcome.refusal.message}`).toEqual([])
          else expect.soft(await told.ask('release', outcome.held), `${what}: it works without that`).toEqual({ lost: false })
          await expectFree(what, path, [other, told])
        }
      }
    },
    LIMIT_MS,
  )

  if (kind.locker.lockType === 'advisory') return
  test.each(mounts)(
    '$type: what is refused of a release is told, and the lock is free when the mount works again',
    async (mount) => {
      const { told, other, refuse, heal, path: newPath } = await stage(kind, mount)
      const call = { call: 'rename', part: '.free' } as const
      for (const error of errorsFor(call, kind.index, isFull ? ERRORS.length : 2 * SOME)) {
        const what = `${call.call} of ${call.part}: ${errnoName(error)}`
        const path = await newPath()
        const held = (await told.ask('acquire', { path })) as Held
        refuse(call.call, error, `${call.part} never`)
        const released = await told.ask('release', held).catch((refusal: AgentError) => refusal.remote)
        heal()
        const { name, message } = released as RemoteError
        if (name !== undefined) {
          expect.soft(faultsOf(released as RemoteError, call, error, kind.inUse), `${what}: ${message}`).toEqual([])
          expect.soft(message).not.toContain('nothing was locked')
        } else expect.soft(released, what).toEqual({ lost: false })
        await expectFree(what, path, [other, told])
      }
    },
    LIMIT_MS,
  )
})
