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

export type Callback = (error: (Error & { code?: string }) | null, value?: unknown) => void

export interface Locker {
  lock(file: string, options: object, done: Callback): void
  unlock(file: string, options: object, done: Callback): void
}

const require = createRequire(import.meta.url)
export const FILE = '/d/file'

const compiled = new Map<string, Function>()

/** A module's text as a function, as Node does it, with some globals replaced. */
function load(path: string, requireOf: (name: string) => unknown, globals: Record<string, unknown>): unknown {
  const module = { exports: {} }
  let make = compiled.get(path)
  if (make === undefined) {
    make = new Function('module', 'exports', 'require', ...Object.keys(globals), readFileSync(path, 'utf8'))
    compiled.set(path, make)
  }
  make(module, module.exports, requireOf, ...Object.values(globals))
  return module.exports
}

/** What the module finds around it. */
export interface LockerHost {
  nowMs(): number
  perform(operation: ClientOperation, done: Callback): void
  after(ms: number, run: () => void): void
}

/** The interface that its `fs` option asks for. */
export function fsOf({ perform }: LockerHost, onRefresh: (done: Callback) => Callback = (done) => done) {
  return {
    mkdir: (path: string, done: Callback) => perform({ op: 'mkdir', path, mode: 0o755 }, done),
    rmdir: (path: string, done: Callback) => perform({ op: 'rmdir', path }, done),
    stat: (path: string, done: Callback) => perform({ op: 'stat', path }, done),
    utimes: (path: string, _: Date, modified: Date, done: Callback) =>
      perform({ op: 'utimes', path, modifiedMs: modified.getTime() }, onRefresh(done)),
  }
}

/** The module as it is installed, with the clock and the timers of its host. */
export function loadLocker(host: LockerHost): Locker {
  class HostDate extends Date {
    static override now = () => host.nowMs()
    constructor(ms?: number) {
      super(ms ?? host.nowMs())
    }
  }
  const globals = {
    Date: HostDate,
    setTimeout: (run: () => void, ms: number) => {
      const timer = { isOff: false }
      host.after(ms, () => timer.isOff || run())
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

class NodeLocker {
  readonly fs: ReturnType<typeof fsOf>
  readonly locker: Locker

  constructor(world: World, process: SpecimenProcess) {
    const host: LockerHost = {
      nowMs: () => process.node.wallMs,
      perform: (operation, done) => void world.spawn(process, 'call', perform(operation, done)),
      after: (ms, run) => void world.spawn(process, 'timer', later(ms, run)),
    }
    this.fs = fsOf(host, (done) => {
      const beganMs = world.nowMs
      return (error) => {
        if (error === null && process.heldSinceMs !== null) process.heldSinceMs = beganMs
        done(error)
      }
    })
    this.locker = loadLocker(host)
  }
}

function* perform(operation: ClientOperation, done: Callback): Program {
  answer(operation, (yield operation) as Reply<unknown>, done)
}

/** Tells the module what came of its operation. */
export function answer(operation: ClientOperation, reply: Reply<unknown>, done: Callback): void {
  if (!reply.ok) return done(Object.assign(new Error(reply.code), { code: reply.code }))
  done(null, operation.op === 'stat' ? { mtime: new Date((reply.value as FileStatus).modifiedMs) } : undefined)
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
