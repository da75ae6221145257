/**
 * Draws which process did what, when: rows of spans and marks over a common axis of time, as SVG. Pure: data in, text out;
 * no dependency, no script, no font but the reader's own, so that a page of it is one file that can be kept and mailed.
 * Light or dark as the reader has it. The storms, `locktester stress` and the benchmarks draw with it.
 *
 *     const svg = timelineSvg({ title: 'lock 0', fromMs: 0, toMs: 2000, rows: [
 *       {
 *         label: 'p0',
 *         spans: [{ fromMs: 100, toMs: 900, colour: colourOf(0), height: 'full', title: 'held, token 7' }],
 *         marks: [],
 *       },
 *     ] })
 *     const page = timelinePage('A storm', [{ heading: 'lock 0', text: 'Quiet.', body: svg }])
 *
 * What it promises: a span is never drawn narrower than can be seen, and what lies too close together to be told apart is
 * drawn as one, so that the size of the picture depends on its width and not on the number of spans. Text from outside is
 * escaped. What it does not: to be readable with more rows than fit a page.
 */

import { present } from '../../assert.js'
import { escapeText, htmlPage } from './page.js'

export interface Timeline {
  title: string
  /** The window: what lies outside is cut off. Any clock will do; the axis counts from `originMs`. */
  fromMs: number
  toMs: number
  /** Where the axis says 0. @default fromMs */
  originMs?: number
  rows: readonly TimelineRow[]
  legend?: readonly LegendEntry[]
  /** In units of the drawing. @default 1200 */
  width?: number
}

export interface TimelineRow {
  label: string
  /** Later spans are drawn over earlier ones. */
  spans: readonly TimelineSpan[]
  marks: readonly TimelineMark[]
}

export interface TimelineSpan {
  fromMs: number
  toMs: number
  /** Any CSS colour; `currentColor` is the ink, dark or light. */
  colour: string
  /** `line`: existence; `half`: waiting; `full`: possession; `hatched`: a veil over what lies below. */
  height: 'line' | 'half' | 'full' | 'hatched'
  /** Shown when the pointer rests on it. */
  title?: string
}

export interface TimelineMark {
  atMs: number
  /** A flag stands out among all others. */
  shape: 'cross' | 'triangle' | 'diamond' | 'bar' | 'flag'
  colour: string
  title?: string
}

export interface LegendEntry {
  text: string
  sample: Pick<TimelineSpan, 'colour' | 'height'> | Pick<TimelineMark, 'colour' | 'shape'>
}

const WIDTH = 1200
/** For a window as narrow as a telephone's: scaled down to it, what is written can still be read. */
export const NARROW_WIDTH = 420
const LABEL_WIDTH_MIN = 110
const LABEL_WIDTH_MAX = 260
const MARGIN = 20
/** Of the fonts that readers have, about. */
const CHARACTER_WIDTH = 6.8
const ROW_HEIGHT = 22
const BAR_HEIGHT = 16
const TITLE_HEIGHT = 34
const LEGEND_HEIGHT = 24
const AXIS_HEIGHT = 30
/** In pixels: closer than this, two spans of one look are drawn as one. */
const MERGED_GAP = 0.6
const SPAN_WIDTH_MIN = 0.8
/** So that their words do not touch. */
const TICK_WIDTH_MIN = 89

/** Colours that can be told apart, also by the colour-blind (Okabe and Ito), and repeat after seven. */
const PALETTE = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#8a8a00']
export const colourOf = (index: number): string => present(PALETTE[index % PALETTE.length], 'a colour')

export function timelineSvg(timeline: Timeline): string {
  const { title, rows, legend = [], width = WIDTH } = timeline
  const places = placeLegend(legend, width)
  const top = TITLE_HEIGHT + places.lines * LEGEND_HEIGHT + MARGIN / 2
  const height = top + rows.length * ROW_HEIGHT + AXIS_HEIGHT
  const plot = plotOf(timeline)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(title)}" class="timeline" font-family="system-ui, sans-serif" font-size="12">`,
    `<style>${STYLE}</style>`,
    `<defs><pattern id="${hatchOf(width)}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" class="veil"/><path d="M0 0V5" stroke="currentColor" stroke-width="1.6"/></pattern></defs>`,
    `<rect width="${width}" height="${height}" class="paper"/>`,
    `<text x="8" y="21" font-size="15" font-weight="600">${escapeText(title)}</text>`,
    ...places.entries.map((entry) => drawLegendEntry(entry, hatchOf(width))),
    ...drawAxis(timeline, plot, top, rows.length * ROW_HEIGHT),
    ...rows.flatMap((row, index) => drawRow(row, plot, top + index * ROW_HEIGHT, timeline)),
    '</svg>',
  ].join('\n')
}

