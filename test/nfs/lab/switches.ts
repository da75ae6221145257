/** Network switches on a unix socket, which User-mode Linux plugs its cards into. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { cachedTree } from './cached-tree.js'
import { withDependencies } from './packages.js'
import { runFiles } from './paths.js'
import { killGroup, type ProcessBook } from './processes.js'
import { until } from './until.js'

const START_MS_MAX = 10_000

export class Switch {
  /** Where User-mode Linux finds it. */
  readonly socket: string
  readonly #argv: readonly [string, ...string[]]
  #process: ChildProcess | null = null

  /** That of User-mode Linux, from its root file system. */
  static plain(root: string, run: string): Switch {
    const { switch: socket } = runFiles(run)
    return new Switch(socket, [join(root, 'usr/bin/uml_switch'), '-unix', socket])
  }

  /** That of VDE, which QEMU knows as well: by the directory of its sockets, {@link vdeDirectory}. @throws LabError */
  static vde(run: string): Switch {
    const tree = cachedTree({ kind: 'vde', packages: withDependencies('vde-switch'), recipe: [], finish: () => {} })
    const loader = [
      join(tree, 'usr/lib64/ld-linux-x86-64.so.2'),
      '--library-path',
      join(tree, 'usr/lib/x86_64-linux-gnu'),
    ] as const
    const directory = vdeDirectory(run)
    return new Switch(join(directory, 'ctl'), [...loader, join(tree, 'usr/bin/vde_switch'), '-s', directory])
  }

  private constructor(socket: string, argv: readonly [string, ...string[]]) {
    this.socket = socket
    this.#argv = argv
  }

  /** @throws LabError */
  async start(run: string, book: ProcessBook): Promise<void> {
    const [file, ...args] = this.#argv
    const log = openSync(join(run, 'switch.log'), 'w')
    // It ends with its standard input.
    this.#process = spawn(file, args, { stdio: ['pipe', log, log], detached: true })
    closeSync(log)
    await once(this.#process, 'spawn')
    book.add('switch', this.#process.pid)
    await until(() => existsSync(this.socket), START_MS_MAX, `The network switch did not start: see ${run}/switch.log`)
  }

  close(): void {
    if (this.#process?.pid !== undefined) killGroup(this.#process.pid, 'SIGTERM')
  }
}

export const vdeDirectory = (run: string): string => join(run, 'vde')
