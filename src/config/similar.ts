/** For "did you mean". */

import { present } from '../assert.js'

/** The candidate nearest to a misspelled word, or `null` when none is near enough to be meant. */
export function mostSimilar(word: string, candidates: Iterable<string>): string | null {
  // A word that is much longer is not meant as a key, and the distance takes time in proportion to the length.
  if (word.length > 40) return null
  const lowerCase = word.toLowerCase()
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const distance = editDistance(lowerCase, candidate.toLowerCase())
    if (distance < bestDistance && distance <= candidate.length / 3) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein: how many characters must be put in, taken out or changed. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const change = from[i - 1] === to[j - 1] ? 0 : 1
      next.push(Math.min(at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + change))
    }
    row = next
  }
  return at(row, to.length)
}

const at = (row: readonly number[], column: number) => present(row[column], 'a distance')
