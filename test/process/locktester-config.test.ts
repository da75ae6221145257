/** `locktester config check` and `locktester config show`. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { Bench } from './fixtures/locktester-driver.mjs'
import { conformsTo } from './fixtures/locktester-schema.mjs'

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.close())

test('check says nothing on standard output of a clean file, and ends with 0', async () => {
  const file = await bench.config('lock-type=linkbased\n')
  const only = bench.locktester(['config', 'check', file])
  expect(await only.end).toBe(0)
  expect(only.stdout).toBe('')
  expect(only.stderr).toBe(`${file}: 0 errors, 0 warnings\n`)
})

test('check prints each diagnostic as compilers do, and ends with 78', async () => {
  const file = await bench.config('use-symlinks=both\nrefersh-rate=20\n')
  const only = bench.locktester(['config', 'check', file])
  expect(await only.end).toBe(78)
  expect(only.stdout.split('\n')).toEqual([
    `${file}:1:14: error: use-symlinks: expected 0 or 1, got "both"; the default is used`,
    `${file}:2:1: error: unknown key "refersh-rate"; the line is ignored; did you mean refresh-rate?`,
    '',
  ])
  expect(only.stderr).toBe(`${file}: 2 errors, 0 warnings\n`)
})

test('check shows warnings, which are no errors', async () => {
  const file = await bench.config('refresh-rate=20\ntimeout-interval=21\n')
  const only = bench.locktester(['config', 'check', file])
  expect(await only.end).toBe(0)
  expect(only.stdout).toContain(`${file}:2:18: warning: timeout-interval is so close to refresh-rate`)
})

test('show prints every setting as the file spells it, with the line that it came from', async () => {
  const file = await bench.config('# ours\nlock-type=advisory\n\nlog-file=/var/log/locks\n')
  const only = bench.locktester(['config', 'show', file])
  expect(await only.end).toBe(0)
  expect(only.stderr).toBe('')
  expect(only.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['lock-type=advisory', `${file}:2`],
    ['use-symlinks=0', 'default'],
    ['refresh-rate=20', 'default'],
    ['timeout-interval=30', 'default'],
    ['enable-logging=0', 'default'],
    ['log-file=/var/log/locks', `${file}:4`],
    [''],
  ])
})

test('where the current directory is gone, a relative path is not taken for a file that is not there', async () => {
  const directory = await bench.directory()
  const gone = ['sh', '-c', 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', 'sh']
  const env = { RSTUDIO_CONFIG_DIR: 'etc' }
  const said = 'etc/file-locks: error: the file cannot be read (its path is relative, and the current directory is gone)'
  const through = ['sh', '-c', `cd ${directory} && exec "$@"`, 'sh', ...gone]
  for (const args of [
    ['config', 'check'],
    ['config', 'check', 'etc/file-locks'],
    ['run', `${directory}/lock`, '--', 'echo', 'ran'],
  ]) {
    const only = bench.locktester(args, { env, through })
    expect(await only.end, only.stderr).toBe(78)
    expect(only.stdout + only.stderr).toContain(said)
    expect(only.stdout).not.toContain('ran')
  }
})

test('show takes the file that the environment names, and says when there is none', async () => {
  const RSTUDIO_CONFIG_DIR = await bench.directory()
  const only = bench.locktester(['config', 'show'], { env: { RSTUDIO_CONFIG_DIR } })
  expect(await only.end).toBe(0)
  expect(only.stderr).toBe(`${RSTUDIO_CONFIG_DIR}/file-locks does not exist: the defaults are in force.\n`)
  expect(only.stdout).toContain('lock-type=linkbased')
})

test('a file that was named and is not there is wrong usage', async () => {
  const file = `${await bench.directory()}/file-locks`
  const only = bench.locktester(['config', 'check', file])
  expect(await only.end).toBe(64)
  expect(only.stderr).toContain(`There is no such file: ${file}`)
})

test('--json of both is what the published schema says', async () => {
  const file = await bench.config('lock-type=advisory\nuse-symlinks=yes\n')
  for (const action of ['check', 'show']) {
    const only = bench.locktester(['config', action, '--json', file])
    expect(await only.end).toBe(78)
    const report = JSON.parse(only.stdout)
    expect(await conformsTo('config', report)).toEqual([])
    expect(report.settings[0]).toEqual({ key: 'lock-type', value: 'advisory', line: 1 })
    expect(report.settings[1]).toEqual({ key: 'use-symlinks', value: '0', line: null })
    expect(report.diagnostics).toMatchObject([{ severity: 'error', code: 'BAD_VALUE', line: 2, column: 14 }])
  }
})

test('the completion script of the shell is printed, and knows the commands', async () => {
  const script = bench.locktester(['completion'])
  expect(await script.end).toBe(0)
  expect(script.stdout).toContain('complete ')
  expect(script.stderr).toBe('')
  const [asked, given] = [
    bench.locktester(['completion', 'zsh'], { env: { SHELL: '/bin/bash' } }),
    bench.locktester(['completion'], { env: { SHELL: '/bin/zsh' } }),
  ]
  expect(await Promise.all([asked.end, given.end])).toEqual([0, 0])
  expect(asked.stdout).toContain('#compdef locktester')
  expect(asked.stdout).toBe(given.stdout)
  const bash = bench.locktester(['completion', 'bash'], { env: { SHELL: '/bin/zsh', ZSH_NAME: 'zsh' } })
  expect(await bash.end).toBe(0)
  expect(bash.stdout).not.toContain('#compdef')
  expect(bash.stdout).toContain('complete ')
  const words = bench.locktester(['--get-yargs-completions', ''])
  expect(await words.end).toBe(0)
  expect(words.stdout.split('\n')).toEqual(expect.arrayContaining(['run', 'config', 'demo']))
  expect(words.stdout).not.toContain('$0')
})
