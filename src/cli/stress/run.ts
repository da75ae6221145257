/**
 * `locktester stress`: processes on all nodes go for one lock; what they say of it is judged by the checker and drawn. However it
 * ends, the agents are told to end and clean up; one that cannot be told notices by itself.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { ConfigSettings } from '../../config/settings.js'
import { endsWithin } from '../shared/bounded.js'
import { monotonicMs, Resource } from '../evidence/resource.js'
import { EXIT } from '../shared/exit-codes.js'
import type { Interrupt } from '../shared/interrupt.js'
import { choiceOf, type Kind, kindOf, optionsOf } from '../shared/kinds.js'
import { Page } from '../shared/page.js'
import { limitationText } from '../shared/scope.js'
import { type Printer, writeJson, writeOut } from '../shared/output.js'
import { spellIntervals } from '../shared/spelling.js'
import { writeTalk } from '../shared/streams.js'
import { Cluster } from '../remote/cluster.js'
import type { Node } from '../remote/node.js'
import type { NodeAddress, ReachOptions } from '../remote/options.js'
import { type RemoteTrial, runTrial } from '../remote/trial.js'
import { StressChaos } from './chaos.js'
import { Crew } from './crew.js'
import type { NodeClock } from './node-clock.js'
import { NodeClocks } from './node-clocks.js'
import { type NodeEvidence, type Outcome, outcomeOf, type StressFacts } from './outcome.js'
import type { Player } from './player.js'
import { page } from './html.js'
import { outcomeLines, progressText } from './print.js'
import { reportOf } from './report.js'

export interface StressOptions extends ReachOptions {
  nodes: readonly NodeAddress[]
  /** `undefined`: the one that the configuration chooses. */
  kind: Kind | undefined
  durationMs: number
  /** On each node. */
  processes: number
  chaos: boolean
  config: string | undefined
  html: string | undefined
  json: boolean
  quiet: boolean
}

const SAMPLE_MS = 1000
const PROGRESS_MS = 250
/** A node that takes longer is too slow, or cut off. */
const ANSWER_LIMIT_MS = 10_000
/** Between two faults of one process, on average. */
const CHAOS_PAUSE_MS = 4000
/** As patient as it takes to see two takeovers through. */
const WAIT_INTERVALS = 4

/** Runs the command and ends the process. */
export function runStress(options: StressOptions): Promise<void> {
  return runTrial(options, ({ settings }, interrupt, printer) => new StressTrial(options, settings, interrupt, printer))
}

class StressTrial implements RemoteTrial {
  readonly #options: StressOptions
  readonly #settings: ConfigSettings
  readonly #interrupt: Interrupt
  readonly #printer: Printer
  readonly #kind: Kind
  readonly #cluster: Cluster
  readonly #resource = new Resource()
  readonly #crew: Crew
  readonly #crashes: string[] = []
  /** Aborted when the time is over. */
  readonly #over = new AbortController()
  #chaos: StressChaos | null = null
  #html: Page | null = null

