/**
 * The log of the locks: a line for each event, to the log file or the system log. It is for the administrator's eyes, and
 * no lock waits for it: nothing here throws, blocks the event loop or keeps the process alive for long, and a log that
 * cannot be written is complained about once on standard error.
 *
 *     const logger = createLogger({ enableLogging: true, logFile: '/var/log/mountlock.log' })
 *     logger.log({ event: 'acquire', path, lockType: 'linkbased', outcome: 'acquired', token: 7n })
 *     await logger.close()     // or, where the process ends without another turn of the event loop:
 *     logger.flushSync()
 *
 * It does not install an exit hook: the program that releases the locks at exit calls `flushSync()` after that. It does
 * not publish on `node:diagnostics_channel` either, which is wanted without a log too: see `publish`.
 */

import { hostname } from 'node:os'
import type { LockEvent } from './events.js'
import { FileSink } from './file-sink.js'
import { formatLine, formatLoss } from './line.js'
import type { Sink } from './sink.js'
import { SyslogSink } from './syslog-sink.js'

export interface LoggerOptions {
  /** `false`: nothing is written anywhere. */
  enableLogging: boolean
  /** An absolute path; `null` means the system log. */
  logFile: string | null
  /** @default os.hostname() */
  host?: string | undefined
}

export interface Logger {
  log(event: LockEvent): void
  /** Writes what is still here, blocking, unless the log hangs. For process exit: nothing else may be written afterwards. */
  flushSync(): void
  /** Writes what is still here; two seconds at the most. Events that come later are dropped. */
  close(): Promise<void>
}

interface SharedSink {
  sink: Sink
  users: number
}

/**
 * All loggers of a process share one child, or one queue for each file: one complaint, and one thread at most in a hung
 * mount.
 */
const sharedSinks = new Map<string | null, SharedSink>()

export function createLogger({ enableLogging, logFile, host = hostname() }: LoggerOptions): Logger {
  if (!enableLogging) return { log() {}, flushSync() {}, close: async () => {} }
  const shared = share(logFile, host)
  let closing: Promise<void> | null = null
  return {
    log(event) {
      if (closing === null) shared.sink.write(formatLine(event, host))
    },
    flushSync() {
      shared.sink.flushSync()
    },
    close() {
      closing ??= unshare(logFile, shared)
      return closing
    },
  }
}

function share(logFile: string | null, host: string): SharedSink {
  const present = sharedSinks.get(logFile)
  if (present !== undefined) {
    present.users++
    return present
  }
  const describeLoss = (lines: number) => formatLoss(lines, host)
  const sink = logFile === null ? new SyslogSink(describeLoss) : new FileSink(logFile, describeLoss)
  const shared: SharedSink = { sink, users: 1 }
  sharedSinks.set(logFile, shared)
  return shared
}

async function unshare(logFile: string | null, shared: SharedSink): Promise<void> {
  shared.users--
  if (shared.users > 0) return
  sharedSinks.delete(logFile)
  await shared.sink.close()
}
