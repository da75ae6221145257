/**
 * Goal: what the library is for: a user's session is started once, however many launchers on however many nodes try, and it
 * is started again when its node dies.
 * Method: the example of the documentation, waiting on both nodes for each of some sessions; a node is killed while they
 * start, and sessions are ended. A session that ended or died n times must have been started n + 1 times, no more (a
 * duplicate) and no less (a lost one), with rising tokens.
 */

import { execFileSync } from 'node:child_process'
import { afterEach, beforeAll, expect, test } from 'vitest'
import type { GuestProgram } from './lab/guest-program.js'
import type { NodeName } from './lab/messages.js'
import { mount } from './lab/operations.js'
import { GUEST_REPOSITORY, REPOSITORY } from './lab/paths.js'
import { connectLab, figure, NODES, newDirectory, proves, V3, V42 } from './support.js'

const lab = await connectLab()

/** As many launchers at a time as a small guest has memory for. */
const SESSIONS_AT_ONCE = 4
const BATCHES = figure(1, 50)
const BATCH_MS_MAX = 120_000
/** Inside the repository, where the package's own name leads to the package. */
const COMPILED = '.vitest'

beforeAll(() => {
  const options = [
    '--rootDir',
    '.',
    '--outDir',
    COMPILED,
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--noCheck',
    '--ignoreConfig',
  ]
  execFileSync('npx', ['tsc', 'examples/session-launch.ts', ...options], { cwd: REPOSITORY })
})

const launchers: GuestProgram[] = []
afterEach(async () => {
  for (const launcher of launchers.splice(0)) launcher.kill('SIGKILL')
  if ((await lab.status()).nodes.A.state === 'down') await lab.machine('start', 'A')
})

function launch(node: NodeName, directory: string, user: string): GuestProgram {
  const launcher = lab.start(node, {
    argv: ['node', `${GUEST_REPOSITORY}/${COMPILED}/examples/session-launch.js`, directory, user, '--standby'],
    env: { FILE_LOCKS: `${directory}/file-locks` },
  })
  launchers.push(launcher)
  return launcher
}

/** The fencing tokens of the sessions that were started. */
const tokens = (programs: readonly GuestProgram[]) =>
  programs.flatMap(({ stdout }) => [...stdout.matchAll(/^started: .* token (\d+)$/gm)].map(([, token]) => BigInt(token ?? 0)))

const starts = (program: GuestProgram, msMax: number) =>
  program.sees(() => tokens([program])[0], { what: 'start of the session', msMax })

const firstToStart = (programs: readonly GuestProgram[]) =>
  Promise.any(programs.map((program) => starts(program, 30_000).then(() => program)))

for (const place of [V3, V42]) {
  test(
    `on ${place.name} each session is started once, and once more for each time that it ended or its node died`,
    { timeout: 60_000 + BATCHES * BATCH_MS_MAX },
    async (context) => {
      const tell = proves(context, place, 'session launch: no session twice, none lost, over crashes of nodes')
      for (let batch = 0; batch < BATCHES; batch++) {
        const directory = await newDirectory(lab, place)
        await lab.exec('A', `printf 'refresh-rate=1\\ntimeout-interval=8\\n' > ${directory}/file-locks`)
        const users = Array.from({ length: SESSIONS_AT_ONCE }, (_, index) => `user${batch}-${index}`)
        const onBoth = users.map((user) => NODES.map((node) => launch(node, directory, user)))

        // The first sessions run, the others are just starting: at this moment A dies.
        await firstToStart(onBoth.flat())
        for (const both of onBoth) expect(tokens(both).length).toBeLessThanOrEqual(1)
        await lab.machine('kill', 'A')
        await Promise.all(onBoth.map(async ([, onB]) => await starts(onB as GuestProgram, 30_000)))

        await lab.machine('start', 'A')
        await mount(lab, 'A', place.at, place)
        const again = users.map((user) => launch('A', directory, user))
        for (const [index, [, onB]] of onBoth.entries()) {
          expect(tokens([again[index] as GuestProgram])).toEqual([])
          onB?.kill('SIGTERM')
          expect(await onB?.end).toMatchObject({ code: 0 })
          await starts(again[index] as GuestProgram, 30_000)
        }
        for (const program of again) {
          program.kill('SIGTERM')
          await program.end
        }

        for (const [index, [onA, onB]] of onBoth.entries()) {
          const [diedOnA, ranOnB, ranOnA] = [onA, onB, again[index]].map((program) => tokens([program as GuestProgram]))
          expect([ranOnB?.length, ranOnA?.length], users[index]).toEqual([1, 1])
          const all = [...(diedOnA ?? []), ...(ranOnB ?? []), ...(ranOnA ?? [])]
          expect(all, users[index]).toEqual([...new Set(all)].sort((a, b) => Number(a - b)))
        }
      }
      tell(`${BATCHES * SESSIONS_AT_ONCE} sessions, ${BATCHES} crashes of a node`)
    },
  )
}
