/**
 * `npm run lab -- bench`: waiting between nodes, ours beside a loop that tries `link` every 50 ms and beside proper-lockfile, in one
 * run and in turns, on versions 3 and 4.2. It boots a lab of its own, with four nodes.
 *
 * - hand-off: a holder on A, a waiter on B; from the call of release on A to the moment in which B has the lock.
 * - requests: a holder on A, one waiter and then two on B; what B's client counts, with the heartbeats.
 * - shares: two processes on each of two, three and four nodes that take the lock for 100 ms, again and again.
 *
 * Trust the ratios of one run: all machines share the processors of this one, and what else it does.
 */

import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LabClient } from './client.js'
import type { GuestProgram } from './guest-program.js'
import type { NodeName } from './messages.js'
import { mount } from './operations.js'
import { GUEST_REPOSITORY, runDirectory } from './paths.js'
import { LabError } from './tools.js'
import { up } from './up-and-down.js'

export interface BenchOptions {
  rounds: number
  /** How long requests are counted, twice that, and how long processes contend. */
  seconds: number
  /** One part, or all: `null`. */
  only: string | null
}

const VERSIONS = ['3', '4.2'] as const
type Version = (typeof VERSIONS)[number]
const CLIENTS = ['A', 'B', 'C', 'D'] as const
const OURS = ['linkbased', 'renamebased'] as const
const NAIVE = 'naive'
const WAYS = [...OURS, NAIVE, 'proper-lockfile'] as const
type Way = (typeof WAYS)[number]

const HOLD_MS = 100
const PROCESSES_PER_NODE = 2
/** Until a waiter has made its first tries and its ticket. */
const SETTLE_MS = 3000
/** A hold of the hand-off: at random, so that no waiter marches in step with it. */
const HOLD_MS_MIN = 600
const HOLD_MS_SPREAD = 600
const ANSWER_MS_MAX = 300_000
const CLOCK_READINGS = 9

const PARTS: Record<string, (bench: Bench) => Promise<void>> = { 'hand-off': handOff, requests, shares }

interface Bench extends BenchOptions {
  lab: LabClient
}

/** @throws LabError */
export async function bench(options: BenchOptions): Promise<void> {
  const parts = options.only === null ? Object.keys(PARTS) : [options.only]
  for (const part of parts) {
    if (PARTS[part] === undefined)
      throw new LabError(`Expected one of ${Object.keys(PARTS).join(', ')} after --only, got "${part}"`)
  }
  const lab = await up({ run: runDirectory('bench'), clients: CLIENTS.length })
  await lab.own()
  try {
    for (const node of CLIENTS) for (const version of VERSIONS) await mount(lab, node, placeOf(version), { version })
    const kernel = (await lab.exec('server', 'uname -r')).trim()
    const machine = `Linux ${kernel} (User-mode Linux), ${availableParallelism()} processors`
    console.log(`${new Date().toISOString().slice(0, 10)}, ${machine}, load ${load()} at the start\n`)
    for (const part of parts) await PARTS[part]?.({ ...options, lab })
  } finally {
    await lab.down()
    lab.close()
  }
}

const placeOf = (version: Version) => `/mnt/bench-${version}`
const load = () => (loadavg()[0] ?? 0).toFixed(1)

async function handOff({ lab, rounds }: Bench): Promise<void> {
  heading('hand-off', ['median ms', 'p90 ms', 'median ÷ naive', 'p90 ÷ naive', 'load'])
  for (const version of VERSIONS) {
    const directory = await newDirectory(lab, version)
    const pairs = await Promise.all(
      WAYS.map(async (way) => {
        const [holder, waiter] = await Promise.all([startTaker(lab, 'A', way, directory), startTaker(lab, 'B', way, directory)])
        return {
          way,
          holder,
          waiter,
          ahead: await holder.clockAheadMs(),
          behind: await waiter.clockAheadMs(),
          tookMs: [] as number[],
        }
      }),
    )
    // In turns: what else the machine does hits all of them.
    for (let round = 0; round < rounds; round++) {
      for (const { holder, waiter, ahead, behind, tookMs } of pairs) {
        await holder.ask('acquire')
        const waiting = waiter.ask('acquire')
        await sleep(HOLD_MS_MIN + Math.random() * HOLD_MS_SPREAD)
        const released = await holder.ask('release')
        tookMs.push((await waiting).atMs - behind - (released.atMs - ahead))
        await waiter.ask('release')
      }
    }
    const naive = pairs.find(({ way }) => way === NAIVE)?.tookMs ?? []
    for (const { way, holder, waiter, tookMs } of pairs) {
      const [median, p90] = [quantile(tookMs, 0.5), quantile(tookMs, 0.9)]
      const ratios = [median / quantile(naive, 0.5), p90 / quantile(naive, 0.9)].map((ratio) => ratio.toFixed(2))
      row(version, way, [median.toFixed(0), p90.toFixed(0), ...ratios, load()])
      for (const taker of [holder, waiter]) taker.kill()
    }
  }
}

async function requests({ lab, seconds }: Bench): Promise<void> {
  heading('requests', ['one waiter, per s', 'a further one, per s', 'of the first, by operation', 'load'])
  for (const version of VERSIONS) {
    for (const way of WAYS) {
      const directory = await newDirectory(lab, version)
      const [holder, ...waiters] = await Promise.all(
        (['A', 'B', 'B'] as const).map((node) => startTaker(lab, node, way, directory)),
      )
      await holder?.ask('acquire')
      const counted: Calls[] = []
      for (const waiter of waiters) {
        waiter.ask('acquire').catch(() => {}) // it is killed while it waits
        await sleep(SETTLE_MS)
        counted.push(await callsPerSecond(waiter, 2 * seconds))
      }
      const [one = {}, two = {}] = counted
      const byOperation = Object.entries(one)
        .filter(([, perSecond]) => perSecond >= 0.05)
        .map(([name, perSecond]) => `${name} ${perSecond.toFixed(1)}`)
      row(version, way, [total(one).toFixed(1), (total(two) - total(one)).toFixed(1), byOperation.join(', '), load()])
      for (const taker of [holder, ...waiters]) taker?.kill()
    }
  }
}

