/** `locktester status`: looks once, or again and again. Takes no lock and changes none. */

import { loadConfig } from '../../config/load.js'
import { endsWithin } from '../shared/bounded.js'
import { EXIT } from '../shared/exit-codes.js'
import { endProcess, Interrupt, Interrupted } from '../shared/interrupt.js'
import { writeError, writeJson, writeOut } from '../shared/output.js'
import { cutAtWord } from '../shared/table.js'
import { outputObstacle, writeOutput } from '../shared/streams.js'
import { type Look, Looker } from '../locks/look.js'
import { lookLines, reportOf, talkLines } from './print.js'

export interface StatusOptions {
  paths: readonly string[]
  /** How many directories below a named one are looked into. */
  depthMax: number
  json: boolean
  /** With the column of tokens. */
  verbose: boolean
  /** Between two looks; `null`: one look only. */
  watchMs: number | null
}

const CLEAN_UP_LIMIT_MS = 2000
/** To the upper left corner, and what is there is wiped out. */
const CLEAR = '\x1b[H\x1b[2J'
/** Below the last line stands the cursor. */
const CURSOR_ROWS = 1

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
      if (!isWatching) continue
      const draw = () => show(look, options, EXIT.ok)
      await (options.json ? interrupt.wait(options.watchMs) : whileResized(draw, interrupt.wait(options.watchMs)))
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

/** A terminal that gets another size meanwhile shows the same look in it. */
async function whileResized(draw: () => void, over: Promise<void>): Promise<void> {
  process.stdout.on('resize', draw)
  await over
  process.stdout.off('resize', draw)
}

function show(look: Look, options: StatusOptions, code: number): void {
  const { json, watchMs } = options
  if (json) return writeJson(reportOf(look, code), watchMs === null ? 2 : 0)
  const { isTTY, columns, rows } = process.stdout
  const size = { columns: columns || Number.POSITIVE_INFINITY, rows: rows || Number.POSITIVE_INFINITY } // 0: not known
  const lines = lookLines(look, { ...options, widthMax: isTTY ? size.columns : undefined })
  const talk = talkLines(look)
  if (watchMs !== null && isTTY) return redraw(lines, talk, size)
  if (watchMs !== null) lines.push('') // one look ends, the next begins
  if (lines.length > 0) writeOut(lines.join('\n'))
  for (const line of talk) writeError(line)
}

/** In place: a screen that is too small shows the first locks, which are those that are held, and how many more there are. */
function redraw(lines: readonly string[], talk: readonly string[], { columns, rows }: { columns: number; rows: number }): void {
  const all = [...lines, ...talk.map((line) => cutAtWord(line, columns))]
  const room = Math.max(1, rows - CURSOR_ROWS)
  const shown = all.length <= room ? all : [...all.slice(0, room - 1), cutAtWord(moreLines(all.length - room + 1), columns)]
  writeOutput(CLEAR)
  writeOut(shown.join('\n'))
}

const moreLines = (count: number) => `… ${count} more lines: make the window higher, or name fewer directories`
