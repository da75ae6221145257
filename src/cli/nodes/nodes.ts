/**
 * `locktester nodes`: reaches the nodes, makes sure that they look at the same directory, studies each kind of lock, and says
 * what to configure. However it ends, the agents are told to end and clean up; one that cannot be told notices by itself.
 */

import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type LoadedConfig, loadConfig } from '../../config/load.js'
import { silenceMs } from '../../protocol/lease.js'
import { EXIT } from '../exit-codes.js'
import { dieBySignal, endProcess, Interrupt, Interrupted } from '../interrupt.js'
import { type Kind, optionsOf } from '../kinds.js'
import { messageOf, Printer, writeOut } from '../print.js'
import { refuseErrors } from '../settings.js'
import { duration } from '../table.js'
import { page } from './html.js'
import { exitCodeOf, type KindResult } from './judgement.js'
import { RemoteError } from './lines.js'
import { Node, UnreachableError } from './node.js'
import type { NodesOptions } from './options.js'
import { matrixLines, type Sight } from './print.js'
import { reportOf } from './report.js'
import { study } from './study.js'

/** Brisk, so that a takeover does not take long; not so brisk that a busy node looks dead. */
const BRISK = { refreshRateMs: 1000, timeoutIntervalMs: 3000 }
/** What a takeover may take on top: caches, a busy server, and whole seconds of polling. */
const PATIENCE_MS = 90_000

/** Runs the command and ends the process. */
export async function runNodes(options: NodesOptions): Promise<void> {
  const config = loadConfig({ file: options.config })
  const refusal = options.config === undefined ? null : refuseErrors(config)
  if (refusal !== null) return endProcess(refusal, false)
  if (options.config === undefined) Object.assign(config.settings, BRISK)
  const interrupt = new Interrupt()
  const session = new NodesSession(options, config, interrupt)
  let code: number = EXIT.cannotLock
  try {
    code = await interrupt.race(session.run())
  } catch (error) {
    if (!(error instanceof Interrupted)) code = session.fail(error)
  }
  await session.end()
  if (interrupt.received !== null) dieBySignal(interrupt.received)
  else await endProcess(code, false)
}

class NodesSession {
  readonly #options: NodesOptions
  readonly #config: LoadedConfig
  readonly #printer: Printer
  readonly #trial = `.locktester-nodes-${randomBytes(8).toString('hex')}`
  readonly #interrupt: Interrupt
  #nodes: Node[] = []

  constructor(options: NodesOptions, config: LoadedConfig, interrupt: Interrupt) {
    this.#options = options
    this.#config = config
    this.#printer = new Printer(options)
    this.#interrupt = interrupt
  }

