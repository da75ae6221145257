/** The two runners: they drive a piece of protocol with blocking calls, or with asynchronous ones through a mount's lane. */

import type { FileOperation, Operation, Protocol, Reply } from '../protocol/operations.js'
import { type Asker, answer, anybody } from './answer.js'
import { asynchronousCalls, blockingCalls, type Call, type Calls } from './calls.js'
import { driveAsynchronously, driveBlocking } from './drive.js'
import { systemErrorCode } from './error-code.js'
import { severalCalls, singleCall } from './file-operations.js'
import type { Lane } from './lane.js'

/** Runs a piece of protocol to its end, blocking the thread. */
export function runBlocking<Result>(protocol: Protocol<Result>, asker: Asker = anybody): Result {
  return driveBlocking(protocol, (operation) =>
    isFileOperation(operation) ? performBlocking(operation) : answer(operation, asker),
  )
}

/** Runs a piece of protocol to its end. It is never abandoned half-way: a caller that gives up says so through the question `wanted`. */
export function runAsynchronously<Result>(protocol: Protocol<Result>, lane: Lane, asker: Asker = anybody): Promise<Result> {
  return driveAsynchronously(protocol, (operation) =>
    isFileOperation(operation) ? performAsynchronously(operation, lane) : answer(operation, asker),
  )
}

function isFileOperation(operation: Operation): operation is FileOperation {
  switch (operation.op) {
    case 'clock':
    case 'name':
    case 'process':
    case 'lease':
    case 'wanted':
      return false
    default:
      return true
  }
}

function performBlocking(operation: FileOperation): Reply<unknown> {
  try {
    const single = singleCall(operation)
    return { ok: true, value: single === null ? driveBlocking(severalCalls(operation), callBlocking) : callBlocking(single) }
  } catch (error) {
    return failure(error)
  }
}

async function performAsynchronously(operation: FileOperation, lane: Lane): Promise<Reply<unknown>> {
  try {
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

function callBlocking(call: Call): unknown {
  const perform = blockingCalls[call[0]] as (...args: unknown[]) => unknown
  // Most calls have one path or two; spreading arguments would cost as much as they do.
  if (call.length === 2) return perform(call[1])
  if (call.length === 3) return perform(call[1], call[2])
  return perform(...call.slice(1))
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
