/**
 * Whether something is there that another node has made. That it is not there is believed only of a node that looks at a fair
 * pace: slowness, of the node or of its file server, is no absence.
 */

import { setTimeout as sleep } from 'node:timers/promises'

interface SightLimits {
  /** Missing for so long, by prompt looks, it is not there: its name is new, so no cache can say for long that it is missing. */
  absentAfterMs: number
  /** From one look to the end of the next one. A slower look says nothing. */
  promptMs: number
  /** Then it is given up. */
  limitMs: number
  pollMs: number
}

const LIMITS: SightLimits = { absentAfterMs: 20_000, promptMs: 1000, limitMs: 120_000, pollMs: 100 }
/** The longest that it can take: the last look may begin just before the end, and is bounded by itself. */
export const SIGHT_LIMIT_MS = LIMITS.limitMs + 15_000

/** The code is `TOO_SLOW`. */
class TooSlowToTellError extends Error {
  readonly code = 'TOO_SLOW'
}

/**
 * @param look whether it is there; an error means that it could not be seen
 * @throws TooSlowToTellError, or the error of the last look where no look has said that it is missing
 */
export async function isSeen(what: string, look: () => Promise<boolean>, limits = LIMITS): Promise<boolean> {
  const { absentAfterMs, promptMs, limitMs, pollMs } = limits
  const startMs = performance.now()
  let absentMs = 0
  let refusal: unknown = null
  let fromMs = startMs
  for (;;) {
    try {
      if (await look()) return true
      refusal = null
    } catch (error) {
      refusal = error
    }
    const tookMs = performance.now() - fromMs
    fromMs += tookMs
    if (tookMs <= promptMs) absentMs += tookMs
    if (absentMs >= absentAfterMs) break
    if (fromMs - startMs >= limitMs) throw tooSlow(what, limits)
    await sleep(pollMs)
  }
  if (refusal !== null) throw refusal
  return false
}

function tooSlow(what: string, { promptMs, limitMs }: SightLimits): TooSlowToTellError {
  return new TooSlowToTellError(
    `too slow to tell whether ${what} is there: within ${limitMs / 1000} s, too few looks at it took less than ` +
      `${promptMs / 1000} s. Try again when this node and its file server are less busy`,
  )
}
