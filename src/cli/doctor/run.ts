/**
 * `locktester doctor`: everything that one node can tell. All trials are made in a temporary subdirectory, which is removed
 * however it ends. A mount that does not answer ends the examination, not the program.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type LoadedConfig, loadConfig } from '../../config/load.js'
import { fileSystemOf } from '../../advice/file-systems.js'
import { MountlockError } from '../../errors.js'
import { asLockError, bounded, endsWithin } from '../shared/bounded.js'
import { cleanUpAtLast, explainUnexpected } from '../shared/unexpected.js'
import { UsageError } from '../shared/usage.js'
import { Interrupt, Interrupted } from '../shared/interrupt.js'
import { type Kind, KINDS, kindOf, type Recommendation } from '../shared/kinds.js'
import { type MountProfile, mountOf } from '../shared/mounts.js'
import { inParts, messageOf, writeJson, writeOut } from '../shared/output.js'
import { Page } from '../shared/page.js'
import { NoSuchDirectoryError, openDefaultDirectory, openNamedDirectory, removeEmpty } from '../shared/state-directory.js'
import { anonymous } from './anonymous.js'
import { type Finding, type PlacedFinding, type Section, trouble } from './finding.js'
import { callFindings, type LockTrial, lockFindings, tryLock } from './lock-trials.js'
import * as measures from './measures.js'
import { localLocks, mountFindings, sessionFindings } from './mount-rules.js'
import { nodeFacts } from '../shared/node-facts.js'
import { configurationFindings, nodeFindings } from './node.js'
import { type Primitive, primitiveFindings, tryPrimitives } from './primitives.js'
import { writeCount, writeDirectory, writeRecommendation, writeSection } from './print.js'
import { exitCodeOf, recommend } from './recommendation.js'

export interface DoctorOptions {
  /** `undefined`: the user's client-state directory. */
  directory: string | undefined
  config: string | undefined
  /** A file for what can be sent in. */
  report: string | undefined
  json: boolean
}

const CLEAN_UP_LIMIT_MS = 5000

/** Runs the command and ends the process. */
export async function runDoctor(options: DoctorOptions): Promise<void> {
  const config = loadConfig({ file: options.config })
  const interrupt = new Interrupt()
  const page = options.report === undefined ? null : await Page.open(options.report)
  const examination = new Examination(options, config, interrupt, page)
  cleanUpAtLast(() => examination.cleanUp())
  let code: number | null = null
  try {
    code = await examination.run()
  } catch (error) {
    if (error instanceof NoSuchDirectoryError) throw new UsageError(messageOf(error))
    if (!(error instanceof Interrupted)) code = explainUnexpected(error)
  }
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, examination.cleanUp())
  await page?.close()
  await interrupt.end(code, !isClean)
}

class Examination {
  readonly #options: DoctorOptions
  readonly #config: LoadedConfig
  readonly #interrupt: Interrupt
  readonly #page: Page | null
  #directory: string
  readonly #findings: PlacedFinding[] = []
  #scratch: string | null = null
  /** Without DIR: the directories that were not there, the deepest first. */
  #made: readonly string[] = []
  #mount: MountProfile | null = null
  #clock: measures.Clock | null = null
  #links: measures.Links | null = null
  #space: measures.Space | null = null
  #primitives: Primitive[] = []
  readonly #trials: LockTrial[] = []
  #underWay: Promise<unknown> = Promise.resolve()

  constructor(options: DoctorOptions, config: LoadedConfig, interrupt: Interrupt, page: Page | null) {
    this.#options = options
    this.#config = config
    this.#interrupt = interrupt
    this.#page = page
    this.#directory = resolve(options.directory ?? '.')
  }

