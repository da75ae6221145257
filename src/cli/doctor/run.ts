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
import { KINDS, kindOf, type Recommendation } from '../shared/kinds.js'
import { type MountProfile, mountOf } from '../shared/mounts.js'
import { messageOf, writeJson, writeOut } from '../shared/output.js'
import { Page } from '../shared/page.js'
import { NoSuchDirectoryError, openDefaultDirectory, openNamedDirectory } from '../shared/state-directory.js'
import { anonymous } from './anonymous.js'
import { type Finding, type PlacedFinding, type Section, trouble } from './finding.js'
import { type LockTrial, lockFindings, tryLock } from './lock-trials.js'
import * as measures from './measures.js'
import { localLocks, mountFindings } from './mount-rules.js'
import { nodeFacts } from '../shared/node-facts.js'
import { configurationFindings, nodeFindings } from './node.js'
import { type Primitive, primitiveFindings, tryPrimitives } from './primitives.js'
import { writeCount, writeRecommendation, writeSection } from './print.js'
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
  const { run, cleanUp } = examination({ options, config, interrupt, page })
  cleanUpAtLast(cleanUp)
  let code: number | null = null
  try {
    code = await run()
  } catch (error) {
    if (error instanceof NoSuchDirectoryError) throw new UsageError(messageOf(error))
    if (!(error instanceof Interrupted)) code = explainUnexpected(error)
  }
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, cleanUp())
  await page?.close()
  await interrupt.end(code, !isClean)
}

interface Setup {
  options: DoctorOptions
  config: LoadedConfig
  interrupt: Interrupt
  page: Page | null
}

function examination({ options, config, interrupt, page }: Setup) {
  let directory = resolve(options.directory ?? '.')
  const findings: PlacedFinding[] = []
  let scratch: string | null = null
  let mount: MountProfile | null = null
  let clock: measures.Clock | null = null
  let links: measures.Links | null = null
  let space: measures.Space | null = null
  let primitives: Primitive[] = []
  let trials: LockTrial[] = []
  let underWay: Promise<unknown> = Promise.resolve()

  /** @returns the exit code */
  async function run(): Promise<number> {
    tell('node', nodeFindings(nodeFacts()))
    tell('configuration', configurationFindings(config))
    try {
      await examine()
    } catch (error) {
      const failure = asLockError(error, directory)
      if (!(failure instanceof MountlockError) || failure instanceof NoSuchDirectoryError) throw error
      if (mount === null) lookAtMount() // by its name alone: what does not answer has options, too
      tell('directory', [unusable(failure)])
    }
    const configured = trials.find(({ kind }) => kind === kindOf(config.settings))
    const recommendation = recommend(trials, findings)
    const code = exitCodeOf(findings, configured, recommendation)
    if (options.json) writeJson(report(recommendation, code))
    else writeRecommendation(recommendation, findings.some(isLocalDisk))
    await sendable(recommendation, code)
    if (!options.json) writeCount(findings)
    return code
  }

  async function sendable(recommendation: Recommendation | null, exitCode: number): Promise<void> {
    if (page === null) return
    const examined = { mount, findings, primitives, trials, clock, links, recommendation, exitCode }
    await page.write(`${JSON.stringify(anonymous(examined), null, 2)}\n`)
    if (!options.json) writeOut(`# What can be sent in is in ${page.file}: look at it first.`)
  }

  /** What is under way ends first, or it would go on filling what is being removed. */
  async function cleanUp(): Promise<void> {
    await endsWithin(CLEAN_UP_LIMIT_MS / 2, underWay)
    if (scratch !== null) await rm(scratch, { recursive: true, force: true })
  }

  async function examine(): Promise<void> {
    const { directory: named } = options
    const { signal } = interrupt
    const wait = <T>(promise: Promise<T>) => {
      underWay = promise
      return interrupt.race(promise)
    }
    directory = await wait(named === undefined ? openDefaultDirectory() : openNamedDirectory(named))
    lookAtMount()
    space = await wait(measures.measureSpace(directory))
    const scratch = await wait(makeScratch())
    clock = await wait(measures.measureClock(scratch))
    links = await wait(measures.countLinks(scratch, signal))
    const owner = await wait(measures.ownerFindings(scratch))
    primitives = await wait(tryPrimitives(scratch, signal))
    const create = primitives.find(({ name }) => name === 'exclusive create')?.medianMs ?? null
    tell('directory', [
      ...owner,
      ...measures.spaceFindings(space, create !== null),
      ...measures.clockFindings(clock),
      ...measures.linkFindings(links),
      ...measures.latencyFindings(create, config.settings.refreshRateMs),
    ])
    tell('primitives', primitiveFindings(primitives, mount === null ? null : fileSystemOf(mount).id))
    const local = localLocks(mount)
    for (const kind of KINDS) trials.push(await wait(tryLock(kind, scratch, config, local)))
    tell('locks', [...lockFindings(trials), ...configuredFindings()])
  }

  function lookAtMount(): void {
    mount = mountOf(directory)
    tell('mount', mountFindings(mount))
  }

  async function makeScratch(): Promise<string> {
    const made = mkdtemp(join(directory, '.locktester-doctor-'))
    // A directory that is made after the user pressed Ctrl+C is remembered as well.
    void made.then(
      (path) => {
        scratch = path
      },
      () => {},
    )
    return await bounded(directory, made)
  }

  /** The lock type in force is the one that matters. */
  function configuredFindings(): Finding[] {
    const kind = kindOf(config.settings)
    const trial = trials.find((each) => each.kind === kind)
    if (trial === undefined || (trial.failure === null && !trial.isLocal)) return []
    const seen = `The configuration chooses lock-type=${config.settings.lockType} (${kind})`
    const breaks = trial.failure === null ? 'It does not exclude other nodes here.' : 'It does not work here.'
    return [
      trouble('error', 'CONFIGURED_LOCK_TYPE', { seen, breaks, remedy: 'Configure what is recommended below, on every node.' }),
    ]
  }

  function tell(section: Section, told: readonly Finding[]): void {
    findings.push(...told.map((finding) => ({ ...finding, section })))
    if (!options.json) writeSection(section, told)
  }

  /** See docs/schema/doctor.json. */
  function report(recommendation: Recommendation | null, exitCode: number): object {
    const { file, found, settings, diagnostics } = config
    return {
      version: 1,
      directory,
      node: nodeFacts(),
      configuration: { file, found, settings, diagnostics },
      fileSystem: mount === null ? null : { ...mount },
      clock,
      links,
      space,
      primitives,
      locks: trials.map((trial) => ({ ...trial })),
      findings,
      recommendation,
      exitCode,
    }
  }

  return { run, cleanUp }
}

const isLocalDisk = ({ code }: Finding) => code === 'LOCAL_DISK'

function unusable(error: MountlockError): Finding {
  const isSlow = error.code === 'SERVER_TIMEOUT'
  const breaks = isSlow ? 'It is too slow to tell what works in this directory.' : 'Nothing can be locked in this directory.'
  return trouble('error', error.code, { seen: messageOf(error), breaks })
}
