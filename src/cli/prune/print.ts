/** What `locktester prune` prints: a line for each lock that it removed, and what came of all. */

import { printable } from '../../log/printable.js'
import { writeComplaint, writeError, writeOut } from '../shared/output.js'
import { duration } from '../shared/table.js'

/** `pruned`: or would be, on a dry run. `kept`: why. */
export type Fate = 'pruned' | { kept: Keeping } | { failed: string }

/** `recent`: used since `--older-than`. `unknown`: it could not be told whether it is in use. */
type Keeping = 'in-use' | 'recent' | 'unknown'

export interface Counts {
  pruned: number
  kept: Record<Keeping, number>
  failed: number
}

export function say(path: string, fate: Fate): void {
  if (fate === 'pruned') writeOut(printable(path))
  else if ('failed' in fate) writeComplaint('error', `${printable(path)}: ${fate.failed}`)
}

export function sayCounts(
  { pruned, kept, failed }: Counts,
  { dryRun, olderThanMs }: { dryRun: boolean; olderThanMs: number },
): void {
  const reasons: Record<Keeping, string> = {
    'in-use': 'in use',
    recent: `used within the last ${duration(olderThanMs)}: --older-than SECONDS`,
    unknown: 'of unknown state: locktester status tells more',
  }
  const found = (Object.keys(reasons) as Keeping[]).filter((keeping) => kept[keeping] > 0)
  const why = found.map((keeping) => (found.length === 1 ? reasons[keeping] : `${kept[keeping]} ${reasons[keeping]}`)).join('; ')
  const sum = kept['in-use'] + kept.recent + kept.unknown
  writeError(
    `${pruned} ${dryRun ? 'would be removed' : 'removed'}, ${sum} kept${why === '' ? '' : ` (${why})`}, ${failed} failed`,
  )
}
