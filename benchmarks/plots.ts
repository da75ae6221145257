/** Plots as SVG: distributions as rows of hills, curves, and shares. Colours and fonts are the style sheet's. */

import { readFileSync } from 'node:fs'
import { timelineSvg } from '../src/cli/evidence/timeline.js'
import type { Curve, Measurement, Plot, Point } from './result.js'
import { figure, withUnit } from './result.js'
import { coefficientOfVariation, median, quantile } from './statistics.js'

const WIDTH = 720
const LABEL_WIDTH = 236
const VALUE_WIDTH = 88
const ROW_HEIGHT = 38

export const plotStyle = () => readFileSync(new URL('./plots.css', import.meta.url), 'utf8')

/** Needed in a file, and not in a page. */
const NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'

/** A picture that stands for itself, on light and dark pages. */
export function plotFile(plot: Plot): string {
  if (plot.kind === 'timeline') return timelineSvg(plot.timeline) // it brings its own style
  return plotSvg(plot).replace('<svg ', `<svg ${NAMESPACE} `).replace('>', `><style>${plotStyle()}</style>`)
}

export function plotSvg(plot: Plot): string {
  switch (plot.kind) {
    case 'distribution':
      return distribution(plot.measurements.filter(({ rounds }) => rounds.flat().length > 0))
    case 'shares':
      return shares(plot.measurements)
    case 'timeline':
      return timelineSvg(plot.timeline).replace(` ${NAMESPACE}`, '')
    case 'curve':
      return curves(plot)
  }
}

export function harmless(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** @param left room beyond the left edge, for labels that are longer than usual */
const svg = (height: number, parts: readonly string[], left = 0) =>
  `<svg viewBox="${-left} 0 ${WIDTH + left} ${height}" role="img">${parts.join('\n')}</svg>`

/** Of the widest of the fonts that readers have, about; those of ours are bold. */
const CHARACTER_WIDTH = { ours: 8.2, others: 6.4 }

/** By how much the longest label is wider than its column. */
function overhang(measurements: readonly Measurement[]): number {
  const widths = measurements.map(({ label, role }) => label.length * CHARACTER_WIDTH[role === 'ours' ? 'ours' : 'others'])
  return Math.ceil(Math.max(0, ...widths.map((width) => width - (LABEL_WIDTH - 10))))
}

const text = (x: number, y: number, content: string, classes = '') =>
  `<text x="${at(x)}" y="${at(y)}" class="${classes}">${harmless(content)}</text>`

const at = (value: number) => String(Math.round(value * 10) / 10)

/** From values to places on a line. All axes are logarithmic: locks differ by factors. */
function logarithmic([low, high]: readonly [number, number], [from, to]: readonly [number, number]): (value: number) => number {
  const [start, end] = [Math.log10(low), Math.log10(high)]
  return (value) => from + ((Math.log10(Math.max(value, 1e-9)) - start) / (end - start || 1)) * (to - from)
}

/** 1, 2, 5, 10, 20 … within a range. */
function ticks(low: number, high: number): number[] {
  const found: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of high / low > 200 ? [1] : [1, 2, 5]) {
      const value = digit * 10 ** power
      if (value >= low && value <= high) found.push(value)
    }
  }
  return found
}

