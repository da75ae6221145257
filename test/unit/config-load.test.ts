/** Goal: the right file is found, and one that cannot be read is reported rather than passed over. */

import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DirectoryResult, dir } from 'tmp-promise'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { defaultSettings } from '../../src/config/settings.js'
import { ConfigError } from '../../src/errors.js'

let temporary: DirectoryResult
beforeEach(async () => {
  temporary = await dir({ unsafeCleanup: true })
})
afterEach(() => temporary.cleanup())

async function write(relativePath: string, text: string): Promise<string> {
  const file = join(temporary.path, relativePath)
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, text)
  return file
}

describe('which file', () => {
  it('the option goes before the environment', async () => {
    const file = await write('mine', 'use-symlinks=1')
    await write('config/file-locks', 'use-symlinks=0')
    const loaded = loadConfig({ file, env: { RSTUDIO_CONFIG_DIR: join(temporary.path, 'config') } })
    expect(loaded).toMatchObject({ file, found: true, settings: { useSymlinks: true }, diagnostics: [] })
  })

  it('RSTUDIO_CONFIG_DIR goes before XDG_CONFIG_DIRS, even if it has no such file', async () => {
    await write('xdg/rstudio/file-locks', 'use-symlinks=1')
    const env = { RSTUDIO_CONFIG_DIR: join(temporary.path, 'none'), XDG_CONFIG_DIRS: join(temporary.path, 'xdg') }
    const file = join(temporary.path, 'none/file-locks')
    expect(loadConfig({ env })).toMatchObject({ file, found: false, settings: defaultSettings(), diagnostics: [] })
  })

  it('the first of XDG_CONFIG_DIRS that has the file', async () => {
    const file = await write('b/rstudio/file-locks', 'use-symlinks=1')
    await write('c/rstudio/file-locks', 'lock-type=advisory')
    const directories = ['', 'relative', ...['a', 'b', 'c'].map((name) => join(temporary.path, name))]
    const env = { RSTUDIO_CONFIG_DIR: '', XDG_CONFIG_DIRS: directories.join(':') }
    expect(loadConfig({ env })).toMatchObject({ file, found: true, settings: { useSymlinks: true, lockType: 'linkbased' } })
  })

  it('of XDG_CONFIG_DIRS, one that may not be looked at is not passed over in silence', async () => {
    await symlink('file-locks', join(await mkdirp('loop/rstudio'), 'file-locks'))
    await write('b/rstudio/file-locks', 'use-symlinks=1')
    const env = { XDG_CONFIG_DIRS: ['loop', 'b'].map((name) => join(temporary.path, name)).join(':') }
    expect(loadConfig({ env }).diagnostics).toMatchObject([{ code: 'UNREADABLE', line: 0, column: 0 }])
  })

  it('where nothing is said, /etc/rstudio/file-locks', () => {
    expect(loadConfig({ env: {} }).file).toBe('/etc/rstudio/file-locks')
  })

  it('a missing file means the defaults, also when strict', () => {
    const file = join(temporary.path, 'none')
    expect(loadConfig({ file, strict: true })).toMatchObject({ file, found: false, settings: defaultSettings() })
  })
})

describe('a file that cannot be used is an error, and the defaults are used', () => {
  it('a directory', () => {
    expect(loadConfig({ file: temporary.path })).toMatchObject({
      found: true,
      settings: defaultSettings(),
      diagnostics: [{ severity: 'error', code: 'NOT_A_FILE', message: 'this is a directory; the defaults are used' }],
    })
  })

  it('a pipe that no process writes to, which must not be waited for', () => {
    const file = join(temporary.path, 'pipe')
    execFileSync('mkfifo', [file])
    expect(loadConfig({ file }).diagnostics).toMatchObject([{ code: 'NOT_A_FILE' }])
  })

  it('a file of more than 1 MiB', async () => {
    const file = await write('huge', 'use-symlinks=1\n')
    await truncate(file, 1024 * 1024 + 1)
    expect(loadConfig({ file })).toMatchObject({ settings: defaultSettings(), diagnostics: [{ code: 'TOO_LARGE' }] })
  })

  // In containers it may be hidden.
  it.runIf(existsSync('/proc/kallsyms'))('a file that tells no size, of which no more is read', () => {
    expect(statSync('/proc/kallsyms').size).toBe(0)
    expect(loadConfig({ file: '/proc/kallsyms' }).diagnostics).toMatchObject([{ code: 'TOO_LARGE' }])
  })

  it('a loop of symbolic links', async () => {
    const file = join(temporary.path, 'loop')
    await symlink(file, file)
    const message = 'the file cannot be read (ELOOP); the defaults are used'
    expect(loadConfig({ file }).diagnostics).toMatchObject([{ code: 'UNREADABLE', message }])
  })
})

