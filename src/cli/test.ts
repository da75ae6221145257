/**
 * The command without a name: tries an advisory and a link-based lock in a directory, says what came of it, and holds them
 * if it got all of them. However it ends, no held lock and no presence record stays behind.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { type LoadedConfig, loadConfig } from '../config/load.js'
import { MountlockError } from '../errors.js'
import { commandMeant } from './commands.js'
import { EXIT } from './exit-codes.js'
import { ownIdentity } from './identity.js'
import { dieBySignal, endProcess, Interrupt, Interrupted } from './interrupt.js'
import { type TestedLock, testedLocks } from './locks.js'
import { type Mount, mountOf } from './mounts.js'
import type { Neighbour } from './neighbours.js'
import * as words from './print.js'
import { messageOf } from './print.js'
import { reportOf } from './report.js'
import { NoSuchDirectoryError, openDefaultDirectory, openNamedDirectory } from './state-directory.js'
import { Trial } from './trial.js'
import { exitCodeOf, type Finding, holdsOn, verdictOf } from './verdict.js'

export interface TestOptions {
  /** `undefined`: the user's client-state directory. */
  directory: string | undefined
  config: string | undefined
  all: boolean
  json: boolean
  quiet: boolean
  /** How long to hold what was acquired, if that was asked for; otherwise until Ctrl+C. 0: not at all. */
  holdMs: number | undefined
}

/** How often a holder looks whether somebody else holds its locks too. */
const LOOK_EVERY_MS = 2000

/** A release that takes longer deserves a word. */
const RELEASING_MS = 1000

/** Runs the command and ends the process. */
export async function runTest(options: TestOptions): Promise<void> {
  // A blocking read, which may hang: before signals are handled, so that Ctrl+C still ends it.
  const config = loadConfig({ file: options.config })
  await new Test(options, config).run()
}

class Test {
  readonly #options: TestOptions
  readonly #config: LoadedConfig
  readonly #printer: words.Printer
  readonly #interrupt = new Interrupt()
  #trial: Trial | null = null
  #isHolding = false
  #code: number = EXIT.ok

  constructor(options: TestOptions, config: LoadedConfig) {
    this.#options = options
    this.#config = config
    this.#printer = new words.Printer(options)
  }

  async run(): Promise<void> {
    try {
      await this.#test()
    } catch (error) {
      if (!(error instanceof Interrupted)) this.#fail(error)
    }
    const patience = setTimeout(() => this.#printer.talk(words.RELEASING), RELEASING_MS)
    const isClean = (await this.#trial?.end()) ?? true
    clearTimeout(patience)
    if (!isClean) this.#printer.warn('NOT_RELEASED', words.NOT_RELEASED)
    else if (this.#isHolding) this.#printer.talk('Released.')
    const { received } = this.#interrupt
    // Ctrl+C is how a hold ends; before that it cuts the test short, and the shell should know.
    if (received !== null && !this.#isHolding) dieBySignal(received)
    else await endProcess(this.#code, !isClean)
  }

  async #test(): Promise<void> {
    const config = this.#config
    this.#printer.diagnostics(config.diagnostics)
    if (config.diagnostics.some(({ severity }) => severity === 'error')) {
      this.#printer.error(words.configurationErrors(config.file))
      this.#code = EXIT.configuration
      return
    }
    const { directory: named } = this.#options
    const directory = await this.#interrupt.race(named === undefined ? openDefaultDirectory() : openNamedDirectory(named))
    const mount = mountOf(directory)
    this.#introduce(directory, mount, words.configurationLine(config))
    const findings = await this.#tryLocks(directory, testedLocks(config.settings, this.#options.all))
    const others = await this.#lookAround(findings)

    const holds = this.#options.holdMs !== 0 && holdsOn(findings, this.#options.holdMs !== undefined)
    this.#code = exitCodeOf(verdictOf(findings))
    this.#isHolding = holds
    // Only now the last line: who reads it knows that all is judged and, if all was acquired, that the hold has begun.
    this.#show(findings.at(-1) as Finding)
    this.#printer.verdict(findings)
    this.#explain(findings, holds)
    const { warnings } = this.#printer
    this.#printer.report(reportOf({ directory, mount, config, findings, others, warnings, holds }))
    if (holds) await this.#hold(findings)
  }

  #introduce(directory: string, mount: Mount | null, configuration: string): void {
    this.#printer.talk(words.selfLine(ownIdentity()))
    this.#printer.talk(words.directoryLine(directory))
    this.#printer.talk(words.fileSystemLine(mount))
    this.#printer.talk(configuration)
    if (mount?.reach === 'local') this.#printer.warn('LOCAL_DISK', words.localDiskWarning(mount))
  }

  async #tryLocks(directory: string, locks: readonly TestedLock[]): Promise<Finding[]> {
    this.#trial = new Trial(directory, this.#interrupt.signal, {
      onPresenceFailure: (error) => this.#printer.warnOnce('NO_PRESENCE', words.presenceWarning(error)),
      onPatience: (tested) => this.#printer.talk(words.patienceTalk(tested)),
    })
    await this.#interrupt.race(this.#trial.announce(locks))
    const findings: Finding[] = []
    for (const tested of locks) {
      const finding = await this.#interrupt.race(this.#trial.attempt(tested))
      findings.push(finding)
      if (findings.length < locks.length) this.#show(finding)
    }
    return findings
  }

