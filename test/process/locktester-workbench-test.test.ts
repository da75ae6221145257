/**
 * `locktester --workbench` opposite Workbench's own locktester, for which a specimen stands: both orders, to the letter, in each
 * form that theirs may be configured to, with what is said where theirs reports wrongly.
 */

import { lstat, mkdir, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Bench, OTHER_NODE, type Program } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'

const SPECIMEN = fileURLToPath(new URL('fixtures/workbench-locktester.mjs', import.meta.url))
const BOTH_ACQUIRED = '* Acquired advisory lock\n* Acquired link-based lock\n'
const PATIENCE = { timeout: 20_000 }

let bench: Bench
let directory: string
let file: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
  file = join(directory, 'locktester_file')
})
afterEach(() => bench.close())

interface Setting {
  timeoutIntervalS?: number
  fileLocks?: string
  loadBalancer?: boolean
}

/** The configuration that both programs read. */
async function configure({
  timeoutIntervalS = 4,
  fileLocks = '',
  loadBalancer = false,
}: Setting): Promise<Record<string, string>> {
  const RSTUDIO_CONFIG_DIR = dirname(await bench.config(`refresh-rate=1\ntimeout-interval=${timeoutIntervalS}\n${fileLocks}`))
  if (loadBalancer) await writeFile(join(RSTUDIO_CONFIG_DIR, 'load-balancer'), '')
  return { RSTUDIO_CONFIG_DIR }
}

const theirs = (env: Record<string, string>, through: readonly string[] = []): Program =>
  bench.start([...through, process.execPath, SPECIMEN, file], { env })
const ours = (env: Record<string, string>, ...more: string[]): Program =>
  bench.locktester(['--workbench', file, ...more], { env })

/** A node whose processes have high numbers: on one where only few have started, no process has them. */
const NODE_WITH_HIGH_PIDS = [...OTHER_NODE, 'sh', '-c', 'echo 20000 > /proc/sys/kernel/ns_last_pid && "$@"; :', 'sh']

/** What theirs says below its heading. */
const verdictOf = ({ stdout }: Program) => stdout.slice(stdout.indexOf('* '))

const FORMS: [string, string][] = [
  ['hard link', ''],
  ['symlink', 'use-symlinks=1\n'],
]

describe('ours first, then theirs', () => {
  test.each(FORMS)('theirs is unable to acquire either lock, and says so to the letter (%s)', async (_, fileLocks) => {
    const env = await configure({ fileLocks })
    const holder = ours(env)
    await holder.says(BOTH_ACQUIRED)
    const second = theirs(env)
    expect(await second.end).toBe(0)
    expect(verdictOf(second)).toBe(
      '* Unable to acquire advisory lock \n\n* Unable to acquire link-based lock \n\n\n' +
        'Your filesystem appears to support both advisory and link-based locks.\n',
    )
    expect(holder.isRunning).toBe(true)
    expect(holder.stdout).toBe(BOTH_ACQUIRED)
  })

  test('so is one on another node, to which our process means nothing, load-balanced or not, for as long as ours holds', async () => {
    for (const loadBalancer of [false, true]) {
      const env = await configure({ loadBalancer })
      const holder = ours(env)
      await holder.says(BOTH_ACQUIRED)
      // Longer than the timeout-interval of both.
      const heldSince = Date.now()
      await vi.waitUntil(() => Date.now() - heldSince > 5000, PATIENCE)
      const second = theirs(env, OTHER_NODE)
      await second.end
      expect(verdictOf(second)).toContain('support both advisory and link-based locks.')
      holder.kill('SIGINT')
      expect(await holder.end).toBe(0)
    }
  })

  test('what it leaves is the file as theirs leaves it when it is released, and the next one of theirs acquires both', async () => {
    const env = await configure({})
    const holder = ours(env)
    await holder.says(BOTH_ACQUIRED)
    expect(await readFile(file, 'utf8')).toBe('1\n')
    holder.kill('SIGINT')
    expect(await holder.end).toBe(0)
    expect(holder.stderr).toContain('Released.')
    expect(await readFile(file, 'utf8')).toBe('-1\n')
    expect((await readdir(directory)).filter((name) => name !== '.rstudio-lock-claims-41c29')).toEqual(['locktester_file'])
    await theirs(env).says(BOTH_ACQUIRED)
  })

  test('another one of ours is unable to acquire either lock, too', async () => {
    const env = await configure({})
    await ours(env).says(BOTH_ACQUIRED)
    const second = ours(env)
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(
      '* Unable to acquire advisory lock\n* Unable to acquire link-based lock\n\n' +
        'Your filesystem appears to support advisory and link-based locks.\n',
    )
    expect(second.stderr).toContain('held by another locktester --workbench')
  })
})

