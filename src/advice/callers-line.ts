/**
 * What leaves the library: an error whose stack leads to the line of the caller, and that is read at one glance where no program
 * catches it. Node shows it with its cause then, and with the line that its stack begins with: all of a bundle, if that is
 * minified.
 */

import { InternalError } from '../assert.js'
import { AbortError, MountlockError } from '../errors.js'

/** Does it. An error of ours leads to the caller of the function that has this done. */
export function forCaller<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw fromCallersLine(error, forCaller)
  }
}

/**
 * An error is made where something was found out: in a timer, or below ten frames of ours, and then its stack does not reach
 * the caller's line, which is what the caller looks for. It is taken anew where the error leaves, without the frames of Node's
 * own loaders. A defect of ours keeps its own.
 *
 * @param below the function of ours that is left out, with all that it called
 */
export function fromCallersLine(
  error: unknown,
  below: (...args: never[]) => unknown = fromCallersLine,
  isOurs = isMountlockError,
): unknown {
  if (!isOurs(error) || error instanceof InternalError) return error
  Error.captureStackTrace(error, below)
  leaveOutNodesOwn(error)
  if (!hasStack(error.cause)) return error
  leaveOutNodesOwn(error.cause)
  // The reason of an abort is the caller's own.
  if (!(error instanceof AbortError)) shorten(error.cause)
  return error
}

const isMountlockError = (error: unknown): error is Error => error instanceof MountlockError

interface WithStack {
  stack: string
}

const hasStack = (error: unknown): error is WithStack =>
  typeof error === 'object' && error !== null && typeof (error as Partial<WithStack>).stack === 'string'

const NODES_OWN = /^ +at .*\(?node:internal\/[^)]*\)?$/

function leaveOutNodesOwn(error: { stack?: string }): void {
  const lines = error.stack?.split('\n') ?? []
  const others = lines.filter((line) => !NODES_OWN.test(line))
  if (others.length < lines.length) Reflect.set(error, 'stack', others.join('\n'))
}

/** A system call or a module that failed. Its frames are ours, and our message has what its fields say. They stay readable. */
function shorten(cause: WithStack & { code?: unknown }): void {
  if (typeof cause.code !== 'string') return
  Reflect.set(cause, 'stack', cause.stack.split('\n', 1).join())
  for (const field of Object.keys(cause)) Reflect.defineProperty(cause, field, { enumerable: false })
}
