/** What `locktester doctor` prints: the findings by section, and the recommendation, which is a file-locks file. */

import { printable } from '../../log/printable.js'
import { FILE_SYSTEMS, type FileSystem } from '../../advice/file-systems.js'
import { inGuide, WHAT_NOW } from '../shared/program.js'
import { type Recommendation, settingLines } from '../shared/kinds.js'
import { paint, writeOut } from '../shared/output.js'
import type { Finding, Section } from './finding.js'

const TITLES: Record<Section, string> = {
  node: 'This node',
  configuration: 'Configuration',
  mount: 'Mount',
  directory: 'File system, as measured',
  primitives: 'What locks are made of',
  locks: 'Locks on this node',
}
const COLOURS = { ok: 'green', note: 'gray', warning: 'yellow', error: 'red' } as const
const MARGIN = ' '.repeat(10)

/** One section after the other, as soon as it is known. */
export function writeSection(section: Section, findings: readonly Finding[]): void {
  if (findings.length === 0) return
  writeOut(paint('bold', TITLES[section], process.stdout))
  for (const { severity, seen, breaks, remedy } of findings) {
    writeOut(`${paint(COLOURS[severity], severity.padEnd(MARGIN.length), process.stdout)}${printable(seen)}`)
    if (breaks !== null) writeOut(`${MARGIN}  breaks: ${printable(breaks)}`)
    if (remedy !== null) writeOut(`${MARGIN}  do:     ${printable(remedy)}`)
  }
  writeOut('')
}

/** The first line: without DIR, what is tested was not named. */
export function writeDirectory(directory: string, isDefault: boolean): void {
  writeOut(`Directory: ${printable(directory)}${isDefault ? ' (your client-state directory, since none was named)' : ''}\n`)
}

/**
 * What is written is a file-locks file, so that it can be copied.
 * @param isLocal no other node sees the directory
 */
export function writeRecommendation(
  recommendation: Recommendation | null,
  fileSystem: FileSystem | null,
  isLocal: boolean,
): void {
  writeOut(paint('bold', 'Recommendation', process.stdout))
  if (recommendation === null) return writeOut(`# No kind of lock can be recommended here. What now: ${WHAT_NOW}`)
  if (isLocal) writeOut('# For the processes of this node alone, as other nodes do not see this directory:')
  for (const line of settingLines(recommendation)) writeOut(line)
  if (!isLocal) writeOut('# One node cannot prove that nodes exclude each other: locktester nodes HOST… DIR does.')
  const block = FILE_SYSTEMS.find((each) => each === fileSystem)?.title
  writeOut(`# This file system, and what to do when it is not trusted: ${block === undefined ? WHAT_NOW : inGuide(block)}`)
}

/** The last line, as of `config check`. */
export function writeCount(findings: readonly Finding[]): void {
  const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
  const counted = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
  writeOut(`# ${counted(count('warning'), 'warning')}, ${counted(count('error'), 'error')}`)
}
