/**
 * Advice that is right. Goal: whatever a mount refuses, the message names the operation as the system calls it, the error by its
 * name, and a next step that can help on that file system with that lock type. Method: real processes on a local directory that
 * they see as another mount; a preloaded library answers one of their system calls with an error of that mount.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { LockerOptions } from '../../dist/index.js'
import { fileSystemOf } from '../../src/advice/file-systems.js'
import { Agent as AdvisoryAgent } from './fixtures/advisory-driver.mjs'
import { Bench } from './fixtures/locktester-driver.mjs'
import { Agent, refusalOf } from './support/agent.js'
import { tried } from '../tried/record.js'
import { temporaryFolder } from './support/folder.js'
import { type MountedAs, refusing, shownAs } from './support/refusing.js'

const { errno } = constants
/** Node has no name for them, or for the second one only where a call of its own failed. */
const EKEYEXPIRED = 127
const EREMOTEIO = 121

const EFS: MountedAs = { type: 'nfs4', source: 'fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/', options: ['vers=4.1'] }
const FSX_LUSTRE: MountedAs = { type: 'lustre', source: '10.0.0.7@tcp:/abcdebev' }
const GLUSTERFS: MountedAs = { type: 'fuse.glusterfs', source: 'server:/volume' }
const GPFS: MountedAs = { type: 'gpfs', source: 'scratch' }
const NETAPP: MountedAs = { type: 'nfs', source: 'filer:/vol/home', options: ['vers=3'] }
const AZURE_FILES: MountedAs = {
  type: 'cifs',
  source: '//account.file.core.windows.net/share',
  options: ['vers=3.1.1', 'nolease', 'mfsymlinks', 'file_mode=0777', 'dir_mode=0777'],
}

const HARD_LINK: LockerOptions = { useSymlinks: false }
const SYMLINK: LockerOptions = { useSymlinks: true }
const RENAME: LockerOptions = { lockType: 'renamebased' }
const FLOCK: LockerOptions = { lockType: 'advisory', advisoryKind: 'flock' }
const FCNTL: LockerOptions = { lockType: 'advisory', advisoryKind: 'fcntl' }

interface Case {
  mount: string
  on: MountedAs
  locker: LockerOptions
  call: string
  part: string
  error: number
  code: string
  /** The operation and the error, as the message has them. */
  seen: string
  advice: RegExp
  /** What would not help. */
  never: RegExp
}

const row = (
  [mount, on, locker]: readonly [mount: string, on: MountedAs, locker: LockerOptions],
  [call, error, part]: readonly [call: string, error: number, part: string],
  [code, seen, advice]: readonly [code: string, seen: string, advice: RegExp],
  never = locker.lockType === 'advisory' ? /lock-type=advisory/ : /lock-type=linkbased/,
): Case => ({ mount, on, locker, call, part, error, code, seen, advice, never })

