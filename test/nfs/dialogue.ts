/** What locktester says on each of two nodes, to the letter, on a mount where every kind of lock excludes: the manual's dialogue. */

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

/** Returns the one that was refused. */
export async function expectDialogue({ first, second }: Testers): Promise<GuestProgram> {
  const holder = first()
  const refused = await expectRefused(holder, second)
  expect(await holder.end, holder.stderr).toMatchObject({ code: 0 })

  const next = second()
  try {
    await holds(next)
    expect(next.stdout).toBe(ACQUIRED_BOTH)
  } finally {
    next.kill('SIGINT')
    await next.end
  }
  return refused
}

/** The first one acquires both locks, and the second one neither. In the end the first one is told to release them. */
export async function expectRefused(holder: GuestProgram, second: () => GuestProgram): Promise<GuestProgram> {
  try {
    await holds(holder)
    expect(holder.stdout).toBe(ACQUIRED_BOTH)
    const refused = second()
    expect(await refused.end, refused.stderr).toMatchObject({ code: 0 })
    expect(refused.stdout).toBe(REFUSED_BOTH)
    return refused
  } finally {
    holder.kill('SIGINT')
  }
}

export const holds = (tester: GuestProgram) =>
  tester.sees(({ stderr }) => stderr.includes('Holding.') || undefined, { what: 'hold' })
