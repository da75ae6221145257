/** The two runners: they drive a piece of protocol with blocking calls, or with asynchronous ones through a mount's lane. */

import type { FileOperation, Operation, Protocol, Reply } from '../protocol/operations.js'
import { type Asker, answer, anybody } from './answer.js'
import { asynchronousCalls, blockingCalls, type Call, type Calls } from './calls.js'
import { systemErrorCode } from './error-code.js'
import { severalCalls, singleCall } from './file-operations.js'
import type { Lane } from './lane.js'

/** Runs a piece of protocol to its end, blocking the thread. */
export function runBlocking<Result>(protocol: Protocol<Result>, asker: Asker = anybody): Result {
  let step = protocol.next()
  while (!step.done) step = protocol.next(isFileOperation(step.value) ? performBlocking(step.value) : answer(step.value, asker))
  return step.value
}

/** Runs a piece of protocol to its end. It is never abandoned half-way: who gives up says so through the question `wanted`. */
export async function runAsynchronously<Result>(protocol: Protocol<Result>, lane: Lane, asker: Asker = anybody): Promise<Result> {
  let step = protocol.next()
  while (!step.done)
    step = protocol.next(isFileOperation(step.value) ? await performAsynchronously(step.value, lane) : answer(step.value, asker))
  return step.value
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
    if (single !== null) return { ok: true, value: callBlocking(single) }
    const calls = severalCalls(operation)
    let step = calls.next()
    while (!step.done) {
      let value: unknown
      try {
        value = callBlocking(step.value)
      } catch (error) {
        step = calls.throw(error)
        continue
      }
      step = calls.next(value)
    }
    return { ok: true, value: step.value }
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
export async function runCalls<Result>(calls: Calls<Result>, lane: Lane): Promise<Result> {
  let step = calls.next()
  while (!step.done) {
    let value: unknown
    try {
      value = await callAsynchronously(step.value, lane)
    } catch (error) {
      step = calls.throw(error)
      continue
    }
    step = calls.next(value)
  }
  return step.value
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
