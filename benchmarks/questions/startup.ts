/** How long does it take to load the library, and to show the help of locktester, next to Node doing nothing? Told without a target. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Bench, Question } from '../bench.js'
import type { Role } from '../candidate.js'
import { type Answer, emptyAnswer, type Measurement, ratioRow } from '../result.js'
import { ratioOfRounds } from '../statistics.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Program {
  id: string
  label: string
  role: Role
  args: string[]
}

const PROGRAMS: readonly Program[] = [
  { id: 'node', label: 'node -e 0', role: 'floor', args: ['-e', '0'] },
  {
    id: 'import',
    label: "import 'mountlock'",
    role: 'ours',
    args: ['--input-type=module', '-e', "import 'mountlock'"],
  },
  { id: 'help', label: 'locktester --help', role: 'ours', args: ['bin/locktester', '--help'] },
  {
    id: 'proper-lockfile',
    label: "require('proper-lockfile')",
    role: 'peer',
    args: ['-e', "require('proper-lockfile')"],
  },
  { id: 'yargs', label: "import 'yargs'", role: 'peer', args: ['--input-type=module', '-e', "import 'yargs'"] },
]

export const startup: Question = {
  id: 'startup',
  title: 'Starting',
  about: "how long import 'mountlock' and locktester --help take, next to node -e 0",
  ask,
}

async function ask(bench: Bench): Promise<Answer> {
  const answer = emptyAnswer()
  const rounds = bench.quick ? 2 : 20
  const programs = PROGRAMS.filter(({ id, role }) => role !== 'peer' || bench.peers === null || bench.peers.has(id))
  const measurements = programs.map(({ id, label, role }): Measurement => {
    return { candidate: id, label, role, place: '', of: 'from start to end of the process', unit: 'ms', rounds: [] }
  })
  for (let round = 0; round < rounds; round++) {
    bench.progress(`round ${round + 1} of ${rounds}`)
    for (const [index, program] of programs.entries()) measurements[index]?.rounds.push([run(program)])
    // The terminal is to see that something happens.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const [nothing] = measurements as [Measurement, ...Measurement[]]
  for (const [index, { label }] of programs.entries()) {
    const measurement = measurements[index] as Measurement
    if (measurement === nothing) continue
    const ratio = ratioOfRounds(measurement.rounds, nothing.rounds)
    const noTarget = { words: 'the time of node -e 0', target: '', reached: () => true }
    answer.rows.push({ ...ratioRow({ question: 'start', subject: label, place: '' }, ratio, noTarget), verdict: 'no target' })
  }
  answer.measurements.push(...measurements)
  answer.plots.push({ kind: 'distribution', title: 'from start to end of a process', measurements })
  return answer
}

function run({ label, args }: Program): number {
  const before = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
  const tookMs = performance.now() - before
  if (status !== 0) throw new Error(`${label} ended with status ${status}: ${stderr.trim().split('\n').at(-1)}`)
  return tookMs
}
