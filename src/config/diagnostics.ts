/** What is wrong with a `file-locks` file, as data. Programs decide by `code`; the wording of `message` may change. */

import { printable } from '../log/printable.js'

/**
 * What is wrong in a `file-locks` file. `UNREADABLE`, `NOT_A_FILE` and `TOO_LARGE` are about the file as a whole;
 * `REFRESH_NOT_BELOW_TIMEOUT` and `TIMEOUT_TIGHT` about two intervals that do not go together (with the second, a single late
 * heartbeat may cost the lock); `TOO_MANY`: there are more faults than are listed; the others are about one line.
 */
export type DiagnosticCode =
  | 'UNREADABLE' // the file is there, but cannot be read
  | 'NOT_A_FILE' // a directory, a pipe, a device
  | 'TOO_LARGE'
  | 'NO_EQUALS_SIGN' // neither blank, nor a comment, nor key=value
  | 'UNKNOWN_KEY'
  | 'DUPLICATE_KEY'
  | 'EMPTY_VALUE'
  | 'BAD_VALUE'
  | 'BAD_CHARACTER' // NUL, other control characters, bytes that are not UTF-8
  | 'OUT_OF_RANGE'
  | 'RELATIVE_PATH'
  | 'REFRESH_NOT_BELOW_TIMEOUT'
  | 'TIMEOUT_TIGHT' // a single late heartbeat may cost the lock
  | 'TOO_MANY' // the file has more faults than are listed

/** One fault of a `file-locks` file, and its place. */
export interface Diagnostic {
  /** After an error the default is used; after a warning what the file says. */
  severity: 'error' | 'warning'
  /** What is wrong: programs decide by it. */
  code: DiagnosticCode
  /** What is wrong, for people. */
  message: string
  /** The path of the file. */
  file: string
  /** Counted from 1; 0 when the diagnostic is about the file as a whole. */
  line: number
  /** Counted from 1, in UTF-16 units as editors do; 0 when the diagnostic is about the file as a whole. */
  column: number
}

/** As compilers write it, so that editors can jump there: `file:line:column: error: message`. Always a single line. */
export function formatDiagnostic({ severity, message, file, line, column }: Diagnostic): string {
  const where = line === 0 ? '' : `:${line}:${column}`
  return `${printable(file)}${where}: ${severity}: ${message}`
}
