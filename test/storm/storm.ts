/**
 * A storm: real processes, on this node and on others (process namespaces of their own), go for a few locks while another
 * one kills, stalls and continues them, steps their clocks and fills the disk. When it is over everything heals, and
 * every lock must be to be had again. What happened is judged by the checker, from the logs.
 */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StormChaos } from './chaos.js'
import type { Fault } from '../../src/cli/evidence/chaos.js'
import type { Life } from '../../src/cli/evidence/picture.js'
import { type Section, sectionsOf, type Violation } from '../../src/cli/evidence/checker.js'
import { checkStorm } from './counters.js'
import { Ground } from './ground.js'
import { seededRandom } from './random.mjs'
import type { Evidence, ProcessLog, ResourceRequest } from '../../src/cli/evidence/records.js'
import { readLog } from './log.js'
import { monotonicMs, Resource } from '../../src/cli/evidence/resource.js'
import { clockLibrary, type StormKind, type Surroundings, WorkerProcess, type WorkerSettings } from './worker-process.js'

export interface StormOptions {
  kind: StormKind
  processes: number
  locks: number
  /** At least; it goes on until the goal is reached as well. */
  seconds: number
  goal?: Goal
  seed: number
  /** Where the locks lie; `null`: on a volume of the storm's own, which is filled now and then. */
  directory: string | null
}

/** What it takes for a storm to have been one, however busy the machine is with other things. */
export interface Goal {
  acquisitions: number
  kills: number
  stalls: number
}

/** A fault of the library that is not one of the checker's rules. */
export interface Failure {
  what: 'crashed' | 'stuck' | 'not-acquirable' | 'unexpected-error' | 'left-behind'
  text: string
}

export interface StormResult {
  options: StormOptions
  fromMs: number
  toMs: number
  evidence: Evidence
  sections: Section[]
  faults: Fault[]
  lives: Life[]
  violations: Violation[]
  failures: Failure[]
  /** Faults that could not be made here, in words. */
  skipped: string[]
}

/** Short, so that a storm sees many takeovers; long enough for heartbeats on a busy machine. */
const INTERVALS = { refreshRateMs: 250, timeoutIntervalMs: 1000 }
/** A goal that is not reached by then will not be. */
const GOAL_MS_MAX = 120_000
const PAUSE_MS_MAX = 250
/** Far longer than any wait for a lock. */
const END_MS_MAX = 30_000
const EXPECTED_CODES = new Set(['LOCK_TIMEOUT', 'LOCK_LOST', 'NO_SPACE'])

export async function runStorm(options: StormOptions): Promise<StormResult> {
  const ground = await Ground.open(options.directory)
  const storm = new Storm(options, ground)
  try {
    return await storm.run()
  } finally {
    await storm.end()
    await ground.close()
  }
}

class Storm {
  readonly #options: StormOptions
  readonly #ground: Ground
  readonly #random: () => number
  readonly #resource = new Resource()
  readonly #isRoot = process.getuid?.() === 0
  readonly #lives: Life[] = []
  readonly #failures: Failure[] = []
  /** By place: the process that has it now. */
  readonly #workers: WorkerProcess[] = []
  readonly #everyWorker: WorkerProcess[] = []
  #isOver = false

  constructor(options: StormOptions, ground: Ground) {
    this.#options = options
    this.#ground = ground
    this.#random = seededRandom(options.seed)
  }

