/**
 * Goal: while the server is away nothing hangs that has a choice, and afterwards every lock is held, or its holder was told.
 * Method: the server is killed and started again with its disk; processes on both nodes hold, wait and are interrupted meanwhile.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { LabClient } from './lab/client.js'
import type { GuestProgram } from './lab/guest-program.js'
import type { NodeName } from './lab/messages.js'
import { GUEST_REPOSITORY } from './lab/paths.js'
import { askForRestart, RECOVERY_MS_MAX } from './questions/restart.js'
import { connectLab, Driver, figure, isSoak, newDirectory, proves, V3, V42 } from './support.js'

const lab = await connectLab()

/** Shorter than the outage. */
const SHORT = { refreshRateMs: 1000, timeoutIntervalMs: 5000 }
const OUTAGE_MS = figure(8000, 90_000)
const TEST_MS_MAX = OUTAGE_MS + RECOVERY_MS_MAX + 60_000

const drivers: Driver[] = []
afterEach(async () => {
  const { nodes } = await lab.status()
  if (nodes.server.state === 'down') await lab.machine('start', 'server', { recover: true })
  for (const driver of drivers.splice(0)) driver.program.kill('SIGKILL')
})

async function start(node: 'A' | 'B', options: object): Promise<Driver> {
  const driver = await Driver.start(lab, node, options)
  drivers.push(driver)
  return driver
}

const KERNEL = {
  outageMs: OUTAGE_MS,
  stop: (client: LabClient) => client.machine('kill', 'server'),
  start: (client: LabClient) => client.machine('start', 'server', { recover: true }),
}

/** What hangs is looked at after so long: while it does, the server is away. */
const END_MS_MAX = 30_000

/** Where the threads of Node stand, in the kernel's words. */
const threadsOn = (client: LabClient, node: NodeName) =>
  client.exec(node, 'for task in /proc/[0-9]*/task/*; do echo "$task $(cat $task/comm $task/wchan | tr "\\n" " ")"; done')

/** Runs `during` in the outage's shadow: the server is away for at least {@link OUTAGE_MS}. */
async function withoutServer(client: LabClient, during: () => Promise<void>): Promise<void> {
  await KERNEL.stop(client)
  const outage = new Promise((resolve) => setTimeout(resolve, OUTAGE_MS))
  try {
    await during()
    await outage
  } finally {
    await KERNEL.start(client)
  }
}

// An outage takes half a minute with its recovery: the short run has them on one version.
for (const place of isSoak ? [V3, V42] : [V3]) {
  describe(`on ${place.name}`, () => {
    askForRestart(lab, place, KERNEL)

    test(
      'while the mount hangs waits end in time, the event loop runs, locks on another mount live on; after an interval the holder is told',
      { timeout: TEST_MS_MAX },
      async (context) => {
        proves(context, place, 'tells the holder when the server is away for longer than the interval')
        const tell = proves(context, place, 'ends a wait in time (waitMs, signal) while the mount hangs')
        const path = `${await newDirectory(lab, place)}/lock`
        const local = await lab.exec('A', 'mktemp -d')
        const [holder, other] = [await start('A', SHORT), await start('B', SHORT)]
        // Beside it, and with nothing on the mount: how late a busy machine lets timers fire.
        const idle = await start('A', SHORT)
        const { token } = await holder.ask('acquire', { path, name: 'lock' })
        await holder.ask('acquire', { path: `${local.trim()}/lock`, name: 'local' })
        await withoutServer(lab, async () => {
          const forMs = SHORT.timeoutIntervalMs + 2000
          const [latency, latencyOfIdle] = [holder.begin('latency', { forMs }), idle.begin('latency', { forMs })]
          const timeout = await holder.ask('acquire', { path: `${path}-2`, waitMs: 1000 })
          const aborted = await holder.ask('acquire', { path: `${path}-3`, abortAfterMs: 500 })
          expect(timeout).toMatchObject({ error: { code: 'LOCK_TIMEOUT' } })
          expect(aborted).toMatchObject({ error: { code: 'ABORT_ERR' } })
          const [{ latencyMsMax }, { latencyMsMax: busyMs }] = await Promise.all([latency, latencyOfIdle])
          const took = `waitMs 1000: ${Math.round(timeout.tookMs)} ms, signal after 500: ${Math.round(aborted.tookMs)} ms, timers late by ${Math.round(latencyMsMax)} ms at the most`
          tell(took)
          const said = `${took}; without the mount by ${Math.round(busyMs)} ms`
          expect(aborted.tookMs, said).toBeLessThan(1500 + busyMs)
          expect(timeout.tookMs, said).toBeLessThan(2000 + busyMs)
          expect(latencyMsMax, said).toBeLessThan(500 + busyMs)
          expect(await holder.hears((message) => message.lost === 'lock', 'loss')).toMatchObject({ lost: 'lock' })
          expect(await holder.ask('state', { name: 'local' })).toMatchObject({ held: true, aborted: false })
        })
        const next = await other.ask('acquire', { path, waitMs: RECOVERY_MS_MAX }, RECOVERY_MS_MAX)
        expect(next).toMatchObject({ held: true })
        expect(BigInt(next.token)).toBeGreaterThan(BigInt(token))
        expect(await holder.ask('release', { name: 'lock' }, RECOVERY_MS_MAX)).toMatchObject({ lost: true })
      },
    )

    test(
      'Ctrl+C ends locktester and any other holder within 5 s while the mount hangs',
      {
        timeout: TEST_MS_MAX,
      },
      async (context) => {
        const tell = proves(context, place, 'ends within 5 s of Ctrl+C while the mount hangs')
        const directory = await newDirectory(lab, place)
        const tester = lab.start('A', { argv: ['node', `${GUEST_REPOSITORY}/bin/locktester`, directory] })
        await tester.sees(({ stderr }) => stderr.includes('Holding.') || undefined, { what: 'hold' })
        const holder = await start('B', SHORT)
        await holder.ask('acquire', { path: `${directory}/lock`, name: 'lock' })
        const idle = await start('A', SHORT)
        await withoutServer(lab, async () => {
          await holder.hears((message) => message.lost === 'lock', 'loss') // so long the mount has been dead
          const latencyOfIdle = idle.begin('latency', { forMs: 5000 })
          const endOf = async (node: NodeName, program: GuestProgram) => {
            const askedMs = performance.now()
            program.kill('SIGINT')
            const hasEnded = await Promise.race([program.end.then(() => true), sleep(END_MS_MAX, false, { ref: false })])
            if (!hasEnded) expect.unreachable(`It hangs. It said:\n${program.stderr}\n${await threadsOn(lab, node)}`)
            return Math.round(performance.now() - askedMs)
          }
          const [testerMs, holderMs] = await Promise.all([endOf('A', tester), endOf('B', holder.program)])
          const { latencyMsMax: busyMs } = await latencyOfIdle
          const took = `locktester ${testerMs} ms, a holder ${holderMs} ms`
          tell(took)
          expect(Math.max(testerMs, holderMs), `${took}; timers late by ${Math.round(busyMs)} ms`).toBeLessThan(5000 + busyMs)
        })
      },
    )
  })
}