describe('theirs first, then ours', () => {
  test.each(FORMS)('the link-based lock is told, of the advisory one why it cannot be told (%s)', async (_, fileLocks) => {
    const env = await configure({ fileLocks, loadBalancer: false })
    const holder = theirs(env)
    await holder.says(BOTH_ACQUIRED)
    const before = await stat(file)
    const second = ours(env)
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe('* Unable to acquire link-based lock\n\nYour filesystem appears to support link-based locks.\n')
    expect(second.stderr).toContain(`process ${holder.pid} of a node that the file does not name`)
    expect(second.stderr).toContain('Of the advisory lock nothing can be told')
    expect((await stat(file)).ino).toBe(before.ino)
    expect(await readFile(file, 'utf8')).toBe(String(holder.pid))
    expect(holder.isRunning).toBe(true)
  })

  test('--json has the same, as the schema says', async () => {
    const env = await configure({})
    await theirs(env).says(BOTH_ACQUIRED)
    const second = ours(env, '--json')
    expect(await second.end).toBe(0)
    const report = JSON.parse(second.stdout)
    expect(await conformsTo('test', report)).toEqual([])
    expect(report).toMatchObject({
      locks: [{ lockType: 'linkbased', result: 'excluded' }],
      supported: ['link-based'],
      holds: false,
    })
    expect(report.warnings.map(({ code }: { code: string }) => code)).toContain('ADVISORY_UNTOLD')
  })

  test.each(FORMS)(
    'one that was killed is watched for its timeout-interval, and then ours acquires both (%s)',
    async (_, fileLocks) => {
      const env = await configure({ fileLocks })
      const holder = theirs(env)
      await holder.says(BOTH_ACQUIRED)
      holder.kill('SIGKILL')
      await holder.end
      expect((await lstat(file)).isFile()).toBe(fileLocks === '')
      const second = ours(env)
      await second.says(BOTH_ACQUIRED)
      expect(second.stderr).toContain('Watching whether it is refreshed')
    },
  )
})

describe('what makes theirs report wrongly is said when it is seen, with the remedy', () => {
  test('a fresh file where load-balancer is configured: theirs then claims support on the very first node', async () => {
    const env = await configure({ loadBalancer: true, timeoutIntervalS: 600 })
    const first = theirs(env)
    expect(await first.end).toBe(0)
    expect(verdictOf(first)).toContain('Your filesystem appears to support link-based locks.') // of no other node
    const second = ours(env, '--no-hold')
    await second.end
    expect(second.stdout).toBe(BOTH_ACQUIRED)
    expect(second.stderr).toContain('says on the very first node that link-based')
    expect(second.stderr).toContain('Run it again once the file is 10 min old')
  })

  test('an empty file that is old means nothing, and nothing is said of it', async () => {
    const env = await configure({ loadBalancer: true })
    await writeFile(file, '')
    const longAgoS = Date.now() / 1000 - 60
    await utimes(file, longAgoS, longAgoS)
    const only = ours(env, '--no-hold')
    await only.end
    expect(only.stdout).toBe(BOTH_ACQUIRED)
    expect(only.stderr).not.toContain('very first node')
  })

  test('no load-balancer: two of theirs on two nodes both acquire, and ours says why when it meets one', async () => {
    const env = await configure({})
    await theirs(env, NODE_WITH_HIGH_PIDS).says(BOTH_ACQUIRED)
    await theirs(env, OTHER_NODE).says('* Acquired link-based lock') // on top of a lock that is held
    const second = ours(env)
    await second.end
    expect(second.stderr).toContain(`There is no load-balancer file in ${env.RSTUDIO_CONFIG_DIR}`)
    expect(second.stderr).toContain('so that two nodes may both acquire')
    expect(second.stderr).toContain(`Make an empty file ${env.RSTUDIO_CONFIG_DIR}/load-balancer on every node`)
  })
})

describe('the file', () => {
  test('is by default the one of theirs, in the client-state directory', async () => {
    const env = { ...(await configure({})), HOME: directory }
    const only = bench.locktester(['--workbench', '--no-hold'], { env })
    expect(await only.end, only.stderr).toBe(0)
    expect(only.stdout).toBe(BOTH_ACQUIRED)
    expect(await readFile(join(directory, '.local/share/rstudio/locktester_file'), 'utf8')).toBe('-1\n')
  })

  test('that is a document stays what it is: both locks fail, and it is said why', async () => {
    await writeFile(file, 'Dear Ann,')
    const only = ours(await configure({}))
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe('* Unable to acquire advisory lock\n* Unable to acquire link-based lock\n')
    expect(await readFile(file, 'utf8')).toBe('Dear Ann,')
    await mkdir(join(directory, 'folder'))
    const other = bench.locktester(['--workbench', join(directory, 'folder')], { env: await configure({}) })
    expect(await other.end).toBe(69)
  })

  test('--all and --workbench exclude each other', async () => {
    const only = bench.locktester(['--workbench', '--all', file])
    expect(await only.end).toBe(64)
    expect(only.stderr).toContain('--workbench and --all exclude each other')
  })
})
