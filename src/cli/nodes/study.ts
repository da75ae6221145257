/**
 * The study of one kind of lock: each node in turn holds it while the others try, hands it over, and is killed while
 * another one waits. That two hold at the same time is proved by messages only: the holder says before and after the attempt of
 * another that it holds, so the attempt lies between, whatever any clock shows.
 *
 * An advisory lock is kept by the kernel of its node, for all processes there: what another one of them does may end it, and only
 * the server knows. So a neighbour, a second process of the holder's node, is refused first, and the others try after it.
 *
 * Slowness is no refusal: a round in which a node was too slow to keep its lease, or to answer, says nothing about the lock,
 * and is played again.
 */

import { present } from '../../assert.js'
import type { LockerOptions } from '../../types.js'
import { choiceOf, type Kind } from '../shared/kinds.js'
import { errorReport } from '../shared/output.js'
import type { LostReason } from '../../errors.js'
import { endsWithin } from '../shared/bounded.js'
import type { Node } from '../remote/node.js'
import type { Outcome } from './holder.js'
import { NO_ANSWER } from '../remote/lines.js'
import { RemoteHolder } from './remote-holder.js'

/** One node tried while another one held. */
interface TryBesideHolder {
  by: string
  result: 'excluded' | 'acquired' | 'failed'
  /** The holder, as the lock itself says there. */
  heldBy: string | null
  /** The holder's answers before and after. */
  heldBefore: boolean
  heldAfter: boolean
  /** `acquired`: it really holds, after the holder's second answer. */
  heldByBoth: boolean
  /** Why the holder, or else the one that acquired it, had lost it after the attempt. */
  lost: LostReason | null
  error: { code: string; message: string } | null
}

/** Why a round says nothing about the lock. */
interface Doubt {
  code: 'TOO_SLOW' | 'GONE'
  message: string
}

interface Passing {
  to: string
  /** `null`: it did not come to pass within `limitMs`. */
  tookMs: number | null
}

/** What one node showed as the holder. */
export interface Round {
  node: string
  /** How often it was played until it said something, or was given up. */
  tries: number
  holder: { pid: number; token: string | null } | null
  /** What another process of its node came to that tried before the others; `null`: none did. */
  neighbour: TryBesideHolder | null
  attempts: TryBesideHolder[]
  /** The holder released while another one waited. */
  handOver: Passing | null
  /** The holder was killed (SIGKILL) while another one waited. */
  takeOver: Passing | null
  /** What kept the round from its end. */
  error: { code: string; message: string } | null
  /** `null`: it says something. */
  doubt: Doubt | null
}

export interface StudyOptions {
  kind: Kind
  nodes: readonly Node[]
  options: LockerOptions
  /** The lock, on each node. */
  pathOn(node: Node): string
  /** For one acquisition that must succeed. */
  limitMs: number
  refreshRateMs: number
  onProgress(what: string): void
}

/** Of a node that was busy for a moment the second round says enough; one that never catches up has to be named some time. */
const TRIES_MAX = 3

/** A lease that ran out is what these come to, and leases run out where a process or its server is too slow. */
const LEASE_REASONS: ReadonlySet<LostReason> = new Set(['lease-expired', 'retired', 'heartbeat-ended', 'taken-over', 'broken'])

export async function study(setup: StudyOptions): Promise<Round[]> {
  const start = (node: Node) => RemoteHolder.start(node, setup.options, setup.pathOn(node))
  const rounds: Round[] = []
  try {
    const withNeighbour = choiceOf(setup.kind).lockType === 'advisory' ? setup.nodes : []
    const startAll = (nodes: readonly Node[]) => Promise.all(nodes.map(start))
    const [workers, neighbours] = await Promise.all([startAll(setup.nodes), startAll(withNeighbour)])
    for (const [index, node] of setup.nodes.entries()) {
      setup.onProgress(`${setup.kind}: ${node.name} holds, the others try`)
      const others = [...workers.slice(index + 1), ...workers.slice(0, index)]
      for (let tries = 1; tries <= TRIES_MAX; tries++) {
        const round = newRound(node, tries)
        rounds[index] = round
        const holder = present(workers[index], 'a worker on each node')
        await playRound(round, { holder, neighbour: neighbours[index], others }, setup)
        for (const other of others) await other.release()
        workers[index] = await start(node) // the killed one
        if (round.doubt === null) break
        setup.onProgress(`${setup.kind}: ${round.doubt.message}${tries < TRIES_MAX ? '; once more' : ''}`)
      }
    }
  } catch (error) {
    // Nothing more is asked of nodes of which one does not answer as it should.
    const last = rounds.at(-1)
    const why = { error: errorReport(error), doubt: doubtOf(error) }
    if (last?.error === null) Object.assign(last, why)
    for (const node of setup.nodes.slice(rounds.length)) rounds.push({ ...newRound(node, 0), ...why })
  }
  return rounds
}

function newRound({ name }: Node, tries: number): Round {
  return {
    node: name,
    tries,
    holder: null,
    neighbour: null,
    attempts: [],
    handOver: null,
    takeOver: null,
    error: null,
    doubt: null,
  }
}

/** What was tried beside the holder, in this order. */
export const triesOf = ({ neighbour, attempts }: Round): TryBesideHolder[] => [
  ...(neighbour === null ? [] : [neighbour]),
  ...attempts,
]

interface Players {
  holder: RemoteHolder
  /** On its node. */
  neighbour: RemoteHolder | undefined
  /** One on each other node. */
  others: readonly RemoteHolder[]
}

