/** What a candidate is, and what it can do: the types of peers.mjs. */

/** `ours`, another package's lock, or the system calls alone. */
export type Role = 'ours' | 'peer' | 'floor'

/** What it is compared with: locks that are made of names in a directory, or the kernel's own. */
export type Family = 'names' | 'advisory'

export interface Candidate {
  /** Short, for the command line and the JSON file. */
  id: string
  label: string
  role: Role
  family: Family
  /** What its process is written in. */
  program: 'node' | 'python' | 'c'
  can: readonly Ability[]
  /** In the Node agent: makes it ready. Fails with a reason where it is not installed. */
  open?(options: OpenOptions): Promise<Contender>
}

/** `waits`: for a lock that is held. `holds`: many at a time. */
export type Ability = 'blocking' | 'asynchronous' | 'waits' | 'holds'

export interface OpenOptions {
  directory: string
  /** How often held locks are refreshed; the candidate's default when absent. */
  refreshMs: number | undefined
}

export interface Contender {
  cycleBlocking?(): void
  cycle?(): Promise<void>
  /** Waits as long as it takes. */
  acquire?(): Promise<Release>
  /** Takes one of many locks, blocking. */
  hold?(name: string): () => void
  close?(): Promise<void>
}

export type Release = () => Promise<unknown>

/** npm `lockfile` has no types of its own. */
export interface Lockfile {
  lock(path: string, options: object, done: (error: Error | null) => void): void
  unlock(path: string, done: (error: Error | null) => void): void
  lockSync(path: string): void
  unlockSync(path: string): void
}

/** `fs-ext` neither; its own names for the flags. */
export interface FsExt {
  flockSync(fd: number, flags: string): void
  flock(fd: number, flags: string, done: (error: Error | null) => void): void
}
