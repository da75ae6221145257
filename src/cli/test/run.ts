/**
 * The command without a name: tries an advisory and a link-based lock in a directory, says what came of it, and holds them
 * if it got all of them. However it ends, no held lock and no presence record stays behind.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { present } from '../../assert.js'
import { loadConfig, type LoadedConfig } from '../../config/load.js'
import { cleanUpAtLast, explainUnexpected } from '../shared/unexpected.js'
import { UsageError } from '../shared/usage.js'
import { EXIT } from '../shared/exit-codes.js'
import { configurationErrors } from '../shared/settings.js'
import { ownIdentity } from '../shared/identity.js'
import { endProcess, Interrupt, Interrupted } from '../shared/interrupt.js'
import { type TestedLock, testedLocks } from './tested-locks.js'
import { type MountProfile, mountOf } from '../shared/mounts.js'
import { messageOf, Printer } from '../shared/output.js'
import type { Neighbour } from './neighbours.js'
import * as words from './print.js'
import { reportOf } from './report.js'
import { NoSuchDirectoryError, openDefaultDirectory, openNamedDirectory } from '../shared/state-directory.js'
import { Trial } from './trial.js'
import { decisive, exitCodeOf, type Finding, holdsOn, limitationOfFindings, verdictOf } from './verdict.js'

export interface TestOptions {
  /** `undefined`: the user's client-state directory. */
  directory: string | undefined
  /** The file that Workbench's own locktester takes is tested, in place of a directory. */
  workbench?: true
  /** With `workbench`; `undefined`: the one that theirs takes by default. */
  file?: string | undefined
  config: string | undefined
  all: boolean
  json: boolean
  quiet: boolean
  /** How long to hold what was acquired, if that was asked for; otherwise until Ctrl+C. 0: not at all. */
  holdMs: number | undefined
}

/** How often a holder looks whether another process holds its locks too. */
const LOOK_EVERY_MS = 2000

/** A release that takes longer deserves a word. */
const RELEASING_MS = 1000

/** Runs the command and ends the process. */
export async function runTest(options: TestOptions): Promise<void> {
  // A blocking read, which may hang: before signals are handled, so that Ctrl+C still ends it.
  const config = loadConfig({ file: options.config })
  await new TestRun(options, config).run()
}

class TestRun {
  readonly #options: TestOptions
  readonly #config: LoadedConfig
  readonly #printer: Printer
  readonly #interrupt = new Interrupt()
  #trial: Trial | null = null
  #isHolding = false
  #isCutShort = false
  #code: number = EXIT.ok

  constructor(options: TestOptions, config: LoadedConfig) {
    this.#options = options
    this.#config = config
    this.#printer = new Printer(options)
  }

  async run(): Promise<void> {
    cleanUpAtLast(async () => await this.#trial?.withdraw())
    try {
      await this.#test()
    } catch (error) {
      if (error instanceof NoSuchDirectoryError) throw new UsageError(messageOf(error))
      if (error instanceof Interrupted) this.#isCutShort = true
      else this.#code = explainUnexpected(error)
    }
    const patience = setTimeout(() => this.#printer.talk(words.RELEASING), RELEASING_MS)
    const isClean = (await this.#trial?.end()) ?? true
    clearTimeout(patience)
    if (!isClean) this.#printer.warn('NOT_RELEASED', words.NOT_RELEASED)
    else if (this.#isHolding) this.#printer.talk('Released.')
    // Ctrl+C is how a hold ends; before that it cuts the test short, and the shell should know.
    if (this.#isHolding) await endProcess(this.#code, !isClean)
    else await this.#interrupt.end(this.#isCutShort ? null : this.#code, !isClean)
  }

  async #test(): Promise<void> {
    this.#printer.diagnostics(this.#config.diagnostics)
    if (this.#config.diagnostics.some(({ severity }) => severity === 'error')) {
      this.#printer.error(configurationErrors(this.#config.file))
      this.#code = EXIT.configuration
      return
    }
    const { directory: named } = this.#options
    const directory = await this.#interrupt.race(
      named === undefined ? openDefaultDirectory() : openNamedDirectory(named, words.noDirectory(named)),
    )
    const mount = mountOf(directory)
    this.#introduce(directory, mount, words.configurationLine(this.#config))
    const trial = new Trial(directory, this.#interrupt.signal, {
      onPresenceFailure: (error) => this.#printer.warnOnce('NO_PRESENCE', words.presenceWarning(error)),
      onPatience: (tested) => this.#printer.talk(words.patienceTalk(tested)),
    })
    this.#trial = trial
    const findings = await this.#tryLocks(trial, testedLocks(this.#config.settings, this.#options.all))
    const others = await this.#lookAround(trial, findings)

    const holds = this.#options.holdMs !== 0 && holdsOn(findings, this.#options.holdMs !== undefined)
    const limitation = limitationOfFindings(findings, ownIdentity(), mount)
    this.#code = exitCodeOf(verdictOf(decisive(findings, this.#config.settings.lockType), limitation))
    this.#isHolding = holds
    // The last line comes only now: a program that reads it knows that all is judged. If all was acquired, it also knows that
    // the hold has begun.
    this.#show(present(findings.at(-1), 'a lock that was tried'))
    const verdict = words.verdictLine(findings)
    if (verdict !== null) this.#printer.line(`\n${verdict}`)
    if (limitation === 'one-machine') this.#printer.warn('ONE_MACHINE', words.ONE_MACHINE)
    this.#explain(findings, holds)
    const { warnings } = this.#printer
    this.#printer.report(reportOf({ directory, mount, config: this.#config, findings, others, warnings, holds }))
    if (holds) await this.#hold(trial, findings)
  }

  #introduce(directory: string, mount: MountProfile | null, configuration: string): void {
    this.#printer.talk(words.selfLine(ownIdentity()))
    this.#printer.talk(words.directoryLine(directory))
    this.#printer.talk(words.fileSystemLine(mount))
    this.#printer.talk(configuration)
    if (mount?.reach === 'local') this.#printer.warn('LOCAL_DISK', words.localDiskWarning(mount))
  }

  async #tryLocks(trial: Trial, locks: readonly TestedLock[]): Promise<Finding[]> {
    await this.#interrupt.race(trial.announce(locks))
    const findings: Finding[] = []
    for (const tested of locks) {
      const finding = await this.#interrupt.race(trial.tryLock(tested))
      findings.push(finding)
      if (findings.length < locks.length) this.#show(finding)
    }
    return findings
  }

  #show(finding: Finding): void {
    this.#printer.line(words.findingLine(finding))
    words.tellFailure(this.#printer, finding, this.#config.settings.lockType)
  }

  /** Finds the other testers: those that hold the same locks, and those that run as another user. */
  async #lookAround(trial: Trial, findings: Finding[]): Promise<Neighbour[]> {
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

  async #hold(trial: Trial, findings: readonly Finding[]): Promise<void> {
    const { holdMs } = this.#options
    this.#printer.talk(words.holdingTalk(holdMs))
    const over = new AbortController()
    void this.#watchOthers(trial, findings, over.signal)
    const end = this.#interrupt.wait(holdMs ?? null).then(() => null)
    const lost = await Promise.race([end, trial.firstLost()])
    over.abort()
    if (lost === null) return
    this.#printer.error(messageOf(lost.signal.reason))
    if (this.#code === EXIT.ok) this.#code = EXIT.cannotLock
  }

  /** A process that comes later and gets our locks will say so there; it is said here too. */
  async #watchOthers(trial: Trial, findings: readonly Finding[], over: AbortSignal): Promise<void> {
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
}
