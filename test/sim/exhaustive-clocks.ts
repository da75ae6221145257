/**
 * All clocks of a state of the exhaustive search in one word. Either each process has a clock of its own that can jump, or
 * time passes in ticks, for the server and for every machine that does not stand still.
 *
 * A machine that stood still cannot tell by any clock of its own; its first heartbeat that began after it can, by the server's.
 * Until that is answered its holder is excused; from then on it has to know.
 */

/** Where clocks jump: two bits for how often it has, and two for how often it had when its owner last wrote. */
export const jumpsOf = (clocks: number, index: number) => (clocks >> (4 * index)) & 3
export const jumpsAtWrite = (clocks: number, index: number) => (clocks >> (4 * index + 2)) & 3
export const afterJump = (clocks: number, index: number) => clocks + (1 << (4 * index))
export const afterWrite = (clocks: number, index: number) =>
  (clocks & ~(12 << (4 * index))) | (jumpsOf(clocks, index) << (4 * index + 2))
/** The bits of one process in the place of another's. */
export const jumpsMoved = (clocks: number, from: number, to: number) => ((clocks >> (4 * from)) & 15) << (4 * to)

/** Where time passes: four bits for the server's ticks, two per process for those that its machine stood still, three for what follows. */
export const ticksOf = (clocks: number) => clocks & 15
export const ticksStoodStill = (clocks: number, index: number) => (clocks >> (4 + 2 * index)) & 3
export const ownTicks = (clocks: number, index: number) => ticksOf(clocks) - ticksStoodStill(clocks, index)
export const afterTick = (clocks: number) => clocks + 1

/** It stood still since its last completed heartbeat began. */
const UNNOTICED = 1
/** It stood still since the heartbeat began that is under way. */
const DURING_BEAT = 2
/** Another process got the lock since, and the holder does not know. */
const SUPERSEDED = 4

const marksAt = (index: number) => 10 + 3 * index
const has = (clocks: number, index: number, mark: number) => (clocks & (mark << marksAt(index))) !== 0
const marked = (clocks: number, index: number, marks: number) => clocks | (marks << marksAt(index))
const unmarked = (clocks: number, index: number, marks: number) => clocks & ~(marks << marksAt(index))

/** A tick passes, but not for this machine. */
export function afterStandingStill(clocks: number, index: number, hasSession: boolean, isBeating: boolean): number {
  const marks = (hasSession ? UNNOTICED : 0) | (isBeating ? DURING_BEAT : 0)
  return marked(afterTick(clocks) + (1 << (4 + 2 * index)), index, marks)
}

export const stoodStillUnnoticed = (clocks: number, index: number) => has(clocks, index, UNNOTICED)
export const afterSuperseded = (clocks: number, index: number) => marked(clocks, index, SUPERSEDED)
/** Its heartbeat, which began after all standing still, is being answered, and before that another process got its lock. */
export const hasToKnow = (clocks: number, index: number) => has(clocks, index, SUPERSEDED) && !has(clocks, index, DURING_BEAT)

/** Its heartbeat was answered. */
export function afterHeartbeat(clocks: number, index: number): number {
  const stillInDoubt = has(clocks, index, DURING_BEAT) ? UNNOTICED : 0
  return marked(unmarked(clocks, index, UNNOTICED | DURING_BEAT), index, stillInDoubt)
}
export const afterLettingGo = (clocks: number, index: number) => unmarked(clocks, index, SUPERSEDED)
export const withoutSession = (clocks: number, index: number) => unmarked(clocks, index, UNNOTICED | DURING_BEAT | SUPERSEDED)
