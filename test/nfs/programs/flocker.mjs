/**
 * A program that locks one file by flock without mountlock, as flock(1) does: flocker.mjs FILE. Each command, a line on its standard
 * input, is answered by one line: "ok", or the code of the error.
 */

import { closeSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const { flockSync, constants } = createRequire(import.meta.url)('fs-ext')
const [path = ''] = process.argv.slice(2)
let fd = -1

/** @type {Record<string, () => void>} */
const commands = {
  open: () => {
    fd = openSync(path, 'r+')
  },
  lock: () => flockSync(fd, constants.LOCK_EX | constants.LOCK_NB),
  close: () => closeSync(fd),
}

/** @param {string} name */
function answer(name) {
  try {
    commands[name]?.()
    return 'ok'
  } catch (error) {
    return String(/** @type {NodeJS.ErrnoException} */ (error).code)
  }
}

for await (const name of createInterface({ input: process.stdin })) console.log(answer(name))
