/**
 * Standard output and standard error. The reader of either may go away at any moment (`| head -1`), and the device behind
 * one may be full. Neither ends the program by an exception. What could not be written of standard output is told by the way
 * in which the program ends; of standard error nothing is said, because there is nowhere to say it.
 */

import { fstatSync, writeSync } from 'node:fs'
import { EXIT } from './exit-codes.js'
import { spoken } from './speaker.js'

/** What became of standard output: `gone`: its reader; an errno's name: it cannot be written. */
type Obstacle = 'gone' | (string & {})

let obstacle: Obstacle | null = null
const listeners = new Set<() => void>()
/** To a file Node writes once and passes over what did not fit in; we write all of it, or learn why not. */
let isFile = false

/** Must be called before anything is written. */
export function guardStreams(): void {
  process.stdout.on('error', onFailure)
  process.stderr.on('error', () => {})
  isFile = isFileOrDevice(1) && !process.stdout.isTTY
  process.on('exit', () => {
    if (obstacle !== null && obstacle !== 'gone') process.exitCode = EXIT.notWritten
  })
}

/** Nothing that is written on standard output gets anywhere any more: `gone`, because no program reads it. */
export function outputObstacle(): Obstacle | null {
  return obstacle
}

/** Calls back once when standard output cannot be written any more. */
export function onOutputObstacle(listener: () => void): void {
  if (obstacle === null) listeners.add(listener)
  else listener()
}

export function writeOutput(text: string): void {
  if (obstacle !== null) return
  if (!isFile) return void process.stdout.write(text)
  try {
    writeAll(Buffer.from(text))
  } catch (error) {
    onFailure(error as NodeJS.ErrnoException)
  }
}

export function writeTalk(text: string): void {
  process.stderr.write(text)
}

function writeAll(bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written)
}

/** What readers that end do to a pipe or a socket. */
const GONE = ['EPIPE', 'ECONNRESET']

function onFailure({ code = 'EIO', message }: NodeJS.ErrnoException): void {
  if (obstacle !== null) return
  obstacle = GONE.includes(code) ? 'gone' : code
  if (obstacle !== 'gone') {
    writeTalk(spoken(`error: Standard output cannot be written (${message}): make room there, or write it to another place.\n`))
  }
  for (const listener of listeners) listener()
  listeners.clear()
}

function isFileOrDevice(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor)
    return status.isFile() || status.isCharacterDevice()
  } catch {
    return false
  }
}
