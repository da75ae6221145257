/**
 * Draws who did what, when: rows of spans and marks over a common axis of time, as SVG. Pure: data in, text out; no
 * dependency, no script, no font but the reader's own, so that a page of it is one file that can be kept and mailed.
 *
 *     const svg = timelineSvg({ title: 'lock 0', fromMs: 0, toMs: 2000, rows: [
 *       { label: 'p0', spans: [{ fromMs: 100, toMs: 900, colour: colourOf(0), height: 'full', title: 'held, token 7' }], marks: [] },
 *     ] })
 *     const page = timelinePage('A storm', [{ heading: 'lock 0', text: 'Quiet.', body: svg }])
 *
 * What it promises: a span is never drawn narrower than can be seen, and what lies too close together to be told apart is
 * drawn as one, so that the size of the picture depends on its width and not on the number of spans. Text from outside is
 * escaped. What it does not: to be readable with more rows than fit a page.
 */

export interface Timeline {
  title: string
  /** The window: what lies outside is cut off. Any clock will do; the axis counts from `originMs`. */
  fromMs: number
  toMs: number
  /** Where the axis says 0. @default fromMs */
  originMs?: number
  rows: readonly TimelineRow[]
  legend?: readonly LegendEntry[]
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
  /** Any CSS colour. */
  colour: string
  /** `line`: existence; `half`: waiting; `full`: possession; `hatched`: a veil over what lies below. */
  height: 'line' | 'half' | 'full' | 'hatched'
  /** Shown when the pointer rests on it. */
  title?: string
}

export interface TimelineMark {
  atMs: number
  shape: 'cross' | 'triangle' | 'bar'
  colour: string
  title?: string
}

export interface LegendEntry {
  text: string
  sample: Pick<TimelineSpan, 'colour' | 'height'> | Pick<TimelineMark, 'colour' | 'shape'>
}

const WIDTH = 1200
const LABEL_WIDTH = 110
const PLOT_WIDTH = WIDTH - LABEL_WIDTH - 20
const ROW_HEIGHT = 22
const BAR_HEIGHT = 16
const TOP = 54
const LEGEND_HEIGHT = 24
const AXIS_HEIGHT = 30
/** In pixels: closer than this, two spans of one look are drawn as one. */
const MERGED_GAP = 0.6
const SPAN_WIDTH_MIN = 0.8
const TICKS_MAX = 12

/** Colours that can be told apart, also by the colour-blind (Okabe and Ito), and repeat after seven. */
const PALETTE = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#8a8a00']
export const colourOf = (index: number): string => PALETTE[index % PALETTE.length] as string

/** One picture, 1200 units wide. */
export function timelineSvg(timeline: Timeline): string {
  const { title, rows, legend = [] } = timeline
  const top = TOP + (legend.length > 0 ? LEGEND_HEIGHT : 0)
  const height = top + rows.length * ROW_HEIGHT + AXIS_HEIGHT
  const x = scale(timeline)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}" font-family="system-ui, sans-serif" font-size="12">`,
    '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" fill="#fff" fill-opacity="0.55"/><path d="M0 0V5" stroke="#333" stroke-width="1.6"/></pattern></defs>',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="0" y="20" font-size="15" font-weight="600">${escapeText(title)}</text>`,
    ...drawLegend(legend),
    ...drawAxis(timeline, x, top, rows.length * ROW_HEIGHT),
    ...rows.flatMap((row, index) => drawRow(row, x, top + index * ROW_HEIGHT, timeline)),
    '</svg>',
  ].join('\n')
}

export interface Section {
  heading: string
  /** Plain text; line breaks are kept. */
  text?: string
  /** A picture of {@link timelineSvg}. */
  body?: string
}

/** A page that needs nothing else. */
export function timelinePage(title: string, sections: readonly Section[]): string {
  const style =
    'body{font:15px/1.45 system-ui,sans-serif;max-width:1240px;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}h2{margin-top:2.5rem}pre{overflow-x:auto;font-size:13px;line-height:1.4}svg{width:100%;height:auto}'
  const parts = sections.map(({ heading, text, body = '' }) => {
    const words = text === undefined ? '' : `<pre>${escapeText(text)}</pre>`
    return `<section><h2>${escapeText(heading)}</h2>${words}${body}</section>`
  })
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeText(title)}</title><style>${style}</style></head>
<body><h1>${escapeText(title)}</h1>
${parts.join('\n')}
</body></html>
`
}

type Scale = (ms: number) => number

