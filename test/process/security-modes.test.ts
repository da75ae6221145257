/**
 * Which users may read and write the files that locking makes: the table in SECURITY.md. Goal: it is so whatever the umask, for
 * files that others must read, and with the umask for those that they need not. Method: a process with each umask makes
 * them all.
 */

import { execFile } from 'node:child_process'
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Agent } from './support/agent.js'
import { cleared, temporaryFolder } from './support/folder.js'

const execute = promisify(execFile)
const PROGRAM = new URL('../../bin/locktester', import.meta.url).pathname
const modeOf = (...path: string[]) => (lstatSync(join(...path)).mode & 0o7777).toString(8)
const isSession = (name: string) => name.startsWith('.mountlock-41c29-')

describe.each(['000', '022', '077'])('with a umask of %s', (umask) => {
  const mask = Number.parseInt(umask, 8)

  test.each([
    { directory: 0o700, lock: '700' },
    { directory: 0o755, lock: '755' },
    { directory: 0o770, lock: '770' },
    { directory: 0o1777, lock: '1777' },
    { directory: 0o2775, lock: '2775' },
  ])(
    'a lock directory has the mode of the one around it ($lock), and a session file is readable for all',
    async ({ directory, lock }) => {
      const folder = await temporaryFolder(directory)
      const agent = await Agent.start({ umask: mask })
      await agent.acquire(join(folder, 'lock'))
      expect(modeOf(folder, 'lock')).toBe(lock)
      const sessions = readdirSync(folder).filter(isSession)
      expect(sessions).toHaveLength(1)
      for (const name of sessions) expect(modeOf(folder, name)).toBe('644')
      await cleared(join(folder, 'lock'))
      for (const name of readdirSync(join(folder, 'lock'))) expect(modeOf(folder, 'lock', name)).toBe('644')
    },
  )

  test.each([
    { directory: 0o700, file: '600' },
    { directory: 0o755, file: '644' },
    { directory: 0o770, file: '660' },
    { directory: 0o1777, file: '666' },
  ])(
    'the file of an advisory lock may be written by all that may write to its directory ($file)',
    async ({ directory, file }) => {
      const folder = await temporaryFolder(directory)
      const agent = await Agent.start({ umask: mask, locker: { lockType: 'advisory' } })
      await agent.ask('acquire', { path: join(folder, 'lock') })
      expect(modeOf(folder, 'lock')).toBe(file)
    },
  )

  test('a log file is made for its owner and his group, less the umask', async () => {
    const folder = await temporaryFolder()
    const agent = await Agent.start({ umask: mask, locker: { enableLogging: true, logFile: join(folder, 'log') } })
    await (await agent.acquire(join(folder, 'lock'))).release()
    await agent.ask('close')
    expect(modeOf(folder, 'log')).toBe((0o640 & ~mask).toString(8))
  })

  test('the directory that locktester makes for a user is his own', async () => {
    const home = await temporaryFolder()
    const env = { ...process.env, HOME: home, RSTUDIO_DATA_HOME: '', XDG_DATA_HOME: '' }
    await execute('sh', ['-c', `umask ${umask} && exec "$@"`, 'sh', process.execPath, PROGRAM, '--no-hold'], { env })
    expect(modeOf(home, '.local/share/rstudio')).toBe('700')
    expect(modeOf(home, '.local/share/rstudio/.locktester')).toBe('700')
  })
})