/** Of a picture of that width: a page may hide those of the other one, and with them what they define. */
const hatchOf = (width: number) => (width === WIDTH ? 'hatch' : `hatch-${width}`)

/** Said of every picture, so that it is right wherever it is shown: in a page, or by itself. */
const STYLE =
  '.timeline{color:#1a1a1a}.timeline text{fill:currentColor}.timeline .paper{fill:#fff}.timeline .veil{fill:#fff;fill-opacity:.6}' +
  '.timeline .grid{stroke:#e3e3e3}.timeline .line{stroke:#efefef}.timeline .quiet{opacity:.7}' +
  '@media (prefers-color-scheme:dark){.timeline{color:#e6e6e6}.timeline .paper{fill:#16181c}.timeline .veil{fill:#16181c}' +
  '.timeline .grid{stroke:#33373e}.timeline .line{stroke:#26292f}}'

export interface Section {
  heading: string
  /** Plain text; line breaks are kept. */
  text?: string
  /** A picture of {@link timelineSvg}. */
  body?: string
}

/** A page that needs nothing else. */
export function timelinePage(title: string, sections: readonly Section[]): string {
  const parts = sections.map(({ heading, text, body = '' }) => {
    const words = text === undefined ? '' : `<pre>${escapeText(text)}</pre>`
    return `<section><h2>${escapeText(heading)}</h2>${words}${body}</section>`
  })
  return htmlPage(title, parts.join('\n'))
}

type Scale = (ms: number) => number

/** Where the rows are drawn, beside their labels. */
interface Plot {
  left: number
  width: number
  x: Scale
  hatch: string
}

function plotOf({ fromMs, toMs, rows, width: whole = WIDTH }: Timeline): Plot {
  const left = Math.min(
    Math.max(LABEL_WIDTH_MIN, ...rows.map(({ label }) => label.length * CHARACTER_WIDTH + MARGIN)),
    labelWidthMax(whole),
  )
  const width = whole - left - MARGIN
  const perMs = width / Math.max(toMs - fromMs, 1e-6)
  return { left, width, x: (ms) => left + (Math.min(Math.max(ms, fromMs), toMs) - fromMs) * perMs, hatch: hatchOf(whole) }
}

/** Half of a narrow picture is for what happened. */
const labelWidthMax = (width: number) => Math.min(LABEL_WIDTH_MAX, width / 2)

/** The end of a name tells more than its middle. */
function shortened(label: string, width: number): string {
  const most = Math.floor((labelWidthMax(width) - MARGIN) / CHARACTER_WIDTH)
  return label.length <= most ? label : `${label.slice(0, most / 2 - 1)}…${label.slice(-most / 2)}`
}

function drawRow(
  { label, spans, marks }: TimelineRow,
  { left, width, x, hatch }: Plot,
  y: number,
  { fromMs, toMs, width: whole = WIDTH }: Timeline,
): string[] {
  const isVisible = (span: TimelineSpan) => span.toMs >= fromMs && span.fromMs <= toMs
  const middle = y + ROW_HEIGHT / 2
  return [
    `<text x="${round(left - 8)}" y="${middle + 4}" text-anchor="end">${escapeText(shortened(label, whole))}</text>`,
    `<path d="M${round(left)} ${y + ROW_HEIGHT}h${round(width)}" class="line"/>`,
    ...merged(spans.filter(isVisible), x).map((span) => drawSpan(span, x, middle, hatch)),
    ...marks.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).map((mark) => drawMark(mark, x(mark.atMs), middle)),
  ]
}

/** Joins neighbours of one look that a reader could not tell apart. Layers keep their order. */
function merged(spans: readonly TimelineSpan[], x: Scale): TimelineSpan[] {
  const result: (TimelineSpan & { count: number })[] = []
  const open = new Map<string, TimelineSpan & { count: number }>()
  for (const span of spans) {
    const look = `${span.height} ${span.colour}`
    const last = open.get(look)
    if (
      last !== undefined &&
      span.fromMs >= last.fromMs &&
      x(span.fromMs) - x(last.toMs) < MERGED_GAP &&
      isNarrow(span, last, x)
    ) {
      last.toMs = Math.max(last.toMs, span.toMs)
      last.count++
      continue
    }
    const copy = { ...span, count: 1 }
    open.set(look, copy)
    result.push(copy)
  }
  return result.map(({ count, ...span }) => (count === 1 ? span : { ...span, title: `${count} × ${span.title ?? ''}` }))
}

