/**
 * What a program of a user sees of the package. Goal: an error leads to the line of the caller and can be read at one
 * glance, a held lock that is printed shows itself; installed from the tarball, required, and bundled. Method: the packed
 * tarball in a program of its own.
 */

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { installed } from './support/installed.js'

const run = promisify(execFile)

const LINES_MAX = 20

/** Each does its last line, with the marker, in vain. */
const FAILURES = {
  'an acquisition that takes too long': {
    call: "const lock = await locker.acquire('LOCK'); async function work() {\n  await another.acquire('LOCK', { waitMs: 1 }) // HERE\n}\nawait work()",
    says: 'Not acquired within 1 ms',
    name: 'LockTimeoutError',
  },
  'an acquisition where nothing can be locked': {
    call: "await locker.acquire('LOCK/missing/lock') // HERE",
    says: 'The directory of the lock was not found',
    name: 'LockFileSystemError',
  },
  'a blocking acquisition where nothing can be locked': {
    call: "locker.acquireSync('LOCK/missing/lock') // HERE",
    says: 'The directory of the lock was not found',
    name: 'LockFileSystemError',
  },
}

const ESM = "import { createLocker } from 'mountlock'"
const CJS = "const { createLocker } = require('mountlock')"

async function failureOf(
  folder: string,
  name: string,
  text: string,
  isBundled = false,
): Promise<{ stderr: string; line: string }> {
  const source = join(folder, name)
  await writeFile(source, text)
  const file = isBundled ? source.replace(/\.\w+$/, '.bundle.cjs') : source
  if (isBundled)
    await build({ entryPoints: [source], outfile: file, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' })
  const { stderr } = await run(process.execPath, [file], { cwd: folder }).then(
    () => {
      throw new Error('Expected the program to fail, and it did not')
    },
    (error: { stderr: string }) => error,
  )
  return { stderr, line: file }
}

describe.each(Object.entries(FAILURES))('%s', (_, { call, says, name }) => {
  const create = 'const [locker, another] = [createLocker(), createLocker()]'
  const cases = [
    { kind: 'ES module', file: 'program.mjs', text: (body: string) => `${ESM}\n${create}\n${body}` },
    {
      kind: 'CommonJS',
      file: 'program.cjs',
      text: (body: string) => `${CJS}\n${create}\nasync function main() {\n${body}\n}\nmain()`,
    },
    {
      kind: 'CommonJS bundle',
      file: 'bundled.mjs',
      text: (body: string) => `${ESM}\n${create}\nasync function main() {\n${body}\n}\nmain()`,
    },
  ]
  test.each(cases)('is told in few lines, with message and caller ($kind)', async ({ kind, file, text }) => {
    const folder = await installed()
    const body = call.replaceAll('LOCK', join(folder, 'lock'))
    const isBundled = kind.endsWith('bundle')
    const { stderr, line } = await failureOf(folder, file, text(body), isBundled)
    expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES_MAX)
    expect(stderr).toContain(`${name}: ${says}`)
    const row =
      text(body)
        .split('\n')
        .findIndex((one) => one.includes('HERE')) + 1
    if (isBundled)
      expect(stderr).toMatch(/at async (main|work) \(.*bundled\.bundle\.cjs:\d+:\d+\)|at main \(.*bundled\.bundle\.cjs/)
    else expect(stderr).toContain(`${line}:${row}:`)
    if (!isBundled) expect(stderr).toMatch(/mountlock\/dist\/.*library/)
    // No class or function of ours has lost its name.
    expect(stderr).not.toMatch(/\bat (async )?(new )?[A-Za-z]{1,2}\b[ .]/)
  })
})

test('in a program that is minified, an error keeps its name and is told in few lines', async () => {
  const folder = await installed()
  const body = `createLocker().acquire(${JSON.stringify(join(folder, 'missing/lock'))})`
  await writeFile(join(folder, 'small.mjs'), `${ESM}\nasync function main() {\nawait ${body}\n}\nmain()`)
  const [source, outfile] = [join(folder, 'small.mjs'), join(folder, 'small.cjs')]
  await build({ entryPoints: [source], outfile, bundle: true, minify: true, platform: 'node', format: 'cjs', logLevel: 'error' })
  const { stderr } = await run(process.execPath, [outfile], { cwd: folder }).then(
    () => ({ stderr: 'no error' }),
    (error: { stderr: string }) => error,
  )
  expect(stderr).toMatch(/^LockFileSystemError: The directory of the lock was not found/m)
  expect(stderr).not.toMatch(/\w+ \[LockFileSystemError\]/)
  expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES_MAX)
  expect(stderr.length).toBeLessThan(2000)
  expect(stderr.split('\n').findIndex((line) => line.includes('small.cjs'))).toBeLessThan(8)
})

test('the stack leads to our own source where source maps are on', async () => {
  const folder = await installed()
  const text = `${ESM}\ncreateLocker().acquireSync(${JSON.stringify(join(folder, 'missing/lock'))})`
  await writeFile(join(folder, 'mapped.mjs'), text)
  const failed = run(process.execPath, ['--enable-source-maps', 'mapped.mjs'], { cwd: folder })
  await expect(failed).rejects.toMatchObject({ stderr: expect.stringMatching(/src\/locker\/locker\.ts:\d+/) })
})

test('a lock that is printed shows itself', async () => {
  const folder = await installed()
  await mkdir(join(folder, 'locks'))
  const path = join(folder, 'locks/lock')
  const text = `${ESM}
    const locker = createLocker()
    const lock = await locker.acquire(${JSON.stringify(path)})
    console.log(lock)
    await lock.release()
    console.log(lock)
    console.log({ nested: { deeply: { lock } } })`
  await writeFile(join(folder, 'prints.mjs'), text)
  const { stdout } = await run(process.execPath, ['prints.mjs'], { cwd: folder })
  const [held, released] = stdout.split(/(?<=^\})\n/m)
  expect(held).toMatch(/^Lock \{/)
  for (const part of [`path: '${path}'`, "lockType: 'linkbased'", 'held: true']) expect(held).toContain(part)
  expect(held).toMatch(/token: \d+n/)
  expect(held).toMatch(/remainingMs: \d{4,5}\b/)
  expect(released).toContain('held: false')
  expect(released).toContain('remainingMs: 0')
})
