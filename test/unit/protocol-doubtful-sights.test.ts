/**
 * What a process sees that it cannot make sense of. Goal: a record whose writer died in the middle of a heartbeat holds a lock for
 * long, and not for ever; a probe for a cached name leaves no directory behind that no process can use, whatever it was
 * answered, and takes no lock of another library away. Method: the protocol on real directories, with a clock of ours, and
 * moves of others between its operations.
 */

import { link, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sessionOwner } from '../../src/drivers/identity.js'
import { attempt } from '../../src/protocol/acquire.js'
import { hardLinkClaim } from '../../src/protocol/claim-hard-link.js'
import { createLockDirectory } from '../../src/protocol/create-lock.js'
import { inspect } from '../../src/protocol/inspect.js'
import { judge } from '../../src/protocol/judge.js'
import type { Operation, Reply } from '../../src/protocol/operations.js'
import { encodeRecord, TIMEOUT_INTERVAL_MS_MAX } from '../../src/protocol/record.js'
import { createSession, type Session } from '../../src/protocol/session.js'
import { newMemory, type Observations, type Site } from '../../src/protocol/site.js'
import { run } from './protocol-run.js'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mountlock-sights-'))
  path = join(directory, 'lock')
})
afterEach(() => rm(directory, { recursive: true }))

const TERMS = { label: '', refreshRateMs: 20_000, timeoutIntervalMs: 30_000 }

function siteOf(observations: Observations = new Map(), coherent = true): Site {
  const surroundings = { coherent, listsAtOnce: coherent, extraSilenceMs: 0, me: sessionOwner(), observations }
  const { dev } = statSync(directory)
  return { path, directory, dev, mode: 0o755, claim: hardLinkClaim, memory: newMemory(), surroundings }
}

function newSession(): Session {
  const created = run(createSession(directory, sessionOwner(), TERMS))
  if (!created.ok) throw created.error
  return created.value
}

const beats = (session: Session, beat: number) => encodeRecord({ ...session.record, beat })

test.each([
  ['of which the end is the one before', (session: Session) => beats(session, 8).slice(0, 40) + beats(session, 7).slice(40)],
  ['of which the end is missing', (session: Session) => beats(session, 8).slice(0, 100)],
])('a lock whose holder left a record %s is taken over once it stood still for the longest interval', async (_, torn) => {
  const holder = newSession()
  const observations: Observations = new Map()
  const first = run(attempt(siteOf(), holder, false))
  expect(first.kind).toBe('acquired')
  // A copy: the dead do not write. It is a hard link to a file that has lost its name.
  const entry = join(path, String((first as { generation: bigint }).generation))
  await rm(entry)
  await writeFile(join(directory, 'torn'), torn(holder))
  await link(join(directory, 'torn'), entry)
  const tryAt = (ownMs: number) => {
    const answer = ({ op }: Operation) => (op === 'clock' ? { ownMs, wallMs: ownMs } : undefined)
    return run(attempt(siteOf(observations), newSession(), false), answer).kind
  }
  expect(tryAt(0)).toBe('busy')
  expect(tryAt(TIMEOUT_INTERVAL_MS_MAX)).toBe('busy')
  // Any write in between, and the watching begins anew.
  await writeFile(join(directory, 'torn'), `${torn(holder).trimEnd()}  `)
  expect(tryAt(1.2 * TIMEOUT_INTERVAL_MS_MAX)).toBe('busy')
  expect(tryAt(2.2 * TIMEOUT_INTERVAL_MS_MAX)).toBe('busy')
  expect(tryAt(2.4 * TIMEOUT_INTERVAL_MS_MAX)).toBe('acquired')
})

