/**
 * Every interleaving of a few processes that use a specimen, with a crash anywhere. A lock looks stale if the process that touched it
 * last has crashed, and only then: nothing is wrong with clocks, caches or replies. What must not happen is little: two
 * living processes that hold the lock at once. A state is the tree of files and what each process has been answered so far.
 */

import type { FileStatus, Reply } from '../../../src/protocol/operations.js'
import { Client, type ClientOperation, COHERENT } from '../client-cache.js'
import { FileServer, ROOT } from '../server.js'
import { acquireFixedPath, releaseFixedPath } from './fixed-path.js'
import { answer, type Callback, FILE, fsOf, loadLocker, type LockerHost } from './proper-lockfile.js'

export interface SpecimenReport {
  states: number
  isCaught: boolean
}

/** What a process is about to do: an operation, to leave the lock that it holds, or nothing more. */
type Next = ClientOperation | 'holds' | 'done'
/** A process from its beginning, as far as it comes with these answers (one for each operation, and one for each time that it held). */
type Life = (process: number, answers: readonly Reply<unknown>[]) => Next

const PROCESSES = 3
const ATTEMPTS = 2
const TIMEOUT_MS = 6000
/** Each process has a second of its own, so that a time stamp says whose it is. */
const SECOND_MS = 1_000_000
const LONG_AGO_MS = -1e9
const LEFT: Reply<unknown> = { ok: true, value: undefined }
const STATES_MAX = 1_000_000

export const fixedPathLife: Life = (process, answers) => {
  const life = lifeWithFixedPath(process)
  let step = life.next()
  for (const reply of answers) step = life.next(reply)
  return step.done ? 'done' : step.value
}

function* lifeWithFixedPath(process: number): Generator<Next, void, unknown> {
  const user = { name: String(process), timeoutMs: TIMEOUT_MS, node: { wallMs: process * SECOND_MS } }
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (!(yield* acquireFixedPath(user) as Generator<Next, boolean, unknown>)) continue
    yield 'holds'
    yield* releaseFixedPath() as Generator<Next, void, unknown>
  }
}

export const properLockfileLife: Life = (process, answers) => {
  let next: Next = 'done'
  let done: (reply: Reply<unknown>) => void = () => {}
  const host: LockerHost = {
    nowMs: () => process * SECOND_MS,
    perform: (operation, callback) => {
      next = operation
      done = (reply) => answer(operation, reply, callback)
    },
    after: () => {}, // its refreshes: no process waits that long
  }
  const options = { fs: fsOf(host), realpath: false, stale: TIMEOUT_MS }
  const locker = loadLocker(host)
  let attempts = 0
  const attempt: Callback = () => {
    next = 'done'
    if (attempts++ === ATTEMPTS) return
    locker.lock(FILE, options, (error) => {
      if (error !== null) return attempt(null)
      next = 'holds'
      done = () => locker.unlock(FILE, options, attempt)
    })
  }
  attempt(null)
  for (const reply of answers) done(reply)
  return next
}

interface State {
  server: FileServer
  answers: Reply<unknown>[][]
  crashed: number
}

export function exploreSpecimen(life: Life): SpecimenReport {
  const lives = new Map<string, Next>()
  const nextOf = (process: number, answers: readonly Reply<unknown>[]): Next => {
    const key = `${process}${JSON.stringify(answers)}`
    let next = lives.get(key)
    if (next === undefined) {
      next = life(process, answers)
      lives.set(key, next)
    }
    return next
  }
  const server = new FileServer()
  server.makeDirectory(ROOT, 'd', 0o755)
  const seen = new Set<string>()
  const states: State[] = []
  const reach = (state: State) => {
    const key = `${state.crashed}${JSON.stringify(state.answers)}${state.server.canonical(true)}`
    if (seen.has(key)) return
    seen.add(key)
    states.push(state)
  }
  reach({ server, answers: Array.from({ length: PROCESSES }, () => []), crashed: -1 })
  for (let at = 0; at < states.length && at < STATES_MAX; at++) {
    const state = states[at] as State
    const living = [...Array(PROCESSES).keys()].filter((process) => process !== state.crashed)
    const next = new Map(living.map((process) => [process, nextOf(process, state.answers[process] as Reply<unknown>[])]))
    if ([...next.values()].filter((what) => what === 'holds').length > 1) return { states: seen.size, isCaught: true }
    for (const [process, what] of next) {
      if (what === 'done') continue
      reach(step(state, process, what))
      if (state.crashed === -1) reach({ ...state, crashed: process })
    }
  }
  return { states: seen.size, isCaught: false }
}

function step(state: State, process: number, what: ClientOperation | 'holds'): State {
  const server = state.server.clone()
  server.clockMs = () => process * SECOND_MS
  const reply = what === 'holds' ? LEFT : seenBy(process, state.crashed, new Client(server, 1, COHERENT).perform(what, true))
  const answers = state.answers.map((before, other) => (other === process ? [...before, reply] : before))
  return { server, answers, crashed: state.crashed }
}

/** A time stamp of a living process is a moment ago, one of the crashed long ago. */
function seenBy(process: number, crashed: number, reply: Reply<unknown>): Reply<unknown> {
  if (!reply.ok || typeof reply.value !== 'object' || reply.value === null || !('ino' in reply.value)) return reply
  const { modifiedMs } = reply.value as FileStatus
  const owner = Math.floor(modifiedMs / SECOND_MS)
  if (owner === process) return { ok: true, value: { modifiedMs } }
  return { ok: true, value: { modifiedMs: owner === crashed ? LONG_AGO_MS : process * SECOND_MS } }
}
