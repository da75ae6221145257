/** Starts the processes in which the candidates live, and talks to them. */

import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Candidate } from './candidate.js'
import { markPath, type Requests } from './requests.js'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

type Child = ChildProcessByStdio<Writable, Readable, Readable>
const running = new Set<Child>()

/** When the harness is interrupted nothing must go on. */
export function endAllAgents(): void {
  for (const child of running) child.kill('SIGKILL')
}

export interface StartOptions {
  /** A command in front: `strace …`. */
  under?: readonly string[]
  nodeFlags?: readonly string[]
  /** Made by {@link compileFloor}. */
  floorProgram?: string | null
}

export class Agent {
  readonly #child: Child
  readonly #waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = []
  #stderr = ''

  private constructor(child: Child) {
    this.#child = child
    running.add(child)
    child.stdin.on('error', () => {}) // it ended: told below
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2000)
    })
    createInterface({ input: child.stdout }).on('line', (line) => this.#receive(line))
    child.once('error', (error) => this.#fail(error.message))
    child.once('close', (code, signal) => {
      running.delete(child)
      this.#fail(`the process ended (${signal ?? code}): ${this.#stderr.trim().split('\n').at(-1) ?? ''}`)
    })
  }

  /** A process for a candidate, with the candidate opened in a directory. @throws with the reason where that is not possible */
  static async open(
    candidate: Candidate,
    directory: string,
    options: StartOptions & { refreshMs?: number } = {},
  ): Promise<Agent> {
    const agent = Agent.#start(commandFor(candidate, directory, options), options)
    try {
      if (candidate.program !== 'c') await agent.openAlso(candidate, directory, options.refreshMs)
      return agent
    } catch (error) {
      await agent.end()
      throw error
    }
  }

  static #start(command: readonly string[], { under = [] }: StartOptions): Agent {
    const [program = '', ...args] = [...under, ...command]
    return new Agent(spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] }))
  }

  async openAlso({ id }: Candidate, directory: string, refreshMs?: number): Promise<void> {
    await this.ask('open', { candidate: id, directory, refreshMs })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  ask<Ask extends keyof Requests>(ask: Ask, request: Requests[Ask]['ask']): Promise<Requests[Ask]['value']> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#hasEnded) return reject(new Error('the process has ended'))
      this.#waiting.push({ resolve, reject })
      this.#child.stdin.write(`${JSON.stringify({ ask, ...request })}\n`)
    }) as Promise<Requests[Ask]['value']>
  }

  /** Leaves a mark in the trace of its system calls. */
  async mark(name: 'begin' | 'end'): Promise<void> {
    await this.ask('mark', { path: markPath(name) })
  }

  /** It ends by itself, with all that it holds. How long that took, in milliseconds. */
  async exit(): Promise<number> {
    const before = performance.now()
    const ended = once(this.#child, 'exit')
    this.ask('exit', {}).catch(() => {}) // there is no answer
    await ended
    return performance.now() - before
  }

  async end(): Promise<void> {
    if (this.#hasEnded) return
    const ended = once(this.#child, 'close')
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_MS_MAX)
    await ended
    clearTimeout(timer)
  }

  get #hasEnded(): boolean {
    return !running.has(this.#child)
  }

  #receive(line: string): void {
    const reply = JSON.parse(line) as { value?: unknown; error?: string }
    const { resolve, reject } = this.#waiting.shift() ?? {}
    if (reply.error === undefined) resolve?.(reply.value)
    else reject?.(new Error(reply.error))
  }

  #fail(why: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(why))
  }
}

const END_MS_MAX = 10_000

function commandFor(
  { id, program, label }: Candidate,
  directory: string,
  { nodeFlags = [], floorProgram }: StartOptions,
): string[] {
  switch (program) {
    case 'node':
      return [process.execPath, ...nodeFlags, here('agent.mjs')]
    case 'python':
      return [pythonWith(id.split('.')[0] as string), here('peers.py')]
    case 'c':
      if (floorProgram == null) throw new Error(`${label}: there is no C compiler`)
      return [floorProgram, id, directory]
  }
}

/** Distributions install their packages for the system's own Python, which need not be the first one on the path. */
function pythonWith(module: string): string {
  const found = ['/usr/bin/python3', 'python3'].find((python) => spawnSync(python, ['-c', `import ${module}`]).status === 0)
  if (found === undefined) throw new Error('the Python package is not installed')
  return found
}

/** The floor in C, or `null` where there is no compiler. */
export function compileFloor(directory: string): string | null {
  const program = `${directory}/floor`
  return spawnSync('cc', ['-O2', '-o', program, here('floor.c')]).status === 0 ? program : null
}
