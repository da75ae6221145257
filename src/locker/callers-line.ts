/** What leaves the library: an error whose stack leads to the line of the caller. */

import { InternalError } from '../assert.js'
import { MountlockError } from '../errors.js'

/**
 * An error is made where something was found out: in a timer, or below ten frames of ours, and then its stack does not reach
 * the caller's line, which is what the caller looks for. It is taken anew where the error leaves, without the frames of Node's
 * own loaders. A defect of ours keeps its own.
 *
 * @param below the function of ours that is left out, with all that it called
 */
export function fromCallersLine(error: unknown, below: (...args: never[]) => unknown = fromCallersLine): unknown {
  if (!(error instanceof MountlockError) || error instanceof InternalError) return error
  Error.captureStackTrace(error, below)
  const lines = error.stack?.split('\n') ?? []
  error.stack = lines.filter((line) => !NODES_OWN.test(line)).join('\n')
  return error
}

const NODES_OWN = /^ +at .*\(?node:internal\/[^)]*\)?$/
