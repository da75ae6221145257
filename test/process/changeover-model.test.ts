/**
 * The change of lock types under every kind of bad luck. Goal: whatever the interleaving, however long a process stalls
 * between two operations and wherever a process dies, never do two processes hold one path, no token is handed out twice,
 * and in the end every lock type can still have the path. Method: the real protocols on a file system in memory, one atomic
 * operation at a time, in an order that a seed decides; the same with one precaution left out must fail.
 */

import { expect, test } from 'vitest'
import { attempt } from '../../src/protocol/acquire.js'
import { hardLinkClaim } from '../../src/protocol/claim-hard-link.js'
import { renameClaim } from '../../src/protocol/claim-rename.js'
import { symlinkClaim } from '../../src/protocol/claim-symlink.js'
import { dissolve } from '../../src/protocol/dissolve.js'
import { dissolvedName, revivingName } from '../../src/protocol/names.js'
import type { FileOperation, FileStatus, Operation, Protocol, Reply } from '../../src/protocol/operations.js'
import { createSession, type Session } from '../../src/protocol/session.js'
import { cleanUp, release } from '../../src/protocol/settle.js'
import { type Claim, newMemory, type Site } from '../../src/protocol/site.js'
import { Random } from '../sim/random.js'

const LOCK = '/d/P'
const GIVEN_UP = 'given up'
/** The server's clock stands still for ten operations. */
const TICK_MS = 100
const STEPS = 3000
const SEEDS = 400

const VIEW = { bootId: 'b', pidNamespace: 'n', timeNamespace: 't', userNamespace: 'u' }
const OWNER = { host: 'h', ...VIEW, pid: 1, startTime: '', uid: 0, user: null }
const INTERVALS = { label: '', refreshRateMs: 1e6, timeoutIntervalMs: 8e7 }

type Mutation = 'none' | 'no sentence in the file' | 'no look after the marker is taken' | 'emptied before it is decided'

interface Inode {
  ino: number
  entries: Map<string, Inode> | null
  text: string
  modifiedMs: number
  changedMs: number
  readonly bornMs: number
  lockedBy: Actor | null
  /** Of another user, in a sticky directory. */
  isPinned: boolean
}

/** A file system in memory: one operation at a time, nothing cached. */
class Files {
  nowMs = 1_000_000
  #ino = 1
  readonly root = this.make(true)

  make(isDirectory: boolean, text = ''): Inode {
    return {
      ino: this.#ino++,
      entries: isDirectory ? new Map() : null,
      text,
      modifiedMs: this.nowMs,
      changedMs: this.nowMs,
      bornMs: this.nowMs,
      lockedBy: null,
      isPinned: false,
    }
  }

  /** The entries of the parent, and the name in it; the errno otherwise. */
  parent(path: string): [Map<string, Inode>, string] | string {
    const parts = path.split('/').slice(2)
    const name = parts.pop() as string
    let at = this.root
    for (const part of parts) {
      if (at.entries === null) return 'ENOTDIR'
      const next = at.entries.get(part)
      if (next === undefined) return 'ENOENT'
      at = next
    }
    return at.entries === null ? 'ENOTDIR' : [at.entries, name]
  }

  at(path: string): Inode | string {
    if (path === '/d') return this.root
    const parent = this.parent(path)
    return typeof parent === 'string' ? parent : (parent[0].get(parent[1]) ?? 'ENOENT')
  }

  describe(): string {
    const inode = this.at(LOCK)
    if (typeof inode === 'string') return inode
    const within = [...(this.root.entries?.keys() ?? [])].join(' ')
    return inode.entries === null
      ? `a file, ${JSON.stringify(inode.text)}`
      : `${[...inode.entries.keys()].join(' ')} in ${inode.ino} (${within})`
  }

  perform(operation: FileOperation): Reply<unknown> {
    const value = this.#try(operation)
    return typeof value === 'string' ? { ok: false, code: value } : { ok: true, value: value.value }
  }

