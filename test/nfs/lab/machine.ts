/** A machine that runs a guest: starts it, freezes it, kills it, and carries messages to and from the programs in it. */

import type { ChildProcess } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import type { MachineState, NodeName } from './messages.js'
import { messageReader } from './messages.js'
import { killGroup, type ProcessBook } from './processes.js'

/** How a kind of virtual machine is started. */
export interface Hypervisor {
  /** Makes whatever the machines need beside their kernel: disks, a network. */
  prepare(): Promise<void>
  launch(node: NodeName, options: LaunchOptions): Launched
  close(): void
}

export interface HypervisorOptions {
  /** The lab's run directory. */
  run: string
  book: ProcessBook
  /** The server's: how long it keeps the state of a silent client of version 4. */
  leaseS: number
  /** The memory of the server's machine; `null`: as much as a node has. */
  serverMb: number | null
}

export interface LaunchOptions {
  /** The server lets its clients reclaim their locks: it was up before. */
  recover: boolean
}

export interface Launched {
  process: ChildProcess
  /** The command channel. */
  input: Writable
  output: Readable
}

export interface MachineEvents {
  onMessage(message: GuestMessage): void
  /** Whatever ran in it is gone. `why`: it was killed, or ended by itself. */
  onEnd(why: string): void
}

export type GuestMessage = { hello: string } | ({ id: number } & Record<string, unknown>)

/** Far more than a boot takes; after that it hangs. */
const BOOT_MS_MAX = 120_000
/** Of a guest that did not boot, or is gone: what went wrong is at the end. */
const CONSOLE_LINES = 20

export class Machine {
  readonly node: NodeName
  readonly #hypervisor: Hypervisor
  readonly #console: string
  readonly #events: MachineEvents
  #launched: Launched | null = null
  #ended: Promise<void> = Promise.resolve()
  #isKilled = false
  /** Why it is down, in words; empty before its first boot. */
  whyDown = ''
  state: MachineState = 'down'
  bootMs: number | null = null

  constructor(node: NodeName, hypervisor: Hypervisor, console: string, events: MachineEvents) {
    this.node = node
    this.#hypervisor = hypervisor
    this.#console = console
    this.#events = events
  }

  get pid(): number | null {
    return this.#launched?.process.pid ?? null
  }

  /** Resolves when the guest takes commands. */
  async start(options: LaunchOptions): Promise<number | null> {
    if (this.state !== 'down') throw new Error(`Node ${this.node} is ${this.state} already`)
    await this.#ended // its disk must be closed first
    const startedMs = performance.now()
    this.state = 'booting'
    this.#isKilled = false
    const launched = this.#hypervisor.launch(this.node, options)
    this.#launched = launched
    const hello = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#bootError('it did not answer in time')), BOOT_MS_MAX)
      launched.process.once('error', (error) => reject(this.#bootError(error.message)))
      launched.process.once('close', (code, signal) => reject(this.#bootError(`it ended (${code ?? signal})`)))
      const read = messageReader((message) => {
        const fromGuest = message as GuestMessage
        if (!('hello' in fromGuest)) return this.#events.onMessage(fromGuest)
        clearTimeout(timer)
        resolve()
      })
      launched.output.on('data', read)
    })
    this.#ended = this.#follow(launched)
    await hello
    this.state = 'up'
    this.bootMs = Math.round(performance.now() - startedMs)
    return this.pid
  }

  #bootError(why: string): Error {
    return new Error(`Node ${this.node} did not boot: ${why}. The end of its console:\n${this.#consoleEnd()}`)
  }

  /** The file itself goes when the lab does not come up. */
  #consoleEnd(): string {
    const text = existsSync(this.#console) ? readFileSync(this.#console, 'utf8') : ''
    return text.trim().split('\n').slice(-CONSOLE_LINES).join('\n')
  }

  #follow({ process, input, output }: Launched): Promise<void> {
    // A guest that has just been killed takes no more commands: its end is reported by its process.
    input.on('error', () => {})
    output.on('error', () => {})
    for (const stream of [process.stdout, process.stderr]) stream?.on('data', (data) => appendFileSync(this.#console, data))
    return new Promise<string>((resolve) => {
      process.once('close', (code, signal) => resolve(String(code ?? signal)))
    }).then((how) => {
      this.#launched = null
      this.state = 'down'
      this.whyDown = this.#isKilled ? 'it was killed' : `it ended by itself (${how}), its console with\n${this.#consoleEnd()}`
      this.#events.onEnd(this.whyDown)
    })
  }

  send(message: object): void {
    this.#launched?.input.write(`${JSON.stringify(message)}\n`)
  }

  /** As if its power had failed. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#isKilled = true
    if (this.pid !== null) killGroup(this.pid, 'SIGKILL')
    await this.#ended
  }

  /** Only the main process: the others, which run the guest's programs, are its tracees. */
  pause(): void {
    if (this.state !== 'up' || this.pid === null) throw new Error(`Node ${this.node} is ${this.state}`)
    process.kill(this.pid, 'SIGSTOP')
    this.state = 'paused'
  }

  resume(): void {
    if (this.state !== 'paused' || this.pid === null) throw new Error(`Node ${this.node} is ${this.state}`)
    process.kill(this.pid, 'SIGCONT')
    this.state = 'up'
  }
}
