/**
 * Directories that are swapped while they are worked in. Goal: whatever a user puts in the place of a directory of its own, and
 * whenever, nothing is removed, renamed or made anywhere but in the directory that was looked at: not in a mail folder whose
 * files have numbers for names, and not in a lock of the user that is deceived. Method: one process swaps a directory for symbolic
 * links, in a tight loop, while another one works there, as an ordinary user and as root. All at once, because they mostly wait.
 * For 5 s each; with MOUNTLOCK_SOAK=1 for 60 s. Needs root.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { dir } from 'tmp-promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sessionOwner } from '../../build/drivers/identity.js'
import { encodeRecord } from '../../build/protocol/record.js'

const RACE_MS = process.env.MOUNTLOCK_SOAK === undefined ? 5000 : 60_000
const ANN = 4241
const EVE = 4242
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const HOST = hostname()
  .replace(/[^A-Za-z0-9._-]/g, '_')
  .slice(0, 40)

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1))
const sessions = (count: number) => numbers(count).map((number) => `.mountlock-41c29-${HOST}-1-${number.padStart(16, '0')}`)

type Work = 'acquire' | 'prune' | 'change type' | 'patrol'

/** What Eve's directory contains, so that its names are removed or renamed one by one. */
const BAIT: Record<Work, { names: string[]; mode: number; text: string }> = {
  // More than a listing may have, and only Eve can remove them.
  acquire: { names: ['.links', ...numbers(200)], mode: 0o1777, text: '' },
  prune: { names: ['.links', ...numbers(30), '31.free'], mode: 0o777, text: '' },
  'change type': { names: ['.links', ...numbers(30), '31.free'], mode: 0o777, text: '' },
  patrol: { names: sessions(100), mode: 0o777, text: record('ended') },
}

/** The record of a session of this process, with its id to be filled in. */
function record(state: 'alive' | 'ended'): string {
  const terms = { id: 'ID', label: '', refreshRateMs: 20_000, timeoutIntervalMs: 60_000 }
  return encodeRecord({ ...sessionOwner(), ...terms, beat: 1, state })
}

type Program = ChildProcessByStdio<Writable, Readable, null>

interface Started {
  program: Program
  /** Its next line. */
  answer(): Promise<string>
  ended: Promise<unknown>
}

/** Starts a fixture as a user, and says when it is ready. */
async function start(fixture: string, uid: number, settings: object): Promise<Started> {
  const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--']
  const [command = '', ...args] = [...user, process.execPath, join(installed, 'test/process/fixtures', fixture)]
  const program = spawn(command, [...args, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' })
  started.push(program)
  const ended = once(program, 'exit')
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]()
  const answer = async () => String((await lines.next()).value)
  expect(await answer()).toBe('ready')
  return { program, answer, ended }
}

const started: Program[] = []
let installed: string
let remove: () => Promise<void>

beforeAll(async () => {
  const { path, cleanup } = await dir({ unsafeCleanup: true, prefix: 'mountlock' })
  ;[installed, remove] = [path, cleanup]
  chmodSync(path, 0o755)
  for (const part of ['package.json', 'dist', 'build', 'node_modules/signal-exit', 'test/process/fixtures'])
    await cp(join(ROOT, part), join(path, part), { recursive: true })
})

afterAll(async () => {
  for (const program of started) program.kill('SIGKILL')
  await remove()
})

/** A folder of a user, with everything in it that Eve's bait has names for. */
function keepsake(folder: string, uid: number, names: readonly string[], text: string): string {
  mkdirSync(folder)
  for (const name of names) {
    writeFileSync(join(folder, name), name.length > 16 ? text.replaceAll('ID', name.slice(-16)) : name)
    chownSync(join(folder, name), uid, uid)
  }
  chmodSync(folder, 0o700)
  chownSync(folder, uid, uid)
  return folder
}

/** All that a slip could have changed. */
function stateOf(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const { mode, nlink, ino, mtimeMs, size } = lstatSync(join(folder, name))
      return `${name} ${mode} ${nlink} ${ino} ${mtimeMs} ${size}`
    })
}

interface Race {
  user: string
  uid: number
  work: Work
  /** Where Eve swaps: the directory of the lock, or the lock directory in it. */
  where: 'directory' | 'lock'
}

const RACES: Race[] = [
  ...(['acquire', 'prune', 'change type'] as const).map((work) => ({ work, where: 'lock' as const })),
  ...(['acquire', 'patrol'] as const).map((work) => ({ work, where: 'directory' as const })),
].flatMap((race) => [
  { ...race, user: 'an ordinary user', uid: ANN },
  { ...race, user: 'root', uid: 0 },
])

/** What happened in a race to folders that were not meant. */
async function run({
  uid,
  work,
  where,
}: Race): Promise<{ before: string[][]; after: string[][]; rounds: number; swaps: number }> {
  const { path: top, cleanup } = await dir({ unsafeCleanup: true, prefix: 'mountlock' })
  try {
    chmodSync(top, 0o755)
    const shared = join(top, 'shared')
    mkdirSync(shared)
    // Where the lock is swapped: a directory of the administrator, sticky where that is no obstacle to Eve. Otherwise one of Eve's.
    chmodSync(shared, where === 'lock' ? (work === 'change type' ? 0o777 : 0o1777) : 0o755)
    if (where === 'directory') chownSync(shared, EVE, EVE)
    const { names, mode, text } = BAIT[work]
    const targets = [
      keepsake(join(top, 'mail'), uid, ['.mh_sequences', ...numbers(300), ...sessions(100)], record('alive')),
      keepsake(join(top, 'lock'), uid, ['.links', ...numbers(30), '31'], record('alive')),
    ]
    const before = targets.map(stateOf)
    const swapped = join(shared, where === 'lock' ? 'x.lock' : 'locks')
    const eve = await start('race-swapper.mjs', EVE, { path: swapped, names, mode, text, targets })
    const path = work === 'acquire' && where === 'directory' ? join(swapped, 'x.lock') : swapped
    const victim = await start('race-victim.mjs', uid, { work, path, ms: RACE_MS })
    eve.program.stdin.write('go\n')
    victim.program.stdin.write('go\n')
    const rounds = Number(await victim.answer())
    eve.program.stdin.end()
    const swaps = Number(await eve.answer())
    await Promise.all([eve.ended, victim.ended])
    return { before, after: targets.map(stateOf), rounds, swaps }
  } finally {
    await cleanup()
  }
}

describe.skipIf(process.getuid?.() !== 0)('while another user swaps directories (needs root rights)', () => {
  let results: Map<Race, Promise<Awaited<ReturnType<typeof run>>>>
  beforeAll(
    async () => {
      results = new Map(RACES.map((race) => [race, run(race)]))
      await Promise.allSettled(results.values())
    },
    2 * RACE_MS + 60_000,
  )

  test.each(RACES)('$user can $work there, and nothing happens anywhere else (the $where is swapped)', async (race) => {
    const { before, after, rounds, swaps } = (await results.get(race)) as Awaited<ReturnType<typeof run>>
    expect(after).toEqual(before)
    // There was a race.
    expect(rounds).toBeGreaterThan(0)
    expect(swaps).toBeGreaterThan(20)
  })
})