const CASES: readonly Case[] = [
  row(['EFS', EFS, HARD_LINK], ['link', errno.EPERM, '/lock/'], ['HARD_LINKS_REFUSED', 'link: EPERM', /use-symlinks=1/]),
  row(['EFS', EFS, HARD_LINK], ['link', errno.EMLINK, '/lock/'], ['TOO_MANY_LINKS', 'link: EMLINK', /allows 177/]),
  row(
    ['EFS', EFS, FLOCK],
    ['flock', errno.EDQUOT, '/lock'],
    ['QUOTA_EXCEEDED', 'flock: EDQUOT', /8,192 locks.*lock-type=linkbased/],
  ),
  row(
    ['EFS', EFS, FCNTL],
    ['fcntl', errno.EDQUOT, '/lock'],
    ['QUOTA_EXCEEDED', 'fcntl: EDQUOT', /8,192 locks.*lock-type=linkbased/],
  ),
  row(
    ['Lustre', FSX_LUSTRE, FLOCK],
    ['flock', errno.ENOSYS, '/lock'],
    ['NOT_SUPPORTED', 'flock: ENOSYS', /option flock on every node.*linkbased/],
  ),
  row(
    ['Lustre', FSX_LUSTRE, FCNTL],
    ['fcntl', errno.EOPNOTSUPP, '/lock'],
    ['NOT_SUPPORTED', 'fcntl: ENOTSUP', /option flock on every node/],
  ),
  row(['GPFS', GPFS, FLOCK], ['flock', errno.EOPNOTSUPP, '/lock'], ['NOT_SUPPORTED', 'flock: ENOTSUP', /lock-type=linkbased/]),
  // The file is what was refused, and not the lock.
  row(
    ['GPFS', GPFS, FLOCK],
    ['create', errno.EOPNOTSUPP, '/lock'],
    ['NOT_SUPPORTED', 'open: ENOTSUP', /another file system/],
    /lock-type=/,
  ),
  row(['GPFS', GPFS, FCNTL], ['create', errno.ENOLCK, '/lock'], ['NO_LOCK_SERVICE', 'open: ENOLCK', /system log/], /lock-type=/),
  row(
    ['GPFS', GPFS, FLOCK],
    ['flock', errno.EINVAL, '/lock'],
    ['NOT_SUPPORTED', 'flock: EINVAL', /probably.*lock-type=linkbased/],
  ),
  row(['GPFS', GPFS, FCNTL], ['fcntl', errno.EPERM, '/lock'], ['NOT_PERMITTED', 'fcntl: EPERM', /lock-type=linkbased/], /lsattr/),
  row(['GPFS', GPFS, HARD_LINK], ['link', errno.ENOLCK, '/lock/'], ['NO_LOCK_SERVICE', 'link: ENOLCK', /system log/]),
  row(['GPFS', GPFS, HARD_LINK], ['link', EREMOTEIO, '/lock/'], ['IO_ERROR', 'link: EREMOTEIO', /system log/]),
  row(['GPFS', GPFS, HARD_LINK], ['link', EKEYEXPIRED, '/lock/'], ['CREDENTIALS_EXPIRED', 'link: EKEYEXPIRED', /kinit/]),
  row(['GPFS', GPFS, FLOCK], ['flock', EREMOTEIO, '/lock'], ['IO_ERROR', 'flock: EREMOTEIO', /system log/]),
  row(
    ['NetApp', NETAPP, HARD_LINK],
    ['create', errno.EDQUOT, '.mountlock-41c29-'],
    ['QUOTA_EXCEEDED', 'open: EDQUOT', /quota.*tree or the volume/],
  ),
  row(['NetApp', NETAPP, HARD_LINK], ['pwrite', errno.EDQUOT, '.mountlock-41c29-'], ['QUOTA_EXCEEDED', 'write: EDQUOT', /quota/]),
  row(['NetApp', NETAPP, HARD_LINK], ['link', errno.EDQUOT, '/lock/'], ['QUOTA_EXCEEDED', 'link: EDQUOT', /quota/]),
  row(['NetApp', NETAPP, RENAME], ['mkdir', errno.EDQUOT, '.mountlock-new-'], ['QUOTA_EXCEEDED', 'mkdir: EDQUOT', /quota/]),
  row(['NetApp', NETAPP, RENAME], ['rename', errno.EDQUOT, '/lock/'], ['QUOTA_EXCEEDED', 'rename: EDQUOT', /quota/]),
  row(['NetApp', NETAPP, SYMLINK], ['symlink', errno.EDQUOT, '/lock/'], ['QUOTA_EXCEEDED', 'symlink: EDQUOT', /quota/]),
  row(
    ['NetApp', NETAPP, FLOCK],
    ['flock', errno.ENOLCK, '/lock'],
    ['NO_LOCK_SERVICE', 'flock: ENOLCK', /rpc.statd.*lock-type=linkbased/],
  ),
  row(
    ['NetApp', NETAPP, FCNTL],
    ['fcntl', errno.ENOLCK, '/lock'],
    ['NO_LOCK_SERVICE', 'fcntl: ENOLCK', /rpc.statd.*lock-type=linkbased/],
  ),
  row(
    ['Azure Files', AZURE_FILES, HARD_LINK],
    ['link', errno.EOPNOTSUPP, '/lock/'],
    ['HARD_LINKS_REFUSED', 'link: ENOTSUP', /mfsymlinks.*use-symlinks=1/],
  ),
  row(
    ['Azure Files', AZURE_FILES, SYMLINK],
    ['symlink', errno.EOPNOTSUPP, '/lock/'],
    ['SYMLINKS_REFUSED', 'symlink: ENOTSUP', /mfsymlinks/],
    // There are no hard links on its shares.
    /lock-type=linkbased|use-symlinks=0|nolease/,
  ),
  row(
    ['EFS', EFS, FLOCK],
    ['flock', errno.ENOLCK, '/lock'],
    ['NO_LOCK_SERVICE', 'flock: ENOLCK', /hold fewer, or use lock-type=linkbased/],
    /system log/,
  ),
  row(
    ['Azure Files', AZURE_FILES, SYMLINK],
    ['create', errno.EACCES, '.mountlock-41c29-'],
    ['ACCESS_DENIED', 'open: EACCES', /file_mode=/],
    /root_squash/,
  ),
]

