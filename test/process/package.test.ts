import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dir } from 'tmp-promise'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

const CONSUMER = `
import { createLocker, loadConfig, LockLostError, type ChannelName, type ErrorCode, type Lock, type Locker } from 'mountlock'
const { settings, diagnostics } = loadConfig({ file: '/nowhere' })
const locker = createLocker({ lockType: settings.lockType, label: diagnostics.map(({ line }) => line).join() })
const certain: bigint = (await createLocker().acquire('/nowhere/lock')).token
const alsoCertain: bigint = (await createLocker({ lockType: 'linkbased' }).acquire('/nowhere/lock')).token
const none: null = createLocker({ lockType: 'advisory' }).acquireSync('/nowhere/lock').token
const code: ErrorCode = 'LOCK_TIMEOUT'
const channel: ChannelName = 'mountlock:lost'
const general: Locker = createLocker({ lockType: 'renamebased' })
// @ts-expect-error the file may say advisory
const unsure: bigint = (await createLocker({ config: '/nowhere' }).acquire('/nowhere/lock')).token
export const all = [certain, alsoCertain, none, code, channel, general, unsure]
const work = async (lock: Lock): Promise<bigint | null> => (lock.signal.reason instanceof LockLostError ? null : lock.token)
export const token: Promise<bigint | null> = locker.withLock('/nowhere/lock', work, { waitMs: 1 })
`

describe('the package', () => {
  it('is imported by ES modules and required by CommonJS', async () => {
    const print = 'console.log(typeof m.createLocker, typeof m.loadConfig)'
    const imported = await run(process.execPath, ['--input-type=module', '-e', `import * as m from 'mountlock'; ${print}`], {
      cwd: root,
    })
    const required = await run(process.execPath, ['--input-type=commonjs', '-e', `const m = require('mountlock'); ${print}`], {
      cwd: root,
    })
    expect(imported.stdout).toBe('function function\n')
    expect(required.stdout).toBe(imported.stdout)
  })

  it('has a native addon that loads here', async () => {
    const { stdout } = await run(process.execPath, ['-e', "console.log(typeof require('fs-ext').flock)"], { cwd: root })
    expect(stdout).toBe('function\n')
  })

  it('is packed without what it does not need, with types that resolve and metadata that is in order', async () => {
    const target = await dir({ unsafeCleanup: true })
    const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', target.path], { cwd: root })
    const [{ files, filename }] = JSON.parse(packed.stdout) as [{ files: { path: string }[]; filename: string }]
    expect(files.map(({ path }) => path.split('/')[0]).filter((top) => !['bin', 'dist'].includes(top as string))).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md', 'package.json']),
    )
    const bin = (name: string) => join(root, 'node_modules/.bin', name)
    await run(bin('publint'), ['--strict', '--pack', 'false'], { cwd: root })
    await run(bin('attw'), [join(target.path, filename), '--profile', 'node16'], { cwd: root })
    await target.cleanup()
  })

  it('type-checks in a strict program of a user', async () => {
    const consumer = await dir({ unsafeCleanup: true })
    const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', consumer.path], { cwd: root })
    const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }]
    const installed = join(consumer.path, 'node_modules/mountlock')
    await mkdir(installed, { recursive: true })
    await run('tar', ['-xzf', join(consumer.path, filename), '-C', installed, '--strip-components=1'])
    await symlink(join(root, 'node_modules/@types'), join(consumer.path, 'node_modules/@types'))
    await writeFile(join(consumer.path, 'package.json'), '{ "type": "module" }')
    await writeFile(join(consumer.path, 'program.ts'), CONSUMER)
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable']
    await run(join(root, 'node_modules/.bin/tsc'), [...options, 'program.ts'], { cwd: consumer.path })
    await consumer.cleanup()
  })

  it('has two lines in its README that do everything, each in a block of its own', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    expect([...readme.matchAll(/^```sh\n(.*)\n```$/gm)].map(([, line]) => line)).toEqual([
      'npm ci && npm run build && npm run demo',
      'npm ci && npm test',
    ])
  })
})