function scale({ fromMs, toMs }: Timeline): Scale {
  const perMs = PLOT_WIDTH / Math.max(toMs - fromMs, 1e-6)
  return (ms) => LABEL_WIDTH + (Math.min(Math.max(ms, fromMs), toMs) - fromMs) * perMs
}

function drawRow({ label, spans, marks }: TimelineRow, x: Scale, y: number, { fromMs, toMs }: Timeline): string[] {
  const isVisible = (span: TimelineSpan) => span.toMs >= fromMs && span.fromMs <= toMs
  const middle = y + ROW_HEIGHT / 2
  return [
    `<text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escapeText(label)}</text>`,
    `<path d="M${LABEL_WIDTH} ${y + ROW_HEIGHT}H${LABEL_WIDTH + PLOT_WIDTH}" stroke="#eee"/>`,
    ...merged(spans.filter(isVisible), x).map((span) => drawSpan(span, x, middle)),
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

function drawSpan({ fromMs, toMs, colour, height, title }: TimelineSpan, x: Scale, middle: number): string {
  const left = x(fromMs)
  const width = Math.max(x(toMs) - left, SPAN_WIDTH_MIN)
  return bar(left, width, middle, { colour, height }, title)
}

function bar(
  left: number,
  width: number,
  middle: number,
  { colour, height }: Pick<TimelineSpan, 'colour' | 'height'>,
  title?: string,
): string {
  const tall = { line: 2, half: BAR_HEIGHT / 2.5, full: BAR_HEIGHT, hatched: BAR_HEIGHT + 4 }[height]
  const fill =
    height === 'hatched' ? `fill="url(#hatch)" stroke="${escapeText(colour)}" stroke-width="0.7"` : `fill="${escapeText(colour)}"`
  const inside = title === undefined ? '' : `<title>${escapeText(title)}</title>`
  return `<rect x="${round(left)}" y="${round(middle - tall / 2)}" width="${round(width)}" height="${round(tall)}" ${fill}>${inside}</rect>`
}

function drawMark({ shape, colour, title }: Omit<TimelineMark, 'atMs'>, x: number, middle: number): string {
  const at = (dx: number, dy: number) => `${round(x + dx)} ${round(middle + dy)}`
  const path = {
    cross: `M${at(-5, -5)}L${at(5, 5)}M${at(-5, 5)}L${at(5, -5)}`,
    triangle: `M${at(0, -7)}L${at(5, 4)}L${at(-5, 4)}Z`,
    bar: `M${at(0, -ROW_HEIGHT / 2)}L${at(0, ROW_HEIGHT / 2)}`,
  }[shape]
  const inside = title === undefined ? '' : `<title>${escapeText(title)}</title>`
  const fill = shape === 'triangle' ? escapeText(colour) : 'none'
  return `<path d="${path}" fill="${fill}" stroke="${escapeText(colour)}" stroke-width="2.2">${inside}</path>`
}

function drawLegend(legend: readonly LegendEntry[]): string[] {
  const width = legend.length === 0 ? 0 : Math.min(140, (WIDTH - 10) / legend.length)
  return legend.map(({ text, sample }, index) => {
    const left = index * width
    const drawn = 'shape' in sample ? drawMark(sample, left + 11, 46) : bar(left, 22, 46, sample)
    return `${drawn}<text x="${left + 28}" y="50">${escapeText(text)}</text>`
  })
}

function drawAxis(timeline: Timeline, x: Scale, top: number, height: number): string[] {
  const { fromMs, toMs, originMs = fromMs } = timeline
  const step = tickStepMs(toMs - fromMs)
  const lines: string[] = []
  for (let tick = Math.ceil((fromMs - originMs) / step); originMs + tick * step <= toMs; tick++) {
    const at = round(x(originMs + tick * step))
    lines.push(`<path d="M${at} ${top}v${height}" stroke="#e4e4e4"/>`)
    lines.push(`<text x="${at}" y="${top + height + 18}" text-anchor="middle" fill="#555">${seconds(tick * step)} s</text>`)
  }
  return lines
}

/** 1, 2 or 5 times a power of ten. */
function tickStepMs(rangeMs: number): number {
  const least = Math.max(rangeMs, 1e-6) / TICKS_MAX
  const power = 10 ** Math.floor(Math.log10(least))
  return power * (([1, 2, 5, 10] as const).find((factor) => factor * power >= least) ?? 10)
}

const seconds = (ms: number) => String(Number((ms / 1000).toFixed(6)))
const round = (value: number) => String(Math.round(value * 100) / 100)

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
