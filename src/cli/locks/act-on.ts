/** What the administrator's commands have in common: where locks are found, and what works on them. */

import { assert } from '../../assert.js'
import { defaultSettings } from '../../config/settings.js'
import { fileSystemAt } from '../../drivers/mount-info.js'
import { describeHolder } from '../../lock-type/describe-holder.js'
import { LinkLocks } from '../../link/link-locks.js'
import { attemptFailed, foreignError } from '../../link/refusals.js'
import type { AttemptOutcome } from '../../protocol/acquire.js'
import { CLAIMS, type ClaimedLockType } from '../../protocol/claims.js'
import type { Claim } from '../../protocol/site.js'
import { endsWithin } from '../shared/bounded.js'
import { messageOf } from '../shared/output.js'
import type { FoundLock } from './find-locks.js'

const CLEAN_UP_LIMIT_MS = 5000

const TOO_SLOW = 'this program was stopped for too long meanwhile, or its file beside the lock was removed. Run it again.'

/** What did not come to pass, and why: of an acquisition that is the first step of everything here. */
interface Failed {
  kind: 'failed'
  outcome: AttemptOutcome | 'beaten'
}

/** Acts on a lock; where hard links are refused, by symbolic link: the two are one kind, and exclude each other. */
export async function actOn<Outcome extends { kind: string }>(
  { path, lockType }: FoundLock,
  act: (locks: LinkLocks, path: string) => Promise<Outcome | Failed>,
): Promise<Outcome | Failed> {
  assert(lockType !== 'advisory', 'a lock directory', path)
  const [first, ...others] = CLAIMS[lockType]
  let outcome = await withLocks(lockType, first, (locks) => act(locks, path))
  for (const claim of others) {
    if (!isClaimRefused(outcome)) break
    outcome = await withLocks(lockType, claim, (locks) => act(locks, path))
  }
  return outcome
}

async function withLocks<T>(lockType: ClaimedLockType, claim: Claim, act: (locks: LinkLocks) => Promise<T>): Promise<T> {
  const { refreshRateMs, timeoutIntervalMs } = defaultSettings()
  const nothing = () => {}
  const options = { lockType, claim, label: 'locktester', refreshRateMs, timeoutIntervalMs }
  const locks = new LinkLocks({ ...options, onRefreshFailed: nothing, onReaped: nothing })
  try {
    return await act(locks)
  } finally {
    await endsWithin(CLEAN_UP_LIMIT_MS, locks.close())
  }
}

function isClaimRefused(result: { kind: string; outcome?: unknown }): boolean {
  const { outcome } = result as Failed
  return result.kind === 'failed' && outcome !== 'beaten' && outcome.kind === 'failed' && outcome.action === 'claim'
}

/** Why an acquisition of that lock was in vain. */
export function whyNot(outcome: AttemptOutcome | 'beaten', { path, lockType }: FoundLock): string {
  if (outcome === 'beaten') return 'another process was faster'
  assert(lockType !== 'advisory', 'a lock directory', path)
  const refused = { path, claim: CLAIMS[lockType][0], fileSystem: fileSystemAt(path) }
  switch (outcome.kind) {
    case 'busy':
      return outcome.holder === null ? outcome.why : `held by ${describeHolder(outcome.holder)}`
    case 'failed':
      return messageOf(attemptFailed(refused, outcome))
    case 'foreign':
      return messageOf(foreignError(path, outcome.what))
    case 'session-spent':
      return outcome.failure === undefined ? TOO_SLOW : messageOf(attemptFailed(refused, outcome.failure))
    default:
      return 'it was interrupted'
  }
}
