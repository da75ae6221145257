/**
 * A lock directory whose place is taken by another one, of which its user has more than one. Goal: what belongs to one of them is
 * never done in the other: a release does not free the lock that lies there now, and names from one listing are not removed
 * in another directory. Method: directories that others may write to, moved by hand between two calls.
 */

import { linkSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Footing } from '../../build/drivers/footing.js'
import { groundOf } from '../../build/drivers/ground.js'
import { runProtocolBlocking, runCallsBlocking } from '../../build/drivers/run.js'
import { ask } from '../../build/protocol/operations.js'
import { Agent } from './support/agent.js'
import { temporaryFolder } from './support/folder.js'

test.each(['release', 'releaseSync'])('a %s does not free the lock that lies in the place of its own by now', async (op) => {
  const folder = await temporaryFolder(0o777)
  const path = join(folder, 'lock')
  const [ann, ben] = await Promise.all([Agent.start(), Agent.start()])
  const held = await ann.acquire(path)
  await ben.acquire(join(folder, 'other'))
  renameSync(path, join(folder, 'moved'))
  // As if another process held the same generation there.
  const session = readdirSync(folder).find((name) => name.startsWith('.mountlock-41c29-') && name.includes(`-${ben.pid}-`)) ?? ''
  mkdirSync(path)
  writeFileSync(join(path, '.links'), '')
  linkSync(join(folder, session), join(path, String(held.token)))
  await ann.ask(op, { handle: held.handle }).catch(() => {})
  expect(readdirSync(path).sort()).toEqual(['.links', String(held.token)].sort())
})

describe('a footing', () => {
  async function place() {
    const folder = await temporaryFolder(0o777)
    const path = join(folder, 'lock')
    const fill = (where: string) => {
      mkdirSync(where)
      for (const name of ['1', '2', '3']) writeFileSync(join(where, name), '')
    }
    fill(path)
    fill(join(folder, 'other'))
    const ground = runCallsBlocking(groundOf(folder))
    if (ground === null) throw new Error('Expected a directory that others may write to')
    const swap = () => {
      renameSync(path, join(folder, 'moved'))
      renameSync(join(folder, 'other'), path)
    }
    return { folder, path, ground, swap }
  }
  const list = (path: string, footing: Footing) => runProtocolBlocking(ask.list(path), undefined, footing)

  test('removes nothing in a directory that was never listed', async () => {
    const { folder, path, ground } = await place()
    expect(runProtocolBlocking(ask.unlink(join(path, '1')), undefined, new Footing(ground))).toMatchObject({
      ok: false,
      code: 'ENOENT',
    })
    expect(readdirSync(join(folder, 'lock'))).toEqual(['1', '2', '3'])
  })

  test('removes the names of an earlier listing only in the directory that was listed', async () => {
    const { folder, path, ground, swap } = await place()
    const listing = new Footing(ground)
    expect(list(path, listing)).toMatchObject({ ok: true })
    const seen = listing.seen(path)
    swap()
    const removing = () => runProtocolBlocking(ask.unlink(join(path, '1')), undefined, new Footing(ground, path, seen))
    expect(removing()).toMatchObject({ ok: false, code: 'ENOENT' })
    expect(readdirSync(path)).toEqual(['1', '2', '3'])
    renameSync(path, join(folder, 'other'))
    renameSync(join(folder, 'moved'), path)
    expect(removing()).toMatchObject({ ok: true })
    expect(readdirSync(path)).toEqual(['2', '3'])
  })

  test('says that a directory is gone when a listing finds another one in its place, and goes on in the new one after that', async () => {
    const { folder, path, ground, swap } = await place()
    const answers: unknown[] = []
    function* work() {
      answers.push((yield* ask.list(path)).ok)
      swap()
      // Still in the directory that was listed.
      answers.push((yield* ask.unlink(`${path}/1`)).ok)
      answers.push((yield* ask.list(path)).ok)
      answers.push((yield* ask.unlink(`${path}/2`)).ok)
      answers.push((yield* ask.list(path)).ok)
      answers.push((yield* ask.unlink(`${path}/3`)).ok)
    }
    runProtocolBlocking(work() as never, undefined, new Footing(ground))
    expect(answers).toEqual([true, true, false, false, true, true])
    expect(readdirSync(join(folder, 'moved'))).toEqual(['2', '3'])
    expect(readdirSync(path)).toEqual(['1', '2'])
  })

  test('follows no symbolic link, and leaves no descriptor open', async () => {
    const { folder, path, ground } = await place()
    symlinkSync(join(folder, 'other'), join(folder, 'link'))
    const before = readdirSync('/proc/self/fd').length
    expect(list(join(folder, 'link'), new Footing(ground))).toMatchObject({ ok: false, code: 'ENOTDIR' })
    expect(list(path, new Footing(ground))).toMatchObject({ ok: true })
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })
})
