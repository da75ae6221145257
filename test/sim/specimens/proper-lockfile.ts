/**
 * proper-lockfile, unmodified, on the simulated server: through its own `fs` option, with the clock and the timers of its
 * node. Its files are read as they are installed; each process gets a copy of the module of its own.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { FileStatus, Reply } from '../../../src/protocol/operations.js'
import type { ClientOperation } from '../client-cache.js'
import type { Program } from '../process.js'
import type { World } from '../world.js'
import type { Specimen, SpecimenProcess } from './process.js'

type Callback = (error: (Error & { code?: string }) | null, value?: unknown) => void

interface Locker {
  lock(file: string, options: object, done: Callback): void
  unlock(file: string, options: object, done: Callback): void
}

const require = createRequire(import.meta.url)
const FILE = '/d/file'

/** A module's text as a function, as Node does it, with some globals replaced. */
function load(path: string, requireOf: (name: string) => unknown, globals: Record<string, unknown>): unknown {
  const module = { exports: {} }
  const make = new Function('module', 'exports', 'require', ...Object.keys(globals), readFileSync(path, 'utf8'))
  make(module, module.exports, requireOf, ...Object.values(globals))
  return module.exports
}

class NodeLocker {
  readonly fs: Record<string, (...args: never[]) => void>
  readonly locker: Locker
  readonly #world: World
  readonly #process: SpecimenProcess

  constructor(world: World, process: SpecimenProcess) {
    this.#world = world
    this.#process = process
    this.fs = {
      mkdir: (path: string, done: Callback) => this.#perform({ op: 'mkdir', path, mode: 0o755 }, done),
      rmdir: (path: string, done: Callback) => this.#perform({ op: 'rmdir', path }, done),
      stat: (path: string, done: Callback) => this.#perform({ op: 'stat', path }, done),
      utimes: (path: string, _: Date, modified: Date, done: Callback) => {
        const beganMs = world.nowMs
        this.#perform({ op: 'utimes', path, modifiedMs: modified.getTime() }, (error) => {
          if (error === null && process.heldSinceMs !== null) process.heldSinceMs = beganMs
          done(error)
        })
      },
    }
    this.locker = this.#load()
  }

  #perform(operation: ClientOperation, done: Callback): void {
    this.#world.spawn(this.#process, 'call', perform(operation, done))
  }

  #load(): Locker {
    const { node } = this.#process
    class NodeDate extends Date {
      static override now = () => node.wallMs
      constructor(ms?: number) {
        super(ms ?? node.wallMs)
      }
    }
    const globals = {
      Date: NodeDate,
      setTimeout: (run: () => void, ms: number) => {
        const timer = { isOff: false }
        this.#world.spawn(
          this.#process,
          'timer',
          later(ms, () => timer.isOff || run()),
        )
        return timer
      },
      clearTimeout: (timer: { isOff: boolean }) => {
        timer.isOff = true
      },
    }
    const path = require.resolve('proper-lockfile/lib/lockfile.js')
    const precision = load(require.resolve('proper-lockfile/lib/mtime-precision.js'), require, globals)
    const requireOf = (name: string) => {
      if (name === './mtime-precision') return precision
      return name === 'signal-exit' ? () => {} : createRequire(path)(name)
    }
    return load(path, requireOf, globals) as Locker
  }
}

function* perform(operation: ClientOperation, done: Callback): Program {
  const reply = (yield operation) as Reply<FileStatus>
  if (!reply.ok) return done(Object.assign(new Error(reply.code), { code: reply.code }))
  done(null, operation.op === 'stat' ? { mtime: new Date(reply.value.modifiedMs) } : undefined)
}

function* later(ms: number, run: () => void): Program {
  yield { op: 'sleep', ms }
  run()
}

/** Calls it and waits for its callback; `true`: no error. */
function* called(call: (done: Callback) => void): Program<boolean> {
  let outcome: boolean | null = null
  call((error) => {
    outcome = error === null || error === undefined
  })
  while (outcome === null) yield { op: 'sleep', ms: 0.3 }
  return outcome
}

export function properLockfile(world: World): Specimen {
  const lockers = new Map<SpecimenProcess, NodeLocker>()
  const of = (process: SpecimenProcess) => {
    let locker = lockers.get(process)
    if (locker === undefined) {
      locker = new NodeLocker(world, process)
      lockers.set(process, locker)
    }
    return locker
  }
  const options = (process: SpecimenProcess) => ({
    fs: of(process).fs,
    realpath: false,
    stale: process.timeoutMs,
    onCompromised: () => {
      process.heldSinceMs = null
    },
  })
  return {
    name: 'proper-lockfile@4.1.2',
    acquire: (process) => called((done) => of(process).locker.lock(FILE, options(process), done)),
    *refresh() {},
    *release(process) {
      yield* called((done) => of(process).locker.unlock(FILE, options(process), done))
    },
  }
}
