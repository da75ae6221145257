/**
 * `locktester nodes`: reaches the nodes, makes sure that they look at the same directory, studies each kind of lock, and says
 * what to configure. However it ends, the agents are told to end and clean up; one that cannot be told notices by itself.
 */

import type { ConfigSettings } from '../../config/settings.js'
import { silenceMs } from '../../protocol/lease.js'
import { EXIT } from '../shared/exit-codes.js'
import { Interrupted, type Interrupt } from '../shared/interrupt.js'
import { type Kind, optionsOf } from '../shared/kinds.js'
import { Page } from '../shared/page.js'
import { type Printer, writeJson, writeOut } from '../shared/output.js'
import { spellIntervals } from '../shared/spelling.js'
import { duration } from '../shared/table.js'
import { page } from './html.js'
import { exitCodeOf, type Findings, type KindResult } from './judgement.js'
import { Cluster, type Sight } from '../remote/cluster.js'
import type { NodeAddress, ReachOptions } from '../remote/options.js'
import { type RemoteTrial, runTrial } from '../remote/trial.js'
import { mountLines } from './mounts.js'
import { matrixLines } from './print.js'
import { reportOf } from './report.js'
import { type Round, study } from './study.js'

export interface NodesOptions extends ReachOptions {
  nodes: readonly NodeAddress[]
  kinds: readonly Kind[]
  config: string | undefined
  html: string | undefined
  json: boolean
  quiet: boolean
}

/** What a takeover may take on top: caches, a busy server, and whole seconds of polling. */
const PATIENCE_MS = 90_000

/** Runs the command and ends the process. */
export function runNodes(options: NodesOptions): Promise<void> {
  return runTrial(options, (config, interrupt, printer) => new NodesTrial(options, config.settings, interrupt, printer))
}

class NodesTrial implements RemoteTrial {
  readonly #options: NodesOptions
  readonly #settings: ConfigSettings
  readonly #interrupt: Interrupt
  readonly #printer: Printer
  readonly #cluster: Cluster
  #html: Page | null = null

  constructor(options: NodesOptions, settings: ConfigSettings, interrupt: Interrupt, printer: Printer) {
    this.#options = options
    this.#settings = settings
    this.#interrupt = interrupt
    this.#printer = printer
    this.#cluster = new Cluster('nodes', options.nodes, options, printer)
  }

  run(): Promise<number> {
    return this.#interrupt.race(this.#prove())
  }

  async end(): Promise<void> {
    await this.#cluster.end()
    await this.#html?.close()
  }

  /** @returns the exit code */
  async #prove(): Promise<number> {
    const { html, kinds } = this.#options
    if (html !== undefined) this.#html = await Page.open(html)
    if (!(await this.#cluster.connect())) return EXIT.cannotLock
    const sights = await this.#cluster.meet(kinds.map(directoryOf))
    if (sights === null) return EXIT.cannotLock
    const results = await this.#studyAll()
    // Nodes that were told to end in the middle have proved nothing.
    if (this.#interrupt.signal.aborted) throw new Interrupted()
    await this.#publish(sights, { results, limitation: this.#cluster.limitation })
    return exitCodeOf(results)
  }

  /** All kinds at once: each has a lock and processes of its own. */
  async #studyAll(): Promise<KindResult[]> {
    const takeoverMs = silenceMs(this.#settings.timeoutIntervalMs)
    this.#printer.talk(
      `Holding, trying, handing over and killing, with ${spellIntervals(this.#settings)}; ` +
        `a takeover takes about ${duration(takeoverMs)}.`,
    )
    const limitMs = takeoverMs + PATIENCE_MS
    return await Promise.all(this.#options.kinds.map(async (kind) => ({ kind, rounds: await this.#study(kind, limitMs) })))
  }

  #study(kind: Kind, limitMs: number): Promise<Round[]> {
    return study({
      kind,
      nodes: this.#cluster.nodes,
      options: optionsOf(kind, this.#settings),
      pathOn: (node) => this.#cluster.pathOn(node, directoryOf(kind), 'lock'),
      limitMs,
      refreshRateMs: this.#settings.refreshRateMs,
      onProgress: (what) => {
        if (process.stderr.isTTY && !this.#interrupt.signal.aborted) this.#printer.talk(what)
      },
    })
  }

  async #publish(sights: readonly Sight[], findings: Findings): Promise<void> {
    const report = reportOf({ nodes: this.#cluster.nodes, settings: this.#settings, sights, findings })
    if (this.#options.json) writeJson(report)
    else for (const line of matrixLines(findings, mountLines(this.#cluster.nodes))) writeOut(line)
    if (this.#html === null) return
    await this.#html.write(page(report))
    this.#printer.talk(`The page is in ${this.#html.file}.`)
  }
}

/** A directory for each kind: processes that share one find each other's dead, and a takeover would seem faster than it is. */
function directoryOf(kind: Kind): string {
  return kind.replace(' ', '-')
}