  async run(): Promise<StormResult> {
    const fromMs = monotonicMs()
    const { processes, locks } = this.#options
    mkdirSync(join(this.#ground.folder, 'logs'))
    for (let lock = 0; lock < locks; lock++) writeFileSync(join(this.#ground.seenPath, `counter-${lock}`), '0'.padStart(16, '0'))
    for (let place = 0; place < processes; place++) this.#spawn(place)
    await Promise.all(this.#workers.map(({ ready, ended }) => Promise.race([ready, ended])))

    const chaos = new StormChaos(
      {
        timeoutIntervalMs: INTERVALS.timeoutIntervalMs,
        random: this.#random,
        victims: () => this.#workers,
        pauseMsMax: PAUSE_MS_MAX,
      },
      this.#ground,
    )
    await chaos.blow(this.#end(chaos))
    await chaos.subside()
    await this.#calmDown()
    await this.#acquireEachOnce()
    this.#lookForLeftovers()
    return this.#result(fromMs, chaos.faults)
  }

  /** After its time, when the goal is reached or will not be. */
  #end(chaos: StormChaos): () => boolean {
    const { seconds, goal = { acquisitions: 0, kills: 0, stalls: 0 } } = this.#options
    const leastMs = monotonicMs() + seconds * 1000
    const count = (kind: Fault['kind']) => chaos.faults.filter((fault) => fault.kind === kind).length
    return () => {
      const nowMs = monotonicMs()
      const acquisitions = this.#everyWorker.reduce((sum, worker) => sum + worker.acquisitions, 0)
      const isReached = acquisitions >= goal.acquisitions && count('kill') >= goal.kills && count('stall') >= goal.stalls
      return nowMs >= leastMs && (isReached || nowMs >= leastMs + GOAL_MS_MAX)
    }
  }

  /** Kills whatever still runs. */
  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#everyWorker.filter(({ hasEnded }) => !hasEnded).map((worker) => worker.kill()))
  }

  #spawn(place: number): void {
    const name = `p${place}.${this.#everyWorker.filter((worker) => worker.name.startsWith(`p${place}.`)).length}`
    const otherNode = this.#isRoot && place % 2 === 1
    const worker = this.#start(name, { otherNode, hasClock: place % 4 < 2 }, false)
    this.#workers[place] = worker
    const life = { name, place: `p${place}${otherNode ? ' *' : ''}`, fromMs: monotonicMs(), toMs: Number.POSITIVE_INFINITY }
    this.#lives.push(life)
    void worker.ended.then(({ code, signal }) => {
      life.toMs = monotonicMs()
      if (!worker.wasKilled && (code !== 0 || signal !== null)) {
        this.#failures.push({
          what: 'crashed',
          text: `${name} ended (${signal ?? code}) by itself: ${worker.stderr.slice(0, 2000)}`,
        })
      }
      if (!this.#isOver) this.#spawn(place)
    })
  }

  #start(name: string, { otherNode, hasClock }: { otherNode: boolean; hasClock: boolean }, once: boolean): WorkerProcess {
    const { kind, locks } = this.#options
    const settings: WorkerSettings = {
      kind,
      locks,
      directory: this.#ground.path,
      seed: Math.floor(this.#random() * 2 ** 32),
      log: this.#logOf(name),
      locker: { ...INTERVALS, label: name },
      once,
    }
    const clockFile = hasClock && clockLibrary() !== null ? join(this.#ground.folder, `${name}.clock`) : null
    const surroundings: Surroundings = { name, entrance: this.#ground.entrance, otherNode, clockFile }
    const worker = new WorkerProcess(settings, surroundings, this.#resource)
    this.#everyWorker.push(worker)
    return worker
  }

  #logOf(name: string): string {
    return join(this.#ground.folder, 'logs', `${name}.jsonl`)
  }

  /** A worker that lives ends by itself, in time. */
  async #calmDown(): Promise<void> {
    this.#isOver = true
    const living = this.#workers.filter(({ hasEnded }) => !hasEnded)
    for (const worker of living) worker.askToEnd()
    await Promise.all(living.map((worker) => this.#endsInTime(worker)))
  }

  async #endsInTime(worker: WorkerProcess): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), END_MS_MAX)
    })
    if ((await Promise.race([worker.ended, late])) === 'late') {
      this.#failures.push({ what: 'stuck', text: `${worker.name} did not end within ${END_MS_MAX} ms after the storm` })
      await worker.kill()
    }
    clearTimeout(timer)
  }

  /** Everything is healed, so every lock is to be had: on this node and on another one. */
  async #acquireEachOnce(): Promise<void> {
    for (const [index, otherNode] of (this.#isRoot ? [false, true] : [false]).entries()) {
      const worker = this.#start(`last.${index}`, { otherNode, hasClock: false }, true)
      await this.#endsInTime(worker)
      const { events } = readLog(this.#logOf(worker.name), worker.name)
      const acquired = new Set(events.filter(({ type }) => type === 'acquired').map(({ lock }) => lock))
      for (let lock = 0; lock < this.#options.locks; lock++) {
        if (acquired.has(lock)) continue
        const why = events.find((event) => event.type === 'failed' && event.lock === lock)
        const message = why?.type === 'failed' ? why.message : worker.stderr
        this.#failures.push({ what: 'not-acquirable', text: `lock ${lock} could not be had after the storm: ${message}` })
      }
    }
  }

  /** Besides the locks, only what the killed have left and no process has had time to clean away may be there. */
  #lookForLeftovers(): void {
    const { kind } = this.#options
    if (kind === 'specimen') return
    const ours = /^(lock-\d+|counter-\d+|\.mountlock-(41c29|new)-.*)$/
    for (const name of readdirSync(this.#ground.seenPath)) {
      if (!ours.test(name)) this.#failures.push({ what: 'left-behind', text: `${name} is nothing that is known` })
    }
  }

  #result(fromMs: number, faults: Fault[]): StormResult {
    const names = this.#everyWorker.map(({ name }) => name)
    const processes = names.map((name) => readLog(this.#logOf(name), name))
    const hasTokens = ['hard-link', 'symlink', 'rename'].includes(this.#options.kind)
    const evidence: Evidence = { hasTokens, processes, resource: this.#resource.requests }
    this.#failures.push(...unexpectedErrors(processes))
    const toMs = monotonicMs()
    return {
      options: this.#options,
      fromMs,
      toMs,
      evidence,
      sections: sectionsOf(evidence),
      faults,
      lives: this.#lives.map((life) => ({ ...life, toMs: Math.min(life.toMs, toMs) })),
      violations: checkStorm(evidence),
      failures: this.#failures,
      skipped: this.#skipped(),
    }
  }

  #skipped(): string[] {
    const skipped: string[] = []
    if (!this.#isRoot) skipped.push('other nodes: a process namespace needs root rights')
    if (!this.#ground.canBeFilled)
      skipped.push('full disk: only a volume of its own is ever filled, which needs root rights and no --dir')
    if (clockLibrary() === null) skipped.push('clocks: faketime is not installed')
    return skipped
  }
}

function unexpectedErrors(processes: readonly ProcessLog[]): Failure[] {
  const failures: Failure[] = []
  for (const { name, events } of processes) {
    for (const event of events) {
      if (event.type !== 'failed' || EXPECTED_CODES.has(event.code)) continue
      if (event.code === 'LOCKER_CLOSED') continue // one of its two tasks has closed it
      failures.push({ what: 'unexpected-error', text: `${name}, lock ${event.lock}: ${event.code}: ${event.message}` })
    }
  }
  return failures
}

/** How many late writes the resource refused. */
export const refusals = (requests: readonly ResourceRequest[]) => requests.filter(({ accepted }) => !accepted).length