/** Broad ones keep an edge between them, even where they touch. */
const isNarrow = (a: TimelineSpan, b: TimelineSpan, x: Scale) => Math.min(x(a.toMs) - x(a.fromMs), x(b.toMs) - x(b.fromMs)) < 3

function drawSpan(span: TimelineSpan, x: Scale, middle: number, hatch: string): string {
  const left = x(span.fromMs)
  return bar({ left, width: Math.max(x(span.toMs) - left, SPAN_WIDTH_MIN), middle, hatch }, span)
}

function bar(
  { left, width, middle, hatch }: { left: number; width: number; middle: number; hatch: string },
  { colour, height, title }: Pick<TimelineSpan, 'colour' | 'height' | 'title'>,
): string {
  const tall = { line: 2, half: BAR_HEIGHT / 2.5, full: BAR_HEIGHT, hatched: BAR_HEIGHT + 4 }[height]
  const ink = escapeText(colour)
  const fill = height === 'hatched' ? `fill="url(#${hatch})" stroke="${ink}" stroke-width="0.7"` : `fill="${ink}"`
  return `<rect x="${round(left)}" y="${round(middle - tall / 2)}" width="${round(width)}" height="${round(tall)}" ${fill}>${tooltip(title)}</rect>`
}

/** From the middle of the row on. */
const SHAPES = {
  cross: 'm-5-5 10 10m0-10-10 10',
  triangle: 'm0-6 5 10h-10z',
  diamond: 'm0-6 5 6-5 6-5-6z',
  bar: 'm0-11v22',
  flag: 'm0 11v-22l10 5.5-10 5.5',
}

function drawMark({ shape, colour, title }: Omit<TimelineMark, 'atMs'>, x: number, middle: number): string {
  // A rim, so that it is seen on top of a bar of any colour.
  const isRimmed = shape === 'triangle' || shape === 'diamond'
  const ink = escapeText(colour)
  const fill = isRimmed || shape === 'flag' ? ink : 'none'
  const stroke = isRimmed ? 'stroke="#fff"' : `stroke="${ink}" stroke-width="2.2"`
  return `<path d="M${round(x)} ${round(middle)}${SHAPES[shape]}" fill="${fill}" ${stroke}>${tooltip(title)}</path>`
}

const tooltip = (title: string | undefined) => (title === undefined ? '' : `<title>${escapeText(title)}</title>`)

interface PlacedEntry {
  entry: LegendEntry
  left: number
  middle: number
}

/** From left to right, in as many lines as it takes. */
function placeLegend(legend: readonly LegendEntry[], whole: number): { entries: PlacedEntry[]; lines: number } {
  let [left, line] = [8, 0]
  const entries = legend.map((entry) => {
    const width = 30 + entry.text.length * CHARACTER_WIDTH + MARGIN
    if (left + width > whole && left > 8) [left, line] = [8, line + 1]
    const placed = { entry, left, middle: TITLE_HEIGHT + (line + 0.5) * LEGEND_HEIGHT }
    left += width
    return placed
  })
  return { entries, lines: legend.length === 0 ? 0 : line + 1 }
}

function drawLegendEntry({ entry: { text, sample }, left, middle }: PlacedEntry, hatch: string): string {
  const drawn = 'shape' in sample ? drawMark(sample, left + 11, middle) : bar({ left, width: 22, middle, hatch }, sample)
  return `${drawn}<text x="${round(left + 28)}" y="${middle + 4}">${escapeText(text)}</text>`
}

function drawAxis(timeline: Timeline, { x, width }: Plot, top: number, height: number): string[] {
  const { fromMs, toMs, originMs = fromMs } = timeline
  const step = tickStepMs(toMs - fromMs, width / TICK_WIDTH_MIN)
  const lines: string[] = []
  for (let tick = Math.ceil((fromMs - originMs) / step); originMs + tick * step <= toMs; tick++) {
    const at = round(x(originMs + tick * step))
    lines.push(`<path d="M${at} ${top}v${height}" class="grid"/>`)
    lines.push(`<text x="${at}" y="${top + height + 18}" text-anchor="middle" class="quiet">${seconds(tick * step)} s</text>`)
  }
  return lines
}

/** 1, 2 or 5 times a power of ten. */
function tickStepMs(rangeMs: number, ticksMax: number): number {
  const least = Math.max(rangeMs, 1e-6) / ticksMax
  const power = 10 ** Math.floor(Math.log10(least))
  return power * (([1, 2, 5, 10] as const).find((factor) => factor * power >= least) ?? 10)
}

const seconds = (ms: number) => String(Number((ms / 1000).toFixed(6)))
const round = (value: number) => String(Math.round(value * 100) / 100)
