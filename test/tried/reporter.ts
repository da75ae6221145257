/** Where MOUNTLOCK_TRIED says what the run is, what it has tried is written to docs/tried, one file for each file system. */

import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { isCost } from '../nfs/results-pages.js'
import { versionOf } from '../nfs/lab/packages.js'
import { packageDirectory } from '../nfs/lab/paths.js'
import type { Tried } from './record.js'
import { type Result, writeResults } from './results.js'

/** Its version; what a machine's own build is called says nothing to others. */
const KERNEL = `Linux ${/^[\d.]+\d/.exec(release())?.[0] ?? release()}`

/** Places of the NFS lab, by how their names begin. */
const OF_LAB: readonly PlaceOfLab[] = [
  { begin: 'NFS-Ganesha', fileSystem: 'ganesha', program: 'nfs-ganesha' },
  { begin: 'NFSv3', fileSystem: 'nfs3', program: 'nfs-kernel-server' },
  { begin: 'NFSv4', fileSystem: 'nfs4', program: 'nfs-kernel-server' },
  { begin: 'CephFS', fileSystem: 'cephfs', program: 'ceph-mds' },
  { begin: 'MooseFS', fileSystem: 'moosefs', program: 'moosefs-master' },
  { begin: 'SMB', fileSystem: 'smb', program: 'samba' },
  { begin: 'sshfs', fileSystem: 'sshfs', program: null },
  { begin: 'GlusterFS', fileSystem: 'glusterfs', program: null },
]

interface PlaceOfLab {
  readonly begin: string
  readonly fileSystem: string
  /** The package of its server; `null`: it is mounted on this machine, between two processes of it. */
  readonly program: string | null
}

/** `labKernel`: of its machines. */
function kernelOf({ program }: PlaceOfLab, labKernel: string): string {
  return program === null ? KERNEL : `${labKernel}, ${program} ${versionOf(program, packageDirectory())}`
}

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
    const labKernel = /^Linux [^)]*\)/.exec(lab ?? '')?.[0] ?? 'unknown kernel'
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const results = modules.flatMap((module) =>
      [...module.children.allTests()].flatMap((test): Result[] => {
        const { state } = test.result()
        if (state !== 'passed' && state !== 'failed') return []
        const { tried = [], proven = [] } = test.meta() as { tried?: Tried[]; proven?: Proven[] }
        const from = { passed: state === 'passed', run, day, version }
        return [
          ...tried.map((each) => ({ how: 'real' as const, ...each, ...from, kernel: KERNEL })),
          ...proven.flatMap((each) => ofLab(each, labKernel).map((known) => ({ ...known, ...from }))),
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
  /** Of the machines, where the test booted its own. */
  kernel?: string
}

function ofLab(
  { configuration, promise, variant, kernel }: Proven,
  labKernel: string,
): Omit<Result, 'passed' | 'run' | 'day' | 'version'>[] {
  const known = OF_LAB.find(({ begin }) => configuration.startsWith(begin))
  // What is measured for comparison is nothing that a file system did, or did not do.
  if (known === undefined || isCost(promise)) return []
  const how = configuration.includes('stand-in') ? 'stand-in' : 'real'
  const { fileSystem } = known
  return [{ fileSystem, place: configuration, what: promise, kind: variant, how, kernel: kernelOf(known, kernel ?? labKernel) }]
}
