/**
 * Every way in which the tool cannot do its work: a lock that fails with an error (each provoked for real), wrong arguments,
 * a bad configuration, a directory that is not there or not the user's. Each with its exit code and its sentence.
 */

import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { EXIT } from '../../src/cli/shared/exit-codes.js'
import { Bench, PACKAGE, presenceRecords, withMounts } from './fixtures/locktester-driver.mjs'

const run = promisify(execFile)
const FAILED_BOTH = '* Unable to acquire advisory lock\n* Unable to acquire link-based lock\n'
const ADVISORY_FAILED = '* Unable to acquire advisory lock\n* Acquired link-based lock\n'

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

describe('a lock that fails with an error', () => {
  test('on a read-only file system no process can acquire either lock: two lines, no verdict, the reason, 69', async () => {
    const readOnly = withMounts(`mount --bind ${directory} ${directory}; mount -o remount,bind,ro ${directory}`)
    const only = bench.locktester([directory], { through: readOnly })
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe(FAILED_BOTH)
    expect(only.stderr).toContain('No node can acquire the advisory lock')
    expect(only.stderr).toContain('No node can acquire the link-based lock')
    expect(only.stderr).toContain('The file system is read-only')
    expect(only.stderr).toContain('Mount it read-write')
  })

  test('where the user may not write, both fail, and the advice is about permission', async () => {
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    await chmod(directory, 0o755)
    const only = bench.locktester([directory], { through: asNobody })
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe(FAILED_BOTH)
    expect(only.stderr).toContain('This user cannot acquire the advisory lock')
    expect(only.stderr).toContain('Permission denied')
    expect(only.stderr).toContain('locktester cannot write down in this directory that it holds locks')
  })

  test('where another user has left the directory of the locks, it is said whose it is, and the way out', async () => {
    const before = bench.locktester(['--no-hold', directory])
    expect(await before.end).toBe(0)
    await chown(directory, 65534, 65534)
    const only = bench.locktester([directory], {
      through: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
    })
    expect(await only.end).toBe(69)
    expect(only.stdout).toContain('* Unable to acquire link-based lock\n')
    expect(only.stderr).toContain('This user cannot acquire the link-based lock')
    expect(only.stderr).toContain('Permission denied, and .locktester belongs to uid 0, while this is uid 65534: ')
    expect(only.stderr).toContain(
      `Run locktester as that user, or, when none runs in this directory, remove ${join(directory, '.locktester')}.`,
    )
  })

  test('a lock that fails is never called supported, and the one that was acquired is released again: 69', async () => {
    const prepare = bench.locktester(['--no-hold', directory])
    expect(await prepare.end).toBe(0)
    const links = join(directory, '.locktester/link-based')
    await run('chattr', ['+i', links])
    bench.onEnd(() => run('chattr', ['-i', links]).then(() => {}))
    const only = bench.locktester([directory])
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe('* Acquired advisory lock\n* Unable to acquire link-based lock\n')
    expect(only.stderr).toContain('No node can acquire the link-based lock')
    expect(await presenceRecords(directory)).toEqual([])
  })

  test('a foreign file in the place of the lock directory is left alone: 69', async () => {
    await writeFile(join(directory, '.locktester'), 'mine')
    const only = bench.locktester([directory])
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe(FAILED_BOTH)
  })
})

describe('without fs-ext', () => {
  test('the advisory line is "Unable to acquire", a warning has the remedy, and nothing is held; the configured lock works: 0', async () => {
    const only = bench.locktester([directory], { root: await bench.packageWithoutFsExt() })
    expect(await only.end).toBe(0)
    expect(only.stdout).toBe(ADVISORY_FAILED)
    expect(only.stderr).toContain('locktester: warning: The advisory lock could not be tried')
    expect(only.stderr).toContain('This does not count here: lock-type=linkbased is in force.')
    expect(only.stderr).toContain('npm install fs-ext')
    expect(only.stderr).toContain('--hold')
  })

  test('--hold holds the link-based lock all the same, and the next node can be tested: the verdict names that type only', async () => {
    const root = await bench.packageWithoutFsExt()
    const first = bench.locktester(['--hold', '60', directory], { root })
    await first.says('Holding.', 'stderr')
    const second = bench.locktester([directory], { root })
    expect(await second.end).toBe(0)
    expect(second.stdout).toBe(`${FAILED_BOTH}\nYour filesystem appears to support link-based locks.\n`)
    first.kill('SIGINT')
    expect(await first.end).toBe(0)
    expect(first.stdout).toBe(ADVISORY_FAILED)
  })

  test('where advisory locks are configured, it is an error that they cannot be tried: 69', async () => {
    const config = await bench.config('lock-type=advisory\n')
    const only = bench.locktester(['--config', config, directory], { root: await bench.packageWithoutFsExt() })
    expect(await only.end).toBe(69)
    expect(only.stdout).toBe(ADVISORY_FAILED)
    expect(only.stderr).toContain('locktester: error: The advisory lock could not be tried')
    expect(only.stderr).not.toContain('This does not count')
  })
})

