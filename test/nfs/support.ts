/** What the tests share: the lab that `setup.ts` booted, mounts, programs on its nodes, and the table of results. */

import { randomBytes } from 'node:crypto'
import { afterAll, inject, type TestContext } from 'vitest'
import { LabClient } from './lab/client.js'
import type { GuestProgram } from './lab/guest-program.js'
import type { NodeName } from './lab/messages.js'
import { type ExportName, type MountOptions, mount } from './lab/operations.js'
import { GUEST_REPOSITORY } from './lab/paths.js'

/** With the full figures: minutes instead of seconds for each combination. */
export const isSoak = process.env.MOUNTLOCK_SOAK !== undefined

export const NODES = ['A', 'B'] as const

/** One of the two figures, by whether the short or the full suite runs. */
export const figure = (short: number, full: number): number => (isSoak ? full : short)

/**
 * A lab for the tests of one file, which have it to themselves: they kill its machines. Vitest's number of a worker would not do:
 * when one group of projects follows another, two workers may have the same one (4.1.12).
 */
export async function connectLab(): Promise<LabClient> {
  const labs = await Promise.all(inject('labRuns').map((run) => LabClient.connect(run)))
  const ours = await Promise.race(labs.map((lab) => lab.claim().then(() => lab)))
  for (const lab of labs) if (lab !== ours) lab.close()
  afterAll(() => ours.close())
  return ours
}

/** Where a question is asked: a directory that both nodes see. */
export interface Place {
  /** As it appears in the table of results. */
  name: string
  at: string
  /** What its machines run, where they are not those of the suite's labs. */
  kernel?: string
  /** Mounts it, unless it is mounted. */
  mountOn(lab: LabClient, node: NodeName): Promise<void>
}

export interface Configuration extends MountOptions, Place {}

interface Named {
  name?: string
  at?: string
  from?: ExportName
}

/** `named`: what does not follow from version and options. */
export function configuration(version: '3' | '4.1' | '4.2', options = '', named: Named = {}): Configuration {
  const name = `NFSv${version}${options && `, ${options}`}`
  const at = `/mnt/v${version}-${options.replace(/\W+/g, '-') || 'plain'}`
  const described = { name, at, version, options, ...named }
  return { ...described, mountOn: (lab, node) => mount(lab, node, described.at, described) }
}

export const V3 = configuration('3')
export const V41 = configuration('4.1')
export const V42 = configuration('4.2')
export const V3_STALE = configuration('3', 'actimeo=60')
export const V42_STALE = configuration('4.2', 'actimeo=60')
export const V3_NOLOCK = configuration('3', 'nolock')
export const V42_NOCTO = configuration('4.2', 'nocto,actimeo=3')
export const V3_SYNC = configuration('3', 'noac,sync')
export const V3_LOOKUP = configuration('3', 'lookupcache=none')
/**
 * A server whose clock ticks once in a second: on version 3 two changes within one tick look like one, which is rare with the
 * usual ticks of 1 to 10 ms, and here happens all the time.
 */
const coarse = (version: '3' | '4.2') =>
  ({ name: `NFSv${version}, 1 s time stamps`, at: `/mnt/v${version}-coarse`, from: 'coarse' }) as const
export const V3_COARSE = configuration('3', 'actimeo=60', coarse('3'))
export const V42_COARSE = configuration('4.2', '', coarse('4.2'))
export const V3_SOFT = configuration('3', 'soft,timeo=10,retrans=2')

/** Mounts it on the nodes, and returns a new, empty directory in there. */
export async function newDirectory(lab: LabClient, place: Place, nodes: readonly NodeName[] = NODES): Promise<string> {
  for (const node of nodes) await place.mountOn(lab, node)
  const directory = `${place.at}/${randomBytes(6).toString('hex')}`
  const [first = 'A', ...others] = nodes
  await lab.exec(first, `mkdir -m 1777 ${directory}`)
  for (const node of others) await lab.exec(node, `ls ${directory}`)
  return directory
}

