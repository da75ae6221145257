/**
 * Which process held what, when, and what befell it, as pictures: the course of a storm, and of `locktester stress`. A row
 * for each lock, one for each place among the processes; the whole time first, then the moments that are worth a closer look.
 */

import type { Fault } from './chaos.js'
import type { Section, Violation } from './checker.js'
import type { ProcessLog } from './records.js'
import { type Takeover, takeoversOf } from './takeover.js'
import { colourOf, type LegendEntry, type TimelineMark, type TimelineRow, type TimelineSpan, timelineSvg } from './timeline.js'

/** One life of a process. */
export interface Life {
  name: string
  /** The place among the processes, as its row is called: the next one takes it when this one is killed. */
  place: string
  fromMs: number
  toMs: number
}

export interface Course {
  fromMs: number
  toMs: number
  locks: number
  lives: readonly Life[]
  processes: readonly ProcessLog[]
  sections: readonly Section[]
  violations: readonly Violation[]
  faults: readonly Fault[]
  /** What possession is coloured by, and the names of the colours. */
  colours: { of(section: Section): number; names: readonly string[] }
}

/** What a picture shows. */
type Window = Pick<Course, 'fromMs' | 'toMs'>

const RED = '#d00000'
const PURPLE = '#9b4dca'
const GREEN = '#1a9850'
const WAITING = '#a9a9a9'
const ALIVE = '#c4c4c4'
const INK = 'currentColor'
/** Around what is shown in detail. */
const DETAIL_MS = 1500
const DETAILS_MAX = 3

/** @param title of the first one @param width of each, in units of the drawing @returns pictures, the whole first */
export function drawCourse(course: Course, title: string, width?: number): string[] {
  const { fromMs, toMs } = course
  const rows = rowsOf(course)
  const draw = (name: string, window: Window) =>
    timelineSvg({
      title: name,
      rows,
      legend: legendOf(course, rows, window),
      ...window,
      originMs: fromMs,
      ...(width && { width }),
    })
  // A closer look at most of it would show the same again.
  const moments = toMs - fromMs < 2 * DETAIL_MS ? [] : momentsOf(course)
  const details = moments.map(({ atMs, why }) => {
    const start = Math.max(fromMs, Math.min(atMs - DETAIL_MS / 2, toMs - DETAIL_MS))
    return draw(why, { fromMs: start, toMs: Math.min(start + DETAIL_MS, toMs) })
  })
  return [draw(title, { fromMs, toMs }), ...details]
}

/** Of what occurs in it, and nothing else. */
function legendOf(course: Course, rows: readonly TimelineRow[], { fromMs, toMs }: Window): LegendEntry[] {
  const { colours } = course
  const isIn = (span: Window) => span.fromMs < toMs && span.toMs > fromMs
  const isSeen = ({ atMs }: TimelineMark) => atMs >= fromMs && atMs <= toMs
  const hasSpan = ({ colour, height }: Pick<TimelineSpan, 'colour' | 'height'>) =>
    rows.some(({ spans }) => spans.some((span) => span.colour === colour && span.height === height && isIn(span)))
  const hasMark = ({ colour, shape }: Pick<TimelineMark, 'colour' | 'shape'>) =>
    rows.some(({ marks }) => marks.some((mark) => mark.colour === colour && mark.shape === shape && isSeen(mark)))
  const entries: LegendEntry[] = [
    ...colours.names.map((text, index): LegendEntry => ({ text, sample: { colour: colourOf(index), height: 'full' } })),
    { text: 'waits', sample: { colour: WAITING, height: 'half' } },
    { text: 'stalled', sample: { colour: INK, height: 'hatched' } },
    { text: 'killed', sample: { colour: INK, shape: 'cross' } },
    { text: 'takeover', sample: { colour: GREEN, shape: 'diamond' } },
    { text: 'loss declared', sample: { colour: RED, shape: 'triangle' } },
    { text: 'clock set', sample: { colour: PURPLE, shape: 'bar' } },
    { text: 'VIOLATION', sample: { colour: RED, shape: 'flag' } },
  ]
  return entries.filter(({ sample }) => ('shape' in sample ? hasMark(sample) : hasSpan(sample)))
}