  #try(operation: FileOperation): string | { value?: unknown } {
    switch (operation.op) {
      case 'rename':
        return this.#rename(operation.from, operation.to)
      case 'link': {
        const inode = this.at(operation.from)
        return typeof inode === 'string' ? inode : this.#enter(operation.to, inode)
      }
      case 'symlink':
        return this.#enter(operation.path, this.make(false))
      case 'mkdir':
        return this.#enter(operation.path, this.make(true))
      case 'create':
        return this.#enter(operation.path, this.make(false, operation.text))
      case 'unlink':
        if (operation.path.includes('/.nfs')) throw new Error(`what is not ours was removed: ${operation.path}`)
        return this.#remove(operation.path, (inode) => (inode.isPinned ? 'EPERM' : inode.entries === null ? null : 'EISDIR'))
      case 'rmdir':
        return this.#remove(operation.path, ({ entries }) =>
          entries === null ? 'ENOTDIR' : entries.size === 0 ? null : 'ENOTEMPTY',
        )
    }
    const inode = this.at('path' in operation ? operation.path : '')
    if (typeof inode === 'string') return inode
    const { ino, entries, text, modifiedMs, changedMs, bornMs } = inode
    if (operation.op === 'stat') {
      const type = entries === null ? 'file' : 'directory'
      const value: FileStatus = { dev: 1, ino, uid: 0, type, mode: 0o755, links: 1, modifiedMs, changedMs, bornMs }
      return { value }
    }
    if (operation.op === 'list') return entries === null ? 'ENOTDIR' : { value: [...entries.keys()] }
    if (operation.op === 'read') return entries === null ? { value: { text, modifiedMs, ino } } : 'EINVAL'
    throw new Error(`Expected an operation that is modelled, got ${operation.op}`)
  }

  #enter(path: string, inode: Inode): string | { value: unknown } {
    const parent = this.parent(path)
    if (typeof parent === 'string') return parent
    if (parent[0].has(parent[1])) return 'EEXIST'
    parent[0].set(parent[1], inode)
    return { value: { serverMs: Math.floor(this.nowMs / TICK_MS) * TICK_MS, dev: 1, links: 1 } }
  }

  #remove(path: string, refusal: (inode: Inode) => string | null): string | { value?: unknown } {
    const parent = this.parent(path)
    const inode = this.at(path)
    if (typeof inode === 'string' || typeof parent === 'string') return String(typeof inode === 'string' ? inode : parent)
    const refused = refusal(inode)
    if (refused !== null) return refused
    parent[0].delete(parent[1])
    return {}
  }

  #rename(from: string, to: string): string | { value?: unknown } {
    const [source, target] = [this.parent(from), this.parent(to)]
    const inode = this.at(from)
    if (typeof source === 'string' || typeof target === 'string' || typeof inode === 'string')
      return String(typeof inode === 'string' ? inode : target)
    const present = target[0].get(target[1])
    if (present !== undefined && (present.entries === null) !== (inode.entries === null))
      return present.entries === null ? 'ENOTDIR' : 'EISDIR'
    if (present?.entries != null && present.entries.size > 0) return 'ENOTEMPTY'
    source[0].delete(source[1])
    target[0].set(target[1], inode)
    inode.changedMs = this.nowMs
    return {}
  }
}

/** One atomic thing that is not an operation of the protocol. */
interface Act {
  op: 'act'
  act: () => unknown
}
type Life = Generator<Operation | Act, void, unknown>

interface Actor {
  life: Life
  answer: unknown
  asleepUntil: number
  /** The ids of the sessions that no process has judged to be dead, by the start time that their records tell. */
  alive: Map<string, string>
  session: Session | null
  /** For a mutation: its last listing, and what it is made to see in the next. */
  seen: string[]
  believes: string[] | null
}

class Universe {
  readonly files = new Files()
  readonly random: Random
  readonly mutation: Mutation
  readonly actors: Actor[] = []
  /** By start time, which the model makes different for each session: then a judge asks for a session. A retired one is not in it. */
  readonly owners = new Map<string, Actor>()
  readonly counts = { dissolved: 0, givenUp: 0, acquired: 0, obstructed: 0, revived: 0 }
  holder: { actor: Actor; what: string } | null = null
  lastToken = 0n
  step = 0

  constructor(seed: number, mutation: Mutation) {
    this.random = new Random(seed)
    this.mutation = mutation
  }

  spawn(life: (actor: Actor) => Life): Actor {
    const fresh = { answer: undefined, asleepUntil: 0, alive: new Map(), session: null, seen: [], believes: null }
    const actor: Actor = { ...fresh, life: null as unknown as Life }
    actor.life = life(actor)
    this.actors.push(actor)
    return actor
  }

  /** One step of one actor, which may be its last. */
  advance(actor: Actor): void {
    this.step++
    this.files.nowMs += 10
    const { done, value } = actor.life.next(actor.answer)
    if (done) return this.die(actor)
    actor.answer = value.op === 'act' ? value.act() : this.#perform(actor, value)
  }

