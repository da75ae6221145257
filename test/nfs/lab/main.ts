/**
 * The lab from the command line: an NFS server and two nodes, A and B, or up to four, each with a kernel of its own, on this
 * machine.
 *
 *   up [--nodes COUNT] [--lease SECONDS] [--accel uml|mixed|tcg] [--server-mb MB]
 *                                            boots them; /mnt/v3 and /mnt/v4 are mounted on the nodes; tcg: stock kernels in QEMU
 *   bench [--rounds COUNT] [--seconds SECONDS] [--only PART]
 *                                            boots a lab of its own and measures waiting between nodes: what a run shows, it prints
 *   exec NODE CMD                            runs a shell command on server, A, B, C or D
 *   both CMD CMD                             runs one on A and one on B at the same time
 *   ssh NODE CMD                             the same as exec, with standard input, and output as it comes: for programs that use ssh
 *   mount NODE DIR VERSION [OPTIONS [EXPORT]] another mount: VERSION 3, 4.1 or 4.2; EXPORT share, small, quota, readonly, squashed, coarse
 *   kill NODE | start NODE                   as if its power had failed | boots it again
 *   pause NODE | resume NODE                 freezes the whole machine
 *   cut NODE | heal NODE                     the network between NODE and the server
 *   skew NODE SECONDS                        sets its clock ahead, or behind (-39600)
 *   restart-server [SECONDS]                 kills the server and starts it again after a while
 *   status | down
 */

import { acceleratorNamed } from './accelerators.js'
import { type CommandResult, LabClient } from './client.js'
import { bench } from './bench.js'
import { CLIENTS_MAX, NODES, type NodeName } from './messages.js'
import { cut, heal, mount, type NfsVersion, restartServer, skew } from './operations.js'
import { runDirectory } from './paths.js'
import { hostName } from './root-file-system.js'
import { LabError } from './tools.js'
import { down, up } from './up-and-down.js'

/** Long enough for what an engineer tries by hand. */
const COMMAND_MS_MAX = 24 * 60 * 60 * 1000

const run = runDirectory()
const [verb = 'help', ...rest] = process.argv.slice(2)

const VERBS: Record<string, () => Promise<void>> = {
  up: bringUp,
  bench: () =>
    bench({ rounds: countAsked('--rounds', 30), seconds: countAsked('--seconds', 30), only: optionValue('--only') ?? null }),
  async down() {
    console.log(await down(run))
  },
  status: () => withLab(async (lab) => console.log(JSON.stringify(await lab.status(), null, 2))),
  exec: () => withLab(async (lab) => show(await lab.run(node(), rest.slice(1).join(' '), { msMax: COMMAND_MS_MAX }))),
  both: () => withLab(both),
  ssh: () => withLab(standInForSsh),
  mount: () =>
    withLab(async (lab) => {
      const [, at = '', version = '', options = '', from = 'share'] = rest
      await mount(lab, node(), at, { version: version as NfsVersion, options, from: from as 'share' })
    }),
  kill: () => withLab((lab) => lab.machine('kill', node())),
  start: () => withLab(startAgain),
  pause: () => withLab((lab) => lab.machine('pause', node())),
  resume: () => withLab((lab) => lab.machine('resume', node())),
  cut: () => withLab((lab) => cut(lab, node())),
  heal: () => withLab((lab) => heal(lab, node())),
  skew: () => withLab((lab) => skew(lab, node(), numberAt(1))),
  'restart-server': () => withLab((lab) => restartServer(lab, { downMs: 1000 * (rest[0] === undefined ? 0 : numberAt(0)) })),
}

try {
  const perform = VERBS[verb]
  if (perform === undefined) throw new LabError(`Expected one of ${Object.keys(VERBS).join(', ')}, got "${verb}"`)
  await perform()
} catch (error) {
  if (!(error instanceof LabError)) throw error
  console.error(`lab: ${error.message}`)
  process.exitCode = 1
}

async function withLab(work: (lab: LabClient) => Promise<void>): Promise<void> {
  const lab = await LabClient.connect(run)
  try {
    await work(lab)
  } finally {
    lab.close()
  }
}

async function bringUp(): Promise<void> {
  const accelerator = acceleratorNamed(optionValue('--accel') ?? 'uml')
  const leaseS = Number(optionValue('--lease') ?? 15)
  const serverMb = optionValue('--server-mb') === undefined ? null : countAsked('--server-mb', 0)
  const lab = await up({ run, leaseS, accelerator, clients: clientsAsked(), serverMb })
  const { nodes } = await lab.status()
  const booted = NODES.filter((name) => nodes[name].state === 'up')
  for (const name of booted) if (name !== 'server') await mountDefaults(lab, name)
  for (const name of booted) console.log(`${hostName(name)}: up after ${(nodes[name].bootMs ?? 0) / 1000} s`)
  lab.close()
}

async function startAgain(lab: LabClient): Promise<void> {
  const name = node()
  await lab.machine('start', name, { recover: true })
  if (name !== 'server') await mountDefaults(lab, name)
}

async function mountDefaults(lab: LabClient, name: NodeName): Promise<void> {
  await mount(lab, name, '/mnt/v3', { version: '3' })
  await mount(lab, name, '/mnt/v4', { version: '4.2' })
}

async function both(lab: LabClient): Promise<void> {
  const commands = { A: rest[0] ?? '', B: rest[1] ?? '' }
  const runs = (['A', 'B'] as const).map(async (name) => ({
    name,
    result: await lab.run(name, commands[name], { msMax: COMMAND_MS_MAX }),
  }))
  for (const { name, result } of await Promise.all(runs)) {
    console.log(`--- ${name}`)
    show(result)
  }
}

async function standInForSsh(lab: LabClient): Promise<void> {
  const program = lab.start(node(), { argv: ['sh', '-c', rest.slice(1).join(' ')] })
  program.connect(process)
  const { code } = await program.end
  process.stdin.destroy()
  process.exitCode = code ?? 1
}

function show({ code, stdout, stderr }: CommandResult): void {
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  if (code !== 0) process.exitCode = code ?? 1
}

function node(): NodeName {
  const name = NODES.find((candidate) => candidate === rest[0])
  if (name === undefined) throw new LabError(`Expected one of ${NODES.join(', ')}, got "${rest[0] ?? ''}"`)
  return name
}

function countAsked(option: string, usual: number): number {
  const given = optionValue(option)
  const count = given === undefined ? usual : Number(given)
  if (!Number.isInteger(count) || count < 1) throw new LabError(`Expected a whole number after ${option}, got "${given}"`)
  return count
}

function numberAt(index: number): number {
  const number = Number(rest[index])
  if (rest[index] === undefined || Number.isNaN(number))
    throw new LabError(`Expected a number of seconds, got "${rest[index] ?? ''}"`)
  return number
}

function clientsAsked(): number {
  const given = optionValue('--nodes') ?? '2'
  const clients = Number(given)
  if (!Number.isInteger(clients) || clients < 1 || clients > CLIENTS_MAX)
    throw new LabError(`Expected a number of nodes from 1 to ${CLIENTS_MAX}, got "${given}"`)
  return clients
}

function optionValue(option: string): string | undefined {
  const index = rest.indexOf(option)
  return index < 0 ? undefined : rest[index + 1]
}
