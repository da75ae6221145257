/** What processes that tried locks against each other can prove: where all of them ran, and on what. */

import type { MountProfile } from './mounts.js'

/** `null`: more than one machine took part, in a directory that more than one can see. */
export type Limitation = 'one-machine' | 'local-disk' | null

/** Where a process ran, as it says itself. */
export interface Whereabouts {
  host: string
  bootId: string | null
}

/** Containers and namespaces of one machine have its boot id; where a platform has none, the name of the host stands for it. */
export const isSameMachine = (one: Whereabouts, other: Whereabouts) =>
  one.bootId === null || other.bootId === null ? one.host === other.host : one.bootId === other.bootId

export function limitationOf(places: readonly Whereabouts[], mounts: readonly (MountProfile | null)[]): Limitation {
  const [first] = places
  if (first === undefined || places.every((place) => isSameMachine(first, place))) return 'one-machine'
  // A file server sees its own disk, and the others see that disk as a share: one that is no local disk is enough.
  return mounts.length > 0 && mounts.every((mount) => mount?.reach === 'local') ? 'local-disk' : null
}

const SENTENCES = {
  'one-machine': 'All of it ran on one machine, which proves nothing about others.',
  'local-disk': 'The directory is on a local disk, which other nodes cannot see: nothing is proved about them.',
} as const satisfies Record<Exclude<Limitation, null>, string>

export const limitationText = (limitation: Exclude<Limitation, null>) => SENTENCES[limitation]