/** Waits until the session file in a directory has been rewritten. */
async function nextHeartbeat(locks: string) {
  const [session] = (await readdir(locks)).filter((name) => name.startsWith('.mountlock-'))
  const read = () => readFile(join(locks, session as string), 'utf8')
  const before = await read()
  await vi.waitUntil(async () => (await read()) !== before, { timeout: 30_000 })
}

describe('a lock that is lost while it is held', () => {
  test('is said at once, and the exit code is 69', async () => {
    const config = await bench.config('refresh-rate=1\ntimeout-interval=3\n')
    const first = bench.locktester(['--config', config, directory])
    await first.says('Holding.', 'stderr')
    await nextHeartbeat(join(directory, '.locktester'))
    await rm(join(directory, '.locktester/link-based'), { recursive: true })
    expect(await first.end).toBe(69)
    expect(first.stderr).toContain('The lock may have been lost')
    expect(await presenceRecords(directory)).toEqual([])
  })
})

describe('wrong arguments end with 64 and a sentence', () => {
  test.each([
    [['--hodl', '3'], 'Unknown argument: hodl. Did you mean --hold?'],
    [['--quite'], 'Did you mean --quiet?'],
    [['--xyzzy'], 'Unknown argument: xyzzy'],
    [['--hold'], 'Expected a value after --hold'],
    [['--hold', 'long'], 'Expected a number of seconds'],
    [['--hold=-1'], 'Expected a number of seconds'],
    [['--hold', '1e9'], 'Expected a number of seconds'],
    [['--hold', '1', '--no-hold'], '--hold and --no-hold exclude each other'],
    [['--config', ''], 'Expected the name of a file after --config'],
    [['one', 'two'], 'Unknown argument: two'],
    [['demo', 'extra'], 'Unknown argument: extra'],
    [['/does/not/exist'], 'There is no such directory: /does/not/exist'],
    [['/etc/passwd'], 'It is not a directory: /etc/passwd'],
    [['dmeo'], 'locktester: error: There is no such directory: dmeo. It is no command either'],
    [['dmeo'], 'Did you mean the command: locktester demo'],
    [['frobnicate'], 'There is no such directory: frobnicate. It is no command either'],
    [['--workbench', '/does/not/exist/file'], 'There is no such directory: /does/not/exist'],
    [['doctor', '/does/not/exist'], 'There is no such directory: /does/not/exist'],
    [['doctor', '/etc/passwd'], 'It is not a directory: /etc/passwd'],
    [['status', '/does/not/exist'], 'There is no such file or directory: /does/not/exist. Check the name, or mount the share.'],
    [['status', '/etc/passwd/lock'], 'There is no such file or directory: /etc/passwd/lock'],
    [['prune', '/does/not/exist'], 'There is no such file or directory: /does/not/exist'],
    [['prune', '/etc/passwd'], '/etc/passwd is a file, and prune removes lock directories'],
    [['break', '/does/not/exist', '--token', '1'], 'There is no such file or directory: /does/not/exist'],
    [['config', 'check', '/does/not/exist'], 'There is no such file: /does/not/exist. Check the name'],
  ])('%j: %s', async (args, sentence) => {
    const only = bench.locktester(args, { cwd: directory })
    expect(await only.end).toBe(64)
    expect(only.stdout).toBe('')
    expect(only.stderr).toContain(sentence)
  })
})

