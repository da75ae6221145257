/**
 * The system log. Node has no datagram sockets, so one `logger` child takes the lines on its standard input for as long as
 * the process lives. It begins with the first line; it never keeps the process alive; being in a session of its own, it
 * survives a Ctrl+C meant for us and so gets the lines about the releases that follow; and it ends with its input.
 *
 * `--socket-errors=on`: else it drops everything in silence, and successfully, when no daemon listens.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Stream } from 'node:stream'
import { monotonicMs } from '../drivers/clock.js'
import { type Batch, LineQueue } from './line-queue.js'
import { Complaint, type Sink, whenStuck, withinCloseTime } from './sink.js'

const PROGRAM = 'logger'

/** Its own limit for a message is 1 KiB, and it would begin a new one in the middle of a path: a forged line. */
const ARGUMENTS = ['--socket-errors=on', '--size', '8192', '-t', 'mountlock']

const RESTART_AFTER_MS = 60_000

const FLUSH_MS_MAX = 1000
const REMEDY = 'start a syslog daemon (and install util-linux, if there is no logger program), or set log-file'

interface Pending {
  batch: Batch
  stuck: boolean
  done: () => void
}

export class SyslogSink implements Sink {
  readonly #queue: LineQueue
  readonly #complaint = new Complaint('cannot write the system log')
  #child: ChildProcess | null = null
  #startedMs = Number.NEGATIVE_INFINITY
  /** The child is so young that, if it cannot work, we may not have heard of it. */
  #unproven = false
  /** What the pipe has not swallowed whole yet. Only ever one line, so that at exit little is in doubt. */
  #pending: Pending | null = null

  constructor(formatLoss: (lines: number) => string) {
    this.#queue = new LineQueue(formatLoss)
  }

  write(line: string): void {
    this.#queue.push(line)
    this.#pump()
  }

  /**
   * What the pipe had no room for goes through a second child, which can be waited for, in no certain order and once too
   * often rather than never. A pipe that has long been full has a daemon behind it that hangs: then nothing is tried.
   */
  flushSync(): void {
    if (this.#pending?.stuck) return
    this.#reclaimPending()
    // The failure of a child that was only just started could not be heard any more: ask another one that can be waited for.
    const unheard = this.#child !== null && this.#unproven && !this.#complaint.made
    if (unheard || !this.#queue.isEmpty) this.#runSync(this.#takeAll())
  }

  async close(): Promise<void> {
    const child = this.#child
    if (child !== null) {
      const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
      child.stdin?.end(this.#takeAll())
      await withinCloseTime(closed)
      child.stdin?.destroy()
    }
    if (!this.#queue.isEmpty) this.#runSync(this.#takeAll())
  }

  #takeAll(): string {
    return this.#queue.isEmpty ? '' : this.#queue.take(Number.POSITIVE_INFINITY).text
  }

  /** Hands lines over as long as the pipe swallows them whole, which needs no turn of the event loop. */
  #pump(): void {
    const child = this.#runningChild()
    // A pipe that leads to no process swallows as well.
    const input = child?.pid === undefined ? null : child.stdin
    while (input?.writable && this.#pending === null && !this.#queue.isEmpty) {
      const batch = this.#queue.take(1)
      input.write(batch.text, () => this.#taken(batch))
      if (input.writableLength > 0) this.#waitFor(batch)
    }
  }

  #waitFor(batch: Batch): void {
    const pending: Pending = { batch, stuck: false, done: whenStuck(() => (pending.stuck = true)) }
    this.#pending = pending
  }

  #taken(batch: Batch): void {
    if (this.#pending?.batch !== batch) return
    this.#pending.done()
    this.#pending = null
    this.#pump()
  }

  #reclaimPending(): void {
    if (this.#pending === null) return
    this.#pending.done()
    this.#queue.putBack(this.#pending.batch)
    this.#pending = null
  }

  #runningChild(): ChildProcess | null {
    if (this.#child !== null || monotonicMs() - this.#startedMs < RESTART_AFTER_MS) return this.#child
    this.#startedMs = monotonicMs()
    this.#unproven = true
    whenStuck(() => {
      this.#unproven = false
    })
    try {
      this.#child = this.#start()
    } catch (error) {
      this.#complain(error as Error)
    }
    return this.#child
  }

  #start(): ChildProcess {
    // In the root directory, lest it pin a mount.
    const child = spawn(PROGRAM, ARGUMENTS, { cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'pipe'] })
    for (const handle of [child, child.stdin, child.stderr]) unref(handle)
    let heard = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      heard = (heard + text).slice(0, 1000)
      if (heard.includes('\n')) this.#complaint.make(firstLine(heard), REMEDY)
    })
    // Its end says all there is to say; but an 'error' without a listener would be thrown.
    child.stdin?.on('error', () => {})
    child.stderr?.on('error', () => {})
    child.on('error', (error) => {
      this.#complain(error)
      this.#ended(child)
    })
    child.on('close', (status, signal) => {
      if (status !== 0) this.#complaint.make(firstLine(heard) || `logger ended with ${signal ?? `status ${status}`}`, REMEDY)
      this.#ended(child)
    })
    return child
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = null
    this.#reclaimPending()
  }

  #runSync(input: string): void {
    const { error, status, stderr } = spawnSync(PROGRAM, ARGUMENTS, {
      input,
      cwd: '/',
      encoding: 'utf8',
      timeout: FLUSH_MS_MAX,
      killSignal: 'SIGKILL',
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    // Its own words first: the error may be no more than the EPIPE that its end has caused.
    if (stderr) this.#complaint.make(firstLine(stderr), REMEDY)
    else if (error !== undefined) this.#complain(error)
    else if (status !== 0) this.#complaint.make(`logger ended with status ${status}`, REMEDY)
  }

  #complain(error: Error): void {
    const { code } = error as NodeJS.ErrnoException
    this.#complaint.make(code === 'ENOENT' ? 'no logger program' : (code ?? error.message), REMEDY)
  }
}

/** The types do not say that the pipes of a child are sockets, which have an unref() too. */
function unref(handle: ChildProcess | Stream | null): void {
  ;(handle as Socket | null)?.unref()
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
