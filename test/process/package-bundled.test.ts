/**
 * Programs into which a bundler has put the library, and jest, which has a loader of its own. Goal: they lock. Method: real
 * bundlers and real jest, on the packed package; the bundle runs where there is no package any more.
 */

import { execFile } from 'node:child_process'
import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import * as esbuild from 'esbuild'
import { rollup } from 'rollup'
import * as vite from 'vite'
import { describe, expect, test } from 'vitest'
import { installed, ROOT } from './support/installed.js'
import { temporaryFolder } from './support/folder.js'

const run = promisify(execFile)

/** A life with everything that a bundler may leave behind: the thread, heartbeats, another thread, compat, fs-ext. */
const PROGRAM = `
import { createLocker } from 'mountlock'
import { lock as lockFile } from 'mountlock/proper-lockfile'
import { readdirSync, readFileSync } from 'node:fs'
const beatIn = (folder) => {
  const session = readdirSync(folder).find((name) => name.startsWith('.mountlock-41c29-'))
  return Number(/"beat":(\\d+)/.exec(readFileSync(folder + '/' + session, 'utf8'))[1])
}
const main = async () => {
  const path = process.argv[2] + '/lock'
  const locker = createLocker({ refreshRateMs: 100 })
  const lock = await locker.acquire(path)
  const first = beatIn(process.argv[2])
  while (beatIn(process.argv[2]) < first + 3) await new Promise((resolve) => setTimeout(resolve, 20))
  lock.assertHeld()
  await lock.release()
  locker.acquireSync(path).releaseSync()
  await (await lockFile(process.argv[2], { realpath: false, lockfilePath: process.argv[2] + '/compat' }))()
  const advisory = createLocker({ lockType: 'advisory' })
  const said = await advisory.acquire(process.argv[2] + '/advisory').then(() => 'advisory too', ({ code }) => code)
  await advisory.close()
  await locker.close()
  console.log('locked, ' + said)
}
main()
`

type Format = 'esm' | 'cjs'
const BUNDLERS: Record<string, (entry: string, out: string, format: Format) => Promise<unknown>> = {
  esbuild: (entry, outfile, format) =>
    esbuild.build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format, logLevel: 'error' }),
  rollup: async (entry, file, format) => {
    const bundle = await rollup({
      input: entry,
      plugins: [nodeResolve({ exportConditions: ['node'], preferBuiltins: true })],
      onwarn: (warning) => {
        throw new Error(warning.message)
      },
    })
    await bundle.write({ file, format, inlineDynamicImports: true })
    await bundle.close()
  },
  vite: (entry, out, format) =>
    vite.build({
      root: join(entry, '..'),
      configFile: false,
      logLevel: 'error',
      ssr: { noExternal: true },
      build: {
        ssr: entry,
        outDir: join(out, '..'),
        emptyOutDir: false,
        rolldownOptions: { output: { format, entryFileNames: out.split('/').at(-1) as string } },
      },
    }),
}

describe.each(Object.entries(BUNDLERS))('a program bundled by %s', (_, bundle) => {
  test.each([
    ['esm', 'mjs'],
    ['cjs', 'cjs'],
  ] as const)('locks (%s)', async (format, extension) => {
    const folder = await installed()
    const entry = join(folder, 'program.mjs')
    await writeFile(entry, PROGRAM)
    await mkdir(join(folder, 'out'))
    await bundle(entry, join(folder, 'out', `bundle.${extension}`), format)
    expect(await readdir(join(folder, 'out'))).toEqual([`bundle.${extension}`])
    // Somewhere else: nothing of the package is near.
    const elsewhere = await temporaryFolder()
    await rename(join(folder, 'out'), join(elsewhere, 'out'))
    const program = [join(elsewhere, 'out', `bundle.${extension}`), elsewhere]
    expect(await run(process.execPath, program, { cwd: elsewhere })).toEqual({
      stdout: 'locked, FS_EXT_NOT_INSTALLED\n',
      stderr: '',
    })
    // The addon is no text that a bundler could put anywhere: it is found when it is installed beside the bundle.
    await mkdir(join(elsewhere, 'node_modules'))
    await symlink(join(ROOT, 'node_modules/fs-ext'), join(elsewhere, 'node_modules/fs-ext'))
    await symlink(join(ROOT, 'node_modules/nan'), join(elsewhere, 'node_modules/nan'))
    expect(await run(process.execPath, program, { cwd: '/' })).toEqual({ stdout: 'locked, advisory too\n', stderr: '' })
  })
})

const JEST_TEST = `
const { createLocker, LockLostError, LockTimeoutError } = require('mountlock')
const lockfile = require('mountlock/proper-lockfile')
const { mkdtempSync, readdirSync, readFileSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')

jest.setTimeout(60000)
const folder = mkdtempSync(tmpdir() + '/mountlock-jest-')
const locker = createLocker({ refreshRateMs: 100 })
afterAll(() => locker.close())

const beat = () => {
  const session = readdirSync(folder).find((name) => name.startsWith('.mountlock-41c29-'))
  return Number(/"beat":(\\d+)/.exec(readFileSync(folder + '/' + session, 'utf8'))[1])
}

test('locks, with calls of both kinds, and keeps the lock alive', async () => {
  const lock = await locker.acquire(folder + '/lock')
  const first = beat()
  while (beat() < first + 3) await new Promise((resolve) => setTimeout(resolve, 20))
  lock.assertHeld()
  const other = createLocker()
  await expect(other.acquire(folder + '/lock', { waitMs: 10 })).rejects.toThrow(LockTimeoutError)
  await lock.release()
  expect(() => lock.assertHeld()).toThrow(LockLostError)
  other.acquireSync(folder + '/lock').releaseSync()
  await other.close()
})

test('goes by the real time where jest fakes it', async () => {
  const lock = await locker.acquire(folder + '/faked')
  jest.useFakeTimers()
  jest.advanceTimersByTime(3600000)
  expect(lock.held).toBe(true)
  await lock.release()
  await (await locker.acquire(folder + '/faked')).release()
  jest.useRealTimers()
})

test('is proper-lockfile, as a function and with its functions', async () => {
  const file = folder + '/file'
  writeFileSync(file, '')
  const release = await lockfile(file)
  expect(await lockfile.check(file)).toBe(true)
  await expect(lockfile.lock(file)).rejects.toMatchObject({ code: 'ELOCKED' })
  await release()
  lockfile.lockSync(file)()
  expect(lockfile.checkSync(file)).toBe(false)
})
`

test('plain jest loads it, and its tests can lock', async () => {
  const folder = await installed()
  await writeFile(join(folder, 'package.json'), '{ "jest": { "testEnvironment": "node" } }')
  await writeFile(join(folder, 'locks.test.js'), JEST_TEST)
  const { stderr } = await run(process.execPath, [join(ROOT, 'node_modules/jest/bin/jest.js'), '--ci', '--rootDir', folder], {
    cwd: folder,
  })
  expect(stderr).toContain('Tests:       3 passed, 3 total')
})
