/** Runs the protocol on the real file system, operation by operation, with a word of the test's own in each. */

import { runProtocolBlocking } from '../../src/drivers/run.js'
import type { Operation, Protocol } from '../../src/protocol/operations.js'

const asker = { leaseRemainingMs: () => 1000, wanted: () => true }

/** `answer`: instead of what the machine says; `undefined`: it says it itself. */
export function run<Result>(protocol: Protocol<Result>, answer: (operation: Operation) => unknown = () => undefined): Result {
  function* one(operation: Operation): Protocol<unknown> {
    return yield operation
  }
  let step = protocol.next()
  while (!step.done) step = protocol.next(answer(step.value) ?? runProtocolBlocking(one(step.value), asker))
  return step.value
}