/** Ends with the holder killed, unless something went wrong on the way. */
async function playRound(round: Round, { holder, neighbour, others }: Players, setup: StudyOptions): Promise<void> {
  try {
    if (neighbour !== undefined) await makeFile(holder, setup)
    round.holder = { pid: holder.pid, token: await acquire(holder, setup) }
    if (neighbour !== undefined) round.neighbour = await tryBeside(holder, neighbour)
    for (const other of others) round.attempts.push(await tryBeside(holder, other))
    round.doubt = doubtOfAttempts(holder, triesOf(round))
    const next = present(others[0], 'a second node')
    if (round.doubt === null && triesOf(round).every(({ result }) => result === 'excluded')) {
      round.handOver = await passTo(next, setup, holder, async () => assertKept(holder, (await holder.release()).lost))
      await next.release()
      await acquire(holder, setup)
      round.takeOver = await passTo(next, setup, holder, () => holder.kill())
      return
    }
  } catch (error) {
    round.doubt = doubtOf(error)
    if (!(error instanceof SlowError)) round.error = errorReport(error)
  }
  await holder.kill().catch(() => {})
}

/** Too slow to say anything about the lock. */
class SlowError extends Error {
  readonly code = 'TOO_SLOW'
}

/** `LOCK_TIMEOUT` of a try, which waits for no holder: its node or its file server did not answer in time. */
const SLOW_CODES: ReadonlySet<unknown> = new Set(['TOO_SLOW', NO_ANSWER, 'SERVER_TIMEOUT', 'LOCK_TIMEOUT'])

export function doubtOf(error: unknown): Doubt | null {
  const { code, message } = errorReport(error)
  if (code === 'GONE') return { code, message }
  return SLOW_CODES.has(code) ? { code: 'TOO_SLOW', message } : null
}

function doubtOfAttempts(holder: RemoteHolder, attempts: readonly TryBesideHolder[]): Doubt | null {
  if (attempts.some(({ heldByBoth }) => heldByBoth)) return null
  for (const { lost, error } of attempts) {
    if (lost !== null && LEASE_REASONS.has(lost)) return doubtOf(new SlowError(slowText(holder, lost)))
    const doubt = error === null ? null : doubtOf(error)
    if (doubt !== null) return doubt
  }
  return null
}

const slowText = ({ node }: RemoteHolder, lost: LostReason) =>
  `${node.name} lost the lock in between (${lost}): it was too slow to keep its lease`

/** @throws SlowError where it was lost for being slow */
function assertKept(holder: RemoteHolder, lost: LostReason | null): void {
  if (lost === null) return
  throw LEASE_REASONS.has(lost) ? new SlowError(slowText(holder, lost)) : new Error(`${holder.node.name} lost the lock (${lost})`)
}

async function tryBeside(holder: RemoteHolder, other: RemoteHolder): Promise<TryBesideHolder> {
  const { held: heldBefore } = await holder.held()
  let made: Pick<TryBesideHolder, 'result' | 'heldBy' | 'error'>
  try {
    const outcome = await other.try()
    made =
      outcome.outcome === 'acquired'
        ? { result: 'acquired', heldBy: null, error: null }
        : { result: 'excluded', heldBy: outcome.heldBy, error: null }
  } catch (error) {
    made = { result: 'failed', heldBy: null, error: errorReport(error) }
  }
  const { held: heldAfter, lost: lostByHolder } = await holder.held()
  const { held: heldByOther, lost: lostByOther } = await other.held()
  if (made.result === 'acquired') await other.release()
  const heldByBoth = made.result === 'acquired' && heldBefore && heldAfter && heldByOther
  return { by: other.node.name, ...made, heldBefore, heldAfter, heldByBoth, lost: lostByHolder ?? lostByOther }
}

/** A process that makes a file opens it in another way than those that find it, and a client may keep it apart for that. */
async function makeFile(holder: RemoteHolder, setup: StudyOptions): Promise<void> {
  await acquire(holder, setup)
  assertKept(holder, (await holder.release()).lost)
}

/** Nothing stands in its way. @returns the token */
async function acquire(holder: RemoteHolder, setup: StudyOptions): Promise<string | null> {
  const outcome = await seeThrough(holder, holder.acquire(setup.limitMs), setup)
  if (outcome.outcome === 'acquired') return outcome.token
  throw new Error(`not acquired within ${setup.limitMs / 1000} s, though no process of this trial holds it`)
}

/** `next` waits; then the holder gives up the lock in some way. */
async function passTo(
  next: RemoteHolder,
  setup: StudyOptions,
  holder: RemoteHolder,
  giveUp: () => Promise<void>,
): Promise<Passing> {
  const waiting = next.acquire(setup.limitMs)
  waiting.catch(() => {})
  assertKept(holder, (await holder.held()).lost) // a round trip: the other one has begun to wait
  const startMs = performance.now()
  await giveUp()
  const { outcome } = await seeThrough(next, waiting, setup)
  return { to: next.node.name, tookMs: outcome === 'acquired' ? performance.now() - startMs : null }
}

/**
 * Waits for what a waiter comes to.
 * @throws SlowError where it came to nothing, and in between the waiter or its file server did not answer as they should
 */
async function seeThrough(
  waiter: RemoteHolder,
  waiting: Promise<Outcome>,
  { refreshRateMs, limitMs }: StudyOptions,
): Promise<Outcome> {
  let slowestMs = 0
  while (!(await endsWithin(refreshRateMs, waiting))) {
    const askedMs = performance.now()
    await waiter.look()
    slowestMs = Math.max(slowestMs, performance.now() - askedMs)
  }
  const outcome = await waiting
  if (outcome.outcome === 'acquired' || slowestMs < refreshRateMs) return outcome
  const took = `it took up to ${Math.round(slowestMs)} ms to make a file there`
  throw new SlowError(`${waiter.node.name} did not get the lock within ${limitMs / 1000} s, but ${took}`)
}
