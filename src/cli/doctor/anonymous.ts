/**
 * What a user can send in with an issue, so that a file system that is unknown becomes known: what it is, how it is mounted
 * and what worked. Nothing in it names a person, a machine, an address or a path. So it is made of words that are listed here, of
 * numbers, and of codes of our own: what stands in none of the lists is left out, be it a name or not.
 */

import { arch, release } from 'node:os'
import { FILE_SYSTEM_TYPES, fileSystemOf } from '../../advice/file-systems.js'
import type { Recommendation } from '../shared/kinds.js'
import type { MountProfile } from '../shared/mounts.js'
import { nodeFacts } from '../shared/node-facts.js'
import { version } from '../shared/program.js'
import type { PlacedFinding } from './finding.js'
import type { LockTrial } from './lock-trials.js'
import type { Clock, Links } from './measures.js'
import { FLAGS, SETTINGS, TELLING } from './mount-options.js'
import type { Primitive } from './primitives.js'

export interface Examined {
  mount: MountProfile | null
  findings: readonly PlacedFinding[]
  primitives: readonly Primitive[]
  trials: readonly LockTrial[]
  clock: Clock | null
  links: Links | null
  recommendation: Recommendation | null
  exitCode: number
}

/** In the place of what is left out. */
const LEFT_OUT = '…'

export function anonymous(examined: Examined): object {
  const { mount, findings, primitives, trials, clock, links, recommendation, exitCode } = examined
  return {
    version: 1,
    locktester: version(),
    node: process.version,
    kernel: kernelShape(release()),
    architecture: arch(),
    fileSystem: mount === null ? null : shapeOf(mount),
    findings: findings.filter(({ section }) => section !== 'node').map(({ code, severity }) => ({ code, severity })),
    primitives: primitives.map(({ name, failure, medianMs }) => ({ name, failure: failureShape(failure), medianMs })),
    locks: trials.map(({ kind, failure, medianMs, isLocal }) => ({ kind, failure: failure?.code ?? null, medianMs, isLocal })),
    timeStamps: clock === null ? null : { granularityMs: clock.granularityMs },
    links,
    recommendation,
    exitCode,
  }
}

function shapeOf(mount: MountProfile): object {
  const { id, title } = fileSystemOf(mount)
  const { source, options, reach } = mount
  return { id, title, type: typeShape(mount), source: sourceShape(source), reach, options: options.map(optionShape) }
}

/** A FUSE file system is called as its program calls itself: that has to be known, unless it is a name from around here. */
function typeShape({ type, mountPoint }: MountProfile): string {
  if (FILE_SYSTEM_TYPES.some((known) => known.test(type))) return type
  if (!/^[a-z][\w.+-]{1,40}$/i.test(type)) return LEFT_OUT
  const { host, user } = nodeFacts()
  const around = [user ?? '', ...host.split('.'), ...mountPoint.split('/')].filter(({ length }) => length > 1)
  const [kind = ''] = type.split('.')
  return around.some((name) => type.toLowerCase().includes(name.toLowerCase()))
    ? `${kind === 'fuse' ? 'fuse.' : ''}${LEFT_OUT}`
    : type
}

/** Letters and digits are left out of it: what remains tells an address from a device, and no name. */
const sourceShape = (source: string) => source.replace(/[^\s:/@#.,\\-]+/g, 'x')

/** A value may contain commas, so that a part of it looks like an option of its own. */
function optionShape(option: string): string {
  const [name = '', ...rest] = option.split('=')
  if (rest.length === 0) return FLAGS.has(name) ? name : LEFT_OUT
  if (TELLING.has(name) && /^[\w.:-]{1,24}$/.test(rest.join('='))) return option
  return SETTINGS.has(name) || TELLING.has(name) ? `${name}=${LEFT_OUT}` : LEFT_OUT
}

/** A kernel may be called after a person, a machine or a company: beside its number only words of distributions stay. */
const KERNEL_WORDS =
  /(?<![a-z])(generic|lowlatency|cloud|aws|azure|gcp|gke|oracle|kvm|lts|amd64|arm64|x86_64|aarch64|WSL2|linuxkit|amzn\d+|(el|fc|bpo)\d+|deb\d+u\d+)(?![a-z])/g

export function kernelShape(text: string): string {
  const [version = LEFT_OUT] = /^\d+(\.\d+)*(-\d+)?/.exec(text) ?? []
  return [version, ...(text.slice(version.length).match(KERNEL_WORDS) ?? [])].join('-')
}

/** What a trial says that failed without an error of the system: of what it read back there may be anything in it. */
const SENTENCES = [
  /^it works, but the link count is \d+ and not 2$/,
  /^it succeeds a second time, so it cannot tell which was first$/,
  /^the second time fails with \w+ instead of \w+$/,
]

function failureShape(failure: string | null): string | null {
  if (failure === null || /^E[A-Z0-9]+$/.test(failure) || SENTENCES.some((sentence) => sentence.test(failure))) return failure
  return LEFT_OUT
}