  #perform(actor: Actor, operation: Operation): unknown {
    switch (operation.op) {
      case 'clock':
        return { ownMs: this.step, wallMs: this.step }
      case 'name':
        return this.random.name()
      case 'lease':
        return isAlive(actor, operation.sessionId) ? 1000 : 0
      case 'wanted':
        return true
      case 'locked':
        return false
      case 'process':
        return this.#judge(String(operation.startTime))
      default:
        return this.#mutated(actor, operation)
    }
  }

  /** Lets a process that takes the marker away believe what it saw before. */
  #mutated(actor: Actor, operation: FileOperation): Reply<unknown> {
    if (operation.op === 'rename' && operation.from.startsWith(`${LOCK}/.reviving`)) this.counts.revived++
    if (this.mutation !== 'no look after the marker is taken') return this.files.perform(operation)
    if (operation.op === 'list' && operation.path === LOCK && actor.believes !== null) {
      const value = actor.believes
      actor.believes = null
      return { ok: true, value }
    }
    const reply = this.files.perform(operation)
    if (operation.op === 'list' && reply.ok) actor.seen = reply.value as string[]
    if (operation.op === 'rename' && operation.from === `${LOCK}/.links` && reply.ok)
      actor.believes = actor.seen.map((name) => (name === '.links' ? operation.to.slice(LOCK.length + 1) : name))
    return reply
  }

  /** The dead are dead; a process that sleeps may be judged to be dead at any moment, and knows it when it wakes up. */
  #judge(startTime: string): 'gone' | 'alive' {
    const owner = this.owners.get(startTime)
    if (owner === undefined) return 'gone'
    if (owner.asleepUntil <= this.step || !this.random.chance(0.3)) return 'alive'
    this.owners.delete(startTime)
    owner.alive.delete(startTime)
    if (this.holder?.actor === owner && this.holder.what !== 'advisory') this.holder = null
    return 'gone'
  }

  die(actor: Actor): void {
    this.actors.splice(this.actors.indexOf(actor), 1)
    for (const startTime of actor.alive.keys()) this.owners.delete(startTime)
    if (this.holder?.actor === actor) this.holder = null
    const unlock = (inode: Inode) => {
      if (inode.lockedBy === actor) inode.lockedBy = null
    }
    for (const inode of this.opened) unlock(inode)
  }

  /** Every file that was ever opened for locking. */
  readonly opened = new Set<Inode>()

  begins(actor: Actor, what: string, token: bigint | null): void {
    if (this.holder !== null) throw new Error(`two holders: ${this.holder.what} and ${what}`)
    if (token !== null && token <= this.lastToken) throw new Error(`token ${token} after ${this.lastToken}`)
    if (token !== null) this.lastToken = token
    this.holder = { actor, what }
    this.counts.acquired++
  }

  ends(actor: Actor): void {
    if (this.holder?.actor === actor) this.holder = null
  }

  *linker(actor: Actor, claim: Claim, times: number): Life {
    const site = siteOf(claim)
    for (let held = 0; held < times;) {
      const session = actor.session ?? (yield* this.#session(actor))
      const outcome = yield* attempt(site, session, false)
      if (outcome.kind === 'acquired') {
        if (!isAlive(actor, session.record.id)) continue
        this.begins(actor, claim.name, outcome.generation)
        held++
        yield* cleanUp(site, outcome.below)
        for (let pause = this.random.whole(4); pause > 0; pause--) yield nothing
        this.ends(actor)
        yield* release(site, { generation: outcome.generation, sessionId: session.record.id }, outcome.entry)
      } else if (outcome.kind === 'session-spent') actor.session = null
      else if (outcome.kind === 'foreign') {
        if ((yield* this.#locked(actor)) === 'directory') yield* this.#dissolve(site, claim.kind)
      } else if (outcome.kind === 'failed') throw new Error(`attempt failed: ${outcome.action} ${outcome.code}`)
      else yield nothing
    }
  }

  *#dissolve(site: Site, wanted: 'links' | 'renames' | null): Life {
    if (this.mutation === 'emptied before it is decided') {
      const inode = this.files.at(LOCK)
      if (typeof inode !== 'string' && this.random.chance(0.3))
        for (const name of inode.entries?.keys() ?? []) if (name.endsWith('.free')) inode.entries?.delete(name)
    }
    const outcome = yield* dissolve(site, wanted)
    if (outcome.kind === 'failed') throw new Error(`dissolve failed: ${outcome.code}`)
    if (outcome.kind === 'gone') this.counts.dissolved++
    if (outcome.kind === 'obstructed') this.counts.obstructed++
  }

  *#session(actor: Actor): Generator<Operation | Act, Session, unknown> {
    const startTime = this.random.name()
    const made = yield* createSession('/d', { ...OWNER, startTime }, INTERVALS)
    if (!made.ok) throw new Error(made.code)
    actor.session = made.value
    actor.alive.set(startTime, made.value.record.id)
    this.owners.set(startTime, actor)
    return made.value
  }

  /** Gives the file at the path up, as `changeover.ts` does. */
  *#locked(actor: Actor): Generator<Operation | Act, 'directory' | 'done', unknown> {
    const file = this.files.at(LOCK)
    if (typeof file === 'string') return 'done'
    if (file.entries !== null) return 'directory'
    if (!(yield* this.#lock(actor, file))) return 'done'
    yield nothing
    if (file.text === '') {
      if (this.mutation !== 'no sentence in the file') file.text = GIVEN_UP
      yield nothing
      yield { op: 'unlink', path: LOCK }
      this.counts.givenUp++
    }
    yield { op: 'act', act: () => unlock(file, actor) }
    return 'done'
  }

  /** Locks a file that was opened some time ago. A cached name may pretend that it is still in its place. */
  *#lock(actor: Actor, file: Inode): Generator<Operation | Act, boolean, unknown> {
    this.opened.add(file)
    yield nothing
    const locked = yield { op: 'act', act: () => file.lockedBy === null && lock(file, actor) }
    if (!locked) return false
    const isThere = (yield { op: 'act', act: () => this.files.at(LOCK) === file }) || this.random.chance(0.3)
    if (isThere && file.text !== GIVEN_UP) return true
    if (file.text === GIVEN_UP && (yield { op: 'act', act: () => this.files.at(LOCK) === file })) {
      file.text = ''
      return true
    }
    yield { op: 'act', act: () => unlock(file, actor) }
    return false
  }

  *advisory(actor: Actor, times: number): Life {
    for (let held = 0; held < times;) {
      const file = this.files.at(LOCK)
      if (file === 'ENOENT') yield { op: 'create', path: LOCK, text: '', mode: 0 }
      else if (typeof file === 'string') throw new Error(file)
      else if (file.entries !== null) yield* this.#dissolve(siteOf(hardLinkClaim), null)
      else if (yield* this.#lock(actor, file)) {
        this.begins(actor, 'advisory', null)
        held++
        for (let pause = this.random.whole(4); pause > 0; pause--) yield nothing
        this.ends(actor)
        yield { op: 'act', act: () => unlock(file, actor) }
      } else yield nothing
    }
  }

  /** Puts what is not ours into the lock directory, or pins what lies there, and takes it back. */
  meddle(): void {
    const inode = this.files.at(LOCK)
    if (typeof inode === 'string' || inode.entries === null) return
    const names = [...inode.entries.keys()]
    const strange = names.filter((name) => name.startsWith('.nfs'))
    const pinned = names.filter((name) => inode.entries?.get(name)?.isPinned)
    if (strange.length + pinned.length > 0) return this.heal(inode)
    if (this.random.chance(0.5)) inode.entries.set(`.nfs${this.random.name()}`, this.files.make(false))
    else for (const name of names) if (/^[0-9]+$/.test(name)) pin(inode.entries.get(name))
  }

  heal(inode = this.files.at(LOCK)): void {
    if (typeof inode === 'string' || inode.entries === null) return
    for (const [name, entry] of inode.entries) {
      entry.isPinned = false
      if (name.startsWith('.nfs')) inode.entries.delete(name)
    }
  }

  join(times = Number.POSITIVE_INFINITY): void {
    const kind = this.random.whole(3)
    this.spawn((actor) =>
      kind === 0 ? this.advisory(actor, times) : this.linker(actor, kind === 1 ? hardLinkClaim : renameClaim, times),
    )
  }
}