/** How each kind of lock is asked for. */
export const LOCK_KINDS = {
  'hard link': { lockType: 'linkbased' },
  symlink: { lockType: 'linkbased', useSymlinks: true },
  rename: { lockType: 'renamebased' },
  flock: { lockType: 'advisory', advisoryKind: 'flock' },
  fcntl: { lockType: 'advisory', advisoryKind: 'fcntl' },
} as const
export type LockKind = keyof typeof LOCK_KINDS
/** With the default of `lock-type=advisory`. */
export const LOCKERS = { ...LOCK_KINDS, advisory: { lockType: 'advisory' } } as const
export const ALL_KINDS = Object.keys(LOCK_KINDS) as LockKind[]
export const LINK_KINDS = ['hard link', 'symlink'] as const
/** Those with sessions, leases and fencing tokens. */
export const TOKEN_KINDS = [...LINK_KINDS, 'rename'] as const
export const ADVISORY_KINDS = ['flock', 'fcntl'] as const

/** Quick enough to wait for, slow enough for these machines. */
export const PACE = { refreshRateMs: 1000, timeoutIntervalMs: 4000 }

export function program(name: string, ...args: object[]): string[] {
  return ['node', `${GUEST_REPOSITORY}/test/nfs/programs/${name}`, ...args.map((arg) => JSON.stringify(arg))]
}

/** The program, as a shell command. */
export const GUEST_LOCKTESTER = `node ${GUEST_REPOSITORY}/bin/locktester`

/** The answer to a command: see programs/driver.mjs. */
export type Answer = any

/** A locker on a node. */
export class Driver {
  readonly program: GuestProgram
  #count = 0

  /** `under`: a command that it runs under. */
  static async start(lab: LabClient, node: NodeName, options: object = {}, under: readonly string[] = []): Promise<Driver> {
    return await Driver.of(lab.start(node, { argv: [...under, ...program('driver.mjs', { ...PACE, ...options })] }))
  }

  /** The locker that a program has, programs/driver.mjs, wherever it runs. */
  static async of(guestProgram: GuestProgram): Promise<Driver> {
    const driver = new Driver(guestProgram)
    await driver.hears((message) => 'ready' in message, 'greeting')
    return driver
  }

  private constructor(guestProgram: GuestProgram) {
    this.program = guestProgram
  }

  /** Sends a command and waits for its answer; an error that it threw is part of the answer. */
  async ask(op: string, command: object = {}, msMax = 90_000): Promise<Answer> {
    return await this.begin(op, command, msMax)
  }

  /** The same, without waiting: the command is on its way when this returns. */
  begin(op: string, command: object = {}, msMax = 90_000): Promise<Answer> {
    const id = ++this.#count
    this.program.write(`${JSON.stringify({ id, op, ...command })}\n`)
    const answer = this.hears((message) => message.id === id, `answer to ${op}`, msMax)
    answer.catch(() => {}) // what waits for it is told
    return answer
  }

  /** Resolves with the first line that `matches`, said already or later. */
  hears(matches: (message: Answer) => boolean, what: string, msMax = 60_000): Promise<Answer> {
    return this.program.sees(() => this.said().find(matches), { what, msMax })
  }

  said(): Answer[] {
    const lines = this.program.stdout.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line))
  }

  /** Gives everything back and ends. */
  async end(): Promise<void> {
    this.program.endInput()
    await this.program.end
  }
}

/** Puts a cell into the table of results: a promise, kept on a configuration, perhaps for one `variant` (a kind of lock). */
export function proves(
  { task }: TestContext,
  place: Pick<Place, 'name' | 'kernel'>,
  promise: string,
  variant = '',
): (figures: string) => void {
  const { name: configuration, kernel } = place
  const proven = { configuration, promise, variant, figures: '', ...(kernel !== undefined && { kernel }) }
  const meta = task.meta as { proven?: object[] }
  meta.proven = [...(meta.proven ?? []), proven]
  return (figures) => {
    proven.figures = figures
  }
}
