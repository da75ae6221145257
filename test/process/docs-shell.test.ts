/**
 * The commands of the tutorial and of the recipes for the shell. Goal: each can be typed as it stands. Method: a shell, with
 * programs of this test in the place of those that are not ours: ssh runs its command here, srun too, and the others do nothing.
 */

import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'
import { ROOT } from './support/installed.js'

const run = promisify(execFile)
const LIMIT_MS = 60_000

const STAND_INS = {
  // Options, then the host, then the command.
  ssh: 'while [ "${1#-}" != "$1" ]; do case $1 in -o|-p|-l) shift;; esac; shift; done; shift; exec sh -c "$*"',
  srun: 'exec "$@"',
  'backup.sh': 'exit 0',
  'worker.sh': 'exit 0',
  rsync: 'exit 0',
}

/** What a command may end with on a machine that is alone, and busy. */
const ENDS = [
  { command: /^locktester (stress|nodes)/, codes: [0, 69] },
  { command: /./, codes: [0] },
]

async function commandsOf(page: string): Promise<string[]> {
  const text = await readFile(join(ROOT, 'docs', page), 'utf8')
  const indented = [...text.replace(/^( *)```[^]*?^\1```$/gm, '').matchAll(/^ {4,}(.*\b(?:locktester|esbuild)\b.*)$/gm)]
  // Of a line of a crontab, the command.
  const lines = indented.map(([, line = '']) => line.replace(/^(\S+ ){4}\S+ +(?=locktester)/, '').replace(/ +# .*$/, ''))
  // Of a manifest of Kubernetes, the words of the command.
  const manifests = [...text.matchAll(/^ +command: (\[.*\])$/gm)].map(([, words = '']) =>
    (JSON.parse(words) as string[]).join(' '),
  )
  return [...lines, ...manifests]
}

const COMMANDS = [...(await commandsOf('tutorial.md')), ...(await commandsOf('how-to.md'))]

test('the pages have commands', () => {
  expect(COMMANDS.length).toBeGreaterThan(7)
  for (const words of ['locktester run --no-wait -E 0', 'srun locktester', 'esbuild', 'worker.sh'])
    expect(COMMANDS).toContainEqual(expect.stringContaining(words))
})

/** What a reader has before a bundler is started: a program, and the library beside it. */
async function makeProgram(home: string): Promise<void> {
  await mkdir(join(home, 'node_modules'))
  await symlink(ROOT, join(home, 'node_modules/mountlock'))
  const locks = `await locker.withLock('${home}/shared/report.lock', () => {}); await locker.close()`
  await writeFile(join(home, 'report.mjs'), `import { createLocker } from 'mountlock'\nconst locker = createLocker(); ${locks}\n`)
}

test.each(COMMANDS)('%s', { timeout: LIMIT_MS }, async (command) => {
  const home = await temporaryFolder()
  const [programs, shared] = [join(home, 'bin'), join(home, 'shared')]
  for (const folder of [programs, shared, join(home, '.local/share/rstudio/sources/session-4f2a91c3')])
    await mkdir(folder, { recursive: true })
  await symlink(join(ROOT, 'bin/locktester'), join(programs, 'locktester'))
  for (const [name, text] of Object.entries(STAND_INS))
    await writeFile(join(programs, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  await writeFile(join(home, 'stage-data.sh'), '#!/bin/sh\n', { mode: 0o755 })
  await makeProgram(home)
  // What would go on until Ctrl+C, or for a minute, is cut short.
  const short = command.replace(/--duration \d+/, '--duration 3').replace(/--workbench$/, '$& --no-hold')
  const env = {
    PATH: `${programs}:${ROOT}/node_modules/.bin:${process.env.PATH}`,
    HOME: home,
    SLURM_SUBMIT_DIR: home,
    RSTUDIO_CONFIG_DIR: home,
  }
  const ran = run('sh', ['-c', short.replaceAll('/shared/ann', shared)], { cwd: home, env })
  const { code, stderr } = await ran.then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: { code: number; stderr: string }) => error,
  )
  expect(ENDS.find((each) => each.command.test(command))?.codes, stderr).toContain(code)
})
