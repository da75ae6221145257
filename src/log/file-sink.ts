/**
 * The log file. Each batch of whole lines is one write(2) with O_APPEND, which local file systems keep apart from those of
 * other processes. (NFS does not: between *nodes* lines can get torn. Give each node its own file.)
 *
 * The file is opened for each batch and closed again: a kept descriptor would pin a mount, and would go on writing to the
 * file that logrotate has moved away. It is never reached through a symbolic link in its last component: another user
 * could have planted that link. Nothing here waits for a pipe or a terminal.
 *
 * A new file has mode 0640 (less the umask): its paths tell the names of users and projects. So where processes of several
 * users share a log, the administrator creates it for them, for example with mode 0660 and a common group; the mode of a
 * file that is there is left alone.
 */

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setImmediate } from '../drivers/clock.js'
import { fileSizeMax, mustAskForLimit } from '../drivers/file-size-limit.js'
import { type Batch, LineQueue } from './line-queue.js'
import { Complaint, type Sink, whenStuck, withinCloseTime } from './sink.js'

const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK
const MODE = 0o640
const BATCH_CHARACTERS_MAX = 64 * 1024

/**
 * The flags to try one after the other, each with the error that leads on to the next. First without O_CREAT: with it,
 * fs.protected_regular refuses another user's file in a sticky directory, even one that we may write.
 */
const OPENINGS = [
  { flags: FLAGS, onwards: 'ENOENT' },
  { flags: FLAGS | constants.O_CREAT | constants.O_EXCL, onwards: 'EEXIST' },
  { flags: FLAGS, onwards: null },
]

const REMEDIES: Record<string, string> = {
  EACCES: 'create it, writable for every user that takes locks, or leave log-file empty for the system log',
  EDQUOT: 'raise its quota, or choose another log-file',
  EFBIG: 'rotate it, or raise the limit for the size of files (ulimit -f)',
  EISDIR: 'let log-file name a file',
  ELOOP: 'let log-file name the file itself, no symbolic link',
  ENOENT: 'create its directory, which mountlock never does',
  ENOSPC: 'free some space, or choose another log-file',
  EROFS: 'choose a log-file on a writable file system',
}
const OTHER_REMEDY = 'choose another log-file, or leave it empty for the system log'

interface Append {
  /** `null` once it is written, or flushSync() has taken it over. */
  batch: Batch | null
  opened: boolean
  stuck: boolean
}

export class FileSink implements Sink {
  readonly #path: string
  readonly #queue: LineQueue
  readonly #complaint: Complaint
  #scheduled = false
  #inFlight: Append | null = null
  /** The last write was cut short: the next one has to end its line first. */
  #torn = false
  #whenIdle: (() => void)[] = []

  constructor(path: string, formatLoss: (lines: number) => string) {
    this.#path = path
    this.#queue = new LineQueue(formatLoss)
    this.#complaint = new Complaint(`cannot write the log file ${path}`)
  }

  write(line: string): void {
    this.#queue.push(line)
    this.#schedule()
  }

  /**
   * An append is taken for healthy until there is reason to think otherwise, else a process that exits right after its last
   * release would lose that line: one that is still opening is taken over, one that is writing is finished by libuv's thread.
   */
  flushSync(): void {
    const append = this.#inFlight
    if (append?.stuck) return
    if (append?.opened === false && append.batch !== null) {
      this.#queue.putBack(append.batch)
      append.batch = null
    }
    while (!this.#queue.isEmpty) {
      const batch = this.#queue.take(BATCH_CHARACTERS_MAX)
      if (!this.#appendSync(batch)) return
    }
  }

  close(): Promise<void> {
    return withinCloseTime(
      new Promise((resolve) => {
        this.#whenIdle.push(resolve)
        this.#schedule()
      }),
    )
  }

  /** Not at once: the lines of one turn of the event loop go together, and those of a blocking program wait for flushSync(). */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight !== null) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#queue.isEmpty) {
      for (const resolve of this.#whenIdle.splice(0)) resolve()
      return
    }
    const batch = this.#queue.take(BATCH_CHARACTERS_MAX)
    const append: Append = { batch, opened: false, stuck: false }
    this.#inFlight = append
    const done = whenStuck(() => {
      append.stuck = true
    })
    void this.#append(append)
      .catch((error: unknown) => this.#failed(append, error))
      .then(() => {
        done()
        this.#inFlight = null
        this.#schedule()
      })
  }

  async #append(append: Append): Promise<void> {
    const handle = await openForAppend(this.#path)
    try {
      if (append.batch === null) return
      append.opened = true
      const bytes = this.#bytesOf(append.batch)
      if (mustAskForLimit) checkLimit((await handle.stat()).size + bytes.length)
      const { bytesWritten } = await handle.write(bytes)
      this.#written(bytesWritten, bytes.length)
      append.batch = null
    } finally {
      await handle.close()
    }
  }

  #appendSync(batch: Batch): boolean {
    try {
      const fd = openForAppendSync(this.#path)
      try {
        const bytes = this.#bytesOf(batch)
        if (mustAskForLimit) checkLimit(fstatSync(fd).size + bytes.length)
        this.#written(writeSync(fd, bytes), bytes.length)
      } finally {
        closeSync(fd)
      }
      return true
    } catch (error) {
      this.#queue.lose(batch)
      this.#complain(error)
      return false
    }
  }

  #bytesOf({ text }: Batch): Buffer {
    return Buffer.from(this.#torn ? `\n${text}` : text)
  }

  /** A full disk can take the first half of a batch. The rest is not sent after it: another process may have written since. */
  #written(bytesWritten: number, bytesMeant: number): void {
    this.#torn = bytesWritten < bytesMeant
    if (this.#torn) throw Object.assign(new Error('only a part was written'), { code: 'ENOSPC' })
  }

  #failed(append: Append, error: unknown): void {
    if (append.batch !== null) this.#queue.lose(append.batch)
    this.#complain(error)
  }

  #complain(error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException
    this.#complaint.make(code ?? message, REMEDIES[code ?? ''] ?? OTHER_REMEDY)
  }
}

/** @throws EFBIG, which the kernel would say with a signal that ends the process */
function checkLimit(bytesAfterwards: number): void {
  if (bytesAfterwards > fileSizeMax()) throw Object.assign(new Error('the limit for the size of files'), { code: 'EFBIG' })
}

async function openForAppend(path: string): Promise<FileHandle> {
  for (const { flags, onwards } of OPENINGS) {
    try {
      return await open(path, flags, MODE)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== onwards) throw error
    }
  }
  throw new Error('unreachable: the last opening leads nowhere')
}

function openForAppendSync(path: string): number {
  for (const { flags, onwards } of OPENINGS) {
    try {
      return openSync(path, flags, MODE)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== onwards) throw error
    }
  }
  throw new Error('unreachable: the last opening leads nowhere')
}
