/**
 * `locktester stress`: processes on all nodes go for one lock; what they say of it is judged by the checker and drawn. However it
 * ends, the agents are told to end and clean up; one that cannot be told notices by itself.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { ConfigSettings } from '../../config/settings.js'
import { endsWithin } from '../shared/bounded.js'
import type { Life } from '../evidence/picture.js'
import type { StormEvent } from '../evidence/records.js'
import { monotonicMs, Resource } from '../evidence/resource.js'
import { EXIT } from '../shared/exit-codes.js'
import type { Interrupt } from '../shared/interrupt.js'
import { choiceOf, type Kind, kindOf, optionsOf } from '../shared/kinds.js'
import { ownIdentity } from '../shared/identity.js'
import { Page } from '../shared/page.js'
import { limitationText } from '../shared/scope.js'
import { messageOf, type Printer, writeJson, writeOut } from '../shared/output.js'
import { spellIntervals } from '../shared/spelling.js'
import { writeTalk } from '../shared/streams.js'
import { Cluster } from '../remote/cluster.js'
import { NO_ANSWER, RemoteError } from '../remote/lines.js'
import type { Facts, Node } from '../remote/node.js'
import type { NodeAddress, ReachOptions } from '../remote/options.js'
import { type RemoteTrial, runTrial } from '../remote/trial.js'
import { StressChaos } from './chaos.js'
import { NodeClock } from './node-clock.js'
import { type NodeEvidence, type Outcome, outcomeOf } from './outcome.js'
import { Player } from './player.js'
import { outcomeLines, page, progressText } from './print.js'
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
  return runTrial(options, (config, interrupt, printer) => stress(options, config.settings, interrupt, printer))
}

function stress(options: StressOptions, settings: ConfigSettings, interrupt: Interrupt, printer: Printer): RemoteTrial {
  const kind = options.kind ?? kindOf(settings)
  const cluster = new Cluster('stress', options.nodes, options, printer)
  const clocks = new Map<Node, NodeClock>()
  const resource = new Resource()
  const players: Player[] = []
  /** By place: the one that has it now. */
  const living = new Map<string, Player>()
  const lives: Life[] = []
  const crashes: string[] = []
  const progress = { acquisitions: 0, losses: 0 }
  let chaos: StressChaos | null = null
  let html: Page | null = null
  let fromMs = 0
  const over = new AbortController()

  async function run(): Promise<number> {
    const race = <T>(promise: Promise<T>) => interrupt.race(promise)
    if (options.html !== undefined) html = await Page.open(options.html)
    if (!(await race(cluster.connect()))) return EXIT.cannotLock
    if ((await race(cluster.meet([]))) === null) return EXIT.cannotLock
    await race(startAll())
    introduce()
    await watch()
    const outcome = outcomeOf(await finish())
    await publish(outcome)
    return outcome.exitCode
  }

  async function end(): Promise<void> {
    over.abort()
    await cluster.end()
    await html?.close()
  }

  function introduce(): void {
    const { processes, durationMs, chaos } = options
    printer.talk(
      `${processes * cluster.nodes.length} processes go for one ${kind} lock for ${durationMs / 1000} s, ` +
        `with ${spellIntervals(settings)}${chaos ? '; some are killed and stalled' : ''}. Ctrl+C ends it early.`,
    )
    const { limitation } = cluster
    if (limitation !== null) printer.talk(`${limitationText(limitation)} Name some: --nodes local node2`)
  }

  async function startAll(): Promise<void> {
    const { nodes } = cluster
    for (const node of nodes) clocks.set(node, new NodeClock(isSameMachine(node)))
    await sampleClocks()
    fromMs = monotonicMs()
    const places = nodes.flatMap((node) => Array.from({ length: options.processes }, (_, index) => ({ node, index })))
    await Promise.all(places.map(({ node, index }) => start(node, `${node.name} ${index + 1}`)))
  }

  async function start(node: Node, place: string): Promise<void> {
    const before = lives.filter((life) => life.place === place).length
    const player = new Player(node, place, before === 0 ? place : `${place}, life ${before + 1}`)
    players.push(player)
    living.set(place, player)
    lives.push({ name: player.name, place, fromMs: monotonicMs(), toMs: Number.POSITIVE_INFINITY })
    const task = {
      path: cluster.pathOn(node, 'lock'),
      options: optionsOf(kind, settings),
      waitMs: WAIT_INTERVALS * settings.timeoutIntervalMs,
    }
    await player.start(task, resource, {
      onEvent: (event) => count(event),
      onCrash: (how) => crashes.push(`The process ${player.name} ended by itself (${how})`),
    })
  }

  async function replace({ node, place }: Player): Promise<void> {
    try {
      await start(node, place)
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      crashes.push(`No other ${place} could be started: ${messageOf(error)}`)
    }
  }

  function count({ type }: StormEvent): void {
    if (type === 'acquired') progress.acquisitions++
    if (type === 'lost') progress.losses++
  }

  /** Until the time is over, or Ctrl+C. */
  async function watch(): Promise<void> {
    const startMs = monotonicMs()
    const talk = setInterval(() => tellProgress(monotonicMs() - startMs), PROGRESS_MS)
    const sampled = keepSampling()
    const blown = options.chaos ? blow() : Promise.resolve()
    await interrupt.wait(options.durationMs)
    over.abort()
    clearInterval(talk)
    if (process.stderr.isTTY) writeTalk('\r\x1b[K')
    const quiet = Promise.all([blown, sampled])
    if (await endsWithin(ANSWER_LIMIT_MS, quiet)) await quiet
  }

  /** In one line that is written again and again; a pipe is spared it. */
  function tellProgress(elapsedMs: number): void {
    if (!process.stderr.isTTY || options.quiet) return
    const count = (kind: string) => chaos?.faults.filter((fault) => fault.kind === kind).length ?? 0
    const counts = { ...progress, kills: count('kill'), stalls: count('stall') }
    writeTalk(`\r\x1b[K${progressText(counts, elapsedMs, options.durationMs)}`)
  }

  async function keepSampling(): Promise<void> {
    while (!over.signal.aborted) {
      await sleep(SAMPLE_MS, undefined, { signal: over.signal }).catch(() => {})
      await sampleClocks()
    }
  }

  async function sampleClocks(): Promise<void> {
    await Promise.all([...clocks].map(([node, clock]) => sampleClock(node, clock)))
  }

  async function sampleClock(node: Node, clock: NodeClock): Promise<void> {
    const askedMs = monotonicMs()
    try {
      clock.learn(askedMs, await node.ask('clock', {}, ANSWER_LIMIT_MS), monotonicMs())
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error
      const text = error.code === NO_ANSWER ? messageOf(error) : `${node.name} is gone: ${messageOf(error)}`
      if (!crashes.includes(text)) crashes.push(text)
    }
  }

  async function blow(): Promise<void> {
    chaos = new StressChaos(
      {
        timeoutIntervalMs: settings.timeoutIntervalMs,
        random: Math.random,
        victims: () => [...living.values()],
        pauseMsMax: (2 * CHAOS_PAUSE_MS) / living.size,
      },
      async (killed) => {
        const life = lives.find(({ name }) => name === killed.name) as Life
        life.toMs = monotonicMs()
        if (!over.signal.aborted) await replace(killed)
      },
    )
    await chaos.blow(() => over.signal.aborted)
    await chaos.subside()
  }

  /** No process holds anything any more; what they have said is put on one clock. */
  async function finish(): Promise<Parameters<typeof outcomeOf>[0]> {
    const finished = await Promise.all([...living.values()].map(async (player) => ({ player, isDone: await player.finish() })))
    for (const { player, isDone } of finished) if (!isDone) crashes.push(`The process ${player.name} did not end in time`)
    await sampleClocks()
    const toMs = monotonicMs()
    const processes = players.map(({ name, node, events }) => {
      const clock = clocks.get(node) as NodeClock
      return { name, events: events.map((event) => ({ ...event, ...clock.ours(event.atMs) })) }
    })
    return {
      kind,
      settings: { refreshRateMs: settings.refreshRateMs, timeoutIntervalMs: settings.timeoutIntervalMs },
      processesPerNode: options.processes,
      chaos: options.chaos,
      fromMs,
      toMs,
      nodes: cluster.nodes.map((node) => nodeEvidence(node)),
      limitation: cluster.limitation,
      evidence: { hasTokens: choiceOf(kind).lockType !== 'advisory', processes, resource: resource.requests },
      lives: lives.map((life) => ({ ...life, toMs: Math.min(life.toMs, toMs) })),
      faults: chaos?.faults ?? [],
      crashes,
    }
  }

  function nodeEvidence(node: Node): NodeEvidence {
    const processes = new Set(players.filter((player) => player.node === node).map(({ name }) => name))
    const { name, directory, mount } = node
    const { slackMs } = clocks.get(node) as NodeClock
    return { name, directory, facts: node.facts as Facts, mount, clockSlackMs: slackMs, processes }
  }

  async function publish(outcome: Outcome): Promise<void> {
    if (options.json) writeJson(reportOf(outcome))
    else for (const line of outcomeLines(outcome)) writeOut(line)
    if (html === null) return
    await html.write(page(outcome))
    printer.talk(`The page is in ${html.file}.`)
  }

  return { run, end }
}

function isSameMachine({ facts }: Node): boolean {
  const { bootId } = ownIdentity()
  return bootId !== null && facts?.bootId === bootId
}
