/** Where MOUNTLOCK_TRIED says what the run is, what it has tried is written to docs/tried, one file for each file system. */

import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import type { Tried } from './record.js'
import { type Result, writeResults } from './results.js'

/** Its version; what a machine's own build is called says nothing to others. */
const KERNEL = `Linux ${/^[\d.]+\d/.exec(release())?.[0] ?? release()}`

/** Places of the NFS lab, by how their names begin. */
const OF_LAB: readonly (readonly [begin: string, fileSystem: string])[] = [
  ['NFS-Ganesha', 'ganesha'],
  ['NFSv3', 'nfs3'],
  ['NFSv4', 'nfs4'],
  ['sshfs', 'sshfs'],
  ['GlusterFS', 'glusterfs'],
  ['SMB', 'smb'],
]

export default class TriedReporter implements Reporter {
  #vitest: Vitest | null = null

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const run = process.env.MOUNTLOCK_TRIED
    if (run === undefined) return
    const day = new Date().toISOString().slice(0, 10)
    const lab = this.#vitest?.projects.map((project) => project.getProvidedContext().labVersions).find(Boolean)
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const results = modules.flatMap((module) =>
      [...module.children.allTests()].flatMap((test): Result[] => {
        const { state } = test.result()
        if (state !== 'passed' && state !== 'failed') return []
        const { tried = [], proven = [] } = test.meta() as { tried?: Tried[]; proven?: Proven[] }
        const from = { passed: state === 'passed', run, day, version }
        return [
          ...tried.map((each) => ({ how: 'real' as const, ...each, ...from, kernel: KERNEL })),
          ...proven.flatMap((each) => ofLab(each).map((known) => ({ ...known, ...from, kernel: lab ?? 'unknown' }))),
        ]
      }),
    )
    writeResults(results)
  }
}

interface Proven {
  configuration: string
  promise: string
  variant: string
}

function ofLab({ configuration, promise, variant }: Proven): (Tried & { how: 'real' | 'stand-in' })[] {
  const known = OF_LAB.find(([begin]) => configuration.startsWith(begin))
  if (known === undefined) return []
  const how = configuration.includes('stand-in') ? 'stand-in' : 'real'
  return [{ fileSystem: known[1], what: promise, kind: variant, how }]
}
