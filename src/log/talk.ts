/**
 * What is said on standard error. Its reader may be gone, and the device behind it full: of that the program hears nothing,
 * since it has not asked for these words. Written by Node's own streams, they would end it by an 'error' that nothing handles.
 */

import { writeSync } from 'node:fs'
import { setImmediate } from '../drivers/clock.js'
import { hearFileSizeSignal } from '../drivers/file-size-limit.js'

/** A line, at once. */
export function say(line: string): void {
  try {
    writeSync(2, `${line}\n`)
  } catch {
    // No reader is left.
  }
}

/** Warnings that Node has not printed yet. They share a listener: from the eleventh one on, Node warns of too many. */
let pending = 0
const ignore = () => {}

/** As `process.emitWarning`: the program hears of it by the event 'warning', and Node prints it. */
export function warn(message: string, options: { type: string; code: string }): void {
  hearFileSizeSignal()
  const { stderr } = process
  if (pending++ === 0) stderr.on('error', ignore)
  process.emitWarning(message, options)
  // It is printed at the end of this turn, and an error of that comes in the next one at the latest.
  setImmediate(() => setImmediate(() => --pending === 0 && stderr.off('error', ignore)))
}
