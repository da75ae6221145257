/**
 * Tries what locks are made of, each for real: it must work, and where only one may win it must refuse the second. Several
 * rounds, for the median of how long each takes.
 */

import {
  constants,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises'
import { join } from 'node:path'
import { type FileSystemAction, meaningOf } from '../../advice/meanings.js'
import { bounded, codeOf } from '../shared/bounded.js'
import { duration } from '../shared/table.js'
import type { TroubleCode } from '../shared/verdicts.js'
import { type Finding, fine, trouble } from './finding.js'

export interface Primitive {
  name: string
  /** `null`: it works. */
  failure: string | null
  /** Of those rounds in which it worked; `null` where it never did. */
  medianMs: number | null
}

const ROUNDS = 9
/** No further round is begun after this time. */
const ROUNDS_LIMIT_MS = 4000

interface Meaning {
  code: TroubleCode
  action: FileSystemAction
  breaks: string
  remedy: string | null
  severity: 'note' | 'warning' | 'error'
}

const ERRNO = /^E[A-Z0-9]+$/

const NEEDED = {
  severity: 'error',
  breaks: 'No lock works without it.',
  remedy: 'Check permissions, quota and the export.',
} as const

const MEANINGS: Record<string, Meaning> = {
  'exclusive create': { ...NEEDED, code: 'EXCLUSIVE_CREATE', action: 'create' },
  mkdir: { ...NEEDED, code: 'MKDIR', action: 'create' },
  read: { ...NEEDED, code: 'READ', action: 'read' },
  stat: { ...NEEDED, code: 'STAT', action: 'stat' },
  list: { ...NEEDED, code: 'LIST', action: 'list' },
  unlink: { ...NEEDED, code: 'UNLINK', action: 'remove' },
  rename: {
    code: 'RENAME',
    action: 'rename',
    severity: 'error',
    breaks: 'Locks cannot be created, and lock-type=renamebased cannot work.',
    remedy: 'Use a real file system for locks.',
  },
  'hard link': {
    code: 'HARD_LINK',
    action: 'hard-link',
    severity: 'warning',
    breaks: 'lock-type=linkbased cannot use hard links here.',
    remedy: 'Set use-symlinks=1.',
  },
  heartbeat: {
    code: 'HEARTBEAT',
    action: 'write',
    severity: 'warning',
    breaks: 'Link-based locks cannot be kept alive here.',
    remedy: 'Set use-symlinks=1, or on SMB mount with nolease on every node.',
  },
  symlink: {
    code: 'SYMLINK',
    action: 'symlink',
    severity: 'note',
    breaks: 'use-symlinks=1 cannot be used here.',
    remedy: 'Keep use-symlinks=0.',
  },
}

export async function tryPrimitives(directory: string, signal: AbortSignal): Promise<Primitive[]> {
  const timesMs = new Map<string, number[]>()
  const failures = new Map<string, string>()
  const deadlineMs = performance.now() + ROUNDS_LIMIT_MS
  for (let round = 0; round < ROUNDS && !signal.aborted && (round === 0 || performance.now() < deadlineMs); round++) {
    const tries = new Round(directory, round)
    for (const [name, attempt] of tries.steps()) {
      const startMs = performance.now()
      try {
        await bounded(directory, attempt())
        timesMs.set(name, [...(timesMs.get(name) ?? []), performance.now() - startMs])
      } catch (error) {
        if (codeOf(error) === 'SERVER_TIMEOUT') throw error
        failures.set(name, codeOf(error) ?? (error as Error).message)
      }
    }
  }
  return Object.keys(MEANINGS).map((name) => ({
    name,
    failure: failures.get(name) ?? null,
    medianMs: median(timesMs.get(name) ?? []),
  }))
}

/** As a heartbeat is written: in place, and through to the server. */
async function rewrite(path: string): Promise<void> {
  const holder = await open(path, constants.O_RDWR | constants.O_DSYNC)
  try {
    await holder.write('LOCKTESTER\n', 0)
  } finally {
    await holder.close()
  }
}

/** The steps of one round, in an order in which each finds what it needs, and all is removed at the end. */
class Round {
  readonly #file: string
  readonly #path: (name: string) => string

  constructor(directory: string, round: number) {
    this.#path = (name) => join(directory, `${name}-${round}`)
    this.#file = this.#path('file')
  }

  *steps(): Generator<[name: string, attempt: () => Promise<unknown>]> {
    const path = this.#path
    const file = this.#file
    yield ['exclusive create', () => onlyOnce(() => create(file), 'EEXIST')]
    yield ['mkdir', () => onlyOnce(() => mkdir(path('directory')), 'EEXIST').then(() => rmdir(path('directory')))]
    yield ['stat', () => stat(file)]
    yield ['read', () => readFile(file)]
    yield ['list', () => readdir(join(file, '..'))]
    yield ['hard link', () => this.#hardLink(path('link'))]
    yield ['heartbeat', () => this.#heartbeat(path('beat'))]
    yield ['symlink', () => this.#symlink(path('symlink'))]
    // Two processes rename the same name: the second finds nothing. So one of them wins.
    yield ['rename', () => onlyOnce(() => rename(file, path('renamed')), 'ENOENT')]
    yield ['unlink', () => onlyOnce(() => unlink(path('renamed')), 'ENOENT')]
  }

  async #hardLink(path: string): Promise<void> {
    await onlyOnce(() => link(this.#file, path), 'EEXIST')
    const { nlink } = await lstat(path)
    await unlink(path)
    if (nlink !== 2) throw new Error(`it works, but the link count is ${nlink} and not 2`)
  }

  /**
   * Written while it is open as a waiter opens it, by another name where there are hard links; then that name is renamed, as
   * by a release.
   */
  async #heartbeat(path: string): Promise<void> {
    const hasLinks = await link(this.#file, path).then(
      () => true,
      () => false,
    )
    const waiter = await open(hasLinks ? path : this.#file, 'r')
    try {
      await waiter.read(Buffer.alloc(1), 0, 1, 0)
      await rewrite(this.#file)
      if (hasLinks) await rename(path, `${path}.free`)
    } finally {
      await waiter.close()
    }
    if (hasLinks) await unlink(`${path}.free`)
  }

  async #symlink(path: string): Promise<void> {
    await onlyOnce(() => symlink('../target', path), 'EEXIST')
    const target = await readlink(path)
    await unlink(path)
    if (target !== '../target') throw new Error(`it reads back as ${target}`)
  }
}

/** @throws Error when it can be done a second time: then it does not tell which process was first */
async function onlyOnce(act: () => Promise<unknown>, expected: string): Promise<void> {
  await act()
  try {
    await act()
  } catch (error) {
    if (codeOf(error) === expected) return
    throw new Error(`the second time fails with ${codeOf(error)} instead of ${expected}`)
  }
  throw new Error('it succeeds a second time, so it cannot tell which was first')
}

async function create(path: string): Promise<void> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'wx', 0o600)
    await file.writeFile('locktester\n')
  } finally {
    await file?.close()
  }
}

/** `fileSystem`: its `id` in the table of file systems. */
export function primitiveFindings(primitives: readonly Primitive[], fileSystem: string | null): Finding[] {
  return primitives.map(({ name, failure, medianMs }) => {
    const { code, severity, breaks, action, remedy } = MEANINGS[name] as Meaning
    if (failure === null) return fine(code, `${name}: works (median ${milliseconds(medianMs ?? 0)})`)
    // What it does wrong without an error is no error of the system; of an error that means nothing more, this trial knows more.
    const meaning = ERRNO.test(failure) ? meaningOf({ action, errno: failure, fileSystem }) : null
    const isKnown = meaning !== null && meaning.code !== 'FILE_SYSTEM_ERROR'
    return trouble(severity, code, { seen: `${name}: ${failure}`, breaks, remedy: isKnown ? meaning.advice : remedy })
  })
}

export function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : duration(ms)
}

export function median(numbers: readonly number[]): number | null {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? null
}
