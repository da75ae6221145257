/**
 * Judges by logs alone which process held which lock when. It shares no code with the library, and never accuses wrongly:
 * each rule compares only moments of which the logs prove that they were before or after each other, whatever stalls lie
 * between.
 *
 * 1. No token is handed out twice, and a process that asks after an acquisition gets a higher token.
 * 2. A holder that is sure (`assertHeld()` passes) is the only one: between the moment in which it had acquired and the
 *    last one in which it was sure, no other holder was sure. A holder that declares a loss is sure no more.
 * 3. A holder that was superseded before it began to release is told that it had lost the lock.
 * 4. The fenced resource takes nothing from a token below the highest that it has seen, and no holder that it has refused
 *    is still sure afterwards.
 * 5. No increment of the resource is lost.
 */

import { present } from '../../assert.js'
import type { Evidence, ResourceRequest, StormEvent } from './records.js'

export type Rule =
  'token-twice' | 'token-order' | 'overlap' | 'loss-not-told' | 'late-write' | 'sure-after-refusal' | 'lost-increment'

export interface Violation {
  rule: Rule
  lock: number
  atMs: number
  text: string
}

/** One acquisition, from the question to the end, as far as its process lived to tell. */
export interface Section {
  process: string
  attempt: number
  lock: number
  askedMs: number
  acquiredMs: number
  token: bigint | null
  /** The last moment in which it was certainly held; `null` if it never was. */
  sureUntilMs: number | null
  lostMs: number | null
  releasingMs: number | null
  releasedAsLost: boolean | null
}

export function check(evidence: Evidence): Violation[] {
  const locks = groupBy(sectionsOf(evidence), ({ lock }) => lock)
  const found: Violation[] = []
  for (const sections of locks.values()) {
    found.push(...overlaps(sections))
    if (evidence.hasTokens) found.push(...tokensTwice(sections), ...tokensOutOfOrder(sections), ...lossesNotTold(sections))
  }
  found.push(...checkResource(evidence))
  return found.sort((a, b) => a.atMs - b.atMs)
}

export function sectionsOf({ processes }: Evidence): Section[] {
  const sections: Section[] = []
  for (const { name, events } of processes) {
    const asked = new Map<number, number>()
    const byAttempt = new Map<number, Section>()
    for (const event of events) {
      if (event.type === 'asked') asked.set(event.attempt, earliestOf(event))
      if (event.type === 'acquired') {
        const { attempt, lock, atMs, slackMs = 0, token } = event
        const section: Section = {
          process: name,
          attempt,
          lock,
          askedMs: asked.get(attempt) ?? atMs - slackMs,
          acquiredMs: atMs + slackMs,
          token: token === null ? null : BigInt(token),
          sureUntilMs: null,
          lostMs: null,
          releasingMs: null,
          releasedAsLost: null,
        }
        byAttempt.set(attempt, section)
        sections.push(section)
      }
      const section = byAttempt.get(event.attempt)
      if (section !== undefined) addTo(section, event)
    }
  }
  return sections
}

/**
 * Wherever a clock is not exactly known, every moment is moved to where it accuses no process: acquisitions late, all else
 * early.
 */
const earliestOf = ({ atMs, slackMs = 0 }: StormEvent) => atMs - slackMs

function addTo(section: Section, event: StormEvent): void {
  if (event.type === 'sure') section.sureUntilMs = earliestOf(event)
  else if (event.type === 'lost') section.lostMs ??= event.atMs
  else if (event.type === 'releasing') section.releasingMs = earliestOf(event)
  else if (event.type === 'released') section.releasedAsLost = event.lost
}

function overlaps(sections: readonly Section[]): Violation[] {
  const sure = sections.filter(isSure).sort((a, b) => a.acquiredMs - b.acquiredMs)
  const found: Violation[] = []
  let latest: SureSection | undefined
  for (const section of sure) {
    if (latest !== undefined && section.acquiredMs < latest.sureUntilMs) {
      const byMs = Math.min(latest.sureUntilMs, section.sureUntilMs) - section.acquiredMs
      const text = `${say(section)} had it while ${say(latest)} was still sure of it, for ${byMs.toFixed(3)} ms`
      found.push({ rule: 'overlap', lock: section.lock, atMs: section.acquiredMs, text })
    }
    if (latest === undefined || section.sureUntilMs > latest.sureUntilMs) latest = section
  }
  return found
}

