/** Options that a call does not know are refused: one that is misspelled, or another library's, would be ignored in silence. */

import { InvalidArgumentError } from '../errors.js'
import { mostSimilar } from './similar.js'

/** What other libraries call it. Several words for one thing are nearer to what the caller means than to what was written. */
const ELSEWHERE: Record<string, string> = {
  maxWait: 'waitMs',
  pollInterval: 'waitMs',
  retries: 'waitMs',
  timeout: 'waitMs',
  timeoutMs: 'waitMs',
  wait: 'waitMs',
  abortSignal: 'signal',
  exclusive: 'shared',
  readOnly: 'shared',
  stale: 'timeoutIntervalMs',
  staleMs: 'timeoutIntervalMs',
  ttl: 'timeoutIntervalMs',
  heartbeat: 'refreshRateMs',
  update: 'refreshRateMs',
  kind: 'lockType',
  type: 'lockType',
  path: 'file',
}

/** @throws InvalidArgumentError, which names the option that was probably meant */
export function refuseUnknownOptions(call: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(
      `Expected the options of \`${call}\` to be an object, got ${typeof options === 'object' ? 'null' : typeof options}`,
      'Correct the call.',
    )
  }
  for (const option in options) {
    if (known.includes(option)) continue
    const meant = meantBy(option, known)
    throw new InvalidArgumentError(
      `\`${call}\` has no option \`${option}\`${meant === null ? '' : `; did you mean ${meant}?`}`,
      `It has: ${known.join(', ')}.`,
    )
  }
}

function meantBy(option: string, known: readonly string[]): string | null {
  const elsewhere = Object.hasOwn(ELSEWHERE, option) ? ELSEWHERE[option] : undefined
  return elsewhere !== undefined && known.includes(elsewhere) ? elsewhere : mostSimilar(option, known)
}
