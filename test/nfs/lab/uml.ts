/** User-mode Linux: a guest is a few ordinary processes, the network a switch on a unix socket. No privileges, no KVM. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { bootOptions, cardOf } from './boot-options.js'
import { disksOf, makeDisks } from './disks.js'
import type { Hypervisor, HypervisorOptions, Launched, LaunchOptions } from './machine.js'
import type { NodeName } from './messages.js'
import { REPOSITORY } from './paths.js'
import { rootFileSystem } from './root-file-system.js'
import { Switch } from './switches.js'

const MEMORY_MB = 384
const DEVICES = { drive: '/dev/ubd', channel: '/dev/ttyS0' }

export class Uml implements Hypervisor {
  readonly #options: HypervisorOptions
  readonly #root: string
  readonly #switch: Switch
  #starts = 0

  /** Builds what is not built yet, which takes a minute the first time. `plugged`: into another switch. @throws LabError */
  constructor(options: HypervisorOptions, plugged: Switch | null = null) {
    this.#options = options
    this.#root = rootFileSystem()
    this.#switch = plugged ?? Switch.plain(this.#root, options.run)
  }

  async prepare(): Promise<void> {
    const { run, book } = this.#options
    makeDisks(run)
    await this.#switch.start(run, book)
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
    const { run, leaseS, serverMb } = this.#options
    const memoryMb = (node === 'server' ? serverMb : null) ?? MEMORY_MB
    return [
      `mem=${memoryMb}M`,
      `umid=${node}-${this.#starts++}`,
      `uml_dir=${run}`,
      ...['root=/dev/root', 'rootfstype=hostfs', `rootflags=${this.#root}`, 'ro', 'init=/lab/init', 'quiet'],
      ...['con=null', 'con0=null,fd:1', 'ssl0=fd:3,fd:4'],
      `eth0=daemon,${cardOf(node)},unix,${this.#switch.socket}`,
      ...disksOf(node, run).map((disk, index) => `ubd${'abcd'[index]}=${disk}`),
      ...[...bootOptions(node, leaseS, options, DEVICES), `lab.repository=${REPOSITORY}`],
    ]
  }

  close(): void {
    this.#switch.close()
  }
}
