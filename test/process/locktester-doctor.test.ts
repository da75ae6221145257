/**
 * `locktester doctor`, on file systems that are what they say: the one of the temporary directory, sshfs
 * without hard links, a full one, a read-only one, one that never answers. What the options of network mounts mean is a table, which is asked directly.
 */

import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { hostname, release, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { present } from '../../src/assert.js'
import { fileSystemOf } from '../../src/advice/file-systems.js'
import { linkFindings, spaceFindings } from '../../src/cli/doctor/measures.js'
import { kernelShape } from '../../src/cli/doctor/anonymous.js'
import { localLocks, mountFindings, sessionFindings } from '../../src/cli/doctor/mount-rules.js'
import { mountOf } from '../../src/cli/shared/mounts.js'
import { Bench, pausingUntil, withMounts } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'

const run = promisify(execFile)

interface Finding {
  code: string
  severity: string
  seen: string
  breaks: string | null
  remedy: string | null
}

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

async function examine(args: readonly string[] = [], more: Parameters<Bench['locktester']>[1] = {}) {
  const only = bench.locktester(['doctor', '--json', ...args, directory], more)
  const code = await only.end
  expect(only.stdout, only.stderr).not.toBe('')
  const report = JSON.parse(only.stdout)
  expect(await conformsTo('doctor', report)).toEqual([])
  expect(report.exitCode).toBe(code)
  const finding = (wanted: string): Finding | undefined => report.findings.find(({ code }: Finding) => code === wanted)
  return { report, code, finding }
}

describe('on a good file system', () => {
  test('every primitive and every kind of lock works, and linkbased with hard links is recommended', async () => {
    const { report, code } = await examine()
    expect(code).toBe(0)
    expect(report.primitives.map(({ name, failure }: { name: string; failure: string | null }) => [name, failure])).toEqual(
      ['exclusive create', 'mkdir', 'read', 'stat', 'list', 'unlink', 'rename', 'hard link', 'heartbeat', 'symlink'].map(
        (name) => [name, null],
      ),
    )
    expect(report.locks.map(({ kind, failure }: { kind: string; failure: object | null }) => [kind, failure])).toEqual(
      ['hard link', 'symlink', 'rename', 'flock', 'fcntl'].map((kind) => [kind, null]),
    )
    expect(report.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: false })
  })

  test('it measures the clock, the time stamps, the space and the links, and says which user and node this is', async () => {
    const { report, finding } = await examine()
    expect(Math.abs(report.clock.offsetMs)).toBeLessThan(1000)
    expect(report.space.freeBytes).toBeGreaterThan(0)
    expect(report.links.atLeast).toBeGreaterThan(10)
    expect(finding('OWNER')).toMatchObject({ severity: 'ok', seen: expect.stringContaining('Files come out as ours') })
    expect(finding('IDENTITY')).toMatchObject({ severity: 'ok', seen: expect.stringContaining('root (uid 0)') })
    expect(finding('LOCAL_DISK')).toMatchObject({ severity: 'warning' })
  })

  test('each finding that is not fine says what it breaks', async () => {
    const { report } = await examine()
    for (const { severity, breaks } of report.findings as Finding[]) expect(breaks === null).toBe(severity === 'ok')
  })

  test('the text ends with a recommendation that is a file-locks file, and the directory is as it was', async () => {
    const only = bench.locktester(['doctor', directory])
    expect(await only.end).toBe(0)
    const [, recommendation = ''] = only.stdout.split('Recommendation\n')
    const check = bench.locktester(['config', 'check', await bench.config(recommendation)])
    expect(await check.end).toBe(0)
    expect(check.stderr).toContain('0 errors, 0 warnings')
    expect(recommendation).toContain('lock-type=linkbased\nuse-symlinks=0\n')
    // A local disk: nothing is said of other nodes but that they do not see it.
    expect(recommendation).toContain('For the processes of this node alone')
    expect(recommendation).not.toContain('locktester nodes')
    expect(recommendation).toMatch(/\n# \d+ warnings?, 0 errors\n$/)
    expect(only.stderr).toBe('')
    expect(await readdir(directory)).toEqual([])
  })

  test('the text begins with the directory, as it is really called', async () => {
    await mkdir(join(directory, 'real'))
    await symlink('real', join(directory, 'link'))
    const only = bench.locktester(['doctor', 'link'], { cwd: directory })
    expect(await only.end).toBe(0)
    expect(only.stdout.startsWith(`Directory: ${directory}/real\n\n`)).toBe(true)
  })

  test('the client-state directory is named, and what was created of it is removed again', async () => {
    const made = bench.locktester(['doctor'], { env: { HOME: directory } })
    expect(await made.end).toBe(0)
    const path = join(directory, '.local/share/rstudio')
    expect(made.stdout.startsWith(`Directory: ${path} (your client-state directory, since none was named)\n`)).toBe(true)
    expect(await readdir(directory)).toEqual([])
    await mkdir(join(directory, '.local'))
    const part = bench.locktester(['doctor', '--json'], { env: { HOME: directory } })
    expect(await part.end).toBe(0)
    expect(JSON.parse(part.stdout).directory).toBe(path)
    expect(await readdir(directory)).toEqual(['.local'])
    expect(await readdir(join(directory, '.local'))).toEqual([])
    await mkdir(path, { recursive: true })
    expect(await bench.locktester(['doctor'], { env: { HOME: directory } }).end).toBe(0)
    expect(await readdir(path)).toEqual([])
  })

  test('a client-state directory that it has created stays where another process uses it by then', async () => {
    const file = join(directory, '.local/share/rstudio/file')
    const only = bench.locktester(['doctor'], { env: { HOME: directory, ...pausingUntil(file) } })
    await only.says('Mount\n')
    await writeFile(file, '')
    expect(await only.end).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('')
  })

  test('Ctrl+C in the middle ends it by that signal, and leaves nothing behind', async () => {
    const only = bench.locktester(['doctor', directory], { env: pausingUntil('SIGINT') })
    await only.says('Mount\n')
    only.kill('SIGINT')
    expect(await only.end).toBe('SIGINT')
    expect(await readdir(directory)).toEqual([])
  })
})

describe('where something is wrong', () => {
  /** A file system in a file, seen by the program alone. */
  async function mounted(make: readonly string[], options: string): Promise<readonly string[]> {
    const image = join(await bench.directory(), 'image')
    await run('truncate', ['--size=64M', image])
    const [command = '', ...args] = make
    await run(command, [...args, image])
    return withMounts(`mount -o loop,${options} ${image} ${directory}`)
  }

  /** sshfs in front of a local sftp-server, seen by the program alone; it ends with the program's mount namespace. */
  async function sshfs(options: string): Promise<readonly string[]> {
    const served = await bench.directory()
    const script = join(await bench.directory(), 'ssh')
    await writeFile(script, '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n', { mode: 0o755 })
    return withMounts(`sshfs -o ssh_command=${script},${options} server:${served} ${directory}`)
  }

  test('without hard links: use-symlinks=1 is recommended, and the configured type does not work: 69', async () => {
    const { report, code, finding } = await examine([], { through: await sshfs('disable_hardlink') })
    expect(code).toBe(69)
    expect(finding('HARD_LINK')).toMatchObject({ severity: 'warning', remedy: expect.stringContaining('use-symlinks=1') })
    expect(finding('CONFIGURED_LOCK_TYPE')).toMatchObject({ severity: 'error', breaks: 'It does not work here.' })
    expect(finding('SSHFS')).toMatchObject({ severity: 'warning' })
    expect(finding('TIME_STAMPS')).toMatchObject({ severity: 'note', seen: 'Time stamps are exact to 1 s' })
    expect(report.recommendation).toEqual({ lockType: 'linkbased', useSymlinks: true })
  })

  test('advisory locks that stay on this node are not safe when they are the configured ones: 76', async () => {
    const config = await bench.config('lock-type=advisory\n')
    const { report, code, finding } = await examine(['--config', config], { through: await sshfs('reconnect') })
    expect(code).toBe(76)
    expect(finding('LOCK_FLOCK')).toMatchObject({ severity: 'warning', breaks: expect.stringContaining('this node only') })
    expect(finding('CONFIGURED_LOCK_TYPE')).toMatchObject({ severity: 'error', breaks: 'It does not exclude other nodes here.' })
    expect(report.recommendation).toMatchObject({ lockType: 'linkbased' })
  })

  test('a file system that is almost full is a warning', async () => {
    const full = await mounted(['mkfs.ext4', '-q', '-m', '0'], 'rw')
    const fill = ['sh', '-ec', `head -c 50000000 /dev/zero > ${directory}/filler || true; exec "$@"`, 'sh']
    const { finding } = await examine([], { through: [...full, ...fill] })
    expect(finding('SPACE')).toMatchObject({ severity: 'warning', breaks: expect.stringContaining('When it is full') })
  })

  test('a read-only mount is an error by its options and by the trial: 69', async () => {
    const readOnly = withMounts(`mount --bind ${directory} ${directory}; mount -o remount,bind,ro ${directory}`)
    const { code, report, finding } = await examine([], { through: readOnly })
    expect(code).toBe(69)
    expect(
      report.findings.filter(({ code }: Finding) => code === 'READ_ONLY').map(({ section }: { section: string }) => section),
    ).toEqual(['mount', 'directory'])
    expect(finding('READ_ONLY')).toMatchObject({ severity: 'error', remedy: 'Mount it read-write.' })
    expect(report.recommendation).toBeNull()
  })

  test('files that come out as of another user are a warning that names the mapping', async () => {
    const squashed = await sshfs('uid=65534,gid=65534')
    const { finding } = await examine([], { through: squashed })
    expect(finding('OWNER')).toMatchObject({
      severity: 'warning',
      seen: expect.stringContaining('uid 65534'),
      breaks: expect.stringContaining('root_squash'),
    })
  })

  test('a mount that does not answer is an error within bounds, with its options all the same: 69', async () => {
    const dead = withMounts(`exec 9<>/dev/fuse; mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 none ${directory}`)
    const startMs = performance.now()
    const only = bench.locktester(['doctor', '--json', directory], { through: dead })
    expect(await only.end).toBeOneOf(['SIGTERM', 'SIGKILL', 69])
    expect(performance.now() - startMs).toBeLessThan(30_000)
    const report = JSON.parse(only.stdout)
    expect(report.fileSystem).toMatchObject({ type: 'fuse', mountPoint: directory })
    expect(report.findings).toContainEqual(expect.objectContaining({ code: 'SERVER_TIMEOUT', severity: 'error' }))
    expect(report.exitCode).toBe(69)
  })

  test('a configuration with errors is 78, with the line', async () => {
    const config = await bench.config('lock-type=both\n')
    const { code, finding } = await examine(['--config', config])
    expect(code).toBe(78)
    expect(finding('CONFIG_BAD_VALUE')).toMatchObject({ severity: 'error', seen: expect.stringContaining(`${config}:1:11`) })
  })

  test('without fs-ext advisory locks are noted as unusable, with the remedy', async () => {
    const { code, finding } = await examine([], { root: await bench.packageWithoutFsExt() })
    expect(code).toBe(0)
    expect(finding('LOCK_FLOCK')).toMatchObject({ severity: 'note', seen: expect.stringContaining('npm install fs-ext') })
    // It is told once.
    expect(finding('LOCK_FCNTL')).toMatchObject({
      severity: 'note',
      seen: 'fcntl: FS_EXT_NOT_INSTALLED, for the same reason as flock',
    })
  })

  test('a user without permission is told so: 69', async () => {
    await chmod(directory, 0o755)
    const { code, finding } = await examine([], { through: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] })
    expect(code).toBe(69)
    const denied = finding('ACCESS_DENIED')
    expect(denied).toMatchObject({ severity: 'error', remedy: expect.stringContaining('write and search permission') })
    expect(denied?.seen).toMatch(/^Permission denied: .*EACCES\)$/)
    expect(finding('IDENTITY')?.seen).not.toContain('uid (uid')
  })

  test('a user without a name is called by its number', async () => {
    const { finding } = await examine([], { through: ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups'] })
    expect(finding('IDENTITY')?.seen).toMatch(/, as uid 54321, /)
  })

  test('lock-type=advisory is tried as it is taken: by both calls on one file', async () => {
    const config = await bench.config('lock-type=advisory\n')
    const { report, code, finding } = await examine(['--config', config])
    expect(code).toBe(0)
    expect(report.locks.map(({ kind }: { kind: string }) => kind)).toContain('advisory')
    expect(finding('LOCK_ADVISORY')).toMatchObject({ severity: 'ok' })
    const root = await bench.packageWithoutFsExt()
    const without = await examine(['--config', config], { root })
    expect(without.code).toBe(69)
    expect(without.finding('LOCK_ADVISORY')).toMatchObject({ severity: 'note' })
    expect(without.finding('CONFIGURED_LOCK_TYPE')).toMatchObject({ severity: 'error', breaks: 'It does not work here.' })
  })

  test('the page that it leads to is there, and has the heading that it names', async () => {
    const known = bench.locktester(['doctor', directory])
    expect(await known.end).toBe(0)
    const unknown = bench.locktester(['doctor', '/proc/self'])
    expect(await unknown.end).toBe(69)
    for (const [{ stdout }, expected] of [
      [known, fileSystemOf(present(mountOf(directory), 'a mount')).title],
      [unknown, 'My mount is not trusted: what now'],
    ] as const) {
      const [, page = '', heading = ''] = /(\S+file-systems\.md), "(.*)"/.exec(stdout) ?? []
      expect(isAbsolute(page)).toBe(true)
      expect(heading).toBe(expected)
      expect(await readFile(page, 'utf8')).toContain(`\n## ${heading}\n`)
    }
  })

  test('a directory that is not there is wrong usage', async () => {
    const only = bench.locktester(['doctor', join(directory, 'nowhere')])
    expect(await only.end).toBe(64)
    await mkdir(join(directory, 'there'))
    expect(await bench.locktester(['doctor', join(directory, 'there')]).end).toBe(0)
  })
})

describe('--report', () => {
  test('writes what can be sent in: what the file system is and does, and no name, address or path', async () => {
    const served = await bench.directory()
    const report = join(await bench.directory(), 'report.json')
    const script = join(await bench.directory(), 'ssh')
    await writeFile(script, '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n', { mode: 0o755 })
    const mounts = withMounts(`sshfs -o ssh_command=${script},disable_hardlink ann@filer.example:${served} ${directory}`)
    const only = bench.locktester(['doctor', '--report', report, directory], { through: mounts })
    expect(await only.end).toBe(69)
    expect(only.stdout).toContain(`# What can be sent in is in ${report}`)
    const text = await readFile(report, 'utf8')
    for (const personal of ['ann', 'filer', 'example', directory, served, hostname(), userInfo().username])
      expect(text).not.toContain(personal)
    const sent = JSON.parse(text)
    expect(sent).toMatchObject({
      version: 1,
      kernel: kernelShape(release()),
      exitCode: 69,
      recommendation: { useSymlinks: true },
    })
    expect(sent.fileSystem).toMatchObject({
      id: 'sshfs',
      type: 'fuse.sshfs',
      options: expect.arrayContaining(['rw', 'user_id=…']),
    })
    expect(sent.primitives).toContainEqual({ name: 'hard link', failure: expect.any(String), medianMs: null })
    expect(sent.locks).toContainEqual(expect.objectContaining({ kind: 'hard link', failure: 'HARD_LINKS_REFUSED' }))
    expect(sent.findings).toContainEqual({ code: 'SSHFS', severity: 'warning' })
  })

  test('a file that cannot be written is told before anything is tried', async () => {
    const only = bench.locktester(['doctor', '--report', join(directory, 'missing', 'report.json'), directory])
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe('')
    expect(await readdir(directory)).toEqual([])
  })
})

describe('mounts that show directories of other file systems', () => {
  test('bindfs, mergerfs and layers are called by their names, and what one node can tell works', async () => {
    const [below, beside] = [await bench.directory(), await bench.directory()]
    const cases = [
      [`bindfs ${below} ${directory}`, 'bindfs', 'FUSE'],
      [`mergerfs -o use_ino ${below}:${beside} ${directory}`, 'mergerfs', 'FUSE'],
      [
        `mount -t tmpfs layers ${beside} && mkdir ${beside}/upper ${beside}/work && mount -t overlay -o lowerdir=${below},upperdir=${beside}/upper,workdir=${beside}/work overlay ${directory}`,
        'Layers of a container (overlay)',
        'OVERLAY',
      ],
    ] as const
    for (const [script, title, code] of cases) {
      const { report, finding } = await examine([], { through: withMounts(script) })
      expect(fileSystemOf(report.fileSystem).title).toBe(title)
      expect(finding(code)).toMatchObject({ severity: 'warning' })
      // On none of them it is certain that of two renames one fails.
      expect(report.locks.filter(({ failure }: { failure: unknown }) => failure !== null)).toEqual([
        expect.objectContaining({ kind: 'rename', failure: expect.objectContaining({ code: 'RENAME_NOT_EXCLUSIVE' }) }),
      ])
    }
  })
})

describe('what mount options mean', () => {
  const mount = (type: string, ...options: string[]) => ({
    type,
    options,
    source: 'server:/export',
    mountPoint: '/shared',
    reach: 'shared' as const,
  })
  const codes = (type: string, ...options: string[]) =>
    mountFindings(mount(type, ...options))
      .filter(({ severity }) => severity !== 'ok')
      .map(({ severity, code }) => `${severity} ${code}`)

  test.each([
    ['nfs', ['vers=3', 'nolock'], ['error ADVISORY_LOCAL', 'note NFS_V3', 'note ATTRIBUTE_CACHE']],
    ['nfs', ['vers=3', 'local_lock=all', 'noac'], ['error ADVISORY_LOCAL', 'note NFS_V3', 'note NO_ATTRIBUTE_CACHE']],
    ['nfs', ['local_lock=flock'], ['error FLOCK_LOCAL', 'note ATTRIBUTE_CACHE']],
    ['nfs4', ['vers=4.2', 'hard', 'local_lock=none'], ['note ATTRIBUTE_CACHE']],
    ['nfs4', ['vers=4.1', 'soft', 'actimeo=0'], ['warning SOFT_MOUNT', 'note NO_ATTRIBUTE_CACHE']],
    [
      'nfs4',
      ['nocto', 'lookupcache=none', 'ro'],
      ['error READ_ONLY', 'warning NO_CLOSE_TO_OPEN', 'note LOOKUP_CACHE', 'note ATTRIBUTE_CACHE'],
    ],
    ['cifs', ['vers=3.0', 'nobrl'], ['error ADVISORY_LOCAL', 'note SMB', 'error SMB_LEASES']],
    ['cifs', ['vers=3.0', 'nolease'], ['note SMB']],
    ['gpfs', [], ['note UNKNOWN']],
    ['beegfs', [], ['note UNKNOWN', 'warning BEEGFS']],
    ['coda', [], ['note UNKNOWN']],
    ['fuse.gocryptfs', [], ['warning FUSE']],
    ['ecryptfs', [], ['note UNKNOWN']],
    ['newfs', [], ['note UNKNOWN']],
    ['fuse.something', [], ['warning FUSE']],
    ['fuse.sshfs', [], ['warning SSHFS']],
    ['fuse.s3fs', [], ['error OBJECT_STORE']],
    ['fuse.mergerfs', [], ['note UNKNOWN', 'warning FUSE']],
    ['fuse.glusterfs', [], []],
    ['overlay', ['lowerdir=/a'], ['warning OVERLAY']],
    ['lustre', ['localflock'], ['error ADVISORY_LOCAL']],
    ['lustre', ['flock'], []],
  ] as [string, string[], string[]][])('%s with %j: %j', (type, options, expected) => {
    expect(codes(type, ...options)).toEqual(expected)
  })

  test('of no file system what is not known is called well: it is to be proved between nodes', () => {
    const types = [
      'gpfs',
      'wekafs',
      'panfs',
      'orangefs',
      'pvfs2',
      'afs',
      'coda',
      'ncpfs',
      'vboxsf',
      '9p',
      'beegfs',
      'newfs',
      'fuse.x',
      'fuse',
    ]
    for (const type of types) {
      const findings = mountFindings(mount(type))
      const said = findings.filter(({ severity, remedy }) => severity !== 'ok' && remedy?.includes('locktester nodes'))
      expect(said.length, type).toBeGreaterThan(0)
      for (const { severity, seen } of findings) if (severity === 'ok') expect(seen, type).not.toContain('unknown: prove')
    }
  })

  test('MooseFS has options that keep advisory locks on a node and that no mount table shows', () => {
    const found = mountFindings({ ...mount('fuse', 'allow_other'), source: 'mfs#10.0.0.1:9421' })
    expect(found.filter(({ severity }) => severity !== 'ok')).toMatchObject([
      { severity: 'note', code: 'MOOSEFS', breaks: expect.stringContaining('mfsnobsdlocks or mfsnoposixlocks') },
    ])
  })

  test('on CephFS an interval that is no longer than the mds waits for a dead node is a warning, elsewhere it is none', () => {
    expect(sessionFindings(mount('ceph'), 60_000)).toMatchObject([
      { severity: 'warning', code: 'CEPHFS_SESSIONS', remedy: expect.stringContaining('timeout-interval=90') },
    ])
    expect(sessionFindings(mount('ceph'), 60_001)).toEqual([])
    expect(sessionFindings(mount('nfs4'), 30_000)).toEqual([])
    expect(sessionFindings(null, 30_000)).toEqual([])
  })

  test('what keeps which advisory lock on this node', () => {
    expect(localLocks(mount('nfs', 'nolock'))).toEqual({ flock: true, fcntl: true })
    expect(localLocks(mount('nfs', 'local_lock=posix'))).toEqual({ flock: false, fcntl: true })
    expect(localLocks(mount('nfs', 'local_lock=flock'))).toEqual({ flock: true, fcntl: false })
    expect(localLocks(mount('nfs4', 'local_lock=none'))).toEqual({ flock: false, fcntl: false })
  })

  test('a limit of the link count is named with what it means', () => {
    expect(linkFindings({ atLeast: 177, isLimit: true })).toMatchObject([
      { severity: 'note', breaks: expect.stringContaining('at most 176 hard-linked') },
    ])
    expect(linkFindings({ atLeast: 1000, isLimit: false })).toMatchObject([{ severity: 'ok' }])
  })

  test('no space is a warning, but where a file was written all the same, or nothing is told, it is none', () => {
    const none = { freeBytes: 0, freeInodes: null }
    expect(spaceFindings(none, false)).toMatchObject([{ severity: 'warning', seen: 'Free: 0 MiB' }])
    expect(spaceFindings(none, true)).toMatchObject([{ severity: 'note', seen: expect.stringContaining('a file was written') }])
    expect(spaceFindings(null, true)).toMatchObject([{ severity: 'ok', seen: expect.stringContaining('does not tell') }])
  })

  test('how old attributes may be: by default, by actimeo, and each by its own option', () => {
    const seen = (...options: string[]) =>
      mountFindings(mount('nfs4', ...options)).find(({ code }) => code === 'ATTRIBUTE_CACHE')?.seen
    expect(seen()).toContain('of files for 3 to 60 s, of directories for 30 to 60 s')
    expect(seen('actimeo=5')).toContain('of files for 5 to 5 s, of directories for 5 to 5 s')
    expect(seen('acregmax=10', 'acdirmin=1')).toContain('of files for 3 to 10 s, of directories for 1 to 60 s')
  })
})
