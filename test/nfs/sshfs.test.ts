/**
 * Goal: on sshfs, where the kernel's advisory locks do not reach the server, link-based locks exclude and the tester says so.
 * Method: one directory mounted twice on this machine, through two file servers of their own.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { acquiredBy, type Contender, contend, NO_VIOLATIONS, prepare, type Start, violations } from './contention.js'
import { TwoMounts } from './fuse.js'
import { startOnHost } from './host-program.js'
import { REPOSITORY } from './lab/paths.js'
import { figure, LINK_KINDS, LOCK_KINDS, proves } from './support.js'

const mounts = await TwoMounts.sshfs()
afterAll(() => mounts.close())

const SSHFS = { name: 'sshfs' }
const DURATION_MS = figure(8000, 60_000)

/** A new directory, as each of the two mounts shows it. */
function newDirectories(): [string, string] {
  const [a, b] = mounts.at
  const directory = mkdtempSync(`${a}/`)
  return [directory, directory.replace(a, b)]
}

const start: Start = (name, options) => startOnHost(['node', `${REPOSITORY}/test/nfs/programs/${name}`, JSON.stringify(options)])

const locktester = (directory: string) =>
  startOnHost(['node', `${REPOSITORY}/bin/locktester`, directory], { RSTUDIO_CONFIG_DIR: '/nonexistent' })

describe('on sshfs', () => {
  test.for(LINK_KINDS)(
    'processes on two mounts never hold one %s lock at the same time',
    { timeout: DURATION_MS + 60_000 },
    async (kind, context) => {
      const tell = proves(context, SSHFS, 'excludes, in the order of the tokens', kind)
      const [a, b] = newDirectories()
      execFileSync('sh', ['-c', prepare(a)])
      const contenders = [a, a, b, b].map((directory): Contender => ({ start, directory, locker: LOCK_KINDS[kind] }))
      const reports = await contend(contenders, DURATION_MS)
      expect(violations(reports)).toEqual(NO_VIOLATIONS)
      tell(`${acquiredBy(reports.slice(0, 2))} + ${acquiredBy(reports.slice(2))} acquisitions`)
      for (const { acquired } of reports) expect(acquired).toBeGreaterThan(0)
    },
  )

  test('both mounts acquire the advisory lock, and the tester says that it is not safe', async (context) => {
    proves(context, SSHFS, 'locktester: says that advisory locks do not exclude')
    const [a, b] = newDirectories()
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

  test('a rename-based lock is refused with the reason: a file server of this kind renames by link and unlink', async (context) => {
    proves(context, SSHFS, 'refuses rename-based locks, with the reason')
    const [a] = newDirectories()
    const driver = startOnHost(['node', `${REPOSITORY}/test/nfs/programs/driver.mjs`, JSON.stringify(LOCK_KINDS.rename)])
    driver.write(`${JSON.stringify({ id: 1, op: 'tryAcquire', path: `${a}/lock` })}\n`)
    driver.endInput()
    await driver.end
    const answer = driver.stdout.split('\n').find((line) => line.startsWith('{"id":1')) ?? driver.stderr
    expect(JSON.parse(answer)).toMatchObject({
      error: { code: 'RENAME_NOT_EXCLUSIVE', message: expect.stringContaining('two renames of one file may both succeed') },
    })
  })
})
