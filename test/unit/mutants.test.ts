/** Goal: `npm run mutants` leaves out what its lists say. Each step is where it was, once, and each test that must notice is there. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { mutated, REPOSITORY } from '../mutants/apply.js'
import { LIBRARY_MUTATIONS } from '../mutants/library-list.js'
import { MUTATIONS, SHORT_ATTEMPTS } from '../sim/mutation-list.js'
import { mutatedSources } from '../sim/mutations.js'

test.each(MUTATIONS)('of the protocol: $name', (mutation) => {
  expect(mutatedSources(mutation).size).toBeGreaterThan(0)
  const edits = [...mutation.edits, ...SHORT_ATTEMPTS.filter(({ file }) => !mutation.edits.some((edit) => edit.file === file))]
  expect(mutatedSources({ ...mutation, edits }).size).toBeGreaterThan(0)
})

test.each(LIBRARY_MUTATIONS)('of the library: $name', (mutation) => {
  expect(mutated(mutation)).not.toBe('')
  const [file, name] = mutation.caughtBy
  expect(readFileSync(`${REPOSITORY}test/${file}`, 'utf8')).toContain(name)
})

test('no two have one name', () => {
  const names = [...MUTATIONS, ...LIBRARY_MUTATIONS].map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})
