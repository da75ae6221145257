/** A storm as a picture: who held what, when; and what befell them. */

import type { Section } from './checker.js'
import type { ProcessLog } from './records.js'
import type { StormResult } from './storm.js'
import { remarks, table } from './table.js'
import {
  colourOf,
  type LegendEntry,
  type TimelineMark,
  type TimelineRow,
  type TimelineSpan,
  timelinePage,
  timelineSvg,
} from './timeline.js'

const RED = '#d00000'
const PURPLE = '#7a00b8'
const WAITING = '#bbb'
const ALIVE = '#ccc'
/** Around what is shown in detail. */
const DETAIL_MS = 1500
const DETAILS_MAX = 3

export function stormPage(results: readonly StormResult[]): string {
  const overview = { heading: 'What happened', text: `${table(results)}\n\n${results.flatMap(remarks).join('\n')}`.trimEnd() }
  return timelinePage('A storm of processes', [overview, ...results.flatMap(sectionsOfPage)])
}

function sectionsOfPage(result: StormResult) {
  const { options, fromMs, toMs } = result
  const { kind, processes, locks, seconds, seed } = options
  const rows = rowsOf(result)
  const legend = legendOf(locks)
  const draw = (title: string, from: number, to: number) =>
    timelineSvg({ title, rows, legend, fromMs: from, toMs: to, originMs: fromMs })
  const whole = draw(`${kind}: the whole storm`, fromMs, toMs)
  const details = momentsOf(result).map(({ atMs, why }) => draw(`${kind}: ${why}`, atMs - DETAIL_MS / 2, atMs + DETAIL_MS / 2))
  const text = `${processes} processes, ${locks} locks, ${seconds} s, seed ${seed}. A row each for the locks and for the processes; * is another node.`
  return [{ heading: kind, text, body: [whole, ...details].join('\n') }]
}

function legendOf(locks: number): LegendEntry[] {
  const held = Array.from({ length: Math.min(locks, 4) }, (_, lock): LegendEntry => {
    return { text: `held: lock ${lock}`, sample: { colour: colourOf(lock), height: 'full' } }
  })
  return [
    ...held,
    { text: 'waits', sample: { colour: WAITING, height: 'half' } },
    { text: 'stopped', sample: { colour: '#333', height: 'hatched' } },
    { text: 'killed', sample: { colour: '#000', shape: 'cross' } },
    { text: 'clock set', sample: { colour: PURPLE, shape: 'bar' } },
    { text: 'loss declared', sample: { colour: RED, shape: 'triangle' } },
  ]
}

function rowsOf(result: StormResult): TimelineRow[] {
  const locks = Array.from({ length: result.options.locks }, (_, lock) => lockRow(result, lock))
  const places = [...new Set(result.lives.map(({ place }) => place))].sort((a, b) => a - b)
  return [...locks, diskRow(result), ...places.map((place) => placeRow(result, place))].filter((row) => row !== null)
}

/** By lock: every holder, two in one moment would show as a darker overlap under a red bar. */
function lockRow({ sections, violations }: StormResult, lock: number): TimelineRow {
  const spans = sections.filter((section) => section.lock === lock).flatMap((section) => heldSpan(section, section.process))
  const marks = violations
    .filter((violation) => violation.lock === lock)
    .map(({ atMs, rule, text }): TimelineMark => ({ atMs, shape: 'bar', colour: RED, title: `${rule}: ${text}` }))
  return { label: `lock ${lock}`, spans: spans.sort((a, b) => a.fromMs - b.fromMs), marks }
}

function heldSpan(section: Section, whose: string): TimelineSpan[] {
  const { sureUntilMs, acquiredMs, lock, token } = section
  if (sureUntilMs === null) return []
  const title = `${whose} held lock ${lock}${token === null ? '' : `, token ${token}`}`
  return [{ fromMs: acquiredMs, toMs: sureUntilMs, colour: colourOf(lock), height: 'full', title }]
}

