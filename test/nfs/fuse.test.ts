/**
 * Goal: on FUSE, where it is the file system's business whether the kernel's advisory locks reach the server, link-based locks
 * exclude, and the tester says what the advisory ones do: not on sshfs, but on GlusterFS (full run only), where flock and fcntl are
 * one lock.
 * Method: one directory mounted twice on this machine; each mount has a process of its own, as on two nodes.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync } from 'node:fs'
import { beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { NEVER_TWO_BUT_REFUSED } from '../tried/readme-table.js'
import { acquiredBy, type Contender, contend, NO_VIOLATIONS, prepare, type Start, violations } from './contention.js'
import { expectDialogue } from './dialogue.js'
import type { TwoMounts } from './fuse.js'
import { mountGlusterfs } from './glusterfs.js'
import { startOnHost } from './host-program.js'
import { REPOSITORY } from './lab/paths.js'
import { mountSshfs } from './sshfs.js'
import { BY_BOTH_CALLS, expectToExclude, KEEPS_OUT_EITHER } from './questions/advisory.js'
import { ADVISORY_KINDS, Driver, figure, isSoak, LINK_KINDS, LOCK_KINDS, type LockKind, PACE, proves } from './support.js'

const DURATION_MS = figure(8000, 60_000)
const CONTENTION = { timeout: DURATION_MS + 60_000 }
/** The first time it downloads and unpacks. */
const MOUNT_MS_MAX = 300_000

/** A new directory, as each of the two mounts shows it. */
function newDirectories({ at: [a, b] }: TwoMounts): [string, string] {
  const directory = mkdtempSync(`${a}/`)
  return [directory, directory.replace(a, b)]
}

const start: Start = (name, options) => startOnHost(['node', `${REPOSITORY}/test/nfs/programs/${name}`, JSON.stringify(options)])

const locktester = (directory: string) =>
  startOnHost(['node', `${REPOSITORY}/bin/locktester`, directory], { RSTUDIO_CONFIG_DIR: '/nonexistent' })

async function expectExclusion(mounts: TwoMounts, place: { name: string }, kind: LockKind, context: TestContext): Promise<void> {
  const tell = proves(context, place, 'excludes, in the order of the tokens', kind)
  const [a, b] = newDirectories(mounts)
  execFileSync('sh', ['-c', prepare(a)])
  const contenders = [a, a, b, b].map((directory): Contender => ({ start, directory, locker: LOCK_KINDS[kind] }))
  const reports = await contend(contenders, DURATION_MS)
  expect(violations(reports)).toEqual(NO_VIOLATIONS)
  tell(`${acquiredBy(reports.slice(0, 2))} + ${acquiredBy(reports.slice(2))} acquisitions`)
  for (const { acquired } of reports) expect(acquired).toBeGreaterThan(0)
}

async function expectRenameRefused(mounts: TwoMounts, place: { name: string }, context: TestContext): Promise<void> {
  proves(context, place, 'refuses rename-based locks, with the reason')
  const [a] = newDirectories(mounts)
  const driver = startOnHost(['node', `${REPOSITORY}/test/nfs/programs/driver.mjs`, JSON.stringify(LOCK_KINDS.rename)])
  driver.write(`${JSON.stringify({ id: 1, op: 'tryAcquire', path: `${a}/lock` })}\n`)
  const lineOf = (text: string) => text.split('\n').find((line) => line.startsWith('{"id":1') && line.endsWith('}'))
  // The end of its input closes the locker, and with it what is under way.
  const answer = await driver.sees(({ stdout }) => lineOf(stdout), { what: 'the answer' })
  driver.endInput()
  await driver.end
  expect(JSON.parse(answer)).toMatchObject({
    error: { code: 'RENAME_NOT_EXCLUSIVE', message: expect.stringContaining('two renames of one file may both succeed') },
  })
}

