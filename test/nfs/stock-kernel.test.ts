/**
 * Goal: what User-mode Linux shows is no peculiarity of it: the same holds between two PCs with Debian's stock kernel.
 * Method: the full run boots a second lab, of emulated PCs, and has the manual's dialogue and contention there. The short run,
 * for which they are too slow, sees only that the lab knows its kinds of machines.
 */

import { beforeAll, describe, expect, inject, test } from 'vitest'
import { acquiredBy, type Contender, contend, NO_VIOLATIONS, prepare, violations } from './contention.js'
import { expectDialogue } from './dialogue.js'
import { startOnHost } from './host-program.js'
import type { LabClient } from './lab/client.js'
import type { NodeName } from './lab/messages.js'
import { GUEST_REPOSITORY, REPOSITORY } from './lab/paths.js'
import { down, up } from './lab/up-and-down.js'
import { isSoak, LOCK_KINDS, newDirectory, NODES, program, proves, V3, V42 } from './support.js'

const BOOT_MS_MAX = 300_000
const DURATION_MS = 30_000
const PROCESSES_PER_NODE = 2

test('the lab refuses a kind of machine that it does not know, and says which there are', async () => {
  const lab = startOnHost(['node', '--import', 'tsx', `${REPOSITORY}/test/nfs/lab/main.ts`, 'up', '--accel', 'kvm'])
  expect(await lab.end).toMatchObject({ code: 1 })
  expect(lab.stderr).toBe('lab: Expected --accel uml, mixed, tcg, got "kvm"\n')
})

if (isSoak) {
  describe('between two emulated PCs with a stock kernel', () => {
    const run = `${inject('labRuns')[0]}-tcg`
    let lab: LabClient

    beforeAll(async () => {
      await down(run)
      lab = await up({ run, accelerator: 'tcg' })
      await lab.own()
      expect(await lab.exec('A', 'uname -v')).toContain('Debian')
      return async () => {
        await lab.down()
        lab.close()
      }
    }, BOOT_MS_MAX)

    const locktester = (node: NodeName, directory: string) =>
      lab.start(node, {
        argv: ['node', `${GUEST_REPOSITORY}/bin/locktester`, directory],
        env: { RSTUDIO_CONFIG_DIR: '/nonexistent' },
      })

    for (const place of [V3, V42]) {
      const stock = { name: `${place.name}, stock kernel` }

      test(`on ${place.name} locktester has the manual's dialogue`, async (context) => {
        proves(context, stock, 'locktester: the two-node dialogue, to the letter')
        const directory = await newDirectory(lab, place)
        await expectDialogue({ first: () => locktester('A', directory), second: () => locktester('B', directory) })
      })

      test.for(['hard link', 'flock'] as const)(
        `on ${place.name} processes on two nodes never hold one %s lock at the same time`,
        { timeout: DURATION_MS + 120_000 },
        async (kind, context) => {
          const tell = proves(context, stock, 'excludes, in the order of the tokens', kind)
          const directory = await newDirectory(lab, place)
          await lab.exec('A', prepare(directory))
          const contenders = NODES.flatMap((node): Contender[] =>
            Array.from({ length: PROCESSES_PER_NODE }, () => ({
              start: (name, options) => lab.start(node, { argv: program(name, options) }),
              directory,
              locker: LOCK_KINDS[kind],
            })),
          )
          const reports = await contend(contenders, DURATION_MS)

          expect(violations(reports)).toEqual(NO_VIOLATIONS)
          const shares = [acquiredBy(reports.slice(0, PROCESSES_PER_NODE)), acquiredBy(reports.slice(PROCESSES_PER_NODE))]
          tell(`${shares.join(' + ')} acquisitions`)
          for (const { acquired } of reports) expect(acquired).toBeGreaterThan(0)
        },
      )
    }
  })
}
