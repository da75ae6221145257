/** `locktester demo`, the first thing that a newcomer runs. */

import { readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Bench, childrenOf, stoppingFrom } from './fixtures/locktester-driver.mjs'

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.close())

test('it plays the dialogue of two terminals and a crash, to the letter, and cleans up', async () => {
  const TMPDIR = await bench.directory()
  const demo = bench.locktester(['demo'], { env: { TMPDIR } })
  expect(await demo.end).toBe(0)
  expect(demo.stderr).toBe('')
  const [, first, second, third] = demo.stdout.split(/^terminal .\n {2}\$ locktester .*\n/m)
  expect(first).toMatch(/^ {2}\* Acquired advisory lock\n {2}\* Acquired link-based lock\n/)
  expect(second).toMatch(
    /^ {2}\* Unable to acquire advisory lock\n {2}\* Unable to acquire link-based lock\n\s*\n {2}Your filesystem appears to support advisory and link-based locks\.\n/,
  )
  expect(third).toMatch(/^ {2}\* Acquired advisory lock\n {2}\* Acquired link-based lock\n {2}\^C\n/)
  expect(await readdir(TMPDIR)).toEqual([])
})

test.each(['linkbased', 'advisory'])(
  'without fs-ext it says so, with the remedy, and shows link-based locks (lock-type=%s)',
  async (lockType) => {
    const TMPDIR = await bench.directory()
    const RSTUDIO_CONFIG_DIR = dirname(await bench.config(`lock-type=${lockType}\n`))
    const demo = bench.locktester(['demo'], { env: { TMPDIR, RSTUDIO_CONFIG_DIR }, root: await bench.packageWithoutFsExt() })
    expect(await demo.end).toBe(0)
    expect(demo.stdout).toContain('npm install fs-ext')
    expect(demo.stdout).toContain('  Your filesystem appears to support link-based locks.\n')
    expect(await readdir(TMPDIR)).toEqual([])
  },
)

test('Ctrl+C in the middle leaves neither a process nor a directory', async () => {
  const TMPDIR = await bench.directory()
  const demo = bench.locktester(['demo'], { env: { TMPDIR, ...stoppingFrom(2) } })
  await demo.says('terminal 2')
  const isStopped = async (pid: number) => / T /.test(await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ''))
  const stopped = async () => (await Promise.all((await childrenOf(demo)).map(isStopped))).includes(true)
  await vi.waitUntil(stopped, { timeout: 30_000 })
  const children = await childrenOf(demo)
  expect(children).toHaveLength(2)
  demo.kill('SIGINT')
  expect(await demo.end).toBe('SIGINT')
  expect(await readdir(TMPDIR)).toEqual([])
  for (const child of children) expect(() => process.kill(child, 0)).toThrow('ESRCH')
})

test('where the temporary directory cannot be written it fails with the reason', async () => {
  const demo = bench.locktester(['demo'], { env: { TMPDIR: '/proc' } })
  expect(await demo.end).toBe(69)
  expect(demo.stderr).toContain('Nothing can be made in /proc, where temporary files belong (')
  expect(demo.stderr).toContain('TMPDIR=DIR locktester demo')
})
