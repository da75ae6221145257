/** What every mount of the lab is asked on which locks by renaming are refused, and advisory ones exclude: the manual's dialogue. */

import { expect, test } from 'vitest'
import { expectDialogue } from '../dialogue.js'
import type { LabClient } from '../lab/client.js'
import type { GuestProgram } from '../lab/guest-program.js'
import type { NodeName } from '../lab/messages.js'
import { Driver, GUEST_LOCKTESTER, LOCK_KINDS, newDirectory, type Place, proves } from '../support.js'

/** The manual's program, without the machine's own configuration. */
export const locktesterOn = (lab: LabClient, node: NodeName, directory: string): GuestProgram =>
  lab.start(node, { argv: ['sh', '-c', `exec ${GUEST_LOCKTESTER} ${directory}`], env: { RSTUDIO_CONFIG_DIR: '/nonexistent' } })

export function askForDialogue(lab: LabClient, place: Place): void {
  test("locktester has the manual's dialogue", async (context) => {
    proves(context, place, 'locktester: the two-node dialogue, to the letter')
    const directory = await newDirectory(lab, place)
    const tester = (node: NodeName) => () => locktesterOn(lab, node, directory)
    await expectDialogue({ first: tester('A'), second: tester('B') })
  })
}

export function askForRenameRefusal(lab: LabClient, place: Place): void {
  test('a rename-based lock is refused with the reason, and nothing is made', async (context) => {
    proves(context, place, 'refuses rename-based locks, with the reason')
    const directory = await newDirectory(lab, place)
    const driver = await Driver.start(lab, 'A', LOCK_KINDS.rename)
    const { error } = await driver.ask('tryAcquire', { path: `${directory}/lock` })
    await driver.end()
    expect(error).toMatchObject({ code: 'RENAME_NOT_EXCLUSIVE' })
    expect(error.message).toContain('two renames of one file may both succeed')
    expect(await lab.exec('A', `ls -A ${directory}`)).toBe('')
  })
}
