/**
 * The default advisory lock takes both system calls, or the one that is both: are programs kept out that use either, and do they keep
 * it out, on its node and between two? Asked of every mount of the lab on which advisory locks exclude.
 */

import { expect, test } from 'vitest'
import type { LabClient } from '../lab/client.js'
import { ADVISORY_KINDS, Driver, LOCK_KINDS, newDirectory, NODES, type Place, proves } from '../support.js'

export const BY_BOTH_CALLS = { lockType: 'advisory' } as const
export const KEEPS_OUT_EITHER = 'the default advisory lock excludes programs of either call, on its node and between two'

interface Actor {
  driver: Driver
  /** The lock, as it sees it. */
  path: string
}

export function askForBothCalls(lab: LabClient, place: Place): void {
  test('the default advisory lock and programs that use one of its calls keep each other out', async (context) => {
    proves(context, place, KEEPS_OUT_EITHER)
    const path = `${await newDirectory(lab, place)}/lock`
    const start = async (node: (typeof NODES)[number], options: object) => ({
      driver: await Driver.start(lab, node, options),
      path,
    })
    const [both, ...rivals] = await Promise.all([
      start('A', BY_BOTH_CALLS),
      ...NODES.flatMap((node) => ADVISORY_KINDS.map((kind) => start(node, LOCK_KINDS[kind]))),
    ])
    await expectToExclude(both, rivals)
    await Promise.all([both, ...rivals].map(({ driver }) => driver.end()))
  })
}

/** In turn one of them holds the lock, and the other ones try. */
export async function expectToExclude(both: Actor, rivals: readonly Actor[]): Promise<void> {
  const tryNow = async ({ driver, path }: Actor) => await driver.ask('tryAcquire', { path, name: 'lock' })
  const release = async ({ driver }: Actor) =>
    expect(await driver.ask('release', { name: 'lock' })).toMatchObject({ lost: false })
  expect(await tryNow(both)).toMatchObject({ held: true })
  for (const rival of rivals) expect(await tryNow(rival)).toMatchObject({ held: false })
  await release(both)
  for (const rival of rivals) {
    expect(await tryNow(rival)).toMatchObject({ held: true })
    expect(await tryNow(both)).toMatchObject({ held: false })
    await release(rival)
  }
  expect(await tryNow(both)).toMatchObject({ held: true })
  await release(both)
}
