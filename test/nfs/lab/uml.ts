/** User-mode Linux: a guest is a few ordinary processes, the network a switch on a unix socket. No privileges, no KVM. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Hypervisor, Launched, LaunchOptions } from './machine.js'
import { NODES, type NodeName } from './messages.js'
import { REPOSITORY, runFiles } from './paths.js'
import { killGroup, type ProcessBook } from './processes.js'
import { ADDRESSES, rootFileSystem } from './root-file-system.js'
import { LabError, requireTools, runTool } from './tools.js'

const MEMORY_MB = 384
const STATE_DISK_MB = 8
const SHARE_DISK_MB = 128
/** Without room for the fractions: time stamps in whole seconds, as on file systems that began as ext3. */
const INODE_BYTES_COARSE = '128'
/** In the order of the server's drives, from the second one on. */
const EXPORTED_DISKS = ['share', 'coarse', 'quota']
const SWITCH_START_MS_MAX = 10_000

export interface UmlOptions {
  run: string
  book: ProcessBook
  leaseS: number
}

export class Uml implements Hypervisor {
  readonly #options: UmlOptions
  readonly #root: string
  #switch: ChildProcess | null = null
  #starts = 0

  /** Builds what is not built yet, which takes a minute the first time. @throws LabError */
  constructor(options: UmlOptions) {
    this.#options = options
    this.#root = rootFileSystem()
  }

  async prepare(): Promise<void> {
    requireTools('mke2fs')
    const { run, book } = this.#options
    for (const node of NODES) makeDisk(runFiles(run).disk(node), STATE_DISK_MB)
    makeDisk(runFiles(run).disk('share'), SHARE_DISK_MB)
    makeDisk(runFiles(run).disk('coarse'), SHARE_DISK_MB, '-I', INODE_BYTES_COARSE)
    makeDisk(runFiles(run).disk('quota'), STATE_DISK_MB, '-O', 'quota', '-E', 'lazy_itable_init=0,nodiscard,quotatype=usrquota')
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

  #commandLine(node: NodeName, { recover }: LaunchOptions): string[] {
    const { run, leaseS } = this.#options
    const disks = [runFiles(run).disk(node), ...(node === 'server' ? EXPORTED_DISKS.map((name) => runFiles(run).disk(name)) : [])]
    return [
      `mem=${MEMORY_MB}M`,
      `umid=${node}-${this.#starts++}`,
      `uml_dir=${run}`,
      ...['root=/dev/root', 'rootfstype=hostfs', `rootflags=${this.#root}`, 'ro', 'init=/lab/init', 'quiet'],
      ...['con=null', 'con0=null,fd:1', 'ssl0=fd:3,fd:4'],
      `eth0=daemon,52:54:00:99:00:0${NODES.indexOf(node) + 1},unix,${runFiles(run).switch}`,
      ...disks.map((disk, index) => `ubd${'abcd'[index]}=${disk}`),
      ...[`lab.role=${node}`, `lab.address=${ADDRESSES[node]}`, `lab.lease=${leaseS}`, `lab.repository=${REPOSITORY}`],
      ...(recover ? ['lab.recover=1'] : []),
    ]
  }

  close(): void {
    if (this.#switch?.pid !== undefined) killGroup(this.#switch.pid, 'SIGTERM')
  }
}

/** Later options override earlier ones. */
function makeDisk(file: string, megabytes: number, ...options: string[]): void {
  const all = ['-q', '-F', '-t', 'ext4', '-I', '256', '-E', 'lazy_itable_init=0,nodiscard', ...options]
  runTool('mke2fs', [...all, file, `${megabytes}M`])
}

/** For events that nobody announces. @throws LabError */
export async function until(condition: () => boolean, msMax: number, complaint: string): Promise<void> {
  const deadline = performance.now() + msMax
  while (!condition()) {
    if (performance.now() > deadline) throw new LabError(complaint)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
