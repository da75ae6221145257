/**
 * Adds one to a number in a file, again and again, under a lock: increment.mjs OPTIONS. Says "ready", starts at a line on its
 * standard input, and reports one line of JSON. `access` is how the file is read and written under the lock.
 */

import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createLocker } from '../../../dist/index.js'

const { lock: path, file, locker: options, count, access, pauseMs = 0 } = JSON.parse(process.argv[2] ?? '{}')

/** All values have the same length: with the size, the one thing that would give a change away is the time stamp. */
const DIGITS = 12
/** @param {number} value */
const text = (value) => String(value).padStart(DIGITS, '0')

/** @type {() => void} */
let dropCache = () => {}
if (access === 'flock') {
  const fsExt = createRequire(import.meta.url)('fs-ext')
  dropCache = () => {
    const fd = openSync(file, 'r+')
    fsExt.flockSync(fd, 'ex')
    closeSync(fd)
  }
}

/** @typedef {import('../../../dist/index.js').Lock} Lock */
/** @typedef {{ read: (lock: Lock) => number | Promise<number>, write: (value: number, lock: Lock) => void | Promise<void> }} Way */

/** @type {Record<string, Way>} */
const WAYS = {
  /** The remedy that the library offers. */
  library: { read: readFresh, write: (value, lock) => lock.replaceFile(file, text(value)) },
  /** Half of it each: what was written in place is read past the cache; what was replaced is read as usual. */
  'lock.readFile': { read: readFresh, write: writePlain },
  'lock.replaceFile': { read: readPlain, write: (value, lock) => lock.replaceFile(file, text(value)) },
  plain: { read: readPlain, write: writePlain },
  flock: {
    read() {
      dropCache()
      return readPlain()
    },
    write: writePlain,
  },
}

/** @param {Lock} lock */
async function readFresh(lock) {
  return Number(String(await lock.readFile(file)))
}

function readPlain() {
  return Number(readFileSync(file, 'utf8'))
}

/** In place: the length is always the same. @param {number} value */
function writePlain(value) {
  const fd = openSync(file, 'r+')
  try {
    writeSync(fd, text(value), 0)
  } finally {
    closeSync(fd)
  }
}

const way = WAYS[access]
if (way === undefined) throw new Error(`Expected one of ${Object.keys(WAYS).join(', ')}, got "${access}"`)
const locker = createLocker(options)
console.log('ready')
await once(process.stdin, 'data')
const startMs = performance.now()
for (let done = 0; done < count; done++) {
  const lock = await locker.acquire(path, { waitMs: 600_000 })
  await way.write((await way.read(lock)) + 1, lock)
  await lock.release()
  // Time for the other node to get it: only a process that reads what *another* node wrote can lose an update.
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
}
const tookMs = Math.round(performance.now() - startMs)
await locker.close()
console.log(JSON.stringify({ done: count, tookMs }))
process.exit()
