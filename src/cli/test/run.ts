/**
 * The command without a name: tries an advisory and a link-based lock in a directory, says what came of it, and holds them
 * if it got all of them. However it ends, no held lock and no presence record stays behind.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { type LoadedConfig, loadConfig } from '../../config/load.js'
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
import { exitCodeOf, type Finding, holdsOn, limitationOfFindings, verdictOf } from './verdict.js'

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

/** How often a holder looks whether another process holds its locks too. */
const LOOK_EVERY_MS = 2000

/** A release that takes longer deserves a word. */
const RELEASING_MS = 1000

/** Runs the command and ends the process. */
export async function runTest(options: TestOptions): Promise<void> {
  // A blocking read, which may hang: before signals are handled, so that Ctrl+C still ends it.
  const config = loadConfig({ file: options.config })
  await attempt(options, config).run()
}

function attempt(options: TestOptions, config: LoadedConfig) {
  const printer = new Printer(options)
  const interrupt = new Interrupt()
  let trial: Trial | null = null
  let isHolding = false
  let isCutShort = false
  let code: number = EXIT.ok

  async function run(): Promise<void> {
    cleanUpAtLast(async () => await trial?.withdraw())
    try {
      await test()
    } catch (error) {
      if (error instanceof NoSuchDirectoryError) throw new UsageError(messageOf(error))
      if (error instanceof Interrupted) isCutShort = true
      else code = explainUnexpected(error, (text) => printer.error(text))
    }
    const patience = setTimeout(() => printer.talk(words.RELEASING), RELEASING_MS)
    const isClean = (await trial?.end()) ?? true
    clearTimeout(patience)
    if (!isClean) printer.warn('NOT_RELEASED', words.NOT_RELEASED)
    else if (isHolding) printer.talk('Released.')
    // Ctrl+C is how a hold ends; before that it cuts the test short, and the shell should know.
    if (isHolding) await endProcess(code, !isClean)
    else await interrupt.end(isCutShort ? null : code, !isClean)
  }

  async function test(): Promise<void> {
    printer.diagnostics(config.diagnostics)
    if (config.diagnostics.some(({ severity }) => severity === 'error')) {
      printer.error(configurationErrors(config.file))
      code = EXIT.configuration
      return
    }
    const { directory: named } = options
    const directory = await interrupt.race(named === undefined ? openDefaultDirectory() : openNamedDirectory(named))
    const mount = mountOf(directory)
    introduce(directory, mount, words.configurationLine(config))
    trial = new Trial(directory, interrupt.signal, {
      onPresenceFailure: (error) => printer.warnOnce('NO_PRESENCE', words.presenceWarning(error)),
      onPatience: (tested) => printer.talk(words.patienceTalk(tested)),
    })
    const findings = await tryLocks(trial, testedLocks(config.settings, options.all))
    const others = await lookAround(trial, findings)

    const holds = options.holdMs !== 0 && holdsOn(findings, options.holdMs !== undefined)
    const limitation = limitationOfFindings(findings, ownIdentity(), mount)
    code = exitCodeOf(verdictOf(findings, limitation))
    isHolding = holds
    // The last line comes only now: a program that reads it knows that all is judged. If all was acquired, it also knows that
    // the hold has begun.
    show(findings.at(-1) as Finding)
    const verdict = words.verdictLine(findings)
    if (verdict !== null) printer.line(`\n${verdict}`)
    if (limitation === 'one-machine') printer.warn('ONE_MACHINE', words.ONE_MACHINE)
    explain(findings, holds)
    const { warnings } = printer
    printer.report(reportOf({ directory, mount, config, findings, others, warnings, holds }))
    if (holds) await hold(trial, findings)
  }

  function introduce(directory: string, mount: MountProfile | null, configuration: string): void {
    printer.talk(words.selfLine(ownIdentity()))
    printer.talk(words.directoryLine(directory))
    printer.talk(words.fileSystemLine(mount))
    printer.talk(configuration)
    if (mount?.reach === 'local') printer.warn('LOCAL_DISK', words.localDiskWarning(mount))
  }

  async function tryLocks(trial: Trial, locks: readonly TestedLock[]): Promise<Finding[]> {
    await interrupt.race(trial.announce(locks))
    const findings: Finding[] = []
    for (const tested of locks) {
      const finding = await interrupt.race(trial.attempt(tested))
      findings.push(finding)
      if (findings.length < locks.length) show(finding)
    }
    return findings
  }

  function show(finding: Finding): void {
    printer.line(words.attemptLine(finding))
    if (finding.result === 'failed') printer.error(words.failureText(finding.tested, finding.error))
  }

  /** Finds the other testers: those that hold the same locks, and those that run as another user. */
  async function lookAround(trial: Trial, findings: Finding[]): Promise<Neighbour[]> {
    await interrupt.race(trial.findDoubleHolders(findings))
    const own = ownIdentity()
    const isStranger = ({ record }: Neighbour) => record.uid !== own.uid
    const others = await interrupt.race(trial.aliveNeighbours(isStranger))
    for (const other of others.filter(isStranger)) printer.warn('OTHER_USER', words.otherUserWarning(other, own))
    return others
  }

  function explain(findings: readonly Finding[], holds: boolean): void {
    for (const finding of findings) {
      const { tested, result } = finding
      if (result === 'excluded' && finding.heldBy !== null) printer.talk(words.excludedTalk(tested, finding.heldBy))
      if (result === 'excluded' && finding.heldBy === null) {
        printer.warn('HOLDER_UNKNOWN', words.unknownHolderWarning(tested))
      }
      if (result === 'acquired') everyNodeAcquired(tested, finding.alsoHeldBy)
    }
    if (!holds && holdsOn(findings, true) && !holdsOn(findings, false)) printer.talk(words.HOLD_HINT)
  }

  function everyNodeAcquired(tested: TestedLock, others: readonly Neighbour[]): void {
    if (others.length > 0) printer.warn('EVERY_NODE_ACQUIRED', words.everyNodeAcquired(tested, others))
  }

  async function hold(trial: Trial, findings: readonly Finding[]): Promise<void> {
    const { holdMs } = options
    printer.talk(words.holdingTalk(holdMs))
    const over = new AbortController()
    void watchOthers(trial, findings, over.signal)
    const end = interrupt.wait(holdMs ?? null).then(() => null)
    const lost = await Promise.race([end, trial.firstLost()])
    over.abort()
    if (lost === null) return
    printer.error(messageOf(lost.signal.reason))
    if (code === EXIT.ok) code = EXIT.cannotLock
  }

  /** A process that comes later and gets our locks will say so there; it is said here too. */
  async function watchOthers(trial: Trial, findings: readonly Finding[], over: AbortSignal): Promise<void> {
    const acquired = findings.filter((finding) => finding.result === 'acquired')
    const told = new Set(acquired.flatMap(({ alsoHeldBy }) => alsoHeldBy).map(({ record }) => record.id))
    while (!over.aborted) {
      for (const double of await trial.doubleHolders()) {
        if (over.aborted || told.has(double.record.id)) continue
        told.add(double.record.id)
        code = EXIT.notSafe
        const both = acquired.filter(({ tested }) => double.record.claims[tested.path] === 'held')
        for (const { tested } of both) everyNodeAcquired(tested, [double])
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => {})
    }
  }

  return { run }
}
