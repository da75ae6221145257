/** Changes one place of the library's source. A text that is not there exactly once is an error: then the step has moved, and the list with it. */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { LibraryMutation } from './library-list.js'

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

/** The source without the step. @throws Error */
export function mutated({ name, file, from, to }: LibraryMutation): string {
  const parts = readFileSync(`${REPOSITORY}src/${file}`, 'utf8').split(from)
  if (parts.length !== 2)
    throw new Error(`Mutation "${name}": expected its text to be in src/${file} exactly once, got ${parts.length - 1}: ${from}`)
  return parts.join(to)
}
