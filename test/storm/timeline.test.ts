import { describe, expect, test } from 'vitest'
import { type Timeline, type TimelineSpan, timelinePage, timelineSvg } from '../../src/cli/evidence/timeline.js'

const span = (fromMs: number, toMs: number, more: Partial<TimelineSpan> = {}): TimelineSpan => {
  return { fromMs, toMs, colour: 'teal', height: 'full', title: 'held', ...more }
}
const timeline = (spans: TimelineSpan[], more: Partial<Timeline> = {}): Timeline => {
  return { title: 'a lock', fromMs: 1000, toMs: 2000, rows: [{ label: 'p0', spans, marks: [] }], ...more }
}

/** Left edge and width of the drawn spans. */
function bars(svg: string): [x: number, width: number][] {
  const found = svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*fill="teal"/g)
  return [...found].map(([, x, width]) => [Number(x), Number(width)])
}

describe('the timeline', () => {
  test('a span has the length of its time and lies where its time is', () => {
    const [[x = 0, width = 0] = [], [all = 0, whole = 0] = []] = bars(timelineSvg(timeline([span(1250, 1500), span(1600, 1850)])))
    expect(width).toBeCloseTo(whole, 1)
    expect(all - x).toBeCloseTo((width * 350) / 250, 1)
  })

  test('what lies outside the window is cut off', () => {
    const [[, whole = 0] = []] = bars(timelineSvg(timeline([span(1000, 2000)])))
    expect(bars(timelineSvg(timeline([span(0, 9000), span(2500, 2600), span(100, 200)])))).toEqual([[110, whole]])
  })

  test('no span is too short to be seen', () => {
    expect(bars(timelineSvg(timeline([span(1500, 1500)])))).toEqual([[expect.any(Number), 0.8]])
  })

  test('the size of the picture does not grow with the number of spans', () => {
    const spans = Array.from({ length: 100_000 }, (_, i) => span(1000 + i / 100, 1000.005 + i / 100))
    expect(timelineSvg(timeline(spans)).length).toBeLessThan(200_000)
  })

  test('spans that can be told apart are drawn apart, and different colours are never joined', () => {
    expect(bars(timelineSvg(timeline([span(1100, 1200), span(1200, 1300)])))).toHaveLength(2)
    const alternating = Array.from({ length: 10 }, (_, i) =>
      span(1500 + i / 10, 1500 + (i + 1) / 10, { colour: i % 2 ? 'teal' : 'red' }),
    )
    const svg = timelineSvg(timeline(alternating))
    expect(svg).toContain('fill="red"')
    expect(svg).toContain('fill="teal"')
  })

  test('marks are drawn where they are, and only within the window', () => {
    const marks = [1500, 5000].map((atMs) => ({ atMs, shape: 'cross' as const, colour: 'black', title: `killed at ${atMs}` }))
    const svg = timelineSvg(timeline([], { rows: [{ label: 'p0', spans: [], marks }] }))
    expect(svg).toContain('killed at 1500')
    expect(svg).not.toContain('killed at 5000')
  })

  test('the axis counts seconds from the origin', () => {
    const ticks = [...timelineSvg(timeline([], { originMs: 0 })).matchAll(/>([\d.]+) s</g)].map(([, text]) => text)
    expect(ticks).toEqual(['1', '1.1', '1.2', '1.3', '1.4', '1.5', '1.6', '1.7', '1.8', '1.9', '2'])
  })

  test('text from outside is text, whatever is in it', () => {
    const evil = `</text></svg><script>alert("'&")</script>`
    const marks = [{ atMs: 1500, shape: 'bar' as const, colour: evil, title: evil }]
    const rows = [{ label: evil, spans: [span(1100, 1200, { title: evil, colour: evil })], marks }]
    const svg = timelineSvg({
      title: evil,
      fromMs: 1000,
      toMs: 2000,
      rows,
      legend: [{ text: evil, sample: { colour: evil, height: 'full' } }],
    })
    const page = timelinePage(evil, [{ heading: evil, text: evil, body: svg }])
    expect(page).not.toContain('<script')
    expect(page.match(/<\/svg>/g)).toHaveLength(1)
  })
})
