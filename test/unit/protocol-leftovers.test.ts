/** A lock directory that is not in use. Goal: it goes, and nothing goes with it but what is of our form. Method: the real file system. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runProtocolBlocking } from '../../src/drivers/run.js'
import { discardMoved } from '../../src/protocol/create-lock.js'

let directory: string
let draft: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mountlock-leftovers-'))
  draft = join(directory, '.mountlock-new-0123456789abcdef')
  mkdirSync(draft)
  for (const name of ['.links', '17.free']) writeFileSync(join(draft, name), '')
})
afterEach(() => rmSync(directory, { recursive: true }))

test('it goes with the tickets of waiters', () => {
  mkdirSync(join(draft, '.wait'))
  writeFileSync(join(draft, '.wait/17.host-1-0123456789abcdef'), '')
  expect(runProtocolBlocking(discardMoved(directory, draft))).toBe(true)
  expect(readdirSync(directory)).toEqual([])
})

test.each(['letter.txt', '.wait/letter.txt'])('it stays with a file of another program in it: %s', (name) => {
  if (name.startsWith('.wait')) mkdirSync(join(draft, '.wait'))
  writeFileSync(join(draft, name), 'of another program')
  expect(runProtocolBlocking(discardMoved(directory, draft))).toBe(false)
  const [moved = ''] = readdirSync(directory)
  expect(readdirSync(join(directory, moved), { recursive: true })).toContain(name)
})