/** One hill for each candidate, from the fastest to the slowest, over a common axis. */
function distribution(measurements: readonly Measurement[]): string {
  if (measurements.length === 0) return svg(ROW_HEIGHT, [text(0, 20, 'no candidate could be measured')])
  const all = measurements.map((measurement) => ({ ...measurement, samples: measurement.rounds.flat() }))
  all.sort((a, b) => median(a.samples) - median(b.samples))
  const low = Math.max(1e-3, Math.min(...all.map(({ samples }) => quantile(samples, 0.01)))) * 0.85
  const high = Math.max(...all.map(({ samples }) => quantile(samples, 0.96))) * 1.15
  const x = logarithmic([low, high], [LABEL_WIDTH, WIDTH - VALUE_WIDTH])
  const bottom = all.length * ROW_HEIGHT + 8
  const parts = axis(ticks(low, high), x, bottom, all[0]?.unit ?? null)
  for (const [row, { label, role, unit, samples }] of all.entries()) {
    const baseline = (row + 1) * ROW_HEIGHT
    const middle = median(samples)
    const range = `${withUnit(quantile(samples, 0.05), unit)} – ${withUnit(quantile(samples, 0.95), unit)}`
    const title = `<title>${harmless(`${label}: median ${withUnit(middle, unit)}, 5 – 95 % ${range}, ${samples.length} samples`)}</title>`
    parts.push(
      `<g class="${role}">${title}`,
      `<line x1="${LABEL_WIDTH}" x2="${WIDTH - VALUE_WIDTH}" y1="${baseline}" y2="${baseline}" class="base"/>`,
      text(LABEL_WIDTH - 10, baseline - 6, label, 'label end'),
      `<path d="${hill(samples, x, baseline, [LABEL_WIDTH, WIDTH - VALUE_WIDTH])}" class="hill"/>`,
      `<line x1="${at(x(middle))}" x2="${at(x(middle))}" y1="${baseline - ROW_HEIGHT + 8}" y2="${baseline}" class="median"/>`,
      text(WIDTH - VALUE_WIDTH + 8, baseline - 6, withUnit(middle, unit), 'value'),
      '</g>',
    )
  }
  return svg(bottom + 24, parts, overhang(measurements))
}

function axis(
  values: readonly number[],
  x: (value: number) => number,
  bottom: number,
  unit: Measurement['unit'] | null,
): string[] {
  return values.flatMap((value) => [
    `<line x1="${at(x(value))}" x2="${at(x(value))}" y1="0" y2="${bottom}" class="grid"/>`,
    text(x(value), bottom + 15, unit === null ? String(value) : withUnit(value, unit), 'tick middle'),
  ])
}

const HILL_STEPS = 120

/** A smoothed histogram on the axis; what lies outside is counted at its ends. */
function hill(
  samples: readonly number[],
  x: (value: number) => number,
  baseline: number,
  [from, to]: readonly [number, number],
): string {
  const step = (to - from) / HILL_STEPS
  const counts = new Array<number>(HILL_STEPS + 1).fill(0)
  for (const sample of samples) {
    const place = Math.round((x(sample) - from) / step)
    const index = Math.min(HILL_STEPS, Math.max(0, place))
    counts[index] = (counts[index] ?? 0) + 1
  }
  const smooth = counts.map((_, index) =>
    KERNEL.reduce((sum, weight, offset) => sum + weight * (counts[index + offset - 2] ?? 0), 0),
  )
  const highest = Math.max(...smooth)
  const top = (value: number) => baseline - (value / highest) * (ROW_HEIGHT - 8)
  const points = smooth.map((value, index) => `${at(from + index * step)} ${at(top(value))}`)
  return `M${from} ${baseline}L${points.join('L')}L${to} ${baseline}Z`
}

const KERNEL = [0.1, 0.25, 0.3, 0.25, 0.1]

/** One row of bars for each candidate: what each process got, of what an even share would have been. */
function shares(measurements: readonly Measurement[]): string {
  const left = LABEL_WIDTH
  const right = WIDTH - VALUE_WIDTH
  const rowHeight = ROW_HEIGHT + 14
  const parts: string[] = []
  for (const [row, { label, role, rounds }] of measurements.entries()) {
    const counts = rounds.flat().sort((a, b) => b - a)
    const total = counts.reduce((sum, count) => sum + count, 0)
    const baseline = (row + 1) * rowHeight
    const width = (right - left) / counts.length
    const even = total / counts.length
    const height = (count: number) => (Math.min(count / (even || 1), SHARE_MAX) / SHARE_MAX) * (rowHeight - 10)
    parts.push(`<g class="${role}">`, text(left - 10, baseline - 12, label, 'label end'))
    for (const [index, count] of counts.entries()) {
      const size = `x="${at(left + index * width + 1.5)}" y="${at(baseline - height(count))}" width="${at(width - 3)}" height="${at(Math.max(height(count), 1))}"`
      parts.push(`<rect ${size} class="bar"><title>${count} of ${total}</title></rect>`)
    }
    const evenly = baseline - height(even)
    parts.push(`<line x1="${left}" x2="${right}" y1="${at(evenly)}" y2="${at(evenly)}" class="even"/>`)
    parts.push(text(right + 8, baseline - 12, figure(coefficientOfVariation(counts)), 'value'), '</g>')
  }
  const bottom = measurements.length * rowHeight
  parts.push(
    text(left, bottom + 18, 'each bar a process, the line an even share', 'tick'),
    text(right + 8, bottom + 18, 'variation', 'tick'),
  )
  return svg(bottom + 26, parts)
}

