/** `locktester status`: looks once, or again and again. Takes no lock and changes none. */

import { loadConfig } from '../../config/load.js'
import { endsWithin } from '../shared/bounded.js'
import { EXIT } from '../shared/exit-codes.js'
import { endProcess, Interrupt, Interrupted } from '../shared/interrupt.js'
import { writeJson, writeOut } from '../shared/output.js'
import { outputObstacle, writeOutput } from '../shared/streams.js'
import { type Look, Looker } from '../locks/look.js'
import { lookLines, reportOf, talk } from './print.js'

export interface StatusOptions {
  paths: readonly string[]
  /** How many directories below a named one are looked into. */
  depthMax: number
  json: boolean
  /** Between two looks; `null`: one look only. */
  watchMs: number | null
}

const CLEAN_UP_LIMIT_MS = 2000
/** To the upper left corner, and what is there is wiped out. */
const CLEAR = '\x1b[H\x1b[2J'

/** Runs the command and ends the process. */
export async function runStatus(options: StatusOptions): Promise<void> {
  const interrupt = new Interrupt()
  // Workbench's own locks get old by what Workbench is configured to.
  const { timeoutIntervalMs } = loadConfig().settings
  const looker = new Looker({ ...options, timeoutMs: timeoutIntervalMs })
  let code: number | null = null
  let isWatching = false
  try {
    do {
      const look = await interrupt.race(looker.look())
      code = look.unread.length === 0 ? EXIT.ok : EXIT.cannotLock
      show(look, options, code)
      isWatching = options.watchMs !== null
      if (isWatching) await interrupt.wait(options.watchMs)
    } while (isWatching && !interrupt.signal.aborted)
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
  }
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, looker.close())
  const isRead = outputObstacle() === null
  // Ctrl+C is how watching ends.
  if (isWatching && isRead) await endProcess(code ?? EXIT.ok, !isClean)
  else await interrupt.end(isWatching ? null : code, !isClean)
}

function show(look: Look, { json, watchMs }: StatusOptions, code: number): void {
  if (json) return writeJson(reportOf(look, code), watchMs === null ? 2 : 0)
  const isInPlace = watchMs !== null && process.stdout.isTTY
  if (isInPlace) writeOutput(CLEAR)
  const lines = lookLines(look)
  if (watchMs !== null && !isInPlace) lines.push('') // one look ends, the next begins
  if (lines.length > 0) writeOut(lines.join('\n'))
  talk(look)
}
