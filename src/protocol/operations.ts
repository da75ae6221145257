/**
 * The protocol of link-based locks: what this room promises, and in which order its pieces are called.
 *
 * It does no I/O. It is a set of generators that yield operations and are resumed with replies; a driver performs them: with
 * blocking calls, with asynchronous ones, in the heartbeat thread, or on the simulated file server of the tests. Time, names and
 * the state of processes come in as replies too, so a run is a function of its replies and can be replayed.
 *
 * A process that locks calls, in this order:
 *
 *   createSession              session.ts   once for each directory: the file of which every lock held there is a name
 *   attempt                    acquire.ts   as often as it takes. It looks (create-lock.ts where there is nothing to look at),
 *                                           judges the holder (judge.ts), claims the next generation (claim-*.ts), looks again
 *   release                    settle.ts    gives the generation back, and tells what was lost
 *   endSession                 session.ts   all locks of the session are free at once
 *
 * Beside that, in the heartbeat thread: `beat` (session.ts) every refresh-rate, and `settleAgain` (settle.ts) for what is in
 * doubt. In the background: `cleanUp` (settle.ts) below a generation that counted, on a local file system, and `patrol`
 * (patrol.ts) every timeout-interval. Administrators: `breakHolder` and `prune` (maintain.ts), `inspect` (inspect.ts). A change
 * of lock-type: `dissolve` (dissolve.ts). What failures prove is in doubt.ts, how names are spelled in names.ts, how long which
 * silence counts in lease.ts, what a session file says in record.ts, what is remembered of one lock in site.ts.
 *
 * What it guarantees, whatever is late, lost, repeated, stale or stopped:
 *
 * - The fencing tokens of one lock increase in the order in which they were decided, and none is given twice.
 * - A name that may mean something else by now is never removed or replaced. A held generation becomes free by one rename of
 *   a name that is used once.
 * - A holder is dead only by proof, or by silence on the judge's own clock (judge.ts); dead is for ever (session.ts).
 * - A holder knows from its own clocks, before any other process can take the lock, that it may have lost it.
 * - An error proves that nothing was done, or the operation is in doubt (doubt.ts). What is in doubt is looked at, remembered
 *   in `LockMemory.unsettled`, and settled at the heartbeats; so no lock stays held by a process that does not know it.
 *
 * Nothing is ever thrown into it, and it throws nothing but defects of its own.
 */

/** One file operation, named after the system call that decides it. Paths are absolute. */
export type FileOperation =
  | { readonly op: 'list'; readonly path: string }
  | { readonly op: 'link'; readonly from: string; readonly to: string }
  | { readonly op: 'symlink'; readonly target: string; readonly path: string }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'unlink'; readonly path: string }
  /** Make a directory and set its mode against the umask. */
  | { readonly op: 'mkdir'; readonly path: string; readonly mode: number }
  | { readonly op: 'rmdir'; readonly path: string }
  /** Create exclusively (never through a symlink), write, set the mode against the umask, sync. */
  | { readonly op: 'create'; readonly path: string; readonly text: string; readonly mode: number }
  /**
   * The first 4 KiB of a regular file. `ELOOP`: it is a symlink; `EINVAL`: it is not a regular file. Never blocks on a FIFO.
   * `pastCache`: the server is asked, and does not delegate the file to this node. A process that changes a delegated
   * file, be it with a heartbeat, waits for the delegation's return: where this node has died, for as long as the
   * server's lease.
   */
  | { readonly op: 'read'; readonly path: string; readonly pastCache: boolean }
  | { readonly op: 'readlink'; readonly path: string }
  /** Overwrite a file in place with a synchronous data write, if its contents include `expect` (`EINVAL` otherwise). */
  | { readonly op: 'rewrite'; readonly path: string; readonly expect: string; readonly text: string }
  | { readonly op: 'stat'; readonly path: string }
  /** As `create`, and the file stays open: what is done to it later hits this file, whatever its names mean by then. */
  | { readonly op: 'hold'; readonly path: string; readonly text: string; readonly mode: number }
  /** Open a regular file for reading, never through a symlink, and keep it open (`EINVAL`: it is none). */
  | { readonly op: 'keep'; readonly path: string }
  /** Overwrite a held file with a synchronous data write and cut it to that length; then set its times, unless `null`. */
  | { readonly op: 'overwrite'; readonly file: number; readonly text: string; readonly timesMs: number | null }
  /** Close a held file. */
  | { readonly op: 'drop'; readonly file: number }

