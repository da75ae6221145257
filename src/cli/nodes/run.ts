/**
 * `locktester nodes`: reaches the nodes, makes sure that they look at the same directory, studies each kind of lock, and says
 * what to configure. However it ends, the agents are told to end and clean up; one that cannot be told notices by itself.
 */

import type { LoadedConfig } from '../../config/load.js'
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
import { matrixLines } from './print.js'
import { reportOf } from './report.js'
import { study } from './study.js'

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
  return runTrial(options, (config, interrupt, printer) => prove(options, config, interrupt, printer))
}

function prove(options: NodesOptions, config: LoadedConfig, interrupt: Interrupt, printer: Printer): RemoteTrial {
  const cluster = new Cluster('nodes', options.nodes, options, printer)
  let html: Page | null = null

  function run(): Promise<number> {
    return interrupt.race(proveAll())
  }

  /** @returns the exit code */
  async function proveAll(): Promise<number> {
    if (options.html !== undefined) html = await Page.open(options.html)
    if (!(await cluster.connect())) return EXIT.cannotLock
    const sights = await cluster.meet(options.kinds.map(directoryOf))
    if (sights === null) return EXIT.cannotLock
    const results = await studyAll()
    // Nodes that were told to end in the middle have proved nothing.
    if (interrupt.signal.aborted) throw new Interrupted()
    await publish(sights, { results, limitation: cluster.limitation })
    return exitCodeOf(results)
  }

  async function end(): Promise<void> {
    await cluster.end()
    await html?.close()
  }

  /** All kinds at once: each has a lock and processes of its own. */
  async function studyAll(): Promise<KindResult[]> {
    const { kinds } = options
    const { settings } = config
    printer.talk(
      `Holding, trying, handing over and killing, with ${spellIntervals(settings)}; ` +
        `a takeover takes about ${duration(silenceMs(settings.timeoutIntervalMs))}.`,
    )
    const limitMs = silenceMs(settings.timeoutIntervalMs) + PATIENCE_MS
    return await Promise.all(
      kinds.map(async (kind) => {
        const rounds = await study({
          kind,
          nodes: cluster.nodes,
          options: optionsOf(kind, settings),
          pathOn: (node) => cluster.pathOn(node, directoryOf(kind), 'lock'),
          limitMs,
          refreshRateMs: settings.refreshRateMs,
          onProgress: (what) => {
            if (process.stderr.isTTY && !interrupt.signal.aborted) printer.talk(what)
          },
        })
        return { kind, rounds }
      }),
    )
  }

  async function publish(sights: readonly Sight[], findings: Findings): Promise<void> {
    const facts = { nodes: cluster.nodes, settings: config.settings, sights, findings }
    const report = reportOf(facts)
    if (options.json) writeJson(report)
    else for (const line of matrixLines(findings)) writeOut(line)
    if (html === null) return
    await html.write(page(report))
    printer.talk(`The page is in ${html.file}.`)
  }

  return { run, end }
}

/** A directory for each kind: processes that share one find each other's dead, and a takeover would seem faster than it is. */
function directoryOf(kind: Kind): string {
  return kind.replace(' ', '-')
}
