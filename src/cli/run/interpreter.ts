/**
 * Why a command that is there cannot be started: the program is missing that the kernel is to start in its place, the interpreter
 * of a script or the loader of a program. The kernel tells of that as if the command itself were missing.
 */

import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface MissingInterpreter {
  /** The command, where it was found. */
  file: string
  interpreter: string
}

/** An interpreter may be a script itself; the kernel follows no more of them. */
const DEPTH_MAX = 5
/** The kernel reads no more of the first line of a script, and the headers of a program lie within it. */
const BYTES_MAX = 4096
const MAGIC_ELF = '\x7fELF'
const PT_INTERP = 3

/** @returns `null` where the command itself is missing, or nothing is */
export function missingInterpreter(command: string): MissingInterpreter | null {
  const file = whereIs(command)
  let program = file
  for (let depth = 1; program !== null && depth <= DEPTH_MAX; depth++) {
    const interpreter = interpreterOf(program)
    if (file !== null && interpreter !== null && !existsSync(interpreter)) return { file, interpreter }
    program = interpreter
  }
  return null
}

function whereIs(command: string): string | null {
  if (command.includes('/')) return isFile(command) ? command : null
  const places = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory || '.', command))
  return places.find(isFile) ?? null
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function interpreterOf(path: string): string | null {
  const head = headOf(path)
  const text = head.toString('latin1')
  if (text.startsWith('#!')) {
    const [line = ''] = head.toString().slice(2).split('\n')
    return /^[ \t]*([^ \t]+)/.exec(line)?.[1] ?? null
  }
  return text.startsWith(MAGIC_ELF) ? loaderOf(head) : null
}

function headOf(path: string): Buffer {
  try {
    const fd = openSync(path, 'r')
    try {
      const buffer = Buffer.alloc(BYTES_MAX)
      return buffer.subarray(0, readSync(fd, buffer, 0, BYTES_MAX, 0))
    } finally {
      closeSync(fd)
    }
  } catch {
    return Buffer.alloc(0) // it may be executed, and not be read
  }
}

/** Of a little-endian program, by its program headers: elf(5). */
function loaderOf(head: Buffer): string | null {
  try {
    const is64 = head[4] === 2
    const word = (at64: number, at32: number) => (is64 ? Number(head.readBigUInt64LE(at64)) : head.readUInt32LE(at32))
    const [start, size, count] = [word(32, 28), head.readUInt16LE(is64 ? 54 : 42), head.readUInt16LE(is64 ? 56 : 44)]
    for (let at = start; at < start + count * size; at += size) {
      if (head.readUInt32LE(at) !== PT_INTERP) continue
      const [from, length] = [word(at + 8, at + 4), word(at + 32, at + 16)]
      return head.toString('utf8', from, from + length - 1) // a NUL ends it
    }
  } catch {} // it is cut off, or no such program
  return null
}