/** One question to the machine that the protocol runs on. */
export type LocalQuestion =
  | { readonly op: 'clock' }
  /** A random name of 16 hexadecimal digits. */
  | { readonly op: 'name' }
  | { readonly op: 'process'; readonly pid: number; readonly startTime: string | null }
  /** How long the session's lease is certain to last, in milliseconds; 0 once it is over. */
  | { readonly op: 'lease'; readonly sessionId: string }
  /** Is the answer still wanted? `false` once the caller has given up. */
  | { readonly op: 'wanted' }
  /** Does this process hold an fcntl lock through that held file? */
  | { readonly op: 'locked'; readonly file: number }

export type Operation = FileOperation | LocalQuestion

/** A success with its value, or a failure with the errno's name. Nothing is ever thrown into the protocol. */
export type Reply<T> = { readonly ok: true; readonly value: T } | Failure

export interface Failure {
  readonly ok: false
  readonly code: string
  /** The operating system's own, where there is one. */
  readonly error?: unknown
}

export interface Clock {
  /** This machine's own clock in milliseconds: monotonic, counting suspend. Comparable within one boot only. */
  readonly ownMs: number
  /** The wall clock, in milliseconds since the epoch. Never compared with another machine's. */
  readonly wallMs: number
}

/** What a write tells about the file and about the server's clock. */
export interface Stamp {
  /** The file's modification time after the write, in milliseconds since the epoch. */
  readonly serverMs: number
  readonly dev: number
  /** Hard links to the file. */
  readonly links: number
}

/** A file that is kept open. */
export interface Held extends Stamp {
  /** Names it for later operations of this process. */
  readonly file: number
  readonly ino: number
}

export interface Contents {
  readonly text: string
  /** The modification time: compared with itself only, to notice that something was written. */
  readonly modifiedMs: number
  /** The number of the file. On some mounts of FUSE and SMB it is another one at each look, or for each name. */
  readonly ino: number
}

export interface FileStatus {
  readonly dev: number
  readonly ino: number
  readonly uid: number
  readonly type: 'file' | 'directory' | 'symlink' | 'other'
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number
  /** Hard links to it; some file systems say 1 of every file. */
  readonly links: number
  readonly modifiedMs: number
  /** The last change of the file itself or of its name, by the server's clock: no program can set it. */
  readonly changedMs: number
  /** `null`: the file system does not tell when it was made (NFS, FUSE). */
  readonly bornMs: number | null
}

export type ProcessState = 'alive' | 'gone' | 'unknown'

/** A piece of the protocol: yields operations, receives what they answered, returns its result. */
export type Protocol<Result> = Generator<Operation, Result, unknown>

/** The protocol's vocabulary: one typed step for each operation. */
export const ask = {
  list: (path: string) => step<Reply<string[]>>({ op: 'list', path }),
  link: (from: string, to: string) => step<Reply<void>>({ op: 'link', from, to }),
  symlink: (target: string, path: string) => step<Reply<void>>({ op: 'symlink', target, path }),
  rename: (from: string, to: string) => step<Reply<void>>({ op: 'rename', from, to }),
  unlink: (path: string) => step<Reply<void>>({ op: 'unlink', path }),
  mkdir: (path: string, mode: number) => step<Reply<void>>({ op: 'mkdir', path, mode }),
  rmdir: (path: string) => step<Reply<void>>({ op: 'rmdir', path }),
  create: (path: string, text: string, mode: number) => step<Reply<Stamp>>({ op: 'create', path, text, mode }),
  read: (path: string, pastCache: boolean) => step<Reply<Contents>>({ op: 'read', path, pastCache }),
  readlink: (path: string) => step<Reply<string>>({ op: 'readlink', path }),
  rewrite: (path: string, expect: string, text: string) => step<Reply<Stamp>>({ op: 'rewrite', path, expect, text }),
  stat: (path: string) => step<Reply<FileStatus>>({ op: 'stat', path }),
  hold: (path: string, text: string, mode: number) => step<Reply<Held>>({ op: 'hold', path, text, mode }),
  keep: (path: string) => step<Reply<Held>>({ op: 'keep', path }),
  overwrite: (file: number, text: string, timesMs: number | null) => step<Reply<Stamp>>({ op: 'overwrite', file, text, timesMs }),
  drop: (file: number) => step<Reply<void>>({ op: 'drop', file }),
  locked: (file: number) => step<boolean>({ op: 'locked', file }),
  clock: () => step<Clock>({ op: 'clock' }),
  name: () => step<string>({ op: 'name' }),
  process: (pid: number, startTime: string | null) => step<ProcessState>({ op: 'process', pid, startTime }),
  lease: (sessionId: string) => step<number>({ op: 'lease', sessionId }),
  wanted: () => step<boolean>({ op: 'wanted' }),
}

/** One operation, typed. */
function* step<Answer>(operation: Operation): Protocol<Answer> {
  return (yield operation) as Answer
}
