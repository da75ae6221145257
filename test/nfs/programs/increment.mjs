/**
 * Adds one to a number in a file, again and again, under a lock: increment.mjs OPTIONS. Says "ready", starts at a line on its
 * standard input, and reports one line of JSON. `access` is how the file is read and written under the lock.
 */

import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, readSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createLocker } from '../../../dist/index.js'

const { lock: path, file, locker: options, count, access, pauseMs = 0 } = JSON.parse(process.argv[2] ?? '{}')

/** All values have the same length: with the size, the one thing that would give a change away is the time stamp. */
const DIGITS = 12
/** @param {number} value */
const text = (value) => String(value).padStart(DIGITS, '0')

/** @type {() => void} */
let dropCache = () => {}
if (access === 'fcntl' || access === 'flock') {
  const fsExt = createRequire(import.meta.url)('fs-ext')
  dropCache = () => {
    const fd = openSync(file, 'r+')
    fsExt.flockSync(fd, 'ex')
    closeSync(fd)
  }
}

/** @type {Record<string, { read: () => number, write: (value: number) => void }>} */
const WAYS = {
  plain: { read: readPlain, write: writePlain },
  flock: {
    read() {
      dropCache()
      return readPlain()
    },
    write: writePlain,
  },
  direct: { read: readDirect, write: writePlain },
  rename: {
    read: readPlain,
    write(value) {
      writeFileSync(`${file}.${process.pid}.new`, text(value), { flush: true })
      renameSync(`${file}.${process.pid}.new`, file)
    },
  },
}

function readPlain() {
  return Number(readFileSync(file, 'utf8'))
}

/** Past the page cache, to the server. */
function readDirect() {
  const fd = openSync(file, constants.O_RDONLY | constants.O_DIRECT)
  try {
    const buffer = Buffer.alloc(4096)
    return Number(buffer.toString('utf8', 0, readSync(fd, buffer)))
  } finally {
    closeSync(fd)
  }
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
  way.write(way.read() + 1)
  await lock.release()
  // Time for the other node to get it: only who reads what *another* node wrote can lose an update.
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
}
const tookMs = Math.round(performance.now() - startMs)
await locker.close()
console.log(JSON.stringify({ done: count, tookMs }))
process.exit()
