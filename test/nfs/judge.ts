/** What the commands say of the nodes of a lab. Those that span hosts run on this machine, and reach the nodes without ssh. */

import { onTestFinished, expect } from 'vitest'
import { conformsTo } from '../process/fixtures/locktester-schema.mjs'
import { startOnHost } from './host-program.js'
import type { LabClient } from './lab/client.js'
import type { NodeName } from './lab/messages.js'
import { GUEST_REPOSITORY, REPOSITORY } from './lab/paths.js'
import { GUEST_LOCKTESTER, newDirectory, NODES, type Place } from './support.js'

const REACH = [
  ...['--ssh-command', `'${process.execPath}' --import tsx '${REPOSITORY}/test/nfs/lab/main.ts' ssh`],
  ...['--remote-command', `node ${GUEST_REPOSITORY}/bin/locktester`],
]

/** As in docs/schema: the exit code is in it. */
type Report = any

export async function report(lab: LabClient, command: 'nodes' | 'stress', args: readonly string[]): Promise<Report> {
  const argv = [process.execPath, `${REPOSITORY}/bin/locktester`, command, ...args, ...REACH, '--json']
  const locktester = startOnHost(argv, { MOUNTLOCK_LAB_RUN: lab.runDirectory })
  onTestFinished(() => {
    if (!locktester.isOver) locktester.kill('SIGKILL')
  })
  const { code } = await locktester.end
  expect(locktester.stdout, locktester.stderr).toMatch(/^\{/)
  const found = JSON.parse(locktester.stdout)
  expect(await conformsTo(command, found)).toEqual([])
  expect(code).toBe(found.exitCode)
  return found
}

const ALL = ['hard-link', 'symlink', 'rename', 'flock', 'fcntl']

/** What `nodes` says of a new directory there, which it leaves empty. */
export async function judge(
  lab: LabClient,
  place: Place,
  kinds: readonly string[] = ALL,
  nodes: readonly NodeName[] = NODES,
): Promise<Report> {
  const directory = await newDirectory(lab, place, nodes)
  const found = await report(lab, 'nodes', ['--kinds', kinds.join(','), ...nodes, directory])
  expect(await lab.exec('B', `ls -A ${directory}`)).toBe('')
  return found
}

interface Examination {
  findings: { code: string; severity: string; seen: string; breaks: string | null; remedy: string | null }[]
  recommendation: object | null
}

/** What `doctor` says on node A of a new directory there. */
export async function examine(lab: LabClient, place: Place) {
  const directory = await newDirectory(lab, place)
  // Not every exit code is 0 where something is wrong: what is read is the report.
  const { stdout, stderr } = await lab.run('A', `${GUEST_LOCKTESTER} doctor --json ${directory}`)
  expect(stdout, stderr).not.toBe('')
  const { findings, recommendation } = JSON.parse(stdout) as Examination
  return { finding: (code: string) => findings.find((finding) => finding.code === code), recommendation }
}

/** The verdict on each kind of lock. */
export const marks = ({ kinds }: Report): string[] =>
  kinds.map(({ kind, mark }: { kind: string; mark: string }) => `${kind}: ${mark}`)

export const TRUST = 'locktester nodes finds which locks can be trusted between two nodes'
