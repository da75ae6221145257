/**
 * `locktester stress`: processes on all nodes go for one lock; what they say of it is judged by the checker and drawn. However it
 * ends, the agents are told to end and clean up; one that cannot be told notices by itself.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { ConfigSettings } from '../../config/settings.js'
import { endsWithin } from '../bounded.js'
import type { Life } from '../evidence/picture.js'
import type { StormEvent } from '../evidence/records.js'
import { monotonicMs, Resource } from '../evidence/resource.js'
import { EXIT } from '../exit-codes.js'
import type { Interrupt } from '../interrupt.js'
import { type Kind, kindOf, LOCK_TYPES, optionsOf } from '../kinds.js'
import { ownIdentity } from '../identity.js'
import { writePage } from '../page.js'
import { messageOf, type Printer, writeJson, writeOut } from '../print.js'
import { spellIntervals } from '../spelling.js'
import { Cluster } from '../remote/cluster.js'
import { RemoteError } from '../remote/lines.js'
import type { Facts, Node } from '../remote/node.js'
import { type RemoteTrial, runTrial } from '../remote/trial.js'
import { StressChaos } from './chaos.js'
import { NodeClock } from './node-clock.js'
import type { StressOptions } from './options.js'
import { type NodeEvidence, type Outcome, outcomeOf } from './outcome.js'
import { Player } from './player.js'
import { outcomeLines, page, progressText } from './print.js'
import { reportOf } from './report.js'

const SAMPLE_MS = 1000
const PROGRESS_MS = 250
/** A node that takes longer is cut off. */
const ANSWER_LIMIT_MS = 10_000
/** Between two faults of one process, on average. */
const CHAOS_PAUSE_MS = 4000
/** As patient as it takes to see two takeovers through. */
const WAIT_INTERVALS = 4

/** Runs the command and ends the process. */
export function runStress(options: StressOptions): Promise<void> {
  return runTrial(options, (config, interrupt, printer) => new Stress(options, config.settings, interrupt, printer))
}

class Stress implements RemoteTrial {
  readonly #options: StressOptions
  readonly #settings: ConfigSettings
  readonly #kind: Kind
  readonly #printer: Printer
  readonly #interrupt: Interrupt
  readonly #cluster: Cluster
  readonly #clocks = new Map<Node, NodeClock>()
  readonly #resource = new Resource()
  readonly #players: Player[] = []
  /** By place: the one that has it now. */
  readonly #living = new Map<string, Player>()
  readonly #lives: Life[] = []
  readonly #crashes: string[] = []
  readonly #progress = { acquisitions: 0, losses: 0 }
  #chaos: StressChaos | null = null
  #fromMs = 0
  readonly #over = new AbortController()

  constructor(options: StressOptions, settings: ConfigSettings, interrupt: Interrupt, printer: Printer) {
    this.#options = options
    this.#settings = settings
    this.#kind = options.kind ?? kindOf(settings)
    this.#interrupt = interrupt
    this.#printer = printer
    this.#cluster = new Cluster('stress', options.nodes, options, this.#printer)
  }

