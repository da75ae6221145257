/**
 * The candidates: our lock types, the peers, real and unmodified, and the floor, which is the bare system calls without
 * any lock around them. Each is used as its documentation says, with its defaults, except where a question needs a
 * setting that all of them share. To add one of our lock types, add a line to {@link CANDIDATES}.
 *
 * JavaScript, because it runs in the processes that are measured: those are to be Node as it is, without a compiler in it.
 */

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'

/** @import { Ability, Candidate, Contender, Family, FsExt, Lockfile, OpenOptions } from './candidate.js' */

/** @type {readonly Ability[]} */
const ALL = ['blocking', 'asynchronous', 'waits', 'holds']
const require = createRequire(import.meta.url)

/** @type {readonly Candidate[]} */
export const CANDIDATES = [
  ours('linkbased', 'names', ALL, { lockType: 'linkbased' }),
  // It waits, beats and holds as with hard links.
  ours('symlinks', 'names', ['blocking', 'asynchronous'], { lockType: 'linkbased', useSymlinks: true }),
  ours('renamebased', 'names', ALL, { lockType: 'renamebased' }),
  // Its heartbeat is the kernel's.
  ours('advisory', 'advisory', ['blocking', 'asynchronous', 'waits'], { lockType: 'advisory', advisoryKind: 'flock' }),
  { ...peer('proper-lockfile', 'names', ALL), open: openProperLockfile },
  { ...peer('lockfile', 'names', ALL), open: openLockfile },
  { ...peer('flufl.lock', 'names', ['blocking']), label: 'flufl.lock (Python)', program: 'python' },
  { ...peer('dotlockfile', 'names', ['blocking']), label: 'dotlockfile(1)', open: openDotlockfile },
  { ...peer('filelock', 'advisory', ['blocking', 'waits']), label: 'filelock (Python)', program: 'python' },
  { ...peer('flock', 'advisory', ['blocking']), label: 'flock(1)', open: openFlockCommand },
  {
    ...peer('fs-ext', 'advisory', ['blocking', 'asynchronous', 'waits']),
    label: 'fs-ext flock, bare',
    role: 'floor',
    open: openFlock,
  },
  { ...floor('node-four-calls', 'create + link + 2 unlinks, Node'), can: ['blocking', 'asynchronous'], open: openFourCalls },
  {
    ...floor('node-generations', 'link + list + rename + unlink, Node'),
    can: ['blocking', 'asynchronous'],
    open: openGenerations,
  },
  { ...floor('c-four-calls', 'create + link + 2 unlinks, C'), program: 'c' },
  { ...floor('c-flock', 'open + flock + unlock + close, C'), family: 'advisory', program: 'c' },
]

/**
 * @param {string} id
 * @returns {Candidate}
 */
export function candidate(id) {
  const found = CANDIDATES.find((one) => one.id === id)
  if (found === undefined) throw new TypeError(`Expected the id of a candidate, got ${id}`)
  return found
}

/**
 * @param {string} id
 * @param {Family} family
 * @param {readonly Ability[]} can
 * @param {import('mountlock').LockerOptions} settings
 * @returns {Candidate}
 */
function ours(id, family, can, settings) {
  return {
    id,
    label: `mountlock ${id}`,
    role: 'ours',
    family,
    program: 'node',
    can,
    open: (options) => openOurs(settings, options),
  }
}

/**
 * @param {string} id
 * @param {Family} family
 * @param {readonly Ability[]} can
 * @returns {Candidate}
 */
function peer(id, family, can) {
  return { id, label: id, role: 'peer', family, program: 'node', can }
}

/**
 * @param {string} id
 * @param {string} label
 * @returns {Candidate}
 */
function floor(id, label) {
  return { id, label, role: 'floor', family: 'names', program: 'node', can: ['blocking'] }
}

/**
 * @param {import('mountlock').LockerOptions} settings
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openOurs(settings, { directory, refreshMs }) {
  const { createLocker } = await import('mountlock')
  const refresh = refreshMs === undefined ? {} : { refreshRateMs: refreshMs, timeoutIntervalMs: refreshMs * 3 }
  const locker = createLocker({ ...settings, ...refresh })
  const path = `${directory}/lock`
  return {
    cycleBlocking: () => void locker.acquireSync(path).releaseSync(),
    cycle: async () => void (await (await locker.acquire(path)).release()),
    acquire: async () => {
      const lock = await locker.acquire(path)
      return () => lock.release()
    },
    hold: (name) => {
      const lock = locker.acquireSync(`${directory}/${name}`)
      return () => {
        if (lock.releaseSync().lost) throw new Error('the lock was lost meanwhile')
      }
    },
    close: () => locker.close(),
  }
}

/**
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openProperLockfile({ directory, refreshMs }) {
  /** @type {typeof import('proper-lockfile')} */
  const { lock, lockSync } = require('proper-lockfile')
  // Without `realpath` the file itself need not be there, and a round trip is saved.
  const options = { realpath: false, ...(refreshMs !== undefined && { update: refreshMs, stale: refreshMs * 2 }) }
  // It does not wait unless it is told to; then it asks every second, which is its default, and never gives up.
  const retries = { forever: true, factor: 1 }
  const path = `${directory}/lock`
  return {
    cycleBlocking: () => lockSync(path, options)(),
    cycle: async () => (await lock(path, options))(),
    acquire: () => lock(path, { ...options, retries }),
    hold: (name) => lockSync(`${directory}/${name}`, options),
  }
}

