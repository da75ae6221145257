/** The result files: what a run has tried on a file system, with the run, its day and its kernel. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Result as LabResult } from '../nfs/results-pages.js'
import type { Tried } from './record.js'

export interface Result extends Tried {
  how: 'real' | 'stand-in'
  passed: boolean
  /** The command. */
  run: string
  /** YYYY-MM-DD */
  day: string
  kernel: string
  /** Of this package. */
  version: string
}

const DIRECTORY = join(import.meta.dirname, '../../docs/tried')
/** What runs of the lab have shown. */
const OF_LAB = join(import.meta.dirname, '../nfs/published.json')

export function readResults(): Result[] {
  if (!existsSync(DIRECTORY)) return []
  const files = readdirSync(DIRECTORY).filter((name) => name.endsWith('.json'))
  return files.flatMap((name) => JSON.parse(readFileSync(join(DIRECTORY, name), 'utf8')) as Result[])
}

/** All that was shown on a mount: the result files, and what was published of the lab, which has the kernels among its versions. */
export function readTested(): Omit<Result, 'fileSystem' | 'version'>[] {
  const ofLab = JSON.parse(readFileSync(OF_LAB, 'utf8')) as LabResult[]
  return [
    ...readResults(),
    ...ofLab.map(({ configuration, promise, variant, passed, extent, day, versions }) => ({
      ...{ place: configuration, what: promise, kind: variant, passed, day, kernel: versions },
      how: configuration.includes('stand-in') ? ('stand-in' as const) : ('real' as const),
      run: extent === 'full' ? 'npm run test:nfs -- --soak' : 'npm run test:nfs',
    })),
  ]
}

/** What was tried again replaces what was known of it. */
export function writeResults(results: readonly Result[]): void {
  mkdirSync(DIRECTORY, { recursive: true })
  const subject = ({ fileSystem, place = '', what, kind, how }: Result) => JSON.stringify([fileSystem, place, what, kind, how])
  const again = new Set(results.map(subject))
  const all = [...readResults().filter((result) => !again.has(subject(result))), ...results]
  for (const fileSystem of new Set(results.map((result) => result.fileSystem))) {
    const its = all.filter((result) => result.fileSystem === fileSystem)
    writeFileSync(join(DIRECTORY, `${fileSystem}.json`), `${JSON.stringify(its, null, 2)}\n`)
  }
}
