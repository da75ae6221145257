/** The exhaustive sets: which faults are on in which. All of them together would be too many states, so they are split. */

import { type ExhaustiveReport, exploreExhaustively, PLAIN, type Setting } from './explorer-exhaustive.js'
import { SHORT_ATTEMPTS } from './mutation-list.js'
import { loadMutation, type Mutation } from './mutations.js'

/** In each: every interleaving, a crash anywhere, any lock judged dead at any moment, clean-up by anybody at any time. */
export const SETS: Setting[] = [
  { ...PLAIN, name: '2 × 3', processes: 2, acquisitions: 3 },
  { ...PLAIN, name: '2 × 3, lost replies', processes: 2, acquisitions: 3, lostReplies: true },
  { ...PLAIN, name: '3 × 1, lost replies', processes: 3, acquisitions: 1, lostReplies: true },
  { ...PLAIN, name: '2 × 2, symlinks, lost replies', processes: 2, acquisitions: 2, lostReplies: true, claim: 'symlinkClaim' },
  { ...PLAIN, name: '2 × 3, rename claim, lost replies', processes: 2, acquisitions: 3, lostReplies: true, claim: 'renameClaim' },
  { ...PLAIN, name: '3 × 2, rename claim, lost replies', processes: 3, acquisitions: 2, lostReplies: true, claim: 'renameClaim' },
  { ...PLAIN, name: '2 × 1, time-outs, lost replies', processes: 2, acquisitions: 1, timeOuts: true, lostReplies: true },
  { ...PLAIN, name: '2 × 1, late and twice, lost replies', processes: 2, acquisitions: 1, lateMax: 1, lostReplies: true },
  { ...PLAIN, name: '2 × 1, given up, lost replies', processes: 2, acquisitions: 1, givenUp: true, lostReplies: true },
  {
    ...PLAIN,
    name: '2 × 1, listings from caches, lost replies',
    processes: 2,
    acquisitions: 1,
    staleListings: true,
    lostReplies: true,
    isCoherent: false,
  },
  { ...PLAIN, name: '2 × 1, leases', processes: 2, acquisitions: 1, arbitraryVerdicts: false, hasBeats: true, jumpsMax: 1 },
  {
    ...PLAIN,
    name: '2 × 1, created, late, lost replies',
    processes: 2,
    acquisitions: 1,
    startsWithoutLock: true,
    lostReplies: true,
    lateMax: 1,
  },
  { ...PLAIN, name: '2 × 2, listings in pieces', processes: 2, acquisitions: 2, fillers: 32 },
]

const shortened = (mutation: Mutation | null): Mutation => ({
  name: mutation?.name ?? 'short attempts',
  edits: [...SHORT_ATTEMPTS, ...(mutation?.edits ?? [])],
  redundantBecause: null,
})

export async function exploreSet(set: Setting, mutation: Mutation | null = null): Promise<ExhaustiveReport> {
  return exploreExhaustively(set, await loadMutation(shortened(mutation)))
}