/** More than so many even shares are cut off: then the figure says it. */
const SHARE_MAX = 3

const CURVE_HEIGHT = 300
const CURVE_LEFT = 64
const CURVE_RIGHT = 200

function curves({ curves, xLabel, yLabel }: Extract<Plot, { kind: 'curve' }>): string {
  const points = curves.flatMap((curve) => curve.points)
  if (points.length === 0) return svg(ROW_HEIGHT, [text(0, 20, 'no candidate could be measured')])
  const range = (values: readonly number[]) => [Math.max(Math.min(...values), 0.01) * 0.7, Math.max(...values, 1) * 1.4] as const
  const [xRange, yRange] = [range(points.map(({ x }) => x)), range(points.map(({ y }) => y))]
  const x = logarithmic(xRange, [CURVE_LEFT, WIDTH - CURVE_RIGHT])
  const y = logarithmic(yRange, [CURVE_HEIGHT, 10])
  const parts = axis(ticks(...xRange), x, CURVE_HEIGHT, null)
  for (const value of ticks(...yRange)) {
    parts.push(`<line x1="${CURVE_LEFT}" x2="${WIDTH - CURVE_RIGHT}" y1="${at(y(value))}" y2="${at(y(value))}" class="grid"/>`)
    parts.push(text(CURVE_LEFT - 8, y(value) + 4, String(value), 'tick end'))
  }
  parts.push(text((CURVE_LEFT + WIDTH - CURVE_RIGHT) / 2, CURVE_HEIGHT + 36, xLabel, 'tick middle'), text(4, 4, yLabel, 'tick'))
  parts.push(...labelled(curves, y).flatMap(({ curve, labelY }) => drawCurve(curve, x, y, labelY)))
  return `<svg viewBox="0 -10 ${WIDTH} ${CURVE_HEIGHT + 54}" role="img">${parts.join('\n')}</svg>`
}

/** Each label beside the end of its curve, moved down where two would overlap. */
function labelled(curves: readonly Curve[], y: (value: number) => number): { curve: Curve; labelY: number }[] {
  const ends = curves.map((curve) => ({ curve, labelY: y(curve.points.at(-1)?.y ?? 1) + 4 })).sort((a, b) => a.labelY - b.labelY)
  for (const [index, end] of ends.entries()) {
    const above = ends[index - 1]
    if (above !== undefined) end.labelY = Math.max(end.labelY, above.labelY + 15)
  }
  return ends
}

function drawCurve(
  { label, role, points }: Curve,
  x: (value: number) => number,
  y: (value: number) => number,
  labelY: number,
): string[] {
  const place = (point: Point) => `${at(x(point.x))} ${at(y(point.y))}`
  const end = points.at(-1) as Point
  return [
    `<g class="${role}"><path d="M${points.map(place).join('L')}" class="curve"/>`,
    ...points.map(
      (point) => `<circle cx="${at(x(point.x))}" cy="${at(y(point.y))}" r="4"><title>${figure(point.y)}</title></circle>`,
    ),
    text(x(end.x) + 12, labelY, `${label}: ${figure(end.y)}`, 'label'),
    '</g>',
  ]
}
