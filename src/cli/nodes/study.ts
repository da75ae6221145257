/**
 * The study of one kind of lock: each node in turn holds it while the others try, hands it over, and is killed while
 * another one waits. That two hold at the same time is proved by messages only: the holder says before and after the attempt of
 * another that it holds, so the attempt lies between, whatever any clock shows.
 */

import type { LockerOptions } from '../../types.js'
import type { Kind } from '../shared/kinds.js'
import { errorReport } from '../shared/output.js'
import type { Node } from '../remote/node.js'
import { RemoteHolder } from './remote-holder.js'

/** One node tried while another one held. */
interface Attempt {
  by: string
  result: 'excluded' | 'acquired' | 'failed'
  /** Who holds it, as the lock itself says there. */
  heldBy: string | null
  /** The holder's answers before and after. */
  heldBefore: boolean
  heldAfter: boolean
  /** `acquired`: it really holds, after the holder's second answer. */
  heldByBoth: boolean
  error: { code: string; message: string } | null
}

interface Passing {
  to: string
  /** `null`: it did not come to pass within `limitMs`. */
  tookMs: number | null
}

/** What one node showed as the holder. */
export interface Round {
  node: string
  holder: { pid: number; token: string | null } | null
  attempts: Attempt[]
  /** The holder released while another one waited. */
  handOver: Passing | null
  /** The holder was killed (SIGKILL) while another one waited. */
  takeOver: Passing | null
  /** What kept the round from its end. */
  error: { code: string; message: string } | null
}

export interface StudyOptions {
  kind: Kind
  nodes: readonly Node[]
  options: LockerOptions
  /** The lock, on each node. */
  pathOn(node: Node): string
  /** For one acquisition that must succeed. */
  limitMs: number
  onProgress(what: string): void
}

export async function study(setup: StudyOptions): Promise<Round[]> {
  const start = (node: Node) => RemoteHolder.start(node, setup.options, setup.pathOn(node))
  const rounds: Round[] = []
  let workers: RemoteHolder[] = []
  try {
    workers = await Promise.all(setup.nodes.map(start))
    for (const [index, node] of setup.nodes.entries()) {
      setup.onProgress(`${setup.kind}: ${node.name} holds, the others try`)
      const round: Round = { node: node.name, holder: null, attempts: [], handOver: null, takeOver: null, error: null }
      rounds.push(round)
      const holder = workers[index] as RemoteHolder
      const others = [...workers.slice(index + 1), ...workers.slice(0, index)]
      await playRound(round, holder, others, setup)
      await Promise.all(others.map((other) => other.release()))
      workers[index] = await start(node) // the killed one
    }
  } catch (error) {
    // Nothing more is asked of nodes of which one does not answer as it should.
    const last = rounds.at(-1)
    const rest = setup.nodes.slice(last?.error === null ? rounds.length - 1 : rounds.length)
    if (last?.error === null) last.error = errorReport(error)
    for (const { name } of rest.filter(({ name }) => name !== last?.node)) {
      rounds.push({ node: name, holder: null, attempts: [], handOver: null, takeOver: null, error: errorReport(error) })
    }
  }
  return rounds
}

/** Ends with the holder killed, unless something went wrong on the way. */
async function playRound(
  round: Round,
  holder: RemoteHolder,
  others: readonly RemoteHolder[],
  { limitMs }: StudyOptions,
): Promise<void> {
  try {
    const held = await holder.acquire(limitMs)
    if (held.outcome === 'busy') throw new Error(`not acquired within ${limitMs / 1000} s, though nobody holds it`)
    round.holder = { pid: holder.pid, token: held.token }
    for (const other of others) round.attempts.push(await attempt(holder, other))
    const next = others[0] as RemoteHolder
    if (round.attempts.every(({ result }) => result === 'excluded')) {
      round.handOver = await passTo(next, limitMs, holder, () => holder.release())
      await next.release()
      if ((await holder.acquire(limitMs)).outcome === 'busy') throw new Error('not handed back')
      round.takeOver = await passTo(next, limitMs, holder, () => holder.kill())
      return
    }
  } catch (error) {
    round.error = errorReport(error)
  }
  await holder.kill().catch(() => {})
}

async function attempt(holder: RemoteHolder, other: RemoteHolder): Promise<Attempt> {
  const heldBefore = await holder.held()
  let made: Pick<Attempt, 'result' | 'heldBy' | 'error'>
  try {
    const outcome = await other.try()
    made =
      outcome.outcome === 'acquired'
        ? { result: 'acquired', heldBy: null, error: null }
        : { result: 'excluded', heldBy: outcome.heldBy, error: null }
  } catch (error) {
    made = { result: 'failed', heldBy: null, error: errorReport(error) }
  }
  const heldAfter = await holder.held()
  const heldByBoth = made.result === 'acquired' && heldBefore && heldAfter && (await other.held())
  if (made.result === 'acquired') await other.release()
  return { by: other.node.name, ...made, heldBefore, heldAfter, heldByBoth }
}

/** `next` waits; then the holder gives up the lock in some way. */
async function passTo(next: RemoteHolder, limitMs: number, holder: RemoteHolder, giveUp: () => Promise<void>): Promise<Passing> {
  const waiting = next.acquire(limitMs)
  waiting.catch(() => {})
  await holder.held() // a round trip: the other one has begun to wait
  const startMs = performance.now()
  await giveUp()
  const { outcome } = await waiting
  return { to: next.node.name, tookMs: outcome === 'acquired' ? performance.now() - startMs : null }
}
