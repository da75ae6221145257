/** User-mode Linux: a guest is a few ordinary processes, the network a switch on a unix socket. No privileges, no KVM. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { bootOptions, cardOf } from './boot-options.js'
import { disksOf, makeDisks } from './disks.js'
import type { Hypervisor, HypervisorOptions, Launched, LaunchOptions } from './machine.js'
import type { NodeName } from './messages.js'
import { REPOSITORY, runFiles } from './paths.js'
import { killGroup } from './processes.js'
import { rootFileSystem } from './root-file-system.js'
import { until } from './until.js'

const MEMORY_MB = 384
const DEVICES = { drive: '/dev/ubd', channel: '/dev/ttyS0' }
const SWITCH_START_MS_MAX = 10_000

export class Uml implements Hypervisor {
  readonly #options: HypervisorOptions
  readonly #root: string
  #switch: ChildProcess | null = null
  #starts = 0

  /** Builds what is not built yet, which takes a minute the first time. @throws LabError */
  constructor(options: HypervisorOptions) {
    this.#options = options
    this.#root = rootFileSystem()
  }

  async prepare(): Promise<void> {
    const { run, book } = this.#options
    makeDisks(run)
    const socket = runFiles(run).switch
    const log = openSync(join(run, 'switch.log'), 'w')
    // It ends with its standard input.
    this.#switch = spawn(join(this.#root, 'usr/bin/uml_switch'), ['-unix', socket], { stdio: ['pipe', log, log], detached: true })
    closeSync(log)
    await once(this.#switch, 'spawn')
    book.add('switch', this.#switch.pid)
    await until(() => existsSync(socket), SWITCH_START_MS_MAX, `The network switch did not start: see ${run}/switch.log`)
  }

  launch(node: NodeName, options: LaunchOptions): Launched {
    const { run, book } = this.#options
    const process_ = spawn(join(this.#root, 'usr/bin/linux.uml'), this.#commandLine(node, options), {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, TMPDIR: run, HOME: run },
    })
    book.add(node, process_.pid)
    return { process: process_, input: process_.stdio[3] as Writable, output: process_.stdio[4] as Readable }
  }

  #commandLine(node: NodeName, options: LaunchOptions): string[] {
    const { run, leaseS } = this.#options
    return [
      `mem=${MEMORY_MB}M`,
      `umid=${node}-${this.#starts++}`,
      `uml_dir=${run}`,
      ...['root=/dev/root', 'rootfstype=hostfs', `rootflags=${this.#root}`, 'ro', 'init=/lab/init', 'quiet'],
      ...['con=null', 'con0=null,fd:1', 'ssl0=fd:3,fd:4'],
      `eth0=daemon,${cardOf(node)},unix,${runFiles(run).switch}`,
      ...disksOf(node, run).map((disk, index) => `ubd${'abcd'[index]}=${disk}`),
      ...[...bootOptions(node, leaseS, options, DEVICES), `lab.repository=${REPOSITORY}`],
    ]
  }

  close(): void {
    if (this.#switch?.pid !== undefined) killGroup(this.#switch.pid, 'SIGTERM')
  }
}
