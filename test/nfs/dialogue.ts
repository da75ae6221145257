/** The manual's dialogue of two locktesters on a mount where every kind of lock excludes, to the letter. */

import { expect } from 'vitest'
import type { GuestProgram } from './lab/guest-program.js'

const ACQUIRED_BOTH = '* Acquired advisory lock\n* Acquired link-based lock\n'
const REFUSED_BOTH =
  '* Unable to acquire advisory lock\n* Unable to acquire link-based lock\n\n' +
  'Your filesystem appears to support advisory and link-based locks.\n'

/** How a locktester starts on each of two nodes, on one directory. */
export interface Testers {
  first(): GuestProgram
  second(): GuestProgram
}

export async function expectDialogue({ first, second }: Testers): Promise<void> {
  const holder = first()
  try {
    await holds(holder)
    expect(holder.stdout).toBe(ACQUIRED_BOTH)
    const refused = second()
    expect(await refused.end, refused.stderr).toMatchObject({ code: 0 })
    expect(refused.stdout).toBe(REFUSED_BOTH)
  } finally {
    holder.kill('SIGINT')
  }
  expect(await holder.end, holder.stderr).toMatchObject({ code: 0 })

  const next = second()
  try {
    await holds(next)
    expect(next.stdout).toBe(ACQUIRED_BOTH)
  } finally {
    next.kill('SIGINT')
    await next.end
  }
}

const holds = (tester: GuestProgram) => tester.sees(({ stderr }) => stderr.includes('Holding.') || undefined, { what: 'hold' })
