/**
 * Words of the command that are not UTF-8, such as the name of a file from a time before it. Node reads and writes such a word
 * with other bytes, and the command would be told of another file. So a shell makes them anew from their bytes, and becomes
 * the command.
 */

import { readFileSync } from 'node:fs'
import { UsageError } from '../shared/usage.js'

/** What Node reads in the place of bytes that are not UTF-8. */
const LOST = '\uFFFD'

/** The command that hands on every word as it was given. @throws UsageError where the bytes of one cannot be had */
export function withRawWords(command: readonly string[]): readonly string[] {
  if (!command.some((word) => word.includes(LOST))) return command
  const given = givenWords()
  const words = command.map((word) => `w=$(printf '%b.' '${inOctal(rawWord(word, given))}'); set -- "$@" "\${w%.}"`)
  return ['/bin/sh', '-c', `${words.join('; ')}; unset w; exec "$@"`]
}

/** Our own command line, in bytes; empty where there is no /proc. */
function givenWords(): Buffer[] {
  try {
    const line = readFileSync('/proc/self/cmdline', 'latin1')
    return line.split('\0').map((word) => Buffer.from(word, 'latin1'))
  } catch {
    return []
  }
}

/** @throws UsageError also where two of them look the same */
function rawWord(word: string, given: readonly Buffer[]): Buffer {
  if (!word.includes(LOST)) return Buffer.from(word)
  const [found, ...others] = given.filter((each) => each.toString() === word)
  if (found === undefined || others.some((other) => !other.equals(found))) {
    throw new UsageError(`This word is not UTF-8, and its bytes cannot be told: "${word}". Put the command into a script`)
  }
  return found
}

/** As `printf %b` reads it: no character of it means anything to a shell. The dot behind it keeps line feeds at its end. */
function inOctal(bytes: Buffer): string {
  return [...bytes].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('')
}
