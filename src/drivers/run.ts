/** The two runners: they drive a piece of protocol with blocking calls, or with asynchronous ones through a mount's lane. */

import type { FileOperation, Operation, Protocol, Reply } from '../protocol/operations.js'
import { type Asker, answer, toTheEnd } from './answer.js'
import { asynchronousCalls, blockingCalls, type Call, type Calls } from './calls.js'
import { driveAsynchronously, driveBlocking } from './drive.js'
import { systemErrorCode } from './error-code.js'
import { severalCalls, singleCall } from './file-operations.js'
import type { Footing } from './footing.js'
import type { Lane } from './lane.js'

/** Runs a piece of protocol to its end, blocking the thread. `footing`: where others could swap the directories under it. */
export function runProtocolBlocking<Result>(
  protocol: Protocol<Result>,
  asker: Asker = toTheEnd,
  footing: Footing | null = null,
): Result {
  try {
    return driveBlocking(protocol, (operation) =>
      isFileOperation(operation) ? performBlocking(operation, footing) : answer(operation, asker),
    )
  } finally {
    if (footing !== null) runCallsBlocking(footing.leave())
  }
}

/**
 * Runs a piece of protocol to its end. It is never abandoned half-way: a caller that gives up says so through the
 * question `wanted`.
 */
export function runProtocol<Result>(
  protocol: Protocol<Result>,
  lane: Lane,
  asker: Asker = toTheEnd,
  footing: Footing | null = null,
): Promise<Result> {
  const running = driveAsynchronously(protocol, (operation) =>
    isFileOperation(operation) ? performAsynchronously(operation, lane, footing) : answer(operation, asker),
  )
  return footing === null ? running : running.finally(() => runCalls(footing.leave(), lane))
}

function isFileOperation(operation: Operation): operation is FileOperation {
  switch (operation.op) {
    case 'clock':
    case 'name':
    case 'process':
    case 'lease':
    case 'wanted':
    case 'locked':
      return false
    default:
      return true
  }
}

function performBlocking(operation: FileOperation, footing: Footing | null): Reply<unknown> {
  try {
    if (footing !== null) return { ok: true, value: runCallsBlocking(footing.perform(operation)) }
    const single = singleCall(operation)
    return { ok: true, value: single === null ? runCallsBlocking(severalCalls(operation)) : callBlocking(single) }
  } catch (error) {
    return failure(error)
  }
}

async function performAsynchronously(operation: FileOperation, lane: Lane, footing: Footing | null): Promise<Reply<unknown>> {
  try {
    if (footing !== null) return { ok: true, value: await runCalls(footing.perform(operation), lane) }
    const single = singleCall(operation)
    if (single !== null) return { ok: true, value: await callAsynchronously(single, lane) }
    return { ok: true, value: await runCalls(severalCalls(operation), lane) }
  } catch (error) {
    return failure(error)
  }
}

/** Performs a sequence of calls, asynchronously. @throws what the sequence throws */
export function runCalls<Result>(calls: Calls<Result>, lane: Lane): Promise<Result> {
  return driveAsynchronously(calls, (call) => callAsynchronously(call, lane))
}

/** The same, blocking. @throws what the sequence throws */
export const runCallsBlocking = <Result>(calls: Calls<Result>): Result => driveBlocking(calls, callBlocking)

function callBlocking([name, ...args]: Call): unknown {
  return (blockingCalls[name] as (...args: unknown[]) => unknown)(...args)
}

function callAsynchronously([name, ...args]: Call, lane: Lane): Promise<unknown> {
  return lane.run((done) => (asynchronousCalls[name] as (...args: unknown[]) => void)(...args, done))
}

/** A failure of the file system is an answer; anything else is a defect and must be seen. */
function failure(error: unknown): Reply<never> {
  const code = systemErrorCode(error)
  if (code === null) throw error
  return { ok: false, code, error }
}