describe('a path that leads nowhere says what is in the way', () => {
  const linkIntoTheVoid = async () => {
    const link = join(directory, 'link')
    await symlink('/not/mounted', link)
    return link
  }
  test.each([
    ['locktester', (path: string) => [path]],
    ['doctor', (path: string) => ['doctor', path]],
    ['status', (path: string) => ['status', path]],
    ['prune', (path: string) => ['prune', path]],
    ['break', (path: string) => ['break', path, '--token', '1']],
    ['stress', (path: string) => ['stress', path]],
  ])('%s: a link into the void, and a file in the place of a directory', async (_, args) => {
    const link = await linkIntoTheVoid()
    const file = join(directory, 'file')
    await writeFile(file, '')
    for (const [path, seen] of [
      [link, 'It is a symbolic link to /not/mounted, which is not there: mount what the path should lead to'],
      [join(link, 'below'), `${link} is a symbolic link to /not/mounted, which is not there`],
      [join(file, 'below'), `${file} is not a directory`],
    ] as const) {
      const only = bench.locktester(args(path))
      expect(await only.end).toBeGreaterThanOrEqual(64)
      expect(only.stderr).toMatch(/There is no such (file or )?directory/)
      expect(only.stderr).toContain(seen)
      expect(only.stderr).not.toContain('Create it')
    }
  })
})

test('what is neither a file nor a directory is not called the file of a lock', async () => {
  const fifo = join(directory, 'fifo')
  await run('mkfifo', [fifo])
  for (const args of [
    ['status', fifo],
    ['prune', fifo],
    ['break', fifo, '--token', '1'],
  ]) {
    const only = bench.locktester(args)
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('it is neither a file nor a directory')
    expect(only.stderr).not.toContain('advisory')
  }
})

describe('a user without permission is told what was refused, to what, and what can be done', () => {
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  test.each([
    ['a directory that may be read alone', 0o755, /write and search permission on the directory\. Its owner can give it/],
    ['a directory that is closed', 0o700, /search permission on (it and on each directory above it|the directory)/],
  ])('%s', async (_, mode, needs) => {
    await chmod(directory, mode)
    for (const args of [
      ['run', join(directory, 'lock'), '--', 'true'],
      ['doctor', directory],
      ['stress', directory, '--duration', '1'],
      [directory, '--no-hold'],
    ]) {
      const only = bench.locktester(args, { through: asNobody })
      expect(await only.end).toBe(69)
      const said = only.stdout + only.stderr
      expect(said).toMatch(new RegExp(`Permission denied: ${directory}[^ ]* \\(\\w+: EACCES\\)`))
      expect(said).toMatch(needs)
      expect(said).not.toMatch(/prune|root_squash|setfacl|permission on the lock/)
    }
  })
})

test('doctor says of a configuration that this user may not read how it can be read, and does not ask to correct it', async () => {
  const config = join(directory, 'file-locks')
  await writeFile(config, 'lock-type=advisory\n', { mode: 0o600 })
  const only = bench.locktester(['doctor', '--config', config, directory], {
    through: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
  })
  expect(await only.end).not.toBe(0)
  expect(only.stdout).toContain('the file cannot be read (EACCES)')
  expect(only.stdout).toContain('Let this user read it (namei -l shows what is in the way), or name another file.')
  expect(only.stdout).not.toContain('Correct the file')
})

describe('a file that cannot be written ends with 69 before anything is tried, and is called a file, and no lock', () => {
  const commands: Record<string, (file: string) => string[]> = {
    'doctor --report': (file) => ['doctor', '--report', file, directory],
    'nodes --html': (file) => ['nodes', 'local', 'local', directory, '--html', file],
    'stress --html': (file) => ['stress', directory, '--html', file],
  }
  test.each(Object.keys(commands))('%s', async (name) => {
    const refused = async (file: string) => {
      const only = bench.locktester(commands[name]?.(file) ?? [])
      expect(await only.end).toBe(69)
      expect(only.stdout).toBe('')
      expect(only.stderr).not.toContain('lock ')
      return only.stderr
    }
    expect(await refused('/does/not/exist/page')).toContain(
      'The file cannot be written: /does/not/exist/page (open: ENOENT). Its directory',
    )
    expect(await refused(directory)).toContain(`The file cannot be written: ${directory} (open: EISDIR). It is a directory`)
    expect(await refused('/etc/passwd/page')).toContain('A part of its path is no directory')
    const pipe = join(await bench.directory(), 'pipe')
    await promisify(execFile)('mkfifo', [pipe])
    expect(await refused(pipe)).toContain('(open: ENXIO). It is a pipe or a device that nothing reads')
    expect(await readdir(directory)).toEqual([])
  })
})

test('--workbench with a directory says that it takes a file: 69', async () => {
  const only = bench.locktester(['--workbench', directory])
  expect(await only.end).toBe(69)
  expect(only.stderr).toContain(`It is a directory: ${directory}. --workbench takes the name of a file`)
})

