/** Storms as a page: tables and pictures. */

import { drawCourse } from '../../src/cli/evidence/picture.js'
import { timelinePage } from '../../src/cli/evidence/timeline.js'
import type { StormResult } from './storm.js'
import { remarks, table } from './table.js'

const COLOURS_NAMED_MAX = 4

export function stormPage(results: readonly StormResult[]): string {
  const overview = { heading: 'What happened', text: `${table(results)}\n\n${results.flatMap(remarks).join('\n')}`.trimEnd() }
  return timelinePage('A storm of processes', [overview, ...results.map(sectionOfPage)])
}

function sectionOfPage(result: StormResult) {
  const { kind, processes, locks, seconds, seed } = result.options
  const names = Array.from({ length: Math.min(locks, COLOURS_NAMED_MAX) }, (_, lock) => `held: lock ${lock}`)
  const course = {
    ...result,
    processes: result.evidence.processes,
    locks,
    colours: { of: ({ lock }: { lock: number }) => lock, names },
  }
  const text = `${processes} processes, ${locks} locks, ${seconds} s, seed ${seed}. A row each for the locks and for the processes; * is another node.`
  return { heading: kind, text, body: drawCourse(course, `${kind}: the whole storm`).join('\n') }
}