describe.each(CASES)(
  '$mount answers $call with error $error',
  ({ mount, on, locker, call, part, error, code, seen, advice, never }) => {
    // The kernel's mount table does not tell it from any other server.
    const fileSystem = mount === 'NetApp' ? 'netapp' : fileSystemOf({ options: [], ...on }).id
    test(`the message says "${seen}" and ${advice}`, async (context) => {
      tried(context, { fileSystem, what: 'says what to do', kind: seen, how: 'stand-in' })
      const { env, refuse } = await refusing()
      const folder = await temporaryFolder()
      const agent = await Agent.start({ locker, env: { ...env, ...shownAs(folder, on) } })
      // What is refused is the claim, and not that a lock is made.
      const path = join(folder, 'lock')
      refuse(call, error, `${part} never`)
      const refused = await agent.refusal(path)
      expect(refused).toMatchObject({ name: 'LockFileSystemError', code })
      expect(refused.message).toContain(`(${seen})`)
      expect(refused.message).not.toMatch(/EIO_After|Unknown system error/)
      expect(refused.advice).toMatch(advice)
      expect(refused.advice).not.toMatch(never)
      expect(refused.cause?.message).not.toMatch(/EIO_After|Unknown system error/)
    })
  },
)

test.each([
  ['EFS', 177, 200, EFS, errno.EMLINK],
  ['a brick of GlusterFS on ext4, which answers that there is no space,', 46, 100, GLUSTERFS, errno.ENOSPC],
])('%s: a file can have %i names, and %i locks of a directory are held all the same', async (_, most, count, on, error) => {
  const { env } = await refusing()
  const folder = await temporaryFolder()
  const limited = { ...env, LINKS_MAX: String(most), LINKS_ERROR: String(error) }
  const agent = await Agent.start({ env: { ...limited, ...shownAs(folder, on) } })
  const locks = await Promise.all(Array.from({ length: count }, (_, index) => agent.acquire(join(folder, `lock-${index}`))))
  expect(readdirSync(folder).filter((name) => name.startsWith('.mountlock-41c29-')).length).toBeGreaterThan(1)
  for (const lock of locks) expect(await lock.release()).toEqual({ lost: false })
})

describe('EFS, which does not make a shared lock exclusive, nor the reverse', () => {
  /** What is answered to a process that asks for it. */
  const CONVERT = `
import fcntl, sys
lock = {'flock': fcntl.flock, 'fcntl': fcntl.lockf}[sys.argv[2]]
with open(sys.argv[1], 'r+') as file:
    lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    try:
        lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print('converted')
    except OSError as error:
        print(error.errno)
`
  test.for(['flock', 'fcntl'] as const)(
    'a process has %s locks of both kinds in turn, and asks for no such thing',
    async (kind, context) => {
      tried(context, { fileSystem: 'efs', what: 'shared and exclusive in turn, without converting one', kind, how: 'stand-in' })
      const { env } = await refusing()
      const path = join(await temporaryFolder(), 'lock')
      writeFileSync(path, '')
      const standIn = { ...env, CONVERSION: String(errno.EIO) }
      const answered = execFileSync('python3', ['-c', CONVERT, path, kind], {
        env: { ...process.env, ...standIn },
        encoding: 'utf8',
      })
      expect(answered.trim()).toBe(String(errno.EIO))

      const agent = new AdvisoryAgent({ under: ['env', ...Object.entries(standIn).map(([name, value]) => `${name}=${value}`)] })
      onTestFinished(() => agent.end())
      const take = (shared: boolean) => agent.ask({ op: 'attempt', path, kind, shared })
      for (const shared of [true, false, true]) {
        const { outcome, hold } = await take(shared)
        expect(outcome).toBe('held')
        expect(await take(!shared)).toEqual({ outcome: 'busy' })
        await agent.ask({ op: 'release', hold })
      }
    },
  )
})

