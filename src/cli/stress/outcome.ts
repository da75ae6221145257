/** What came of it: pure, so that the table, the JSON, the page and the exit code cannot contradict each other. */

import { EXIT } from '../shared/exit-codes.js'
import type { Fault } from '../evidence/chaos.js'
import { check, type Section, sectionsOf, type Violation } from '../evidence/checker.js'
import type { Course, Life } from '../evidence/picture.js'
import type { Evidence } from '../evidence/records.js'
import { type Takeover, takeoversOf } from '../evidence/takeover.js'
import type { Kind } from '../shared/kinds.js'
import type { Facts } from '../remote/node.js'
import type { MountProfile } from '../shared/mounts.js'
import type { Limitation } from '../shared/scope.js'

export interface NodeEvidence {
  name: string
  directory: string
  facts: Facts
  mount: MountProfile | null
  /** How exactly its clock is known, at worst. */
  clockSlackMs: number
  /** The processes that ran there. */
  processes: ReadonlySet<string>
}

export interface StressFacts {
  kind: Kind
  settings: { refreshRateMs: number; timeoutIntervalMs: number }
  processesPerNode: number
  chaos: boolean
  fromMs: number
  toMs: number
  nodes: readonly NodeEvidence[]
  limitation: Limitation
  evidence: Evidence
  lives: readonly Life[]
  faults: readonly Fault[]
  /** Processes and nodes that ended by themselves. */
  crashes: readonly string[]
}

interface NodeOutcome {
  name: string
  acquisitions: number
  waitMedianMs: number | null
  waitMaxMs: number | null
  takeovers: number
  losses: number
}

type Verdict =
  | 'no-violation' // between machines, and with all that was asked for
  | 'one-machine' // no violation, but no more than one took part
  | 'local-disk' // no violation, but no other node can see the directory
  | 'no-kills' // no violation, but --chaos killed no process
  | 'nothing-proved' // there were no two that both got the lock
  | 'not-safe'

export interface Outcome {
  verdict: Verdict
  /** Why nothing is proved, if nothing is. */
  gap: string | null
  facts: StressFacts
  sections: Section[]
  takeovers: Takeover[]
  violations: Violation[]
  counts: {
    acquisitions: number
    increments: number
    kills: number
    stalls: number
    takeovers: number
    /** Holders that were told that they had lost the lock. */
    losses: number
    /** Late requests of holders that had lost it, refused by the counter because of their token. */
    lateRefused: number
    violations: number
  }
  nodes: NodeOutcome[]
  /** What went wrong and is no violation, each with how often. */
  failures: { text: string; count: number }[]
  exitCode: number
}

/** A wait that ended without the lock, or a loss that was told, is no failure. */
const EXPECTED_CODES = new Set(['LOCK_TIMEOUT', 'LOCK_LOST', 'ABORT_ERR'])

export function outcomeOf(facts: StressFacts): Outcome {
  const { evidence, faults } = facts
  const sections = sectionsOf(evidence)
  const violations = check(evidence)
  const takeovers = takeoversOf(sections)
  const failures = failuresOf(facts)
  const countOf = (kind: Fault['kind']) => faults.filter((fault) => fault.kind === kind).length
  const accepted = evidence.resource.filter((request) => request.accepted && request.written !== null)
  const kills = countOf('kill')
  const gap = gapOf(facts, sections)
  const verdict = verdictOf(facts, { isViolated: violations.length > 0, isProved: gap === null, kills })
  return {
    verdict,
    gap,
    facts,
    sections,
    takeovers,
    violations,
    counts: {
      acquisitions: sections.length,
      increments: accepted.length,
      kills,
      stalls: countOf('stall'),
      takeovers: takeovers.length,
      losses: sections.filter(({ lostMs }) => lostMs !== null).length,
      lateRefused: evidence.resource.filter((request) => !request.accepted).length,
      violations: violations.length,
    },
    nodes: facts.nodes.map((node) => nodeOutcome(node, sections, takeovers)),
    failures,
    exitCode: exitCodeOf(verdict, failures.length),
  }
}

function verdictOf(
  { chaos, limitation }: StressFacts,
  { isViolated, isProved, kills }: { isViolated: boolean; isProved: boolean; kills: number },
): Verdict {
  if (isViolated) return 'not-safe'
  if (!isProved) return 'nothing-proved'
  if (chaos && kills === 0) return 'no-kills'
  return limitation ?? 'no-violation'
}

/** What was asked for and not tried is no success. */
function exitCodeOf(verdict: Verdict, failures: number): number {
  if (verdict === 'not-safe') return EXIT.notSafe
  return verdict === 'nothing-proved' || verdict === 'no-kills' || failures > 0 ? EXIT.cannotLock : EXIT.ok
}

/** Exclusion takes two: a process that is alone, and a node that never has the lock, prove nothing of it. */
function gapOf({ nodes }: StressFacts, sections: readonly Section[]): string | null {
  const holders = new Set(sections.map(({ process }) => process))
  if (holders.size === 0) return 'No process got the lock'
  if (holders.size === 1) return 'No more than one process got the lock'
  const without = nodes.filter(({ processes }) => ![...processes].some((process) => holders.has(process)))
  return without.length === 0 ? null : `No process of ${without.map(({ name }) => name).join(', ')} got the lock`
}

function nodeOutcome({ name, processes }: NodeEvidence, all: readonly Section[], takeovers: readonly Takeover[]): NodeOutcome {
  const sections = all.filter(({ process }) => processes.has(process))
  const waits = sections.map(({ askedMs, acquiredMs }) => Math.max(0, acquiredMs - askedMs)).sort((a, b) => a - b)
  return {
    name,
    acquisitions: sections.length,
    waitMedianMs: waits[Math.floor(waits.length / 2)] ?? null,
    waitMaxMs: waits.at(-1) ?? null,
    takeovers: takeovers.filter(({ to }) => processes.has(to.process)).length,
    losses: sections.filter(({ lostMs }) => lostMs !== null).length,
  }
}

function failuresOf({ evidence, crashes }: StressFacts): Outcome['failures'] {
  const messages = evidence.processes.flatMap(({ events }) =>
    events.flatMap((event) => (event.type === 'failed' && !EXPECTED_CODES.has(event.code) ? [event.message] : [])),
  )
  const counts = new Map<string, number>()
  for (const text of [...crashes, ...messages]) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].map(([text, count]) => ({ text, count }))
}

/** For the picture: coloured by node. */
export function courseOf({ facts, sections, violations }: Outcome): Course {
  const { fromMs, toMs, lives, faults, evidence, nodes } = facts
  const nodeOf = (section: Section) => nodes.findIndex(({ processes }) => processes.has(section.process))
  const names = nodes.map(({ name }) => `held by ${name}`)
  const colours = { of: nodeOf, names }
  return { fromMs, toMs, locks: 1, lives, faults, sections, violations, processes: evidence.processes, colours }
}
