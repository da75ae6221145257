/**
 * Mounts that do things their own way: files on another device than their directory, owners and modes that cannot be
 * changed. Goal: what does not matter to a lock keeps no process from locking, and what does is refused, with what was
 * seen. Method: real mounts of such kinds in private mount namespaces. Needs root.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { LockerOptions } from '../../dist/index.js'
import { tried } from '../tried/record.js'
import { Agent } from './support/agent.js'
import { KINDS } from './support/folder.js'
import { forcedShare, mergedShare } from './support/forced-share.js'
import { mountPoint } from './support/image.js'
import { installation } from './support/installation.js'
import type { Space } from './support/space.js'

const LOCKTESTER = fileURLToPath(new URL('../../bin/locktester', import.meta.url))

const ANN = 61_001
const BOB = 61_002

/** An overlay whose upper layer is on another file system than the lower one, as Apptainer's `--writable-tmpfs` makes it. */
async function layeredShare(): Promise<{ space: Space; path: string }> {
  const { space, path } = await mountPoint()
  await space.run(
    `mkdir "$1.lower" "$1.layers"
     mount -t tmpfs layers "$1.layers"
     mkdir "$1.layers/upper" "$1.layers/work"
     mount -t overlay -o "lowerdir=$1.lower,upperdir=$1.layers/upper,workdir=$1.layers/work" overlay "$1"`,
    path,
  )
  return { space, path }
}

const deviceOf = async (space: Space, path: string) => (await space.run('stat -c %d "$1"', path)).trim()

/** Two processes have the lock in turn, and while one has it the other is refused. */
async function expectHandedOn(space: Space, path: string, locker: LockerOptions): Promise<void> {
  const [first, second] = await Promise.all([Agent.start({ locker, on: space }), Agent.start({ locker, on: space })])
  const lock = { path: join(path, 'lock') }
  let holder = first
  let held = await first.ask('acquire', lock)
  for (const op of ['tryAcquire', 'tryAcquireSync'] as const) {
    const other = holder === first ? second : first
    expect(await other.ask(op, lock)).toBeNull()
    expect(await holder.ask('release', held as object)).toEqual({ lost: false })
    held = await other.ask(op, lock)
    expect(held).not.toBeNull()
    holder = other
  }
}

describe.each([...KINDS.slice(0, 2), { kind: 'flock', locker: { lockType: 'advisory', advisoryKind: 'flock' } } as const])(
  'a lock is taken, excludes others, and is handed on, $kind',
  ({ kind, locker }) => {
    test('in layers on two file systems', async (context) => {
      tried(context, { fileSystem: 'overlay', what: 'excludes and is handed on', kind })
      const { space, path } = await layeredShare()
      await space.run('touch "$1/any"', path)
      expect(await deviceOf(space, join(path, 'any'))).not.toBe(await deviceOf(space, path))
      await expectHandedOn(space, path, locker)
    })

    test('where several directories are shown as one', async (context) => {
      tried(context, { fileSystem: 'mergerfs', what: 'excludes and is handed on', kind })
      const { space, path } = await mergedShare()
      await expectHandedOn(space, path, locker)
    })

    test('where a directory is shown again', async (context) => {
      tried(context, { fileSystem: 'bindfs', what: 'excludes and is handed on', kind })
      const { space, path } = await forcedShare()
      await expectHandedOn(space, path, locker)
    })
  },
)

describe('a mount that decides owners and modes by itself', () => {
  const forced = ['--force-user=root', '--force-group=root', '--chown-ignore']

  test.each(KINDS.slice(0, 2))(
    'two users lock where everything is shown as 0777 and no user may change that, $kind',
    async ({ locker }) => {
      const { space, path } = await forcedShare(...forced, '--perms=0777')
      const { fixtures } = await installation()
      const start = (uid: number) => Agent.start({ locker, on: space, uid, fixtures })
      const [ann, bob] = await Promise.all([start(ANN), start(BOB)])
      const held = await ann.acquire(join(path, 'lock'))
      expect(await bob.tryAcquire(join(path, 'lock'))).toBeNull()
      expect(await held.release()).toEqual({ lost: false })
      expect((await bob.acquire(join(path, 'lock'))).token).toBeGreaterThan(held.token)
    },
  )

  test('a lock that Workbench respects is given back where no user may set the times of a file', async () => {
    const { space, path } = await forcedShare(...forced, '--perms=0777')
    const { fixtures } = await installation({ addon: true })
    const start = (uid: number) => Agent.start({ locker: { workbench: true }, on: space, uid, fixtures })
    const [ann, bob] = await Promise.all([start(ANN), start(BOB)])
    const file = join(path, 'lock_file')
    for (const user of [ann, bob, ann]) {
      const held = await user.acquire(file)
      expect(await (user === ann ? bob : ann).tryAcquire(file)).toBeNull()
      expect(await held.release()).toEqual({ lost: false })
      // This mount may show the length that the file had under its other name a moment ago.
      expect((await space.run('cat "$1"', file)).trim()).toBe('-1')
    }
    expect(await space.run('ls -A "$1"', path)).toBe('lock_file\n')
  })

  const types = [
    ...KINDS.slice(0, 2).map(({ locker }) => locker),
    { lockType: 'advisory' },
    { lockType: 'advisory', advisoryKind: 'fcntl' },
  ] as const
  // One refuses to change a mode, the other takes the change and makes none.
  const wide = [
    ['refuses to change it', '--chmod-deny'],
    ['only says that it changes it', '--chmod-ignore'],
  ] as const

  test.each(wide)(
    'where a file can be written by more users than its directory no lock is made, on a mount that %s',
    async (_, how) => {
      const { space, path } = await forcedShare(`--force-user=${ANN}`, '--perms=0777:god-w', how)
      for (const agent of await Promise.all(types.map((locker) => Agent.start({ locker, on: space })))) {
        // The second time there is nothing either that could be taken for a lock.
        for (const _time of ['first', 'second'])
          expect(await agent.refusal(join(path, 'lock'))).toMatchObject({
            errno: 'EPERM',
            message: expect.stringContaining('777'),
          })
        expect(await space.run('ls -A "$1"', path)).toBe('')
      }
    },
  )

  test('nor does locktester leave a presence record there', async () => {
    const { space, path } = await forcedShare(`--force-user=${ANN}`, '--perms=0777:god-w', '--chmod-deny')
    const said = await space.run('"$2" "$3" --no-hold "$1" 2>&1 || true', path, process.execPath, LOCKTESTER)
    expect(said).toContain('more than the directory grants')
    expect(await space.run('ls -A "$1"', path)).not.toContain('.json')
  })

  test('a client-state directory is made where no mode can be changed', async () => {
    const { space, path } = await forcedShare(...forced, '--perms=0777')
    const script = 'RSTUDIO_DATA_HOME="$1/state/rstudio" setpriv --reuid 0 "$2" "$3" --no-hold --quiet'
    await space.run(script, path, process.execPath, LOCKTESTER)
  })
})