  /** @returns the exit code */
  async run(): Promise<number> {
    // A directory that is not there is said first, and nothing else.
    const opened = await this.#open()
    this.#name(opened)
    this.#tell('node', nodeFindings(nodeFacts()))
    this.#tell('configuration', configurationFindings(this.#config))
    try {
      if (typeof opened !== 'string') throw opened
      await this.#examine()
    } catch (error) {
      const failure = asLockError(error, this.#directory)
      if (!(failure instanceof MountlockError)) throw error
      if (this.#mount === null) this.#lookAtMount() // by its name alone: what does not answer has options, too
      this.#tell('directory', [unusable(failure)])
    }
    const configured = this.#trials.find(({ kind }) => kind === kindOf(this.#config.settings))
    const recommendation = recommend(this.#trials, this.#findings)
    const code = exitCodeOf(this.#findings, configured, recommendation)
    if (this.#options.json) writeJson(this.#report(recommendation, code))
    else writeRecommendation(recommendation, this.#mount && fileSystemOf(this.#mount), this.#findings.some(isLocalDisk))
    await this.#sendable(recommendation, code)
    if (!this.#options.json) writeCount(this.#findings)
    return code
  }

  async #sendable(recommendation: Recommendation | null, exitCode: number): Promise<void> {
    if (this.#page === null) return
    const examined = {
      mount: this.#mount,
      findings: this.#findings,
      primitives: this.#primitives,
      trials: this.#trials,
      clock: this.#clock,
      links: this.#links,
      recommendation,
      exitCode,
    }
    await this.#page.write(`${JSON.stringify(anonymous(examined), null, 2)}\n`)
    if (!this.#options.json) writeOut(`# What can be sent in is in ${this.#page.file}: look at it first.`)
  }

  /** What is under way ends first, or it would go on filling what is being removed. */
  async cleanUp(): Promise<void> {
    await endsWithin(CLEAN_UP_LIMIT_MS / 2, this.#underWay)
    if (this.#scratch !== null) await rm(this.#scratch, { recursive: true, force: true })
    await removeEmpty(this.#made)
  }

  #wait<T>(promise: Promise<T>): Promise<T> {
    this.#underWay = promise
    return this.#interrupt.race(promise)
  }

  /** Where it could not be opened, the error tells how far it came. */
  #name(opened: string | MountlockError): void {
    const isOpen = typeof opened === 'string'
    const directory = isOpen ? opened : opened.path
    if (directory === undefined) return
    this.#directory = directory
    if (!this.#options.json) writeDirectory(directory, isOpen && this.#options.directory === undefined)
  }

  /** @returns the directory, or why there is none to examine @throws NoSuchDirectoryError, Interrupted */
  async #open(): Promise<string | MountlockError> {
    const { directory: named } = this.#options
    const noteMade = (made: readonly string[]) => {
      this.#made = made
    }
    try {
      return await this.#wait(named === undefined ? openDefaultDirectory(noteMade) : openNamedDirectory(named))
    } catch (error) {
      if (error instanceof MountlockError && !(error instanceof NoSuchDirectoryError)) return error
      throw error
    }
  }

  async #examine(): Promise<void> {
    const { signal } = this.#interrupt
    const wait = <T>(promise: Promise<T>) => this.#wait(promise)
    this.#lookAtMount()
    this.#space = await wait(measures.measureSpace(this.#directory))
    const scratch = await wait(this.#makeScratch())
    this.#clock = await wait(measures.measureClock(scratch))
    this.#links = await wait(measures.countLinks(scratch, signal))
    const owner = await wait(measures.ownerFindings(scratch))
    this.#primitives = await wait(tryPrimitives(scratch, signal))
    const create = this.#primitives.find(({ name }) => name === 'exclusive create')?.medianMs ?? null
    this.#tell('directory', [
      ...owner,
      ...measures.spaceFindings(this.#space, create !== null),
      ...measures.clockFindings(this.#clock),
      ...measures.linkFindings(this.#links),
      ...measures.latencyFindings(create, this.#config.settings.refreshRateMs),
    ])
    this.#tell('primitives', primitiveFindings(this.#primitives, this.#mount === null ? null : fileSystemOf(this.#mount).id))
    const local = localLocks(this.#mount)
    for (const kind of kindsToTry(this.#config)) this.#trials.push(await wait(tryLock(kind, scratch, this.#config, local)))
    // Of a disk of this machine it is known.
    const calls = this.#mount?.reach === 'local' ? [] : await wait(callFindings(this.#trials, scratch))
    this.#tell('locks', [...lockFindings(this.#trials), ...calls, ...this.#configuredFindings()])
  }

  #lookAtMount(): void {
    this.#mount = mountOf(this.#directory)
    const { timeoutIntervalMs } = this.#config.settings
    this.#tell('mount', [...mountFindings(this.#mount), ...sessionFindings(this.#mount, timeoutIntervalMs)])
  }

  async #makeScratch(): Promise<string> {
    const made = mkdtemp(join(this.#directory, '.locktester-doctor-'))
    // A directory that is made after the user pressed Ctrl+C is remembered as well.
    void made.then(
      (path) => {
        this.#scratch = path
      },
      () => {},
    )
    return await bounded(this.#directory, made)
  }

  /** The lock type in force is the one that matters. */
  #configuredFindings(): Finding[] {
    const kind = kindOf(this.#config.settings)
    const trial = this.#trials.find((each) => each.kind === kind)
    if (trial === undefined || (trial.failure === null && !trial.isLocal)) return []
    const seen = `The configuration chooses lock-type=${this.#config.settings.lockType} (${kind})`
    const breaks = trial.failure === null ? 'It does not exclude other nodes here.' : 'It does not work here.'
    return [
      trouble('error', 'CONFIGURED_LOCK_TYPE', { seen, breaks, remedy: 'Configure what is recommended below, on every node.' }),
    ]
  }

  #tell(section: Section, told: readonly Finding[]): void {
    this.#findings.push(...told.map((finding) => ({ ...finding, section })))
    if (!this.#options.json) writeSection(section, told)
  }

  /** See docs/schema/doctor.json. */
  #report(recommendation: Recommendation | null, exitCode: number): object {
    const { file, found, settings, diagnostics } = this.#config
    return {
      version: 1,
      directory: this.#directory,
      node: nodeFacts(),
      configuration: { file, found, settings, diagnostics },
      fileSystem: this.#mount === null ? null : { ...this.#mount },
      clock: this.#clock,
      links: this.#links,
      space: this.#space,
      primitives: this.#primitives,
      locks: this.#trials.map((trial) => ({ ...trial })),
      findings: this.#findings,
      recommendation,
      exitCode,
    }
  }
}

/** The configured one is among them, whatever it is. */
const kindsToTry = ({ settings }: LoadedConfig): readonly Kind[] => [...new Set([...KINDS, kindOf(settings)])]

const isLocalDisk = ({ code }: Finding) => code === 'LOCAL_DISK'

function unusable(error: MountlockError): Finding {
  const isSlow = error.code === 'SERVER_TIMEOUT'
  const breaks = isSlow ? 'It is too slow to tell what works in this directory.' : 'Nothing can be locked in this directory.'
  const { seen, remedy } = inParts(error)
  return trouble('error', error.code, { seen, breaks, remedy })
}