async function shares({ lab, seconds }: Bench): Promise<void> {
  heading('shares', ['nodes', 'turns of each node', 'largest ÷ smallest', 'longest wait ms', 'bound ms', 'turns per s', 'load'])
  for (const version of VERSIONS) {
    for (const nodes of [2, 3, 4]) {
      for (const way of WAYS) {
        const directory = await newDirectory(lab, version)
        const names = CLIENTS.slice(0, nodes).flatMap((node) => Array.from({ length: PROCESSES_PER_NODE }, () => node))
        const takers = await Promise.all(names.map((node) => startTaker(lab, node, way, directory)))
        for (const taker of takers) await warmUp(taker)
        const reports = await Promise.all(takers.map((taker) => taker.ask('contend', { forMs: seconds * 1000, holdMs: HOLD_MS })))
        const turnsOf = (node: NodeName) =>
          reports.reduce((sum, { turns }, index) => sum + (names[index] === node ? turns : 0), 0)
        const turns = CLIENTS.slice(0, nodes).map(turnsOf)
        const waitMsMax = Math.max(...reports.map((report) => report.waitMsMax))
        const boundMs = 3 * (names.length - 1) * (HOLD_MS + 80)
        const perSecond = turns.reduce((sum, ofNode) => sum + ofNode, 0) / seconds
        const ratio = Math.max(...turns) / Math.min(...turns)
        row(version, way, [
          ...[
            String(nodes),
            turns.join(' : '),
            ratio.toFixed(2),
            waitMsMax.toFixed(0),
            String(boundMs),
            perSecond.toFixed(1),
            load(),
          ],
        ])
        for (const taker of takers) taker.kill()
      }
    }
  }
}

/** Its session and its heartbeat thread take seconds to start where processors are scarce: that is no wait for a lock. */
async function warmUp(taker: Taker): Promise<void> {
  await taker.ask('acquire')
  await taker.ask('release')
}

type Calls = Record<string, number>
const total = (calls: Calls) => Object.values(calls).reduce((sum, count) => sum + count, 0)

/** Of all that the node of this process does on its mount. */
async function callsPerSecond(taker: Taker, seconds: number): Promise<Calls> {
  const { calls: before } = await taker.ask('calls')
  const fromMs = performance.now()
  await sleep(seconds * 1000)
  const { calls: after } = await taker.ask('calls')
  const elapsedS = (performance.now() - fromMs) / 1000
  return Object.fromEntries(Object.keys(after).map((name) => [name, (after[name] - (before[name] ?? 0)) / elapsedS]))
}

/** Of the user alone, as a directory in a home is: nothing but the lock is measured. */
async function newDirectory(lab: LabClient, version: Version): Promise<string> {
  const directory = `${placeOf(version)}/${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`
  await lab.exec('A', `mkdir -m 700 ${directory}`)
  for (const node of CLIENTS) await lab.exec(node, `ls ${directory}`)
  return directory
}

/** A process of programs/taker.mjs. */
class Taker {
  readonly #program: GuestProgram
  #asked = 0

  constructor(program: GuestProgram) {
    this.#program = program
  }

  ready(): Promise<unknown> {
    return this.#program.sees(({ stdout }) => stdout.includes('ready') || undefined, { what: 'greeting' })
  }

  /** @throws LabError where it failed */
  async ask(op: string, command: object = {}): Promise<any> {
    const id = ++this.#asked
    this.#program.write(`${JSON.stringify({ id, op, ...command })}\n`)
    const answer = await this.#program.sees(({ stdout }) => answerIn(stdout, id), {
      what: `answer to ${op}`,
      msMax: ANSWER_MS_MAX,
    })
    if (answer.error !== undefined) throw new LabError(`${op}: ${answer.error}`)
    return answer
  }

  /** By how much the clock of its machine is ahead of this one's. */
  async clockAheadMs(): Promise<number> {
    const readings: number[] = []
    for (let reading = 0; reading < CLOCK_READINGS; reading++) {
      const beforeMs = Date.now()
      const { atMs } = await this.ask('now')
      readings.push(atMs - (beforeMs + Date.now()) / 2)
    }
    return quantile(readings, 0.5)
  }

  kill(): void {
    this.#program.kill('SIGKILL')
  }
}

async function startTaker(lab: LabClient, node: NodeName, way: Way, directory: string): Promise<Taker> {
  const at = directory.slice(0, directory.lastIndexOf('/'))
  const options = JSON.stringify({ way, directory, at })
  const taker = new Taker(lab.start(node, { argv: ['node', `${GUEST_REPOSITORY}/test/nfs/programs/taker.mjs`, options] }))
  await taker.ready()
  return taker
}

function answerIn(stdout: string, id: number): any {
  const lines = stdout.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line)).find((message) => message.id === id)
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

function heading(part: string, columns: readonly string[]): void {
  console.log(`\n| ${part} | | ${columns.join(' | ')} |\n|${' - |'.repeat(columns.length + 2)}`)
}

const row = (version: Version, way: Way, cells: readonly string[]) =>
  console.log(`| NFSv${version} | ${way} | ${cells.join(' | ')} |`)
