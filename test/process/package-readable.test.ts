/**
 * What a program of a user sees of the package. Goal: an error leads to the line of the caller and can be read at one
 * glance, a held lock that is printed shows itself; installed from the tarball, required, and bundled. Method: the packed
 * tarball in a program of its own.
 */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { describe, expect, onTestFinished, test } from 'vitest'
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

/** One call for each kind of error, and for each way in which it leaves the library. */
const UNCAUGHT: Record<string, string> = {
  'a lock that another process holds': 'await createLocker().acquire(path, { waitMs: 1 })',
  'a call that was aborted before': 'await createLocker().acquire(path, { signal: AbortSignal.abort() })',
  'an option that is unknown': 'createLocker({ stale: 5 })',
  'an option of a call that is unknown': 'createLocker().acquireSync(path, { timeout: 5 })',
  'a configuration that is not clean': 'createLocker({ config: config, strict: true })',
  'an addon that is not installed': "createLocker({ lockType: 'advisory', advisoryKind: 'flock' }).acquireSync(path + '.file')",
  'a locker that is closed': 'const locker = createLocker(); await locker.close(); await locker.inspect(path)',
  'a lock that was released': "const lock = createLocker().acquireSync(path + '2'); lock.releaseSync(); lock.assertHeld()",
  'a file under the lock that is not there': "await (await createLocker().acquire(path + '3')).readFile(path + '/data.json')",
  'a file under the lock whose directory is not there':
    "await (await createLocker().acquire(path + '4')).replaceFile(path + '/missing/data.json', '')",
  'the drop-in, where no lock can be': "await lockfile.lock(path + '/missing/file', { realpath: false })",
  'the drop-in, for a lock that is held': 'lockfile.lockSync(config); lockfile.lockSync(config)',
}

test.each([false, true])(
  'every error that leaves the library is told at one glance, in a bundle as well (minified: %s)',
  async (minify) => {
    const folder = await installed()
    const [source, outfile, config] = ['all.mjs', 'all.cjs', 'file-locks'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    await writeFile(config, 'lock-type=both\nrefersh=1\nuse-symlinks=2\n')
    const cases = Object.values(UNCAUGHT).map((call) => `async function fails() { ${call} },`)
    const imports = `${ESM}\nimport lockfile from 'mountlock/proper-lockfile'`
    await writeFile(
      source,
      `${imports}\nconst [path, config, which] = process.argv.slice(2)\nasync function main() { await [${cases.join('\n')}][which]() }\nmain()`,
    )
    await build({ entryPoints: [source], outfile, bundle: true, minify, platform: 'node', format: 'cjs', logLevel: 'error' })
    const path = join(folder, 'lock')
    await writeFile(
      join(folder, 'holds.mjs'),
      `${ESM}\nawait createLocker({ label: 'a label of some words' }).acquire(process.argv[2])\nconsole.log('held')\nsetInterval(() => {}, 1000)`,
    )
    const holder = spawn(process.execPath, ['holds.mjs', path], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void holder.kill())
    await once(holder.stdout, 'data')
    await Promise.all(
      Object.keys(UNCAUGHT).map(async (what, which) => {
        const failed = run(process.execPath, [outfile, path, config, String(which)], { cwd: folder })
        const { stderr } = await failed.then(
          () => ({ stderr: 'no error' }),
          (error: { stderr: string }) => error,
        )
        const lines = stderr.trimEnd().split('\n')
        expect(lines.length, `${what}:\n${stderr}`).toBeLessThanOrEqual(LINES_MAX)
        expect(stderr.length, what).toBeLessThan(2000)
        // First a function of ours, then the caller's, whose name a minifier has shortened.
        const frames = lines.filter((line) => line.startsWith('    at '))
        expect(frames.length, what).toBeGreaterThan(1)
        if (!minify) expect(frames.slice(0, 2).join(), `${what}:\n${stderr}`).toMatch(/at (async )?(Object\.|Array\.)?fails /)
      }),
    )
  },
)

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
