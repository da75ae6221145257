/** docs/file-systems.md and the table that the programs use say the same. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FILE_SYSTEMS } from '../../src/advice/file-systems.js'
import { knownTable, region } from '../tried/table.js'

const page = readFileSync(new URL('../../docs/file-systems.md', import.meta.url), 'utf8')

test('the table of what is known is the one that the programs use: npm run tried -- --table writes it', () => {
  expect(region(page, 'known')).toBe(knownTable())
})

test('each file system of the table has its block, and each block a file system', () => {
  const titles = FILE_SYSTEMS.map(({ title }) => title)
  const blocks = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title as string)
  const others = ['What is known', 'My mount is not trusted: what now']
  expect(blocks.filter((title) => !others.includes(title)).sort()).toEqual([...new Set(titles)].sort())
})