describe('a session of which there are copies', () => {
  const { timeoutIntervalMs } = TERMS
  const ELSEWHERE = { ...sessionOwner(), bootId: 'another node' }

  /** Of a session on another node. `name`: of its file, or of another one of the same session. */
  async function put(name: string, beat: number, modifiedS = beat): Promise<string> {
    const record = { ...ELSEWHERE, ...TERMS, id: '0123456789abcdef', beat, state: 'alive' as const }
    const file = join(directory, name)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, encodeRecord(record))
    await utimes(file, modifiedS, modifiedS)
    return file
  }

  /** What one process makes of what it sees of it. */
  function watching(inodeOf?: () => number) {
    const observations: Observations = new Map()
    return (file: string, ownMs: number) => {
      const { surroundings } = siteOf(observations)
      const answer = (operation: Operation) => {
        if (operation.op === 'clock') return { ownMs, wallMs: ownMs }
        if (operation.op !== 'read' || inodeOf === undefined) return undefined
        return { ok: true, value: { text: readFileSync(file, 'utf8'), modifiedMs: statSync(file).mtimeMs, ino: inodeOf() } }
      }
      return run(judge({ directory: dirname(file), path: file, sessionFile: null }, surroundings), answer).state
    }
  }

  test('is dead when it stood still, whatever else is seen of its copies', async () => {
    const files = [await put('here/session', 7), await put('copied/session', 7, 9), await put('restored/session', 5)]
    const look = watching()
    for (const part of [0, 0.5, 0.9]) for (const file of files) expect(look(file, part * timeoutIntervalMs)).toBe('alive')
    for (const file of files) expect(look(file, 1.2 * timeoutIntervalMs)).toBe('dead')
  })

  test('lives on where a copy of it is seen to stand still', async () => {
    const [file, copy] = [await put('session', 1), await put('copy', 1)]
    const look = watching()
    for (let beat = 1; beat <= 4; beat++) {
      const atMs = (beat * timeoutIntervalMs) / 2
      await put('session', beat)
      expect(look(file, atMs)).toBe('alive')
      expect(look(copy, atMs)).toBe(beat < 4 ? 'alive' : 'dead')
    }
  })

  test('is not dead because another user has guessed what it will write next, and when', async () => {
    const [file, guess] = [await put('session', 1), await put('guess', 2)]
    const look = watching()
    expect(look(guess, 0)).toBe('alive')
    await put('session', 2)
    expect(look(file, 1.2 * timeoutIntervalMs)).toBe('alive')
  })

  test('is watched under all of its names at once', async () => {
    const [file, entry] = [await put('session', 1), join(directory, 'entry')]
    await link(file, entry)
    const look = watching()
    expect(look(file, 0)).toBe('alive')
    expect(look(entry, 1.2 * timeoutIntervalMs)).toBe('dead')
  })

  test('is watched by its name where inode numbers change from one look to the next', async () => {
    const file = await put('session', 1)
    let inode = 1
    const look = watching(() => inode++)
    expect(look(file, 0)).toBe('alive')
    expect(look(file, 1.2 * timeoutIntervalMs)).toBe('dead')
  })
})

test('a record of another version is never convicted for its silence', async () => {
  const observations: Observations = new Map()
  await writeFile(path, '{"mountlock":2,"beats":"differently"}')
  const verdictAt = (ownMs: number) =>
    run(judge({ directory, path, sessionFile: null }, siteOf(observations).surroundings), ({ op }) =>
      op === 'clock' ? { ownMs, wallMs: ownMs } : undefined,
    ).state
  expect(verdictAt(0)).toBe('alive')
  expect(verdictAt(100 * TIMEOUT_INTERVAL_MS_MAX)).toBe('alive')
})

const SAID = { ok: false, code: 'EIO' } as const
/** Another process is faster, and its lock is taken away at once; then `probe` decides what becomes of the probe. */
function createBesideAnother(probe: () => Reply<void> | undefined) {
  return run(createLockDirectory(siteOf(new Map(), false)), (operation) => {
    if (operation.op === 'rename' && operation.to === path) mkdirSync(join(path, 'in use'), { recursive: true })
    if (operation.op !== 'mkdir' || operation.path !== path) return undefined
    rmSync(path, { recursive: true })
    return probe()
  })
}

test.each(['done', 'done and answered with an error'])('a probe for a cached name that is %s leaves nothing', async (how) => {
  createBesideAnother(() => {
    if (how === 'done') return undefined
    mkdirSync(path, { mode: 0o1700 })
    return SAID
  })
  expect(await readdir(directory)).toEqual([])
})

test('an empty directory that another library has made meanwhile stays', async () => {
  createBesideAnother(() => {
    mkdirSync(path)
    return SAID
  })
  expect(existsSync(path)).toBe(true)
  await rm(path, { recursive: true })
  await mkdir(path)
})

describe('a listing that says that there is no directory', () => {
  test.each([
    ['file', (at: string) => writeFileSync(at, 'precious')],
    ['special', (at: string) => execFileSync('mkfifo', [at])],
    ['symlink', (at: string) => symlinkSync('/not/mounted', at)],
  ] as const)('is told as what is there by then: %s', async (what, put) => {
    const site = siteOf()
    const session = newSession()
    const first = run(attempt(site, session, false))
    expect(first.kind).toBe('acquired')
    rmSync(path, { recursive: true })
    put(path)
    site.memory.known = null // the lock is listed again
    expect(run(attempt(site, session, false))).toMatchObject({ kind: 'foreign', what })
  })

  test('while a directory is there is told as it was answered', () => {
    const notDirectory = ({ op }: Operation) => (op === 'list' ? { ok: false, code: 'ENOTDIR' } : undefined)
    const first = siteOf()
    expect(run(attempt(first, newSession(), false)).kind).toBe('acquired')
    expect(run(attempt(siteOf(), newSession(), false), notDirectory)).toMatchObject({
      kind: 'failed',
      action: 'list',
      code: 'ENOTDIR',
    })
    expect(run(inspect(siteOf()), notDirectory)).toMatchObject({ kind: 'failed', code: 'ENOTDIR' })
  })
})