  constructor(options: StressOptions, settings: ConfigSettings, interrupt: Interrupt, printer: Printer) {
    this.#options = options
    this.#settings = settings
    this.#interrupt = interrupt
    this.#printer = printer
    this.#kind = options.kind ?? kindOf(settings)
    const cluster = new Cluster('stress', options.nodes, options, printer)
    const task = {
      pathOn: (node: Node) => cluster.pathOn(node, 'lock'),
      options: optionsOf(this.#kind, settings),
      waitMs: WAIT_INTERVALS * settings.timeoutIntervalMs,
    }
    this.#cluster = cluster
    this.#crew = new Crew(task, this.#resource, (text) => this.#crashes.push(text))
  }

  async run(): Promise<number> {
    const { html, processes } = this.#options
    const race = <T>(promise: Promise<T>) => this.#interrupt.race(promise)
    if (html !== undefined) this.#html = await Page.open(html)
    if (!(await race(this.#cluster.connect()))) return EXIT.cannotLock
    if ((await race(this.#cluster.meet([]))) === null) return EXIT.cannotLock
    const clocks = new NodeClocks(this.#cluster.nodes, ANSWER_LIMIT_MS, (text) => this.#crashedOnce(text))
    await race(clocks.sample())
    const fromMs = monotonicMs()
    await race(this.#crew.startAll(this.#cluster.nodes, processes))
    this.#introduce()
    await this.#watch(clocks)
    const outcome = outcomeOf(await this.#finish(clocks, fromMs))
    await this.#publish(outcome)
    return outcome.exitCode
  }

  async end(): Promise<void> {
    this.#over.abort()
    await this.#cluster.end()
    await this.#html?.close()
  }

  #crashedOnce(text: string): void {
    if (!this.#crashes.includes(text)) this.#crashes.push(text)
  }

  #introduce(): void {
    const { processes, durationMs, chaos } = this.#options
    const { nodes, limitation } = this.#cluster
    this.#printer.talk(
      `${processes * nodes.length} processes go for one ${this.#kind} lock for ${durationMs / 1000} s, ` +
        `with ${spellIntervals(this.#settings)}${chaos ? '; some are killed and stalled' : ''}. Ctrl+C ends it early.`,
    )
    if (limitation !== null) this.#printer.talk(`${limitationText(limitation)} Name some: --nodes local node2`)
  }

  /** Until the time is over, or Ctrl+C. */
  async #watch(clocks: NodeClocks): Promise<void> {
    const { chaos, durationMs } = this.#options
    const startMs = monotonicMs()
    const talk = setInterval(() => this.#tellProgress(monotonicMs() - startMs), PROGRESS_MS)
    const sampled = this.#keepSampling(clocks)
    const blown = chaos ? this.#blow() : Promise.resolve()
    await this.#interrupt.wait(durationMs)
    this.#over.abort()
    clearInterval(talk)
    if (process.stderr.isTTY) writeTalk('\r\x1b[K')
    const quiet = Promise.all([blown, sampled])
    if (await endsWithin(ANSWER_LIMIT_MS, quiet)) await quiet
  }

  /** In one line that is written again and again; a pipe is spared it. */
  #tellProgress(elapsedMs: number): void {
    if (!process.stderr.isTTY || this.#options.quiet) return
    const { acquisitions, losses } = this.#crew
    const count = (kind: string) => this.#chaos?.faults.filter((fault) => fault.kind === kind).length ?? 0
    const counts = { acquisitions, losses, kills: count('kill'), stalls: count('stall') }
    writeTalk(`\r\x1b[K${progressText(counts, elapsedMs, this.#options.durationMs)}`)
  }

  async #keepSampling(clocks: NodeClocks): Promise<void> {
    const { signal } = this.#over
    while (!signal.aborted) {
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => {})
      await clocks.sample()
    }
  }

  async #blow(): Promise<void> {
    const { signal } = this.#over
    const terms = {
      timeoutIntervalMs: this.#settings.timeoutIntervalMs,
      random: Math.random,
      victims: () => this.#crew.living,
      pauseMsMax: (2 * CHAOS_PAUSE_MS) / this.#crew.living.length,
    }
    this.#chaos = new StressChaos(terms, async (killed) => {
      this.#crew.buried(killed)
      if (!signal.aborted) await this.#crew.replace(killed)
    })
    await this.#chaos.blow(() => signal.aborted)
    await this.#chaos.subside()
  }

  /** No process holds anything any more; what they have said is put on one clock. */
  async #finish(clocks: NodeClocks, fromMs: number): Promise<StressFacts> {
    await this.#crew.finish()
    await clocks.sample()
    const toMs = monotonicMs()
    const { players, lives } = this.#crew
    const processes = players.map(({ name, node, events }) => {
      const clock = clocks.of(node)
      return { name, events: events.map((event) => ({ ...event, ...clock.ours(event.atMs) })) }
    })
    const { refreshRateMs, timeoutIntervalMs } = this.#settings
    return {
      kind: this.#kind,
      settings: { refreshRateMs, timeoutIntervalMs },
      processesPerNode: this.#options.processes,
      chaos: this.#options.chaos,
      fromMs,
      toMs,
      nodes: this.#cluster.nodes.map((node) => nodeEvidence(node, clocks.of(node), players)),
      limitation: this.#cluster.limitation,
      evidence: { hasTokens: choiceOf(this.#kind).lockType !== 'advisory', processes, resource: this.#resource.requests },
      lives: lives.map((life) => ({ ...life, toMs: Math.min(life.toMs, toMs) })),
      faults: this.#chaos?.faults ?? [],
      crashes: this.#crashes,
    }
  }

  async #publish(outcome: Outcome): Promise<void> {
    if (this.#options.json) writeJson(reportOf(outcome))
    else for (const line of outcomeLines(outcome)) writeOut(line)
    if (this.#html === null) return
    await this.#html.write(page(outcome))
    this.#printer.talk(`The page is in ${this.#html.file}.`)
  }
}

function nodeEvidence(node: Node, { slackMs }: NodeClock, players: readonly Player[]): NodeEvidence {
  const { name, directory, facts, mount } = node
  const processes = new Set(players.filter((player) => player.node === node).map((player) => player.name))
  return { name, directory, facts, mount, clockSlackMs: slackMs, processes }
}
