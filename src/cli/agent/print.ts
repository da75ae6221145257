/** What `locktester agent` says: to the process that has started it, and in its dialect. To people it says nothing. */

import { tell } from '../remote/lines.js'
import type { WorkerWord } from '../remote/worker.js'

/** What one of its workers has said of its own accord. */
export function sayFor(worker: number, word: Omit<WorkerWord, 'worker'>): void {
  tell(process.stdout, { worker, ...word })
}