const isAlive = (actor: Actor, session: string) => [...actor.alive.values()].includes(session)
const nothing: Act = { op: 'act', act: () => undefined }
const pin = (inode: Inode | undefined) => {
  if (inode !== undefined) inode.isPinned = true
}
const lock = (file: Inode, actor: Actor) => {
  file.lockedBy = actor
  return true
}
const unlock = (file: Inode, actor: Actor) => {
  if (file.lockedBy === actor) file.lockedBy = null
}

function siteOf(claim: Claim): Site {
  const surroundings = { coherent: true, listsAtOnce: true, extraSilenceMs: 0, me: OWNER, observations: new Map() }
  return { path: LOCK, directory: '/d', dev: 1, mode: 0o755, claim, memory: newMemory(), surroundings }
}

/** A phase with faults; then everything heals, and each lock type has to get the path. */
function live(seed: number, mutation: Mutation = 'none') {
  const universe = new Universe(seed, mutation)
  const { random } = universe
  for (let i = 0; i < 4; i++) universe.join()
  while (universe.step < STEPS) {
    const awake = universe.actors.filter(({ asleepUntil }) => asleepUntil <= universe.step)
    if (awake.length === 0) {
      universe.step++
      continue
    }
    if (random.chance(0.01)) universe.meddle()
    const actor = random.pick(awake)
    universe.advance(actor)
    if (random.chance(0.03)) actor.asleepUntil = universe.step + random.logarithmic(5, 500)
    if (random.chance(0.004)) {
      universe.die(actor)
      universe.join()
    }
  }
  for (const actor of [...universe.actors]) universe.die(actor)
  universe.heal()
  for (const claim of [hardLinkClaim, null, renameClaim, null, hardLinkClaim, renameClaim])
    finish(universe, (actor) => (claim === null ? universe.advisory(actor, 1) : universe.linker(actor, claim, 1)))
  return universe.counts
}