describe('a lock that Workbench respects too', () => {
  test.each([
    [errno.ENOSYS, 'NOT_SUPPORTED', 'fcntl: ENOSYS'],
    [errno.EIO, 'IO_ERROR', 'fcntl: EIO'],
    [EREMOTEIO, 'IO_ERROR', 'fcntl: EREMOTEIO'],
  ] as const)('says that fcntl was refused with error %i, and leaves nothing behind', async (error, code, seen) => {
    const { env, plan, refuse } = await refusing()
    const folder = await temporaryFolder()
    const directory = join(folder, 'sources', 'session-1a2b3c4d')
    mkdirSync(directory, { recursive: true })
    const path = join(directory, 'lock_file')
    const agent = await Agent.start({ locker: { workbench: true }, env: { ...env, ...shownAs(folder, NETAPP) } })
    refuse('fcntl', error, 'session-1a2b3c4d never')
    const refused = await agent.refusal(path)
    expect(refused).toMatchObject({ name: 'LockFileSystemError', code })
    expect(refused.message).toContain(`(${seen})`)
    rmSync(plan)
    const held = (await agent.ask('acquire', { path })) as object
    expect(await agent.ask('release', held)).toEqual({ lost: false })
  })
})

test('NetApp: a lock in a snapshot is refused with the way out of it', async () => {
  const { env, refuse } = await refusing()
  const folder = await temporaryFolder()
  const snapshot = join(folder, '.snapshot', 'hourly.0')
  mkdirSync(snapshot, { recursive: true })
  const agent = await Agent.start({ env: { ...env, ...shownAs(folder, NETAPP) } })
  refuse('create', errno.EROFS, '.mountlock-41c29- never')
  expect(await agent.refusal(join(snapshot, 'lock'))).toMatchObject({
    code: 'READ_ONLY',
    advice: expect.stringContaining('outside of .snapshot'),
  })
})

test('NetApp: a lock that cannot be given back names the operation and the quota, and no message says that nothing was locked', async () => {
  const { env, refuse } = await refusing()
  const folder = await temporaryFolder()
  const agent = await Agent.start({ env: { ...env, ...shownAs(folder, NETAPP) } })
  const lock = await agent.acquire(join(folder, 'lock'))
  refuse('rename', errno.EDQUOT, '.free never')
  const refused = await refusalOf(lock.release())
  expect(refused).toMatchObject({ code: 'QUOTA_EXCEEDED', errno: 'EDQUOT' })
  expect(refused.message).toContain('(rename: EDQUOT)')
  expect(refused.message).not.toContain('nothing was locked')
})

describe('doctor', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => bench.close())

  async function examine(
    on: MountedAs,
    refusal?: readonly [call: string, errno: number, part: string],
    more = {},
    args: readonly string[] = [],
  ) {
    const { env, refuse } = await refusing()
    const folder = await temporaryFolder()
    if (refusal !== undefined) refuse(...refusal)
    const only = bench.locktester(['doctor', '--json', ...args, folder], { env: { ...env, ...more, ...shownAs(folder, on) } })
    await only.end
    expect(only.stdout, only.stderr).not.toBe('')
    const { findings, recommendation } = JSON.parse(only.stdout) as {
      findings: { code: string; severity: string; seen: string; remedy: string | null }[]
      recommendation: object | null
    }
    return { finding: (code: string) => findings.find((each) => each.code === code), recommendation }
  }

  test('Lustre without flock: says which option is missing, and recommends what works; with localflock, that locks stay on the node', async () => {
    const none = await examine(FSX_LUSTRE, ['flock', errno.ENOSYS, 'doctor never'])
    expect(none.finding('LOCK_FLOCK')).toMatchObject({
      severity: 'note',
      seen: expect.stringContaining('option flock on every node'),
    })
    expect(none.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })
    const local = await examine({ ...FSX_LUSTRE, options: ['localflock'] })
    expect(local.finding('ADVISORY_LOCAL')).toMatchObject({ severity: 'error' })
    expect((await examine({ ...FSX_LUSTRE, options: ['flock'] })).finding('ADVISORY_LOCAL')).toBeUndefined()
  })

  test('SMB: the verdict about hard links flips with nolease, and what is recommended with it', async () => {
    const share = { type: 'cifs', source: '//server/share' }
    const leases = await examine({ ...share, options: ['mfsymlinks'] })
    expect(leases.finding('SMB_LEASES')).toMatchObject({ severity: 'error', remedy: expect.stringContaining('nolease') })
    expect(leases.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: true })
    const quiet = await examine({ ...share, options: ['nolease'] })
    expect(quiet.finding('SMB_LEASES')).toBeUndefined()
    expect(quiet.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })
  })

  test('SMB: flock is named as what does not exclude, fcntl works, and so does lock-type=advisory, which takes it', async () => {
    const config = join(await temporaryFolder(), 'file-locks')
    writeFileSync(config, 'lock-type=advisory\n')
    const share = { type: 'cifs', source: '//server/share', options: ['vers=3.1.1', 'nolease'] }
    const { finding } = await examine(share, undefined, {}, ['--config', config])
    expect(finding('LOCK_FLOCK')).toMatchObject({ severity: 'note', seen: expect.stringContaining('flock does not exclude') })
    expect(finding('LOCK_FCNTL')).toMatchObject({ severity: 'ok' })
    expect(finding('LOCK_ADVISORY')).toMatchObject({ severity: 'ok' })
    expect(finding('CONFIGURED_LOCK_TYPE')).toBeUndefined()
  })

  test('a client that breaks the heartbeat of an opened file is found out, whatever the mount says of itself', async () => {
    const { finding } = await examine(GPFS, ['pwrite', errno.EINVAL, 'file- never'])
    expect(finding('HEARTBEAT')).toMatchObject({
      severity: 'warning',
      seen: expect.stringContaining('EINVAL'),
      remedy: expect.stringContaining('use-symlinks=1'),
    })
  })

  test('GlusterFS: a file that has no room for more names has as many as it takes, and is no full disk', async () => {
    const { finding, recommendation } = await examine(GLUSTERFS, undefined, {
      LINKS_MAX: '46',
      LINKS_ERROR: String(errno.ENOSPC),
    })
    expect(finding('LINK_COUNT')).toMatchObject({ severity: 'note', seen: 'A file can have 46 names' })
    expect(finding('NO_SPACE')).toBeUndefined()
    expect(recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })
  })

  test('Azure Files: refused hard links are named with the mount option that symbolic ones need', async () => {
    const { finding, recommendation } = await examine(AZURE_FILES, ['link', errno.EOPNOTSUPP, '/ never'])
    expect(finding('HARD_LINK')).toMatchObject({ severity: 'warning', remedy: expect.stringContaining('mfsymlinks') })
    expect(recommendation).toEqual({ lockType: 'linkbased', useSymlinks: true })
  })
})