describe('the configuration', () => {
  test('a file with errors ends the test with 78 before anything is locked, each error with file, line and column', async () => {
    const config = await bench.config('lock-type=linkbased\nrefresh-rate=soon\n')
    const only = bench.locktester(['--config', config, directory])
    expect(await only.end).toBe(78)
    expect(only.stdout).toBe('')
    expect(only.stderr).toContain(`${config}:2:14: error: `)
    await expect(stat(join(directory, '.locktester'))).rejects.toThrow('ENOENT')
  })

  test('a warning is shown, and the test goes on', async () => {
    const config = await bench.config('refresh-rate=20\ntimeout-interval=25\n')
    const only = bench.locktester(['--config', config, '--no-hold', directory])
    expect(await only.end).toBe(0)
    expect(only.stderr).toContain(`${config}:2:18: warning: `)
  })

  test('the file, its settings, the directory and the file system are told before the test', async () => {
    const config = await bench.config('use-symlinks=1\nrefresh-rate=5\ntimeout-interval=15\n')
    const only = bench.locktester(['--config', config, '--no-hold', directory])
    expect(await only.end).toBe(0)
    expect(only.stderr).toContain(`directory: ${directory}\n`)
    expect(only.stderr).toMatch(/^file system: \w+ \(local\), /m)
    expect(only.stderr).toContain(
      `configuration: ${config}: lock-type=linkbased use-symlinks=1 refresh-rate=5 timeout-interval=15 enable-logging=0\n`,
    )
  })

  test('a file that does not exist means the defaults, and that is said', async () => {
    const only = bench.locktester(['--config', '/does/not/exist', '--no-hold', directory])
    expect(await only.end).toBe(0)
    expect(only.stderr).toContain('configuration: /does/not/exist (does not exist: defaults): lock-type=linkbased')
  })
})

describe('the client-state directory', () => {
  test.each([
    ['RSTUDIO_DATA_HOME', 'data', 'data'],
    ['XDG_DATA_HOME', 'data', 'data/rstudio'],
    ['HOME', '', '.local/share/rstudio'],
  ])('$%s decides, and what is missing is created, for the owner alone', async (variable, value, created) => {
    const only = bench.locktester(['--no-hold'], { env: { [variable]: join(directory, value) } })
    expect(await only.end).toBe(0)
    const path = join(directory, created)
    expect(only.stderr).toContain(`directory: ${path}\n`)
    expect((await stat(path)).mode & 0o7777).toBe(0o700)
    expect((await stat(join(path, '.locktester'))).mode & 0o7777).toBe(0o700)
  })

  test('$RSTUDIO_DATA_HOME goes before $XDG_DATA_HOME, and an empty one counts as not set', async () => {
    const env = { RSTUDIO_DATA_HOME: join(directory, 'own'), XDG_DATA_HOME: join(directory, 'xdg') }
    const own = bench.locktester(['--no-hold'], { env })
    const xdg = bench.locktester(['--no-hold'], { env: { ...env, RSTUDIO_DATA_HOME: '' } })
    expect([await own.end, await xdg.end]).toEqual([0, 0])
    expect(own.stderr).toContain(`directory: ${directory}/own\n`)
    expect(xdg.stderr).toContain(`directory: ${directory}/xdg/rstudio\n`)
  })

  test('one that belongs to another user is refused with 69', async () => {
    const path = join(directory, 'theirs')
    await mkdir(path)
    await chown(path, 12345, 12345)
    const only = bench.locktester(['--no-hold'], { env: { RSTUDIO_DATA_HOME: path } })
    expect(await only.end).toBe(69)
    expect(only.stderr).toContain('belongs to uid 12345')
    expect(only.stdout).toBe('')
  })

  test('a named directory keeps its mode, and the locks lie in a directory with the same one', async () => {
    await chmod(directory, 0o770)
    const only = bench.locktester(['--no-hold', directory])
    expect(await only.end).toBe(0)
    expect((await stat(directory)).mode & 0o7777).toBe(0o770)
    expect((await stat(join(directory, '.locktester'))).mode & 0o7777).toBe(0o770)
  })
})

test('the exit codes are the ones of docs/cli.md, to which the README leads', async () => {
  const page = await readFile(join(PACKAGE, 'docs/cli.md'), 'utf8')
  const rows = [...page.matchAll(/^\| ([\d, ]+?) +\|/gm)].flatMap(([, cell = '']) => cell.split(', ').map(Number))
  expect(rows).toEqual(Object.values(EXIT))
  expect(await readFile(join(PACKAGE, 'README.md'), 'utf8')).toContain('](docs/cli.md#exit-codes)')
})
