/** The exhaustive sets: which faults are on in which. All of them together would be too many states, so they are split. */

import { type ExhaustiveReport, exploreExhaustively, PLAIN, type Setting } from './explorer-exhaustive.js'
import { SHORT_ATTEMPTS } from './mutation-list.js'
import { loadMutation, type Mutation } from './mutations.js'

/** In each: every interleaving, a crash anywhere, any lock judged dead at any moment, clean-up by anybody at any time. */
export const SETS: Setting[] = [
  { ...PLAIN, name: '2 × 3, lost replies', processes: 2, acquisitions: 3, lostReplies: true },
  { ...PLAIN, name: '3 × 2, lost replies', processes: 3, acquisitions: 2, lostReplies: true },
  { ...PLAIN, name: '2 × 3, symlinks, lost replies', processes: 2, acquisitions: 3, lostReplies: true, claim: 'symlinkClaim' },
  { ...PLAIN, name: '2 × 3, rename claim, lost replies', processes: 2, acquisitions: 3, lostReplies: true, claim: 'renameClaim' },
  { ...PLAIN, name: '3 × 2, rename claim, lost replies', processes: 3, acquisitions: 2, lostReplies: true, claim: 'renameClaim' },
  { ...PLAIN, name: '2 × 2, time-outs, lost replies', processes: 2, acquisitions: 2, timeOuts: true, lostReplies: true },
  { ...PLAIN, name: '2 × 1, late and twice, lost replies', processes: 2, acquisitions: 1, lateMax: 1, lostReplies: true },
  {
    ...PLAIN,
    name: '2 × 2, rename claim, late and twice, lost replies',
    processes: 2,
    acquisitions: 2,
    lateMax: 1,
    lostReplies: true,
    claim: 'renameClaim',
  },
  { ...PLAIN, name: '2 × 3, given up, lost replies', processes: 2, acquisitions: 3, givenUp: true, lostReplies: true },
  { ...PLAIN, name: '2 × 1, given up, late and twice', processes: 2, acquisitions: 1, givenUp: true, lateMax: 1 },
  {
    ...PLAIN,
    name: '2 × 2, listings from caches, lost replies',
    processes: 2,
    acquisitions: 2,
    staleListings: true,
    lostReplies: true,
    isCoherent: false,
  },
  {
    ...PLAIN,
    name: '2 × 2, leases, lost replies',
    processes: 2,
    acquisitions: 2,
    arbitraryVerdicts: false,
    hasBeats: true,
    jumpsMax: 1,
    lostReplies: true,
  },
  {
    ...PLAIN,
    name: '2 × 1, time passes, replies take theirs, clocks apart and of different pace',
    processes: 2,
    acquisitions: 1,
    arbitraryVerdicts: false,
    hasBeats: true,
    ticksMax: 2,
    beatsMax: 1,
    slowReplies: true,
  },
  {
    ...PLAIN,
    name: '2 × 1, time passes, heartbeats late and twice',
    processes: 2,
    acquisitions: 1,
    arbitraryVerdicts: false,
    hasBeats: true,
    ticksMax: 2,
    beatsMax: 2,
    hasStamps: true,
    lateMax: 1,
  },
  {
    ...PLAIN,
    name: '2 × 1, machines stand still',
    processes: 2,
    acquisitions: 1,
    arbitraryVerdicts: false,
    hasBeats: true,
    ticksMax: 2,
    beatsMax: 1,
    stillMax: 2,
    hasStamps: true,
    slowReplies: true,
  },
  {
    ...PLAIN,
    name: '3 × 1, created, lost replies',
    processes: 3,
    acquisitions: 1,
    startsWithoutLock: true,
    lostReplies: true,
  },
  {
    ...PLAIN,
    name: '2 × 1, created, late and twice, lost replies',
    processes: 2,
    acquisitions: 1,
    startsWithoutLock: true,
    lostReplies: true,
    lateMax: 1,
  },
  {
    ...PLAIN,
    name: '2 × 1, created, names of drafts from caches, lost replies',
    processes: 2,
    acquisitions: 1,
    startsWithoutLock: true,
    lostReplies: true,
    staleDrafts: true,
    isCoherent: false,
  },
  {
    ...PLAIN,
    name: '2 × 1, symlinks, names from caches',
    processes: 2,
    acquisitions: 1,
    claim: 'symlinkClaim',
    arbitraryVerdicts: false,
    staleNames: true,
    isCoherent: false,
  },
  { ...PLAIN, name: '2 × 1, two kinds of lock', processes: 2, acquisitions: 1, intruder: 'renameClaim' },
  { ...PLAIN, name: '2 × 2, listings in pieces', processes: 2, acquisitions: 2, fillers: 32 },
]

const shortened = (mutation: Mutation | null): Mutation => ({
  name: mutation?.name ?? 'short attempts',
  edits: [...SHORT_ATTEMPTS, ...(mutation?.edits ?? [])],
  caughtIn: null,
  redundantBecause: null,
})

export async function exploreSet(set: Setting, mutation: Mutation | null = null): Promise<ExhaustiveReport> {
  return exploreExhaustively(set, await loadMutation(shortened(mutation)))
}
