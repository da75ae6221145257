/** Brings a lab up, and down again: also one whose daemon has crashed. */

import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Accelerator } from './accelerators.js'
import { LabClient } from './client.js'
import { REPOSITORY, runFiles } from './paths.js'
import { killRecorded } from './processes.js'
import { LabError } from './tools.js'
import { until } from './until.js'

/** The first one downloads and builds. */
const UP_MS_MAX = 600_000

export interface LabOptions {
  /** The server's: how long it keeps the state of a silent client of version 4, in seconds. */
  leaseS: number
  accelerator: Accelerator
  /** How many nodes there are beside the server. */
  clients: number
  /** The memory of the server's machine, in MB; `null`: as much as a node has. */
  serverMb: number | null
}

export interface UpOptions extends Partial<LabOptions> {
  run: string
}

const USUAL: LabOptions = { leaseS: 15, accelerator: 'uml', clients: 2, serverMb: null }

/** Resolves when all machines are up. @throws LabError if that fails, or a lab is running already */
export async function up({ run, ...asked }: UpOptions): Promise<LabClient> {
  if (existsSync(run)) throw new LabError(`A lab is up, or was left behind, in ${run}: take it down first`)
  if (!existsSync(`${REPOSITORY}/dist/index.js`)) throw new LabError('The package is not built: npm run build')
  mkdirSync(run, { recursive: true, mode: 0o700 })
  const { log, control } = runFiles(run)
  const output = openSync(log, 'w')
  const program = ['--import', 'tsx', fileURLToPath(new URL('daemon.ts', import.meta.url))]
  const options: LabOptions = { ...USUAL, ...asked }
  const argv = [...program, run, JSON.stringify(options)]
  const daemon = spawn(process.execPath, argv, { cwd: REPOSITORY, stdio: ['ignore', output, output], detached: true })
  closeSync(output)
  try {
    await until(() => existsSync(control) || daemon.exitCode !== null, UP_MS_MAX, `The lab did not come up: see ${run}`)
    if (daemon.exitCode !== null) throw new LabError(`The lab did not come up. ${readFileSync(log, 'utf8').trim()}`)
    const client = await LabClient.connect(run)
    daemon.unref()
    return client
  } catch (error) {
    killRecorded(runFiles(run).processes)
    rmSync(run, { recursive: true })
    throw error
  }
}

/** Leaves nothing behind, whatever state the lab is in. Returns what happened, in words. */
export async function down(run: string): Promise<string> {
  if (!existsSync(run)) return 'No lab is running.'
  try {
    const client = await LabClient.connect(run)
    await client.down()
    client.close()
    return 'The lab is down.'
  } catch {
    const killed = killRecorded(runFiles(run).processes)
    rmSync(run, { recursive: true, force: true })
    return `The lab's daemon did not answer; ended what was left: ${killed.join(', ') || 'nothing'}.`
  }
}
