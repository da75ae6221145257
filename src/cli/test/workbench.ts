/**
 * `locktester --workbench`: the test opposite Workbench's own locktester, or another of ours. It takes the file that theirs
 * takes, in the form that theirs understands, and holds it; or it says what of the file can be told.
 */

import { access, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadedConfig } from '../../config/load.js'
import { AdvisoryUnavailableError, LockTimeoutError } from '../../errors.js'
import { onAbort } from '../../locker/abort-listeners.js'
import { createLocker } from '../../locker/locker.js'
import type { Lock, Locker, LockerOptions } from '../../types.js'
import { hiddenDirectory, LOCKTESTER_FILE, type WorkbenchPath } from '../../workbench/places.js'
import { Looker } from '../locks/look.js'
import { WorkbenchLooker, type WorkbenchStatus } from '../locks/look-workbench.js'
import { bounded, endsWithin } from '../shared/bounded.js'
import { EXIT } from '../shared/exit-codes.js'
import { ownIdentity } from '../shared/identity.js'
import { endProcess, Interrupt, Interrupted } from '../shared/interrupt.js'
import { mountOf } from '../shared/mounts.js'
import { messageOf, Printer } from '../shared/output.js'
import { commonOptions, configurationErrors, loadNamedConfig } from '../shared/settings.js'
import { NoSuchDirectoryError, openDefaultDirectory, openNamedDirectory } from '../shared/state-directory.js'
import { explainUnexpected } from '../shared/unexpected.js'
import { UsageError } from '../shared/usage.js'
import * as words from './print.js'
import { reportOf } from './report.js'
import type { TestOptions } from './run.js'
import type { TestedLock } from './tested-locks.js'
import { decisive, exitCodeOf, type Finding, holdsOn, limitationOfFindings, verdictOf } from './verdict.js'
import * as remarks from './workbench-print.js'

type WorkbenchTestOptions = Pick<TestOptions, 'file' | 'config' | 'json' | 'quiet' | 'holdMs'>

const CLEAN_UP_LIMIT_MS = 5000
const KEEP_ALIVE_MS = 60_000
/** How often it is looked whether a holder refreshes its file. */
const LOOK_EVERY_MS = 500

/** Runs the command and ends the process. */
export async function runWorkbenchTest(options: WorkbenchTestOptions): Promise<void> {
  await new WorkbenchTest(options, loadNamedConfig(options.config)).run()
}

class WorkbenchTest {
  readonly #options: WorkbenchTestOptions
  readonly #config: LoadedConfig
  readonly #printer: Printer
  readonly #interrupt = new Interrupt()
  readonly #looker: WorkbenchLooker
  readonly #lockers: Locker[] = []
  #isHolding = false

  constructor(options: WorkbenchTestOptions, config: LoadedConfig) {
    this.#options = options
    this.#config = config
    this.#printer = new Printer(options)
    this.#looker = new WorkbenchLooker(config.settings.timeoutIntervalMs)
  }

