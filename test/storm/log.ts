/** The log of a process of the storm: one JSON object per line. */

import { readFileSync } from 'node:fs'
import type { ProcessLog, StormEvent } from '../../src/cli/evidence/records.js'

/** A process that was killed in the middle of a write leaves half a line, at the end and nowhere else. */
export function readLog(file: string, name: string): ProcessLog {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { name, events: [] } // killed before its first line
    throw error
  }
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const events = whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StormEvent)
  return { name, events }
}
