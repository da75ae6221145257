/**
 * The timeline in a real browser. Goal: which process held what, and what befell it, is to be seen where it was and in its colour, on
 * light and on dark paper. Method: Chromium without a window, and the pixels of its screenshot.
 */

import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { check, sectionsOf } from '../../src/cli/evidence/checker.js'
import { htmlPage } from '../../src/cli/evidence/page.js'
import { drawCourse } from '../../src/cli/evidence/picture.js'
import type { Evidence, StormEvent } from '../../src/cli/evidence/records.js'
import { NARROW_WIDTH, type Timeline, timelineSvg } from '../../src/cli/evidence/timeline.js'
import { BROWSER, type Picture, screenshot, sheetsOf } from './fixtures/locktester-browser.mjs'
import { Bench } from './fixtures/locktester-driver.mjs'
import { pageOfNodes, pageOfStress } from './support/reports.js'

const [BLUE, ORANGE, RED, GREEN] = ['#0072b2', '#e69f00', '#d00000', '#1a9850']
const AMBER = '#9a6700'
/** Of a process that waits. */
const GREY = '#a9a9a9'
/** Of the verdict, each with the report that comes to it. */
const VERDICTS = [
  ['a pass', 'good', '#1a7f37'],
  ['a warning', 'mixed', AMBER],
  ['a failure', 'bad', '#b01e28'],
] as const
/** The pictures of the pages, to be looked at. */
const ARTEFACTS = join(import.meta.dirname, '../../.vitest/pictures')
const [WHITE, INK, NIGHT, CHALK] = ['#ffffff', '#1a1a1a', '#16181c', '#e6e6e6']

let bench: Bench
let directory: string
beforeEach(async () => {
  bench = new Bench()
  directory = await bench.directory()
})
afterEach(() => bench.close())

/** On a page of its own, where one unit of the drawing is one pixel. */
async function look(svg: string, dark = false): Promise<Picture> {
  const file = join(directory, 'picture.html')
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? []
  const style = `body{margin:0}svg{display:block;width:${width}px;height:${height}px}`
  await writeFile(
    file,
    `<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><style>${style}</style>${svg}`,
  )
  return await screenshot(file, { width: Number(width), height: WINDOW_HEIGHT, dark })
}

/** The browser's own decorations need some, even where there are none. */
const WINDOW_HEIGHT = 600

/** Where a drawing puts the middle of a row, and a moment of a second that is all there is. */
const ROWS_TOP = 34 + 10
const rowAt = (index: number, legendLines = 0) => ROWS_TOP + legendLines * 24 + index * 22 + 11
const timeAt = (ms: number) => 110 + (ms / 1000) * (1200 - 110 - 20)

/** Slanting strokes are blended with what is beside them. */
function isNearly(colour: string, wanted = ''): boolean {
  const channels = (text: string) => [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16))
  return channels(colour).every((channel, index) => Math.abs(channel - (channels(wanted)[index] ?? 0)) < 12)
}

const KNOWN: Timeline = {
  title: 'Known',
  fromMs: 0,
  toMs: 1000,
  rows: [
    { label: 'first', spans: [{ fromMs: 100, toMs: 400, colour: BLUE, height: 'full' }], marks: [] },
    {
      label: 'second',
      spans: [
        { fromMs: 0, toMs: 500, colour: ORANGE, height: 'full' },
        { fromMs: 600, toMs: 900, colour: 'currentColor', height: 'hatched' },
      ],
      marks: [
        { atMs: 550, shape: 'cross', colour: 'currentColor' },
        { atMs: 250, shape: 'diamond', colour: GREEN },
        { atMs: 950, shape: 'flag', colour: RED },
      ],
    },
  ],
}

const isHere = existsSync(BROWSER)