describe('strict', () => {
  it('throws a ConfigError that lists the diagnostics with file, line and column', async () => {
    const file = await write('file-locks', 'lock-tpye=advisory\nrefresh-rate=25\n')
    expect(() => loadConfig({ file, strict: true })).toThrow(
      expect.objectContaining({
        constructor: ConfigError,
        code: 'CONFIG_INVALID',
        path: file,
        message: expect.stringMatching(/:1:1: error: unknown key "lock-tpye".*\n.*:2:14: warning: timeout-interval/),
      }),
    )
  })

  it('is content with a clean file', async () => {
    const file = await write('file-locks', 'lock-type=advisory\n')
    expect(loadConfig({ file, strict: true }).settings.lockType).toBe('advisory')
  })
})

async function mkdirp(relativePath: string): Promise<string> {
  const directory = join(temporary.path, relativePath)
  await mkdir(directory, { recursive: true })
  return directory
}

describe('what is out of reach is not missing', () => {
  const onShare = () => join(temporary.path, 'not-mounted/file-locks')

  it('a link to a file on a share that is not mounted is told, and no other file is taken in its place', async () => {
    await mkdir(join(temporary.path, 'one/rstudio'), { recursive: true })
    await symlink(onShare(), join(temporary.path, 'one/rstudio/file-locks'))
    await write('two/rstudio/file-locks', 'lock-type=advisory')
    const env = { XDG_CONFIG_DIRS: ['one', 'two'].map((name) => join(temporary.path, name)).join(':') }
    const { file, found, diagnostics } = loadConfig({ env })
    expect({ file, found }).toEqual({ file: join(temporary.path, 'one/rstudio/file-locks'), found: true })
    expect(diagnostics).toMatchObject([{ severity: 'error', code: 'UNREADABLE' }])
    expect(diagnostics[0]?.message).toContain(`it is a symbolic link to ${onShare()}, which is not there`)
    expect(() => loadConfig({ env, strict: true })).toThrow(ConfigError)
  })

  it('so is a directory that is such a link', async () => {
    const config = join(temporary.path, 'config')
    await symlink(join(temporary.path, 'not-mounted'), config)
    const { found, diagnostics } = loadConfig({ env: { RSTUDIO_CONFIG_DIR: config } })
    expect(found).toBe(true)
    expect(diagnostics[0]?.message).toContain(`${config} is a symbolic link to`)
  })

  it('so is a file in the place of a directory, and no other file is taken instead', async () => {
    const named = await write('file-locks', 'lock-type=advisory')
    await write('two/rstudio/file-locks', 'lock-type=advisory')
    const others = `${named}:${join(temporary.path, 'two')}`
    for (const env of [{ RSTUDIO_CONFIG_DIR: named }, { XDG_CONFIG_DIRS: others }]) {
      const { found, settings, diagnostics } = loadConfig({ env })
      expect({ found, settings }).toEqual({ found: true, settings: defaultSettings() })
      const message = `the file cannot be read (${named} is not a directory); the defaults are used`
      expect(diagnostics).toMatchObject([{ code: 'UNREADABLE', message }])
    }
  })

  it('a link to a directory that is there, without such a file in it, is no fault', async () => {
    await mkdir(join(temporary.path, 'real'))
    await symlink(join(temporary.path, 'real'), join(temporary.path, 'config'))
    expect(loadConfig({ env: { RSTUDIO_CONFIG_DIR: join(temporary.path, 'config') } })).toMatchObject({
      found: false,
      diagnostics: [],
    })
  })

  it('a name that Node cannot read, because it is not UTF-8, is told', () => {
    const env = { RSTUDIO_CONFIG_DIR: join(temporary.path, Buffer.from([0xe9]).toString()) }
    expect(loadConfig({ env }).diagnostics[0]?.message).toContain('its name is not UTF-8')
  })
})