function diskRow({ faults }: StormResult): TimelineRow | null {
  const full = faults.filter(({ kind }) => kind === 'disk-full')
  if (full.length === 0) return null
  const spans = full.map(({ fromMs, toMs }): TimelineSpan => ({
    fromMs,
    toMs,
    colour: '#555',
    height: 'full',
    title: 'the disk was full',
  }))
  return { label: 'disk full', spans, marks: [] }
}

/** By place: one life after the other. */
function placeRow({ lives, sections, faults, evidence }: StormResult, place: number): TimelineRow {
  const here = lives.filter((life) => life.place === place)
  const names = new Set(here.map(({ name }) => name))
  const logs = evidence.processes.filter(({ name }) => names.has(name))
  const byStart = (a: TimelineSpan, b: TimelineSpan) => a.fromMs - b.fromMs
  const stalls = faults.filter(({ kind, process }) => kind === 'stall' && process !== null && names.has(process))
  return {
    label: `p${place}${here[0]?.otherNode ? ' *' : ''}`,
    spans: [
      ...here.map(({ fromMs, toMs, name }): TimelineSpan => ({ fromMs, toMs, colour: ALIVE, height: 'line', title: name })),
      ...logs.flatMap(waits).sort(byStart),
      ...sections
        .filter(({ process }) => names.has(process))
        .flatMap((section) => heldSpan(section, section.process))
        .sort(byStart),
      ...stalls.map(({ fromMs, toMs }): TimelineSpan => ({ fromMs, toMs, colour: '#333', height: 'hatched', title: 'stopped' })),
    ],
    marks: [...killMarks(faults, names), ...logs.flatMap(lossMarks), ...clockMarks(faults, names)],
  }
}

function waits({ name, events }: ProcessLog): TimelineSpan[] {
  const asked = new Map<number, number>()
  const spans: TimelineSpan[] = []
  for (const event of events) {
    if (event.type === 'asked') asked.set(event.attempt, event.atMs)
    const fromMs = asked.get(event.attempt)
    if (fromMs === undefined || (event.type !== 'acquired' && event.type !== 'failed')) continue
    asked.delete(event.attempt)
    spans.push({ fromMs, toMs: event.atMs, colour: WAITING, height: 'half', title: `${name} waited for lock ${event.lock}` })
  }
  return spans
}

type Faults = StormResult['faults']
const befell = (faults: Faults, kind: string, names: ReadonlySet<string>) =>
  faults.filter((fault) => fault.kind === kind && fault.process !== null && names.has(fault.process))

const killMarks = (faults: Faults, names: ReadonlySet<string>) =>
  befell(faults, 'kill', names).map(({ toMs }): TimelineMark => ({ atMs: toMs, shape: 'cross', colour: '#000', title: 'killed' }))

const clockMarks = (faults: Faults, names: ReadonlySet<string>) =>
  befell(faults, 'clock', names).map(({ toMs }): TimelineMark => ({
    atMs: toMs,
    shape: 'bar',
    colour: PURPLE,
    title: 'its clock was set',
  }))

function lossMarks({ name, events }: ProcessLog): TimelineMark[] {
  const lost = new Map(events.filter(({ type }) => type === 'lost').map((event) => [event.attempt, event]))
  return [...lost.values()].map(({ atMs, lock }) => ({
    atMs,
    shape: 'triangle',
    colour: RED,
    title: `${name} declared lock ${lock} lost`,
  }))
}

/** Worth a closer look: what went wrong, and else how locks were lost and taken over. */
function momentsOf({ violations, sections }: StormResult): { atMs: number; why: string }[] {
  const wrong = violations.map(({ atMs, rule, lock }) => ({ atMs, why: `${rule}, lock ${lock}` }))
  const lost = sections.flatMap(({ lostMs, process, lock }) => {
    return lostMs === null ? [] : [{ atMs: lostMs, why: `${process} declares lock ${lock} lost` }]
  })
  const moments: { atMs: number; why: string }[] = []
  for (const moment of [...wrong, ...lost]) {
    if (moments.length === DETAILS_MAX) break
    if (moments.every(({ atMs }) => Math.abs(atMs - moment.atMs) > DETAIL_MS / 2)) moments.push(moment)
  }
  return moments
}