  /** @returns the exit code */
  async run(): Promise<number> {
    this.#nodes = this.#options.hosts.map((host, index, all) => new Node(nameOf(host, index, all), host, this.#options))
    if (!(await this.#connect())) return EXIT.cannotLock
    const sights = await this.#meet()
    if (sights === null) return EXIT.cannotLock
    const results = await this.#studyAll()
    await this.#publish(sights, results)
    return exitCodeOf(results)
  }

  fail(error: unknown): number {
    this.#printer.error(messageOf(error))
    if (error instanceof RemoteError) return EXIT.cannotLock
    this.#printer.talk(String((error as Error).stack))
    return EXIT.internal
  }

  /** The first node made the directory, so it removes it last. */
  async end(): Promise<void> {
    const [first, ...others] = this.#nodes
    await Promise.all(others.map((node) => node.end()))
    await first?.end()
  }

  async #connect(): Promise<boolean> {
    const connections = await Promise.allSettled(this.#nodes.map((node) => node.connect()))
    const failed = connections.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    for (const reason of failed) {
      if (!(reason instanceof UnreachableError)) throw reason
      this.#printer.error(reason.message) // it has lines of its own, and what came from outside in it is harmless
    }
    for (const { name, facts } of failed.length > 0 ? [] : this.#nodes) {
      this.#printer.talk(`${name}: ${facts?.host} (pid ${facts?.pid}), uid ${facts?.uid}, Node ${facts?.nodeVersion}`)
    }
    return failed.length === 0
  }

  /** Each node leaves a file, and each must see those of the others. */
  async #meet(): Promise<Sight[] | null> {
    const { directory } = this.#options
    const [first, ...others] = this.#nodes as [Node, ...Node[]]
    this.#printer.talk(`Do they see the same directory? ${directory}`)
    await first.enter(directory, this.#trial, this.#options.kinds.map(directoryOf))
    const isThere = await Promise.all(others.map((node) => node.enter(directory, this.#trial, null)))
    const blind = others.filter((_, index) => !isThere[index])
    for (const node of blind) this.#printer.error(blindText(node, first, directory))
    if (blind.length > 0) return null
    const uids = new Set(this.#nodes.map(({ facts }) => facts?.uid))
    if (uids.size > 1)
      this.#printer.warn('OTHER_USER', 'The nodes are reached as different users: locks may fail for want of permission.')
    const markOf = (node: Node) => `mark-${this.#nodes.indexOf(node)}`
    await Promise.all(this.#nodes.map((node) => node.ask('mark', { mark: markOf(node) })))
    const pairs = this.#nodes.flatMap((by) => this.#nodes.filter((of) => of !== by).map((of) => ({ by, of })))
    const sights = await Promise.all(
      pairs.map(async ({ by, of }): Promise<Sight> => {
        const tookMs = (await by.ask('sees', { mark: markOf(of) })) as number | null
        return { by: by.name, of: of.name, tookMs }
      }),
    )
    const unseen = sights.filter(({ tookMs }) => tookMs === null)
    for (const { by, of } of unseen) this.#printer.error(`${by} does not see a file that ${of} wrote in ${directory}.`)
    return unseen.length > 0 ? null : sights
  }

  /** All kinds at once: each has a lock and processes of its own. */
  async #studyAll(): Promise<KindResult[]> {
    const { directory, kinds } = this.#options
    const { settings } = this.#config
    this.#printer.talk(
      `Holding, trying, handing over and killing, with refresh-rate=${settings.refreshRateMs / 1000} and ` +
        `timeout-interval=${settings.timeoutIntervalMs / 1000}; a takeover takes about ${duration(silenceMs(settings.timeoutIntervalMs))}.`,
    )
    const limitMs = silenceMs(settings.timeoutIntervalMs) + PATIENCE_MS
    return await Promise.all(
      kinds.map(async (kind) => {
        const path = join(directory, this.#trial, directoryOf(kind), 'lock')
        const rounds = await study({
          kind,
          nodes: this.#nodes,
          options: optionsOf(kind, settings),
          pathOn: () => path,
          limitMs,
          onProgress: (what) => {
            if (process.stderr.isTTY && !this.#interrupt.signal.aborted) this.#printer.talk(what)
          },
        })
        return { kind, rounds }
      }),
    )
  }

  async #publish(sights: readonly Sight[], results: readonly KindResult[]): Promise<void> {
    const facts = { directory: this.#options.directory, nodes: this.#nodes, settings: this.#config.settings, sights, results }
    const report = reportOf(facts)
    if (this.#options.json) writeOut(JSON.stringify(report, null, 2))
    else for (const line of matrixLines(results)) writeOut(line)
    const { html } = this.#options
    if (html === undefined) return
    await writeFile(html, page(report))
    this.#printer.talk(`The page is in ${html}.`)
  }
}

/** A directory for each kind: those who share one find each other's dead, and a takeover would seem faster than it is. */
function directoryOf(kind: Kind): string {
  return kind.replace(' ', '-')
}

/** Two of the same name are told apart. */
function nameOf(host: string, index: number, all: readonly string[]): string {
  if (all.filter((each) => each === host).length === 1) return host
  return `${host}#${all.slice(0, index + 1).filter((each) => each === host).length}`
}

function blindText(node: Node, first: Node, directory: string): string {
  const mountText = ({ mount }: Node) => (mount === null ? 'unknown' : `${mount.type} ${mount.source} on ${mount.mountPoint}`)
  return (
    `${node.name} does not see what ${first.name} made in ${directory}: this is not the same directory. ` +
    `${first.name}: ${mountText(first)}; ${node.name}: ${mountText(node)}. Mount the same share on both.`
  )
}