function rowsOf(course: Course): TimelineRow[] {
  const locks = Array.from({ length: course.locks }, (_, lock) => lockRow(course, lock))
  const places = [...new Set(course.lives.map(({ place }) => place))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  return [...locks, ...diskRows(course), ...places.map((place) => placeRow(course, place))]
}

/** By lock: every holder. Two in one moment would show as an overlap under a red flag. */
function lockRow(course: Course, lock: number): TimelineRow {
  const { sections, violations, locks } = course
  const ofThis = sections.filter((section) => section.lock === lock)
  const takeovers = takeoversOf(ofThis)
  const marks = violations
    .filter((violation) => violation.lock === lock)
    .map(({ atMs, rule, text }): TimelineMark => ({ atMs, shape: 'flag', colour: RED, title: `${rule}: ${text}` }))
  return {
    label: locks === 1 ? 'the lock' : `lock ${lock}`,
    spans: [
      ...ofThis.flatMap((section) => heldSpan(section, course)).sort(byStart),
      ...takeovers.flatMap((takeover) => goneSpans(takeover, course)),
      ...ofThis.flatMap((section) => (takeovers.some(({ from }) => from === section) ? [] : lostSpans(section, course))),
    ],
    marks: [...takeovers.map(takeoverMark), ...marks],
  }
}

/** From the last sign of a holder to the takeover. */
function goneSpans({ from, to, afterMs }: Takeover, course: Course): TimelineSpan[] {
  const title = `${from.process}, its holder, was killed or stalled`
  return veiledSpans(from, { fromMs: to.acquiredMs - afterMs, toMs: to.acquiredMs, title }, course)
}

/** From the last sign of a holder to its loss, where no other process took the lock over. */
function lostSpans(section: Section, course: Course): TimelineSpan[] {
  const { process, sureUntilMs, lostMs } = section
  if (sureUntilMs === null || lostMs === null) return []
  return veiledSpans(section, { fromMs: sureUntilMs, toMs: lostMs, title: `${process}, its holder, lost it` }, course)
}

/** The colour of the holder under the veil. */
function veiledSpans(holder: Section, when: Window & { title: string }, { colours }: Course): TimelineSpan[] {
  return [
    { ...when, colour: colourOf(colours.of(holder)), height: 'full' },
    { ...when, colour: INK, height: 'hatched' },
  ]
}

/** Which lock a process held while it was stalled is seen under the veil. The order to stop may reach it a little later. */
function stalledSpans(stall: Fault, sections: readonly Section[], { colours }: Course): TimelineSpan[] {
  const { fromMs, toMs, process } = stall
  // It may have been stopped between the last sign of its hold and the release.
  const endOf = ({ releasingMs, lostMs }: Section) => Math.min(releasingMs ?? Infinity, lostMs ?? Infinity)
  const held = sections.filter((section) => section.process === process && section.acquiredMs <= toMs && endOf(section) >= fromMs)
  return [
    ...held.map((section): TimelineSpan => {
      const when = { fromMs: Math.max(fromMs, section.acquiredMs), toMs: Math.min(toMs, endOf(section)) }
      return { ...when, colour: colourOf(colours.of(section)), height: 'full' }
    }),
    { fromMs, toMs, colour: INK, height: 'hatched', title: 'stalled' },
  ]
}

function takeoverMark({ from, to, afterMs }: Takeover): TimelineMark {
  return {
    atMs: to.acquiredMs,
    shape: 'diamond',
    colour: GREEN,
    title: `${to.process} took it over from ${from.process}, ${Math.round(afterMs)} ms after that was last sure of it`,
  }
}

function heldSpan(section: Section, { colours, locks }: Course): TimelineSpan[] {
  const { sureUntilMs, acquiredMs, lock, token, process } = section
  if (sureUntilMs === null) return []
  const what = locks === 1 ? 'it' : `lock ${lock}`
  const title = `${process} held ${what}${token === null ? '' : `, token ${token}`}`
  return [{ fromMs: acquiredMs, toMs: sureUntilMs, colour: colourOf(colours.of(section)), height: 'full', title }]
}

function diskRows({ faults }: Course): TimelineRow[] {
  const full = faults.filter(({ kind }) => kind === 'disk-full')
  if (full.length === 0) return []
  const spans = full.map(({ fromMs, toMs }): TimelineSpan => {
    return { fromMs, toMs, colour: '#777', height: 'full', title: 'the disk was full' }
  })
  return [{ label: 'disk full', spans, marks: [] }]
}

const byStart = (a: TimelineSpan, b: TimelineSpan) => a.fromMs - b.fromMs

/** By place: one life after the other. */
function placeRow(course: Course, place: string): TimelineRow {
  const here = course.lives.filter((life) => life.place === place)
  const names = new Set(here.map(({ name }) => name))
  const logs = course.processes.filter(({ name }) => names.has(name))
  const sections = course.sections.filter(({ process }) => names.has(process))
  const befell = (wanted: Fault['kind']) =>
    course.faults.filter(({ kind, process }) => kind === wanted && process !== null && names.has(process))
  const mark = (shape: TimelineMark['shape'], colour: string, title: string) => (fault: Fault) => ({
    atMs: fault.toMs,
    shape,
    colour,
    title,
  })
  return {
    label: place,
    spans: [
      ...here.map(({ fromMs, toMs, name }): TimelineSpan => ({ fromMs, toMs, colour: ALIVE, height: 'line', title: name })),
      ...here.flatMap((life) => waits(life, course)).sort(byStart),
      ...sections.flatMap((section) => heldSpan(section, course)).sort(byStart),
      ...befell('stall').flatMap((stall) => stalledSpans(stall, sections, course)),
    ],
    marks: [
      ...befell('kill').map(mark('cross', INK, 'killed')),
      ...logs.flatMap(lossMarks),
      ...befell('clock').map(mark('bar', PURPLE, 'its clock was set')),
    ],
  }
}

function waits({ name, toMs }: Life, { processes }: Course): TimelineSpan[] {
  const events = processes.filter((log) => log.name === name).flatMap((log) => log.events)
  const asked = new Map<number, number>()
  const spans: TimelineSpan[] = []
  const wait = (fromMs: number, toMs: number) =>
    spans.push({ fromMs, toMs, colour: WAITING, height: 'half', title: `${name} waited` })
  for (const event of events) {
    if (event.type === 'asked') asked.set(event.attempt, event.atMs)
    const fromMs = asked.get(event.attempt)
    if (fromMs === undefined || (event.type !== 'acquired' && event.type !== 'failed')) continue
    asked.delete(event.attempt)
    wait(fromMs, event.atMs)
  }
  // Killed, or still waiting at the end of the run.
  const last = events.at(-1)
  if (last?.type === 'asked' && last.atMs < toMs) wait(last.atMs, toMs)
  return spans
}

function lossMarks({ name, events }: ProcessLog): TimelineMark[] {
  const lost = new Map(events.filter(({ type }) => type === 'lost').map((event) => [event.attempt, event]))
  return [...lost.values()].map(({ atMs }) => ({
    atMs,
    shape: 'triangle',
    colour: RED,
    title: `${name} declared the loss of its lock`,
  }))
}

/** Worth a closer look: what went wrong, and else how locks were lost and taken over; of a quiet course, its middle. */
function momentsOf({ violations, sections, fromMs, toMs }: Course): { atMs: number; why: string }[] {
  const wrong = violations.map(({ atMs, rule }) => ({ atMs, why: `Violation: ${rule}` }))
  const lost = sections.flatMap(({ lostMs, process }) => {
    return lostMs === null ? [] : [{ atMs: lostMs, why: `${process} declares that it has lost the lock` }]
  })
  const takeovers = takeoversOf(sections).map(({ from, to }) => {
    return { atMs: to.acquiredMs, why: `${to.process} takes the lock over from ${from.process}` }
  })
  const middle = { atMs: (fromMs + toMs) / 2, why: 'A closer look' }
  const moments: { atMs: number; why: string }[] = []
  for (const moment of [...wrong, ...lost, ...takeovers, middle]) {
    if (moments.length === DETAILS_MAX) break
    if (moment === middle && moments.length > 0) break
    if (moments.every(({ atMs }) => Math.abs(atMs - moment.atMs) > DETAIL_MS / 2)) moments.push(moment)
  }
  return moments
}
