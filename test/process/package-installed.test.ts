/**
 * The ways to install that the README names. Goal: the program starts and the library can be imported, without a step that the
 * README leaves out. Method: npm itself, with a prefix of its own, the packed tarball, and a git repository of this state of the
 * source. npm builds that one, so it installs what a build needs first: here nothing else, and all of it in full runs
 * (MOUNTLOCK_SOAK).
 */

import { execFile } from 'node:child_process'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from './support/folder.js'
import { packed, ROOT } from './support/installed.js'

const run = promisify(execFile)
/** What is not in a repository, and what a build does not need. */
const LEFT_OUT = ['.git', 'node_modules', 'dist', 'build', '.vitest', 'test']
const FOR_A_BUILD = ['@types/node', '@types/yargs', 'rolldown', 'typescript', 'yargs']
const isFull = process.env.MOUNTLOCK_SOAK !== undefined
const QUIETLY = ['--no-audit', '--no-fund', '--prefer-offline']
const INSTALL_MS_MAX = 300_000

interface Manifest {
  devDependencies: Record<string, string>
}

/** A repository with the source of this checkout, as a URL. */
async function repository(): Promise<string> {
  const folder = await temporaryFolder()
  await cp(ROOT, folder, { recursive: true, filter: (source) => !LEFT_OUT.includes(relative(ROOT, source)) })
  if (!isFull) await needOnlyABuild(join(folder, 'package.json'))
  const git = (...args: string[]) => run('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
  await git('init', '-q')
  await git('add', '-A')
  await git('commit', '-q', '-m', 'all')
  return `git+file://${folder}`
}

async function needOnlyABuild(file: string): Promise<void> {
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest
  const devDependencies = Object.fromEntries(
    Object.entries(manifest.devDependencies).filter(([name]) => FOR_A_BUILD.includes(name)),
  )
  await writeFile(file, JSON.stringify({ ...manifest, devDependencies }))
}

const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }

/** The program starts, the library can be imported, and npm told of no script of ours that it did not run. */
async function expectToWork(program: string, library: string, told: string): Promise<void> {
  expect(await run(program, ['--version'])).toEqual({ stdout: `${version}\n`, stderr: '' })
  const { stdout } = await run(process.execPath, ['-p', 'typeof require(process.argv[1]).createLocker', library])
  expect(stdout).toBe('function\n')
  expect(told).not.toContain('mountlock@')
}

test(
  'installed with -g from the tarball, the program is in the PATH, and its manual page with it',
  async () => {
    const prefix = await temporaryFolder()
    const env = { ...process.env, npm_config_prefix: prefix }
    const { stderr } = await run('npm', ['install', '-g', ...QUIETLY, await packed()], { cwd: prefix, env })
    await expectToWork(join(prefix, 'bin/locktester'), join(prefix, 'lib/node_modules/mountlock'), stderr)
    expect(await readdir(join(prefix, 'share/man/man1'))).toEqual(['locktester.1'])
  },
  INSTALL_MS_MAX,
)

test(
  'installed in a program from a git URL, it was built',
  async () => {
    const [folder, url] = [await temporaryFolder(), await repository()]
    await writeFile(join(folder, 'package.json'), '{ "private": true }')
    // npm 12 asks for the option; npm 11 takes it as its default.
    const { stderr } = await run('npm', ['install', '--allow-git=root', ...QUIETLY, url], { cwd: folder })
    await expectToWork(join(folder, 'node_modules/.bin/locktester'), join(folder, 'node_modules/mountlock'), stderr)
  },
  INSTALL_MS_MAX,
)