describe('on sshfs', () => {
  const place = { name: 'sshfs' }
  let mounts: TwoMounts
  beforeAll(async () => {
    mounts = await mountSshfs()
    return () => mounts.close()
  })

  test.for(LINK_KINDS)('processes on two mounts never hold one %s lock at the same time', CONTENTION, (kind, context) =>
    expectExclusion(mounts, place, kind, context),
  )

  test('both mounts acquire the advisory lock, and the tester says that it is not safe', async (context) => {
    proves(context, place, 'locktester: says that advisory locks do not exclude')
    const [a, b] = newDirectories(mounts)
    const first = locktester(a)
    try {
      await first.sees(({ stderr }) => stderr.includes('Holding.') || undefined, { what: 'hold' })
      const second = locktester(b)
      expect(await second.end, second.stderr).toMatchObject({ code: 76 })
      expect(second.stdout).toBe(
        '* Acquired advisory lock\n* Unable to acquire link-based lock\n\nYour filesystem appears to support link-based locks.\n',
      )
      expect(second.stderr).toContain('EVERY NODE ACQUIRED IT')
    } finally {
      first.kill('SIGINT')
      await first.end
    }
  })

  test('a rename-based lock is refused with the reason: a file server of this kind renames by link and unlink', (context) =>
    expectRenameRefused(mounts, place, context))
})

if (isSoak) {
  describe('on GlusterFS', () => {
    const place = { name: 'GlusterFS' }
    let mounts: TwoMounts
    beforeAll(async () => {
      mounts = await mountGlusterfs()
      return () => mounts.close()
    }, MOUNT_MS_MAX)

    test.for(['hard link', ...ADVISORY_KINDS] as const)(
      'processes on two mounts never hold one %s lock at the same time',
      CONTENTION,
      (kind, context) => expectExclusion(mounts, place, kind, context),
    )

    // GlusterFS can take back a symlink that others have seen already, see README.md.
    test(
      'processes on two mounts never hold one symlink lock at the same time, and may be refused it',
      CONTENTION,
      async (context) => {
        const tell = proves(context, place, NEVER_TWO_BUT_REFUSED, 'symlink')
        const [a, b] = newDirectories(mounts)
        execFileSync('sh', ['-c', prepare(a)])
        const refusable = { start, locker: LOCK_KINDS.symlink, mayRefuse: 'FOREIGN_LOCK' }
        const reports = await contend(
          [a, a, b, b].map((directory): Contender => ({ ...refusable, directory })),
          DURATION_MS,
        )
        expect(violations(reports)).toEqual(NO_VIOLATIONS)
        const refusals = reports.reduce((total, { refused }) => total + refused, 0)
        tell(`${acquiredBy(reports.slice(0, 2))} + ${acquiredBy(reports.slice(2))} acquisitions, ${refusals} refusals`)
        for (const { acquired } of reports) expect(acquired).toBeGreaterThan(0)
      },
    )

    test('the default advisory lock and programs that use one of its calls keep each other out', async (context) => {
      proves(context, place, KEEPS_OUT_EITHER)
      const directories = newDirectories(mounts)
      const startIn = async (directory: string, options: object) => {
        const argv = ['node', `${REPOSITORY}/test/nfs/programs/driver.mjs`, JSON.stringify({ ...PACE, ...options })]
        return { driver: await Driver.of(startOnHost(argv)), path: `${directory}/lock` }
      }
      const both = await startIn(directories[0], BY_BOTH_CALLS)
      const named = directories.flatMap((directory) => ADVISORY_KINDS.map((kind) => startIn(directory, LOCK_KINDS[kind])))
      const rivals = await Promise.all(named)
      await expectToExclude(both, rivals)
      await Promise.all([both, ...rivals].map(({ driver }) => driver.end()))
      for (const directory of directories) expect(readdirSync(directory)).toEqual(['lock'])
    })

    test('doctor says that flock and fcntl are one lock', async (context) => {
      proves(context, place, 'doctor: says that flock and fcntl are one lock')
      const [a] = newDirectories(mounts)
      const doctor = startOnHost(['node', `${REPOSITORY}/bin/locktester`, 'doctor', '--json', a])
      await doctor.end
      const { findings } = JSON.parse(doctor.stdout) as { findings: { code: string; seen: string }[] }
      expect(findings.find(({ code }) => code === 'ADVISORY_CALLS')?.seen).toContain('flock and fcntl are one lock here')
    })

    test('a rename-based lock is refused with the reason', (context) => expectRenameRefused(mounts, place, context))

    test("locktester has the manual's dialogue: the advisory lock of one mount excludes the other", async (context) => {
      proves(context, place, 'locktester: the two-node dialogue, to the letter')
      const [a, b] = newDirectories(mounts)
      await expectDialogue({ first: () => locktester(a), second: () => locktester(b) })
    })
  })
}