  async run(): Promise<number> {
    const race = <T>(promise: Promise<T>) => this.#interrupt.race(promise)
    if (!(await race(this.#cluster.connect()))) return EXIT.cannotLock
    if ((await race(this.#cluster.meet([]))) === null) return EXIT.cannotLock
    await race(this.#startAll())
    this.#introduce()
    await this.#watch()
    const outcome = outcomeOf(await this.#finish())
    await this.#publish(outcome)
    return outcome.exitCode
  }

  async end(): Promise<void> {
    this.#over.abort()
    await this.#cluster.end()
  }

  #introduce(): void {
    const { processes, durationMs, chaos } = this.#options
    const bootIds = new Set(this.#cluster.nodes.map(({ facts }) => facts?.bootId))
    this.#printer.talk(
      `${processes * this.#cluster.nodes.length} processes go for one ${this.#kind} lock for ${durationMs / 1000} s, ` +
        `with ${spellIntervals(this.#settings)}${chaos ? '; some are killed and stalled' : ''}. Ctrl+C ends it early.`,
    )
    if (bootIds.size === 1) {
      this.#printer.talk('All of them run on one machine: nothing is proved about others. Name some: --nodes local node2')
    }
  }

  async #startAll(): Promise<void> {
    const { nodes } = this.#cluster
    for (const node of nodes) this.#clocks.set(node, new NodeClock(isSameMachine(node)))
    await this.#sampleClocks()
    this.#fromMs = monotonicMs()
    const places = nodes.flatMap((node) => Array.from({ length: this.#options.processes }, (_, index) => ({ node, index })))
    await Promise.all(places.map(({ node, index }) => this.#start(node, `${node.name} ${index + 1}`)))
  }

  async #start(node: Node, place: string): Promise<void> {
    const lives = this.#lives.filter((life) => life.place === place).length
    const player = new Player(node, place, lives === 0 ? place : `${place}, life ${lives + 1}`)
    this.#players.push(player)
    this.#living.set(place, player)
    this.#lives.push({ name: player.name, place, fromMs: monotonicMs(), toMs: Number.POSITIVE_INFINITY })
    const settings = {
      path: this.#cluster.pathOn(node, 'lock'),
      options: optionsOf(this.#kind, this.#settings),
      waitMs: WAIT_INTERVALS * this.#settings.timeoutIntervalMs,
    }
    await player.start(settings, this.#resource, {
      onEvent: (event) => this.#count(event),
      onCrash: (how) => this.#crashes.push(`The process ${player.name} ended by itself (${how})`),
    })
  }

  async #replace({ node, place }: Player): Promise<void> {
    try {
      await this.#start(node, place)
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      this.#crashes.push(`No other process could be started in the place of ${place}: ${messageOf(error)}`)
    }
  }

  #count({ type }: StormEvent): void {
    if (type === 'acquired') this.#progress.acquisitions++
    if (type === 'lost') this.#progress.losses++
  }

  /** Until the time is over, or Ctrl+C. */
  async #watch(): Promise<void> {
    const startMs = monotonicMs()
    const talk = setInterval(() => this.#tellProgress(monotonicMs() - startMs), PROGRESS_MS)
    const sampled = this.#keepSampling()
    const blown = this.#options.chaos ? this.#blow() : Promise.resolve()
    await this.#interrupt.wait(this.#options.durationMs)
    this.#over.abort()
    clearInterval(talk)
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
    const quiet = Promise.all([blown, sampled])
    if (await endsWithin(ANSWER_LIMIT_MS, quiet)) await quiet
  }

  /** In one line that is written again and again; a pipe is spared it. */
  #tellProgress(elapsedMs: number): void {
    if (!process.stderr.isTTY || this.#options.quiet) return
    const count = (kind: string) => this.#chaos?.faults.filter((fault) => fault.kind === kind).length ?? 0
    const counts = { ...this.#progress, kills: count('kill'), stalls: count('stall') }
    process.stderr.write(`\r\x1b[K${progressText(counts, elapsedMs, this.#options.durationMs)}`)
  }

  async #keepSampling(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await sleep(SAMPLE_MS, undefined, { signal: this.#over.signal }).catch(() => {})
      await this.#sampleClocks()
    }
  }

  async #sampleClocks(): Promise<void> {
    await Promise.all([...this.#clocks].map(([node, clock]) => this.#sampleClock(node, clock)))
  }

  async #sampleClock(node: Node, clock: NodeClock): Promise<void> {
    const askedMs = monotonicMs()
    const asked = node.ask('clock')
    try {
      if (!(await endsWithin(ANSWER_LIMIT_MS, asked))) throw new RemoteError({ code: 'TIMEOUT', message: 'it does not answer' })
      clock.learn(askedMs, (await asked) as number, monotonicMs())
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      const text = `${node.name} is gone: ${messageOf(error)}`
      if (!this.#crashes.includes(text)) this.#crashes.push(text)
    }
  }

  async #blow(): Promise<void> {
    this.#chaos = new StressChaos(
      {
        timeoutIntervalMs: this.#settings.timeoutIntervalMs,
        random: Math.random,
        victims: () => [...this.#living.values()],
        pauseMsMax: (2 * CHAOS_PAUSE_MS) / this.#living.size,
      },
      async (killed) => {
        const life = this.#lives.find(({ name }) => name === killed.name) as Life
        life.toMs = monotonicMs()
        if (!this.#over.signal.aborted) await this.#replace(killed)
      },
    )
    await this.#chaos.blow(() => this.#over.signal.aborted)
    await this.#chaos.subside()
  }

  /** Nobody holds anything any more; what they have said is put on one clock. */
  async #finish(): Promise<Parameters<typeof outcomeOf>[0]> {
    const finished = await Promise.all(
      [...this.#living.values()].map(async (player) => ({ player, isDone: await player.finish() })),
    )
    for (const { player, isDone } of finished) if (!isDone) this.#crashes.push(`The process ${player.name} did not end in time`)
    await this.#sampleClocks()
    const toMs = monotonicMs()
    const processes = this.#players.map(({ name, node, events }) => {
      const clock = this.#clocks.get(node) as NodeClock
      return { name, events: events.map((event) => ({ ...event, ...clock.ours(event.atMs) })) }
    })
    return {
      kind: this.#kind,
      settings: { refreshRateMs: this.#settings.refreshRateMs, timeoutIntervalMs: this.#settings.timeoutIntervalMs },
      processesPerNode: this.#options.processes,
      chaos: this.#options.chaos,
      fromMs: this.#fromMs,
      toMs,
      nodes: this.#cluster.nodes.map((node) => this.#nodeEvidence(node)),
      evidence: { hasTokens: LOCK_TYPES[this.#kind] !== 'advisory', processes, resource: this.#resource.requests },
      lives: this.#lives.map((life) => ({ ...life, toMs: Math.min(life.toMs, toMs) })),
      faults: this.#chaos?.faults ?? [],
      crashes: this.#crashes,
    }
  }

  #nodeEvidence(node: Node): NodeEvidence {
    const processes = new Set(this.#players.filter((player) => player.node === node).map(({ name }) => name))
    const { name, directory, mount } = node
    const { slackMs } = this.#clocks.get(node) as NodeClock
    return { name, directory, facts: node.facts as Facts, mount, clockSlackMs: slackMs, processes }
  }

  async #publish(outcome: Outcome): Promise<void> {
    if (this.#options.json) writeJson(reportOf(outcome))
    else for (const line of outcomeLines(outcome)) writeOut(line)
    const { html } = this.#options
    if (html === undefined) return
    await writePage(html, page(outcome))
    this.#printer.talk(`The page is in ${html}.`)
  }
}

function isSameMachine({ facts }: Node): boolean {
  const { bootId } = ownIdentity()
  return bootId !== null && facts?.bootId === bootId
}