test('a flock that is answered EACCES, after the file was opened, is a missing permission', async () => {
  const { env, refuse } = await refusing()
  const folder = await temporaryFolder()
  const agent = await Agent.start({ locker: FLOCK, env: { ...env, ...shownAs(folder, GPFS) } })
  refuse('flock', errno.EACCES, '/lock never')
  expect(await agent.refusal(join(folder, 'lock'))).toMatchObject({ code: 'ACCESS_DENIED', errno: 'EACCES' })
})

describe('locks by hard links on SMB', () => {
  const share = (...options: string[]): MountedAs => ({ type: 'cifs', source: '//server/share', options })

  async function start(on: MountedAs, locker: LockerOptions) {
    const { env } = await refusing()
    const folder = await temporaryFolder()
    return { folder, agent: await Agent.start({ locker, env: { ...env, ...shownAs(folder, on) } }) }
  }

  test('are refused before anything is made, where the mount has leases, with both remedies', async () => {
    const { folder, agent } = await start(share('vers=3.1.1', 'mfsymlinks'), HARD_LINK)
    for (const call of ['tryAcquire', 'acquire', 'tryAcquireSync', 'acquireSync'] as const) {
      const refused = await agent.refusal(join(folder, 'lock'), call)
      expect(refused).toMatchObject({ name: 'LockFileSystemError', code: 'HARD_LINKS_UNSAFE' })
      expect(refused.advice).toMatch(/nolease/)
      expect(refused.advice).toMatch(/use-symlinks=1 on a mount with mfsymlinks/)
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test('are refused on shares of Azure Files, which have none, with the one remedy that helps there', async () => {
    const { folder, agent } = await start({ ...AZURE_FILES, options: ['vers=3.1.1', 'mfsymlinks'] }, HARD_LINK)
    const refused = await agent.refusal(join(folder, 'lock'))
    expect(refused).toMatchObject({
      code: 'HARD_LINKS_UNSAFE',
      advice: expect.stringContaining('mfsymlinks, and set use-symlinks=1'),
    })
    expect(refused.advice).not.toContain('nolease')
  })

  test('are taken with nolease, and by symbolic links without it', async () => {
    const quiet = await start(share('nolease'), HARD_LINK)
    expect(await quiet.agent.tryAcquire(join(quiet.folder, 'lock'))).not.toBeNull()
    const symbolic = await start(share('mfsymlinks'), SYMLINK)
    expect(await symbolic.agent.tryAcquire(join(symbolic.folder, 'lock'))).not.toBeNull()
  })
})