type SureSection = Section & { sureUntilMs: number }
const isSure = (section: Section): section is SureSection =>
  section.sureUntilMs !== null && section.sureUntilMs >= section.acquiredMs

function tokensTwice(sections: readonly Section[]): Violation[] {
  const found: Violation[] = []
  for (const same of groupBy(sections, ({ token }) => token).values()) {
    const [first, second] = same
    if (first === undefined || second === undefined) continue
    const text = `${say(first)} and ${say(second)} were given the same token`
    found.push({ rule: 'token-twice', lock: second.lock, atMs: second.acquiredMs, text })
  }
  return found
}

/** Everything that had been acquired before a question was asked must have a smaller token than the answer to it. */
function tokensOutOfOrder(sections: readonly Section[]): Violation[] {
  const acquired = sections.toSorted((a, b) => a.acquiredMs - b.acquiredMs)
  const asked = sections.toSorted((a, b) => a.askedMs - b.askedMs)
  const found: Violation[] = []
  let next = 0
  let highest: Section | undefined
  for (const section of asked) {
    for (; (acquired[next]?.acquiredMs ?? Number.POSITIVE_INFINITY) < section.askedMs; next++) {
      const earlier = present(acquired[next], 'a section')
      if (highest === undefined || tokenOf(earlier) > tokenOf(highest)) highest = earlier
    }
    if (highest === undefined || tokenOf(section) > tokenOf(highest)) continue
    const text = `${say(section)} asked for it after ${say(highest)} had acquired it, and was given no higher token`
    found.push({ rule: 'token-order', lock: section.lock, atMs: section.acquiredMs, text })
  }
  return found
}

const tokenOf = ({ token }: Section): bigint => token ?? -1n

function lossesNotTold(sections: readonly Section[]): Violation[] {
  const byToken = sections.toSorted((a, b) => (tokenOf(a) < tokenOf(b) ? -1 : 1))
  const found: Violation[] = []
  let successor: Section | undefined
  for (const section of byToken.reverse()) {
    const { releasingMs, releasedAsLost, lock } = section
    if (successor !== undefined && releasingMs !== null && releasedAsLost === false && successor.acquiredMs < releasingMs) {
      const text = `${say(section)} released it as its own although ${say(successor)} had acquired it before`
      found.push({ rule: 'loss-not-told', lock, atMs: releasingMs, text })
    }
    if (successor === undefined || section.acquiredMs < successor.acquiredMs) successor = section
  }
  return found
}

function checkResource({ resource, processes }: Evidence): Violation[] {
  const found: Violation[] = []
  const states = new Map<number, { highest: bigint; value: number }>()
  const refused: ResourceRequest[] = []
  for (const request of resource) {
    const { lock, written, accepted, atMs } = request
    const state = states.get(lock) ?? { highest: -1n, value: 0 }
    const token = request.token === null ? null : BigInt(request.token)
    const writer = say({ process: request.process, token })
    if (accepted && token !== null && token < state.highest) {
      found.push({ rule: 'late-write', lock, atMs, text: `the resource heard ${writer} after token ${state.highest}` })
    }
    if (!accepted) refused.push(request)
    if (accepted && written !== null) {
      const text = `${writer} wrote ${written} over ${state.value}`
      if (written !== state.value + 1) found.push({ rule: 'lost-increment', lock, atMs, text })
      state.value = written
    }
    if (accepted && token !== null && token > state.highest) state.highest = token
    states.set(lock, state)
  }
  return [...found, ...sureAfterRefusal(refused, processes)]
}

function sureAfterRefusal(refused: readonly ResourceRequest[], processes: Evidence['processes']): Violation[] {
  const found: Violation[] = []
  for (const { process, attempt, lock, atMs, token } of refused) {
    const { events = [] } = processes.find(({ name }) => name === process) ?? {}
    const later = events.find((event) => event.type === 'sure' && event.attempt === attempt && earliestOf(event) > atMs)
    const text = `${process} (token ${token}) was sure of the lock after a successor had made the resource refuse it`
    if (later !== undefined) found.push({ rule: 'sure-after-refusal', lock, atMs: later.atMs, text })
  }
  return found
}

const say = ({ process, token }: Pick<Section, 'process' | 'token'>) => (token === null ? process : `${process} (token ${token})`)

function groupBy<T, Key>(items: readonly T[], keyOf: (item: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