  async run(): Promise<void> {
    let code: number | null = EXIT.ok
    try {
      code = await this.#test()
    } catch (error) {
      if (error instanceof NoSuchDirectoryError) throw new UsageError(messageOf(error))
      code = error instanceof Interrupted ? null : explainUnexpected(error)
    }
    const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, Promise.all(this.#lockers.map((locker) => locker.close())))
    if (!isClean) this.#printer.warn('NOT_RELEASED', words.NOT_RELEASED)
    else if (this.#isHolding) this.#printer.talk('Released.')
    if (this.#isHolding) await endProcess(code ?? EXIT.ok, !isClean)
    else await this.#interrupt.end(code, !isClean)
  }

  /** @returns the exit code */
  async #test(): Promise<number> {
    const printer = this.#printer
    printer.diagnostics(this.#config.diagnostics)
    if (this.#config.diagnostics.some(({ severity }) => severity === 'error')) {
      printer.error(configurationErrors(this.#config.file))
      return EXIT.configuration
    }
    const path = await this.#interrupt.race(fileOf(this.#options.file))
    const directory = dirname(path)
    const mount = mountOf(directory)
    printer.talk(words.selfLine(ownIdentity()))
    printer.talk(remarks.fileLine(path))
    printer.talk(words.fileSystemLine(mount))
    if (mount?.reach === 'local') printer.warn('LOCAL_DISK', words.localDiskWarning(mount))

    const place: WorkbenchPath = { path, purpose: 'locktester', session: null, project: null }
    await this.#remark(await this.#interrupt.race(this.#looker.look(place)))
    const { lock, findings } = await this.#take(place)
    const holds = this.#options.holdMs !== 0 && holdsOn(findings, this.#options.holdMs !== undefined)
    const limitation = limitationOfFindings(findings, ownIdentity(), mount)
    const code = exitCodeOf(verdictOf(decisive(findings, this.#config.settings.lockType), limitation))
    this.#isHolding = holds
    for (const finding of findings) {
      printer.line(words.findingLine(finding))
      words.tellFailure(printer, finding, this.#config.settings.lockType)
    }
    const verdict = words.verdictLine(findings)
    if (verdict !== null) printer.line(`\n${verdict}`)
    const { warnings } = printer
    printer.report(reportOf({ directory, mount, config: this.#config, findings, others: [], warnings, holds }))
    return holds && lock !== null ? await this.#hold(lock, code) : code
  }

  /** What makes their locktester report wrongly, where it is seen. */
  async #remark(status: WorkbenchStatus | null): Promise<void> {
    const directory = dirname(this.#config.file)
    const isLoadBalanced = await access(join(directory, 'load-balancer')).then(
      () => true,
      () => false,
    )
    if (status === null) return
    const isYoung = (status.ageMs ?? 0) < this.#config.settings.timeoutIntervalMs
    if (isLoadBalanced && status.form === 'advisory' && isYoung) {
      this.#printer.warn('FRESH_FILE', remarks.freshFile(status, this.#config.settings.timeoutIntervalMs))
    }
    const isTheirs = status.pid !== null && !(await isHeldByUs(status.path))
    if (!isLoadBalanced && isTheirs && status.form !== 'advisory') {
      this.#printer.warn('NO_LOAD_BALANCER', remarks.noLoadBalancer(status, directory))
    }
  }

  async #take(place: WorkbenchPath): Promise<{ lock: Lock | null; findings: Finding[] }> {
    const { advisory, linkBased } = testedLocks(place.path, this.#config)
    try {
      const lock = await this.#acquire(place, advisory.options)
      const acquired = (tested: TestedLock): Finding => ({ tested, result: 'acquired', alsoHeldBy: [] })
      return { lock, findings: lock === null ? await this.#excluded(place) : [acquired(advisory), acquired(linkBased)] }
    } catch (error) {
      if (error instanceof Interrupted) throw error
      const failed = (tested: TestedLock): Finding => ({ tested, result: 'failed', error })
      if (!(error instanceof AdvisoryUnavailableError)) return { lock: null, findings: [failed(advisory), failed(linkBased)] }
      const lock = await this.#acquire(place, linkBased.options)
      if (lock === null) return { lock, findings: await this.#excluded(place) }
      return { lock, findings: [failed(advisory), { tested: linkBased, result: 'acquired', alsoHeldBy: [] }] }
    }
  }

  /** A file may be left of a process that was killed: it is watched, until it is refreshed or can be taken. `null`: held. */
  async #acquire(place: WorkbenchPath, options: LockerOptions): Promise<Lock | null> {
    const locker = createLocker(options)
    this.#lockers.push(locker)
    const lock = await this.#interrupt.race(locker.tryAcquire(place.path))
    const before = lock === null ? await this.#interrupt.race(this.#looker.look(place)) : null
    if (lock !== null || before === null || before.fcntl === 'held') return lock
    this.#printer.talk(remarks.PATIENCE)
    const isAlive = new AbortController()
    const over = new AbortController()
    void this.#watch(place, before, over.signal).then(() => isAlive.abort())
    const signal = AbortSignal.any([isAlive.signal, this.#interrupt.signal])
    try {
      return await locker.acquire(place.path, { signal })
    } catch (error) {
      if (error instanceof LockTimeoutError || isAlive.signal.aborted) return null
      if (this.#interrupt.signal.aborted) throw new Interrupted()
      throw error
    } finally {
      over.abort()
    }
  }

  /** Ends once the file is refreshed, or `over`. */
  async #watch(place: WorkbenchPath, before: WorkbenchStatus, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => {})
      const now = over.aborted ? null : await this.#looker.look(place).catch(() => null)
      if (now !== null && now.modifiedMs !== before.modifiedMs && now.state === 'held') return
    }
  }

  async #excluded(place: WorkbenchPath): Promise<Finding[]> {
    const { advisory, linkBased } = testedLocks(place.path, this.#config)
    const excluded = (tested: TestedLock): Finding => ({ tested, result: 'excluded', heldBy: null })
    if (await isHeldByUs(place.path)) {
      this.#printer.talk(remarks.HELD_BY_US)
      return [excluded(advisory), excluded(linkBased)]
    }
    const status = await this.#looker.look(place)
    if (status?.form === 'advisory') {
      this.#printer.warn('LINK_BASED_UNTOLD', remarks.linkBasedUntold(status))
      return [excluded(advisory)]
    }
    this.#printer.warn('ADVISORY_UNTOLD', remarks.advisoryUntold(status))
    return [excluded(linkBased)]
  }

  async #hold(lock: Lock, code: number): Promise<number> {
    const { holdMs } = this.#options
    this.#printer.talk(remarks.holding(lock.path, holdMs))
    const lost = new Promise<void>((resolve) => onAbort(lock.signal, resolve))
    const end = this.#interrupt.wait(holdMs ?? null).then(() => 'ended' as const)
    const keepsAlive = setInterval(() => {}, KEEP_ALIVE_MS) // a lock that is held does not
    const outcome = await Promise.race([end, lost])
    clearInterval(keepsAlive)
    if (outcome === 'ended') return code
    this.#printer.error(messageOf(lock.signal.reason))
    return code === EXIT.ok ? EXIT.cannotLock : code
  }
}

/** The file's directory must be there; the default one is created. @throws MountlockError */
async function fileOf(named: string | undefined): Promise<string> {
  if (named === undefined) return join(await openDefaultDirectory(), LOCKTESTER_FILE)
  const path = resolve(named)
  const directory = await openNamedDirectory(dirname(path), 'Create it, or mount the share.')
  const isDirectory = await bounded(path, stat(path)).then(
    (status) => status.isDirectory(),
    () => false, // what else is there is looked at by what takes the lock
  )
  if (isDirectory) throw remarks.isDirectory(named)
  return join(directory, basename(path))
}

/** Does a process of ours hold it? */
async function isHeldByUs(path: string): Promise<boolean> {
  const hidden = hiddenDirectory(path)
  if (
    !(await access(hidden).then(
      () => true,
      () => false,
    ))
  )
    return false
  const looker = new Looker({ paths: [hidden], depthMax: 1 })
  try {
    return (await looker.look()).locks.some(({ state }) => state === 'held')
  } finally {
    await looker.close()
  }
}

/** One lock that is both, in the words of two. */
function testedLocks(path: string, { settings }: LoadedConfig): { advisory: TestedLock; linkBased: TestedLock } {
  const common = { ...commonOptions(settings), label: 'locktester' }
  const { timeoutIntervalMs } = settings
  const relative = { variant: null, path: basename(path) }
  return {
    advisory: { family: 'advisory', lockType: 'advisory', ...relative, options: { ...common, workbench: { timeoutIntervalMs } } },
    linkBased: {
      family: 'link-based',
      lockType: 'linkbased',
      ...relative,
      options: { ...common, workbench: { advisory: false, timeoutIntervalMs } },
    },
  }
}
