/** Answers the protocol's questions to this machine: what is not a file operation. */

import type { LocalQuestion } from '../protocol/operations.js'
import { isLocked } from './fdinfo.js'
import { readClock } from './clock.js'
import { processState, randomName } from './identity.js'

/** What only the caller that runs a piece of protocol knows. */
export interface Asker {
  /** How long the lease of a session is certain to last, in milliseconds; 0 once it is over, and for sessions of others. */
  leaseRemainingMs(sessionId: string): number
  /** Is the result still wanted? */
  wanted(): boolean
}

/** Runs pieces that take no lock, and sees them through to the end. */
export const toTheEnd: Asker = { leaseRemainingMs: () => 0, wanted: () => true }

/** Runs pieces that take no lock, and that are wanted for so long only: then they end, and do not keep the process alive. */
export const whileNot = (isOver: () => boolean): Asker => ({ leaseRemainingMs: () => 0, wanted: () => !isOver() })

export function answer(question: LocalQuestion, asker: Asker): unknown {
  switch (question.op) {
    case 'clock':
      return readClock()
    case 'name':
      return randomName()
    case 'process':
      return processState(question.pid, question.startTime)
    case 'lease':
      return asker.leaseRemainingMs(question.sessionId)
    case 'wanted':
      return asker.wanted()
    case 'locked':
      return isLocked(question.file)
  }
}