function failureOf(seed: number, mutation: Mutation): string | null {
  try {
    live(seed, mutation)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

function finish(universe: Universe, life: (actor: Actor) => Life): void {
  const actor = universe.spawn(life)
  for (let steps = 0; universe.actors.includes(actor); steps++) {
    if (steps > 1000) throw new Error(`the path cannot be had any more: ${universe.files.describe()}`)
    universe.advance(actor)
  }
}

test('no interleaving, stall or crash lets two types hold one path, and the path stays usable by all of them', () => {
  const total = { dissolved: 0, givenUp: 0, acquired: 0, obstructed: 0, revived: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    let counts: typeof total
    try {
      counts = live(seed)
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
    total.dissolved += counts.dissolved
    total.givenUp += counts.givenUp
    total.acquired += counts.acquired
    total.obstructed += counts.obstructed
    total.revived += counts.revived
  }
  // The world was not too quiet to prove anything.
  expect(total.dissolved).toBeGreaterThan(SEEDS)
  expect(total.givenUp).toBeGreaterThan(SEEDS)
  expect(total.acquired).toBeGreaterThan(10 * SEEDS)
  expect(total.obstructed).toBeGreaterThan(SEEDS)
  expect(total.revived).toBeGreaterThan(SEEDS)
})

test.each(['no sentence in the file', 'no look after the marker is taken', 'emptied before it is decided'] as const)(
  'the same search fails when a precaution is left out: %s',
  (mutation) => {
    const failures = Array.from({ length: SEEDS }, (_, seed) => failureOf(seed, mutation))
    expect(failures).toContainEqual(expect.stringMatching(/^two holders|^token/))
  },
)

const ANSWERS: Partial<Record<Operation['op'], (random: Random) => unknown>> = {
  name: (random) => random.name(),
  clock: () => ({ ownMs: 0, wallMs: 0 }),
  lease: () => 1000,
  wanted: () => true,
  process: () => 'alive',
}

/** Drives a piece of the protocol by hand: to its end, or to the first operation that is to wait. */
function advance<Result>(files: Files, protocol: Protocol<Result>, random: Random, isToWait: (operation: Operation) => boolean) {
  let answer: unknown
  return (): Result | 'waits' => {
    for (;;) {
      const step = protocol.next(answer)
      if (step.done) return step.value
      const operation = step.value
      answer = ANSWERS[operation.op]?.(random) ?? files.perform(operation as FileOperation)
      if (isToWait(operation)) return 'waits'
    }
  }
}

test.each([
  { name: 'a lock that was revived', renumber: (operation: FileOperation) => operation, left: ['.links', '.nfs0', '8.free'] },
  {
    name: 'a lock that was revived with the last number (which must not be)',
    renumber: (operation: FileOperation) =>
      JSON.parse(JSON.stringify(operation).replaceAll('-8-', '-6-').replaceAll('/8.free', '/6.free')) as FileOperation,
    left: ['.links', '.nfs0'],
  },
])('a slow process that goes on taking a lock away meets $name', ({ renumber, left }) => {
  const files = new Files()
  const random = new Random(1)
  const site = siteOf(hardLinkClaim)
  const lock = files.make(true)
  files.root.entries?.set('P', lock)
  for (const name of ['.links', '5.free', '6.free']) lock.entries?.set(name, files.make(false))
  const slow = advance(
    files,
    dissolve(site, null),
    random,
    (operation) => operation.op === 'unlink' && operation.path.endsWith('5.free'),
  )
  expect(slow()).toBe('waits')
  lock.entries?.set('.nfs0', files.make(false))
  const perform = files.perform.bind(files)
  files.perform = (operation) => perform(renumber(operation))
  expect(advance(files, dissolve(site, null), random, () => false)()).toEqual({ kind: 'obstructed', names: ['.nfs0'] })
  slow()
  expect([...(lock.entries?.keys() ?? [])].sort()).toEqual(left)
})

test('a lock that stays has its marker again, although a holder came while the marker was taken', () => {
  const files = new Files()
  const random = new Random(1)
  const lock = files.make(true)
  files.root.entries?.set('P', lock)
  for (const name of ['.links', '5.free']) lock.entries?.set(name, files.make(false))
  const slow = advance(files, dissolve(siteOf(hardLinkClaim), null), random, ({ op }) => op === 'rename')
  expect(slow()).toBe('waits')
  lock.entries?.set('6', files.make(false)) // of a holder that cannot be told dead
  expect(slow()).toBe('waits')
  expect(slow()).toMatchObject({ kind: 'held' })
  expect([...(lock.entries?.keys() ?? [])].sort()).toEqual(['.links', '5.free', '6'])
})

test.each(['nothing', 'the file of an advisory lock'])(
  'a slow process that goes on reviving a lock where %s is by now finds that there is no lock directory',
  (what) => {
    const files = new Files()
    const random = new Random(1)
    const lock = files.make(true)
    files.root.entries?.set('P', lock)
    for (const name of [revivingName('links', 8n, random.name()), '.nfs0']) lock.entries?.set(name, files.make(false))
    const slow = advance(files, dissolve(siteOf(hardLinkClaim), null), random, ({ op }) => op === 'list')
    expect(slow()).toBe('waits')
    files.root.entries?.delete('P')
    if (what !== 'nothing') files.root.entries?.set('P', files.make(false))
    expect(slow()).toBe('waits')
    expect(slow()).toEqual({ kind: 'gone' })
  },
)

test.each([[5n, 8n] as const, [8n, 5n] as const])(
  'a lock with the markers of two that were dissolved (%d and %d) goes on above the last of them',
  (first, second) => {
    const files = new Files()
    const random = new Random(1)
    const lock = files.make(true)
    files.root.entries?.set('P', lock)
    const markers = [first, second].map((generation) => dissolvedName('links', generation, random.name()))
    for (const name of [...markers, '.nfs0']) lock.entries?.set(name, files.make(false))
    const dissolving = advance(files, dissolve(siteOf(hardLinkClaim), null), random, () => false)
    expect(dissolving()).toEqual({ kind: 'obstructed', names: ['.nfs0'] })
    expect([...(lock.entries?.keys() ?? [])].sort()).toEqual(['.links', '.nfs0', '10.free'])
  },
)

test.each([
  { claim: renameClaim, marker: '.renames' },
  { claim: symlinkClaim, marker: '.links' },
])(
  'where the share was unmounted in the middle of an attempt, a claim by $claim.name in the lock on the disk below does not count',
  ({ claim, marker }) => {
    const files = new Files()
    const random = new Random(1)
    const freeLock = () => {
      const lock = files.make(true)
      for (const name of [marker, '5.free']) lock.entries?.set(name, files.make(false))
      return lock
    }
    files.root.entries?.set('P', freeLock())
    const made = advance(files, createSession('/d', OWNER, INTERVALS), random, () => false)()
    if (made === 'waits' || !made.ok) throw new Error('no session')
    const slow = advance(files, attempt(siteOf(claim), made.value, false), random, ({ op }) => op === 'list')
    expect(slow()).toBe('waits')
    files.root.entries?.clear()
    files.root.entries?.set('P', freeLock())
    let outcome = slow()
    while (outcome === 'waits') outcome = slow()
    expect(outcome).toMatchObject({ kind: 'session-spent', why: 'missing' })
  },
)
