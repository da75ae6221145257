/** What `locktester prune` prints: a line for each lock that it removed, and what came of all. */

import { printable } from '../../log/printable.js'
import { paint, writeError, writeOut } from '../shared/output.js'

/** `pruned`: or would be, on a dry run. */
export type Fate = 'pruned' | 'kept' | { failed: string }

export interface Counts {
  pruned: number
  kept: number
  failed: number
}

export function say(path: string, fate: Fate): void {
  if (fate === 'pruned') writeOut(printable(path))
  if (typeof fate === 'object') writeError(`${paint('red', 'error:')} ${printable(path)}: ${fate.failed}`)
}

export function sayCounts({ pruned, kept, failed }: Counts, isDryRun: boolean): void {
  writeError(`${pruned} ${isDryRun ? 'would be removed' : 'removed'}, ${kept} kept, ${failed} failed`)
}