/**
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openLockfile({ directory }) {
  /** @type {Lockfile} */
  const lockfile = require('lockfile')
  const lock = promisify(lockfile.lock)
  const unlock = promisify(lockfile.unlock)
  const path = `${directory}/lock`
  return {
    cycleBlocking: () => {
      lockfile.lockSync(path)
      lockfile.unlockSync(path)
    },
    cycle: async () => {
      await lock(path, {})
      await unlock(path)
    },
    acquire: async () => {
      await lock(path, { wait: 2 ** 31 - 1 })
      return () => unlock(path)
    },
    hold: (name) => {
      lockfile.lockSync(`${directory}/${name}`)
      return () => lockfile.unlockSync(`${directory}/${name}`)
    },
  }
}

/**
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openDotlockfile({ directory }) {
  const path = `${directory}/lock`
  const run = commands('dotlockfile')
  return {
    cycleBlocking: () => {
      run(['-l', '-r', '0', path])
      run(['-u', path])
    },
  }
}

/**
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openFlockCommand({ directory }) {
  const run = commands('flock')
  return { cycleBlocking: () => run(['-n', `${directory}/lock`, 'true']) }
}

/**
 * A program that is started for each lock: what a shell script pays.
 * @param {string} name
 * @returns {(args: string[]) => void}
 */
function commands(name) {
  if (spawnSync(name, ['--help']).error !== undefined) throw new Error('the program is not installed')
  return (args) => {
    const { status, stderr } = spawnSync(name, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${name} ended with status ${status}: ${stderr}`)
  }
}

/**
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openFlock({ directory }) {
  /** @type {FsExt} */
  const fsExt = require('fs-ext')
  const flock = promisify(fsExt.flock)
  const open = promisify(fs.open)
  const close = promisify(fs.close)
  const path = `${directory}/lock`
  fs.closeSync(fs.openSync(path, 'a'))
  /** @param {'ex' | 'exnb'} flags whether it waits, in a thread of the pool, or not */
  const take = async (flags) => {
    const fd = await open(path, 'r+')
    await flock(fd, flags)
    return async () => {
      await flock(fd, 'un')
      await close(fd)
    }
  }
  return {
    cycleBlocking: () => {
      const fd = fs.openSync(path, 'r+')
      fsExt.flockSync(fd, 'exnb')
      fsExt.flockSync(fd, 'un')
      fs.closeSync(fd)
    },
    cycle: async () => (await take('exnb'))(),
    acquire: () => take('ex'),
  }
}

/**
 * The classic lock: create a file of one's own, link it to the name, remove both.
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openFourCalls({ directory }) {
  const own = `${directory}/own`
  const path = `${directory}/lock`
  const open = promisify(fs.open)
  const close = promisify(fs.close)
  const link = promisify(fs.link)
  const unlink = promisify(fs.unlink)
  return {
    cycleBlocking: () => {
      fs.closeSync(fs.openSync(own, 'wx'))
      fs.linkSync(own, path)
      fs.unlinkSync(path)
      fs.unlinkSync(own)
    },
    cycle: async () => {
      await close(await open(own, 'wx'))
      await link(own, path)
      await unlink(path)
      await unlink(own)
    },
  }
}

/**
 * The calls of our own link-based cycle with nothing around them: what is above this is ours to answer for.
 * @param {OpenOptions} options
 * @returns {Promise<Contender>}
 */
async function openGenerations({ directory }) {
  const own = `${directory}/own`
  const path = `${directory}/lock`
  fs.mkdirSync(path)
  fs.closeSync(fs.openSync(own, 'wx'))
  fs.closeSync(fs.openSync(`${path}/0.free`, 'wx'))
  const [link, readdir, rename, unlink] = [promisify(fs.link), promisify(fs.readdir), promisify(fs.rename), promisify(fs.unlink)]
  let generation = 0
  return {
    cycleBlocking: () => {
      const mine = `${path}/${++generation}`
      fs.linkSync(own, mine)
      fs.readdirSync(path)
      fs.unlinkSync(`${path}/${generation - 1}.free`)
      fs.renameSync(mine, `${mine}.free`)
    },
    cycle: async () => {
      const mine = `${path}/${++generation}`
      await link(own, mine)
      await readdir(path)
      await unlink(`${path}/${generation - 1}.free`)
      await rename(mine, `${mine}.free`)
    },
  }
}
