/**
 * The README as it is seen. Goal: a reader comes to the documentation's index after at most three screens, and no table or line of
 * a program juts out of its column. Method: the page in GitHub's style, in a real browser, in the widest of the usual fonts.
 */

import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { marked } from 'marked'
import { expect, test } from 'vitest'
import { BROWSER, documentOf } from './fixtures/locktester-browser.mjs'
import { temporaryFolder } from './support/folder.js'
import { ROOT } from './support/installed.js'

/** A window of a usual laptop, and the column of a README in it. */
const WINDOW = { width: 1280, height: 900 }
const [COLUMN, MARGIN] = [1012, 32]
const SCREENS_MAX = 3
const STYLE = fileURLToPath(import.meta.resolve('github-markdown-css/github-markdown-light.css'))

interface Seen {
  /** The height of what stands before a heading, in pixels. */
  before: Record<string, number>
  /** The text of what is wider than its column. */
  tooWide: string[]
  /** Pictures that were not found, or have no size. */
  missing: string[]
}

const MEASURE = `addEventListener('load', () => {
  const all = (names) => [...document.querySelectorAll(names)]
  const before = Object.fromEntries(all('h2').map((one) => [one.textContent, one.getBoundingClientRect().top]))
  const tooWide = all('table, pre, p, li').filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)
  const missing = all('img').filter((one) => one.naturalWidth === 0).map((one) => one.src)
  document.body.dataset.seen = encodeURIComponent(JSON.stringify({ before, tooWide, missing }))
})`

async function seen(markdown: string): Promise<Seen> {
  const page = join(await temporaryFolder(), 'page.html')
  const own = `body{margin:0}.markdown-body{box-sizing:border-box;width:${COLUMN}px;margin:0 auto;padding:${MARGIN}px;font-family:'DejaVu Sans',sans-serif}`
  const head = `<meta charset="utf-8"><base href="${pathToFileURL(ROOT).href}/"><style>${await readFile(STYLE, 'utf8')}${own}</style>`
  const body = `<article class="markdown-body">${await marked.parse(markdown)}</article><script>${MEASURE}</script>`
  await writeFile(page, `<!doctype html>${head}${body}`)
  const [, found = ''] = /data-seen="([^"]*)"/.exec(await documentOf(page, WINDOW)) ?? []
  return JSON.parse(decodeURIComponent(found)) as Seen
}

test.skipIf(!existsSync(BROWSER))('the README shows everything that a reader decides by on three screens', async () => {
  const { before, tooWide, missing } = await seen(await readFile(join(ROOT, 'README.md'), 'utf8'))
  expect(before.Documentation).toBeGreaterThan(WINDOW.height)
  expect(before.Documentation).toBeLessThanOrEqual(SCREENS_MAX * WINDOW.height)
  expect({ tooWide, missing }).toEqual({ tooWide: [], missing: [] })
})

test.skipIf(!existsSync(BROWSER))('a page that is too wide, or shows a picture that is not there, is found', async () => {
  const { tooWide, missing } = await seen(`# A\n\n\`\`\`\n${'long '.repeat(50)}\n\`\`\`\n\n![b](b.svg)\n`)
  expect(tooWide).toEqual([expect.stringContaining('long')])
  expect(missing).toEqual([expect.stringMatching(/b\.svg$/)])
})