describe.skipIf(!isHere)(`in Chromium${isHere ? '' : ' (skipped: /usr/bin/chromium is not installed)'}`, () => {
  test('spans and marks are where their times are, in their colours, and nothing is where nothing was', async () => {
    const picture = await look(timelineSvg(KNOWN))
    expect(picture.width).toBe(1200)
    for (const ms of [105, 250, 395]) expect(picture.at(timeAt(ms), rowAt(0))).toBe(BLUE)
    for (const ms of [50, 410, 730, 980]) expect(picture.at(timeAt(ms), rowAt(0))).toBe(WHITE)
    expect(picture.at(timeAt(250), rowAt(1))).toBe(GREEN)
    for (const ms of [10, 490]) expect(picture.at(timeAt(ms), rowAt(1))).toBe(ORANGE)
    expect(isNearly(picture.at(timeAt(550), rowAt(1)), INK)).toBe(true)
    expect(picture.at(timeAt(950) + 3, rowAt(1) - 5)).toBe(RED)
  })

  test('what is stalled is hatched: ink and paper in turn', async () => {
    const picture = await look(timelineSvg(KNOWN))
    const inside = { left: Math.ceil(timeAt(610)), top: rowAt(1) - 6, width: 200, height: 12 }
    const dark = Array.from({ length: 200 }, (_, x) => picture.at(inside.left + x, rowAt(1))).filter(
      (colour) => colour < '#888888',
    )
    // A stroke every five pixels, at 45 degrees: every seventh along a line.
    expect(dark.length).toBeGreaterThan(200 / 7 - 5)
    expect(picture.count(WHITE, inside)).toBeGreaterThan(500)
  })

  test('labels, title and axis are written in ink', async () => {
    const picture = await look(timelineSvg(KNOWN))
    const labels = { left: 40, top: rowAt(0) - 8, width: 64, height: 16 }
    expect(picture.count(WHITE, labels)).toBeLessThan(64 * 16 - 60)
    expect(picture.count(INK, { left: 0, top: 0, width: 100, height: 30 })).toBeGreaterThan(20)
    expect(picture.count(WHITE, { left: 110, top: rowAt(1) + 15, width: 1080, height: 20 })).toBeLessThan(1080 * 20 - 200)
  })

  test('a reader with dark paper gets dark paper, with chalk on it', async () => {
    const picture = await look(timelineSvg(KNOWN), true)
    expect(picture.at(timeAt(730), rowAt(0))).toBe(NIGHT)
    expect(picture.at(timeAt(250), rowAt(0))).toBe(BLUE)
    expect(isNearly(picture.at(timeAt(550), rowAt(1)), CHALK)).toBe(true)
    expect(picture.count(WHITE)).toBeLessThan(100) // the rims of marks
  })

  test('two that held the lock at once are to be seen as such: one over the other, under a red flag', async () => {
    const events = (atMs: number, token: string): StormEvent[] => [
      { type: 'asked', attempt: 0, lock: 0, atMs: 0 },
      { type: 'acquired', attempt: 0, lock: 0, atMs, token },
      { type: 'sure', attempt: 0, lock: 0, atMs: atMs + 400, token },
      { type: 'releasing', attempt: 0, lock: 0, atMs: atMs + 400, token },
    ]
    const processes = ['a 1', 'b 1'].map((name, index) => ({ name, events: events(200 + 200 * index, String(index)) }))
    const evidence: Evidence = { hasTokens: true, processes, resource: [] }
    const violations = check(evidence).filter(({ rule }) => rule === 'overlap')
    expect(violations).toHaveLength(1)
    const lives = processes.map(({ name }) => ({ name, place: name, fromMs: 0, toMs: 1000 }))
    const colours = { of: ({ process }: { process: string }) => (process === 'a 1' ? 0 : 1), names: ['held by a', 'held by b'] }
    const sections = sectionsOf(evidence)
    const course = { fromMs: 0, toMs: 1000, locks: 1, lives, processes, sections, violations, faults: [], colours }
    const [whole = ''] = drawCourse(course, 'two at once')
    const picture = await look(whole)
    const rows = [0, 1, 2].map((index) => rowAt(index, 1))
    expect(rows.map((y) => picture.at(timeAt(500), y))).toEqual([ORANGE, BLUE, ORANGE])
    expect(rows.map((y) => picture.at(timeAt(300), y))).toEqual([BLUE, BLUE, GREY])
    expect(picture.at(timeAt(400) + 3, (rows[0] as number) - 5)).toBe(RED)
  })

  test.each([
    ['stress', ['stress', '--nodes', 'local,local', '--procs', '2', '--duration', '1'], 2200],
    ['nodes', ['nodes', 'local', 'local', '--kinds', 'flock'], 1500],
  ] as const)(
    '%s: the verdict is seen first, in its colour, on narrow and wide, light and dark paper',
    async (name, args, height) => {
      const html = join(directory, `${name}.html`)
      const only = bench.locktester([...args, directory, '--html', html])
      expect(await only.end, only.stderr).toBe(0)
      await mkdir(ARTEFACTS, { recursive: true })
      for (const width of [420, 1280]) {
        for (const dark of [false, true]) {
          const keepAs = join(ARTEFACTS, `${name}-${width}-${dark ? 'dark' : 'light'}.png`)
          const picture = await screenshot(html, { width, height, dark, keepAs })
          // One machine proves nothing about others: amber, on the first screen and nowhere else.
          expect(picture.count(AMBER, { height: 400 })).toBeGreaterThan(width * 20)
          expect(picture.count(AMBER, { top: 400 })).toBe(0)
          const paper = dark ? NIGHT : WHITE
          expect(picture.at(2, 2)).toBe(paper)
          // Nothing juts out to the right.
          expect(picture.count(paper, { left: width - 8 })).toBe(8 * height)
        }
      }
      const page = await readFile(html, 'utf8')
      for (const words of ['What was proved', 'What was not proved', 'What was tried', 'locktester 0.', 'UTC'])
        expect(page).toContain(words)
    },
  )

  test.each(VERDICTS)(
    '%s is understood in a second: its colour is on the first screen, and no other verdict has it',
    async (_, ending, colour) => {
      await mkdir(ARTEFACTS, { recursive: true })
      for (const [name, html] of [
        ['stress', pageOfStress(ending)],
        ['nodes', pageOfNodes(ending)],
      ] as const) {
        const file = join(directory, `${name}.html`)
        await writeFile(file, html)
        const keepAs = join(ARTEFACTS, `${name}-${ending}.png`)
        const picture = await screenshot(file, { width: 1280, height: 900, keepAs })
        expect(picture.count(colour, { height: 400 })).toBeGreaterThan(1280 * 20)
        for (const [, , other] of VERDICTS) if (other !== colour) expect(picture.count(other), name).toBe(0)
      }
    },
  )

  test('what a failure proves is said as proved, once, and under its headline', () => {
    const [stress, nodes] = [pageOfStress('bad'), pageOfNodes('mixed')]
    const [proved = '', notProved = ''] =
      /What was proved([^]*?)What was not proved([^]*?)What was tried/.exec(nodes)?.slice(1) ?? []
    expect(proved).toContain('Locks by flock do not exclude')
    expect(notProved).not.toContain('flock')
    expect(stress).toMatch(/What was proved<\/h2><ul><li>Locks by hard link cannot be trusted here/)
    for (const page of [stress, pageOfStress('good')]) expect(page).not.toMatch(/<strong>([^<]*)<\/strong><p>\1:/)
  })

  test('on paper the drawings have the long side of the sheet, and the rest the short one', async () => {
    const file = join(directory, 'stress.html')
    await writeFile(file, pageOfStress('good'))
    const sheets = await sheetsOf(file)
    expect(sheets.map(({ width, height }) => width > height)).toEqual([...sheets.slice(1).map(() => false), true])
  })

  test('the results of five kinds of lock are all to be seen on a telephone', async () => {
    const file = join(directory, 'matrix.html')
    const kinds = ['hard link', 'symlink', 'rename', 'flock', 'fcntl']
    const heads = kinds.map((kind) => `<th>${kind}</th>`)
    const cells = kinds.map(() => '<td>pass<br><small>takeover 1200 ms</small></td>')
    const table = `<table style="border-right:4px solid ${BLUE}"><tr><th>holder</th>${heads.join('')}</tr><tr><th>node2</th>${cells.join('')}</tr></table>`
    await writeFile(file, htmlPage('matrix', `<div class="wide">${table}</div>`))
    const picture = await screenshot(file, { width: 420, height: WINDOW_HEIGHT })
    // The right edge of the table.
    expect(picture.count(BLUE)).toBeGreaterThan(3 * 50)
  })

  test('on a telephone the whole course is to be seen, stalls hatched, in a drawing as narrow; on a wide page the wide one', async () => {
    const file = join(directory, 'widths.html')
    const drawings = [timelineSvg(KNOWN), timelineSvg({ ...KNOWN, width: NARROW_WIDTH })]
    const [wide, narrow] = drawings.map((svg, index) => `<div class="${['wide', 'narrow'][index]}">${svg}</div>`)
    await writeFile(file, htmlPage('widths', `${wide}${narrow}`))
    const onTelephone = await screenshot(file, { width: 420, height: WINDOW_HEIGHT })
    // The flag at the end of the second row, and the strokes over its stall.
    expect(onTelephone.count(RED, { left: 300 })).toBeGreaterThan(20)
    const stall = { left: 290, width: 60, top: 145, height: 12 }
    expect(onTelephone.count(WHITE, stall)).toBeLessThan(stall.width * stall.height - 200)
    expect((await screenshot(file, { width: 1280, height: WINDOW_HEIGHT })).count(RED, { left: 1000 })).toBeGreaterThan(20)
  })

  test.each([
    ['during it', 200, 450],
    ['before it', 200, 350],
    ['during it, as did its first', 450, 460],
  ])('the legend names what occurs only, and a stall shows the holder whose last sign came %s', async (_, acquiredMs, sureMs) => {
    const events: StormEvent[] = [
      { type: 'asked', attempt: 0, lock: 0, atMs: 0 },
      { type: 'acquired', attempt: 0, lock: 0, atMs: acquiredMs, token: '1' },
      { type: 'sure', attempt: 0, lock: 0, atMs: sureMs, token: '1' },
    ]
    const processes = [{ name: 'a 1', events }]
    const lives = [{ name: 'a 1', place: 'a 1', fromMs: 0, toMs: 1000 }]
    const faults = [{ kind: 'stall', process: 'a 1', fromMs: 400, toMs: 800 } as const]
    const colours = { of: () => 0, names: ['held by a', 'held by b'] }
    const sections = sectionsOf({ hasTokens: true, processes, resource: [] })
    const course = { fromMs: 0, toMs: 1000, locks: 1, lives, processes, sections, violations: [], faults, colours }
    const [whole = ''] = drawCourse(course, 'a stall')
    for (const words of ['held by a', 'stalled', 'waits']) expect(whole).toContain(`>${words}<`)
    for (const words of ['held by b', 'killed', 'takeover', 'VIOLATION']) expect(whole).not.toContain(`>${words}<`)
    const picture = await look(whole)
    const below = { left: Math.ceil(timeAt(500)), top: rowAt(1, 1) - 6, width: 200, height: 12 }
    expect(picture.count(WHITE, below)).toBe(0)
  })

  test('a lock is seen to be held until its loss is told, and a process to wait until it is killed', async () => {
    const holder: StormEvent[] = [
      { type: 'asked', attempt: 0, lock: 0, atMs: 0 },
      { type: 'acquired', attempt: 0, lock: 0, atMs: 100, token: '1' },
      { type: 'sure', attempt: 0, lock: 0, atMs: 200, token: '1' },
      { type: 'lost', attempt: 0, lock: 0, atMs: 800, token: '1', how: 'asserted' },
      { type: 'releasing', attempt: 0, lock: 0, atMs: 810, token: '1' },
    ]
    const waiter: StormEvent[] = [{ type: 'asked', attempt: 0, lock: 0, atMs: 150 }]
    const processes = [
      { name: 'a 1', events: holder },
      { name: 'b 1', events: waiter },
    ]
    const lives = processes.map(({ name }, index) => ({ name, place: name, fromMs: 0, toMs: [1000, 600][index] as number }))
    const faults = [
      { kind: 'stall', process: 'a 1', fromMs: 210, toMs: 790 },
      { kind: 'kill', process: 'b 1', fromMs: 600, toMs: 600 },
    ] as const
    const colours = { of: () => 0, names: ['held by a', 'held by b'] }
    const sections = sectionsOf({ hasTokens: true, processes, resource: [] })
    const course = { fromMs: 0, toMs: 1000, locks: 1, lives, processes, sections, violations: [], faults, colours }
    const picture = await look(drawCourse(course, 'a loss that no takeover followed')[0] ?? '')
    const inRow = (index: number, ms: number) => ({
      left: Math.ceil(timeAt(ms)),
      top: rowAt(index, 1) - 6,
      width: 100,
      height: 12,
    })
    expect(picture.count(WHITE, inRow(0, 500))).toBe(0)
    // But for a line of the axis.
    expect(picture.count(WHITE, inRow(0, 850))).toBeGreaterThan(1000)
    expect(picture.count(GREY, inRow(2, 400))).toBeGreaterThan(300)
    expect(picture.count(GREY, inRow(2, 700))).toBe(0)
  })

  test('a closer look has a legend of its own, and shows no time beyond the end', () => {
    const events: StormEvent[] = [
      { type: 'asked', attempt: 0, lock: 0, atMs: 0 },
      { type: 'acquired', attempt: 0, lock: 0, atMs: 100, token: '1' },
      { type: 'lost', attempt: 0, lock: 0, atMs: 9900, token: '1', how: 'signal' },
    ]
    const processes = [{ name: 'a 1', events }]
    const lives = [{ name: 'a 1', place: 'a 1', fromMs: 0, toMs: 10_000 }]
    const faults = [{ kind: 'stall', process: 'a 1', fromMs: 400, toMs: 800 } as const]
    const colours = { of: () => 0, names: ['held by a'] }
    const sections = sectionsOf({ hasTokens: true, processes, resource: [] })
    const course = { fromMs: 0, toMs: 10_000, locks: 1, lives, processes, sections, violations: [], faults, colours }
    const [whole = '', detail = ''] = drawCourse(course, 'a stall, and much later a loss')
    for (const words of ['waits', 'stalled', 'loss declared']) expect(whole).toContain(`>${words}<`)
    expect(detail).toContain('>loss declared<')
    for (const words of ['waits', 'stalled']) expect(detail).not.toContain(`>${words}<`)
    expect(detail).not.toContain('>10.2 s<')
  })

  test('the page of a real run shows both nodes, kills and takeovers, and no violation', async () => {
    const html = join(directory, 'stress.html')
    const args = ['stress', directory, '--nodes', 'local,local', '--procs', '3', '--chaos', '--duration', '10', '--html', html]
    const only = bench.locktester([...args, '--json'])
    expect(await only.end, only.stderr).toBe(0)
    const { counts } = JSON.parse(only.stdout)
    expect(counts.kills).toBeGreaterThan(0)
    const picture = await screenshot(html, { width: 1280, height: 1500 })
    expect([picture.width, picture.height]).toEqual([1280, 1500])
    expect(picture.at(2, 2)).toBe(WHITE)
    for (const colour of [BLUE, ORANGE]) expect(picture.count(colour)).toBeGreaterThan(1000)
    if (counts.takeovers > 0) expect(picture.count(GREEN)).toBeGreaterThan(40)
    // Only what the legends show, and the small triangles of losses.
    expect(picture.count(RED)).toBeLessThan(1500)
    expect((await screenshot(html, { width: 1280, height: 1500, dark: true })).at(2, 2)).toBe(NIGHT)
  }, 120_000)
})
