/**
 * Goal: between two nodes, a session of Workbench on the one and ours on the other keep each other out, in each form of theirs and
 * in both directions, for longer than their `timeout-interval`.
 * Method: specimens of their forms (`test/sim/specimens`) as processes on node B. They judge by age, as load-balanced ones do.
 */

import { buildSync } from 'esbuild'
import { afterEach, expect, test } from 'vitest'
import type { GuestProgram } from './lab/guest-program.js'
import { GUEST_REPOSITORY, REPOSITORY } from './lab/paths.js'
import { connectLab, Driver, isSoak, newDirectory, PACE, proves, V3, V42 } from './support.js'

const lab = await connectLab()

const FORMS = (['legacy', '2026'] as const).flatMap((form) =>
  (['link', 'symlink', 'advisory'] as const).map((kind) => ({ form, kind, id: `session-${form}${kind}` })),
)
const TIMEOUT_MS = PACE.timeoutIntervalMs
/** A client believes for so long what it has seen of a directory (`acdirmax`, nfs(5)). */
const CACHED_MS_MAX = 60_000

/** The specimens in one file: the nodes have no compiler. */
const BUNDLE = '.vitest/workbench-session.mjs'
buildSync({
  entryPoints: [`${REPOSITORY}/test/process/fixtures/workbench-session.ts`],
  outfile: `${REPOSITORY}/${BUNDLE}`,
  bundle: true,
  platform: 'node',
  format: 'esm',
})

const sessions: GuestProgram[] = []
afterEach(() => {
  for (const session of sessions.splice(0)) session.kill('SIGKILL')
})

async function sessionOnB(options: object) {
  const start = JSON.stringify({ timeoutMs: TIMEOUT_MS, refreshMs: PACE.refreshRateMs, ...options })
  const program = lab.start('B', { argv: ['node', `${GUEST_REPOSITORY}/${BUNDLE}`, start] })
  sessions.push(program)
  let heard = 0
  const hear = async (what: string) => {
    const line = heard++
    return await program.sees(({ stdout }) => stdout.split('\n').slice(0, -1)[line], { what })
  }
  const ask = async (command: string) => {
    program.write(`${command}\n`)
    return await hear(`answer to ${command}`)
  }
  await hear('greeting')
  const acquire = async () => (await ask('acquire')) === 'true'
  /** As a user does that is refused: until what its node has cached of the directory is over. */
  const acquireSoon = async () => {
    for (const sinceMs = performance.now(); performance.now() - sinceMs < CACHED_MS_MAX;) if (await acquire()) return true
    return false
  }
  return { acquire, acquireSoon, release: () => ask('release') }
}

for (const place of [V3, V42]) {
  for (const useSymlinks of isSoak ? [false, true] : [false]) {
    const name = useSymlinks ? 'symbolic links' : 'hard links'
    test(
      `on ${place.name}, ours by ${name}, each form of theirs is kept out and keeps ours out`,
      { timeout: useSymlinks ? 1_200_000 : 400_000 },
      async (context) => {
        const figures = proves(
          context,
          place,
          'locks that Workbench respects exclude its sessions, and are excluded by them',
          name,
        )
        const sources = `${await newDirectory(lab, place)}/sources`
        const pathOf = (id: string) => `${sources}/${id}/lock_file`
        await lab.exec('A', `mkdir -m 755 ${sources} && cd ${sources} && mkdir -m 755 ${FORMS.map(({ id }) => id).join(' ')}`)
        const ours = await Driver.start(lab, 'A', { useSymlinks, workbench: { timeoutIntervalMs: TIMEOUT_MS } })
        for (const { id } of FORMS) expect(await ours.ask('acquire', { path: pathOf(id) })).toMatchObject({ held: true })
        // Longer than the interval: the files are refreshed by the server's clock.
        await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS * 1.3))

        for (const { form, kind, id } of FORMS) {
          const path = pathOf(id)
          const theirs = await sessionOnB({ form, kind, path })
          expect(await theirs.acquire(), `${id} comes second`).toBe(false)
          expect(await ours.ask('state', { name: path })).toMatchObject({ held: true })
          await ours.ask('release', { name: path })
          expect(await theirs.acquireSoon(), `${id} comes when it is free`).toBe(true)
          expect(await ours.ask('tryAcquire', { path }), `${id} was first`).toMatchObject({ held: false })
          await theirs.release()
          expect(await ours.ask('acquire', { path, waitMs: CACHED_MS_MAX }), `after ${id}`).toMatchObject({ held: true })
          // To node B the link may seem to lead nowhere until then, and such a link is free to a session (docs/workbench.md).
          if (useSymlinks) await new Promise((resolve) => setTimeout(resolve, CACHED_MS_MAX))
          expect(await theirs.acquire(), `${id} comes second again`).toBe(false)
          await ours.ask('release', { name: path })
        }
        figures(FORMS.map(({ form, kind }) => `${form} ${kind}`).join(', '))
        await ours.end()
      },
    )
  }
}