  #show(finding: Finding): void {
    this.#printer.attempt(finding)
    if (finding.result === 'failed') this.#printer.error(words.failureText(finding.tested, finding.error))
  }

  /** Who else is there: those who hold the same locks, and those who run as another user. */
  async #lookAround(findings: Finding[]): Promise<Neighbour[]> {
    const trial = this.#trial as Trial
    await this.#interrupt.race(trial.findDoubleHolders(findings))
    const own = ownIdentity()
    const isStranger = ({ record }: Neighbour) => record.uid !== own.uid
    const others = await this.#interrupt.race(trial.aliveNeighbours(isStranger))
    for (const other of others.filter(isStranger)) this.#printer.warn('OTHER_USER', words.otherUserWarning(other, own))
    return others
  }

  #explain(findings: readonly Finding[], holds: boolean): void {
    for (const finding of findings) {
      const { tested, result } = finding
      if (result === 'excluded' && finding.heldBy !== null) this.#printer.talk(words.excludedTalk(tested, finding.heldBy))
      if (result === 'excluded' && finding.heldBy === null) {
        this.#printer.warn('HOLDER_UNKNOWN', words.unknownHolderWarning(tested))
      }
      if (result === 'acquired') this.#everyNodeAcquired(tested, finding.alsoHeldBy)
    }
    if (!holds && holdsOn(findings, true) && !holdsOn(findings, false)) this.#printer.talk(words.HOLD_HINT)
  }

  #everyNodeAcquired(tested: TestedLock, others: readonly Neighbour[]): void {
    if (others.length > 0) this.#printer.warn('EVERY_NODE_ACQUIRED', words.everyNodeAcquired(tested, others))
  }

  async #hold(findings: readonly Finding[]): Promise<void> {
    const { holdMs } = this.#options
    const trial = this.#trial as Trial
    this.#printer.talk(words.holdingTalk(holdMs))
    const over = new AbortController()
    void this.#watchOthers(findings, over.signal)
    const end = this.#interrupt.wait(holdMs ?? null).then(() => null)
    const lost = await Promise.race([end, trial.firstLost()])
    over.abort()
    if (lost === null) return
    this.#printer.error(messageOf(lost.signal.reason))
    if (this.#code === EXIT.ok) this.#code = EXIT.cannotLock
  }

  /** Somebody who comes later and gets our locks will say so there; it is said here too. */
  async #watchOthers(findings: readonly Finding[], over: AbortSignal): Promise<void> {
    const trial = this.#trial as Trial
    const acquired = findings.filter((finding) => finding.result === 'acquired')
    const told = new Set(acquired.flatMap(({ alsoHeldBy }) => alsoHeldBy).map(({ record }) => record.id))
    while (!over.aborted) {
      for (const double of await trial.doubleHolders()) {
        if (over.aborted || told.has(double.record.id)) continue
        told.add(double.record.id)
        this.#code = EXIT.notSafe
        const both = acquired.filter(({ tested }) => double.record.claims[tested.path] === 'held')
        for (const { tested } of both) this.#everyNodeAcquired(tested, [double])
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => {})
    }
  }

  #fail(error: unknown): void {
    this.#printer.error(messageOf(error))
    if (error instanceof NoSuchDirectoryError) {
      const meant = commandMeant(this.#options.directory ?? '')
      if (meant !== null) this.#printer.error(`Did you mean the command: locktester ${meant}`)
      this.#code = EXIT.usage
    } else if (error instanceof MountlockError) this.#code = EXIT.cannotLock
    else {
      this.#code = EXIT.internal
      this.#printer.talk(String((error as Error).stack))
    }
  }
}
