/** What a piece of protocol has to know of this process and of the file system that it runs on. */

import type { DirectoryFacts } from '../drivers/file-system.js'
import { sessionOwner } from '../drivers/identity.js'
import type { Observations, Surroundings } from '../protocol/site.js'

/**
 * What this process has seen of the heartbeats of others. One memory for the whole process: a locker that is closed and made
 * again, a directory that is forgotten while it is not used, a patrol and an inspection all go on watching where the last look
 * stopped. Otherwise attempts that never wait, each with a locker of its own, would never take over from a dead node.
 */
const observations: Observations = new Map()

export function surroundingsOf({ coherent, staleOpenMs }: Pick<DirectoryFacts, 'coherent' | 'staleOpenMs'>): Surroundings {
  return { coherent, listsAtOnce: coherent, extraSilenceMs: staleOpenMs, me: sessionOwner(), observations }
}
