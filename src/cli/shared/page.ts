/**
 * A page in the file that the user named. It is opened before the work, so that a name that cannot be written is told at once
 * and not after an hour; what was in the file stays until there is a page to replace it.
 */

import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { meaningOf } from '../../advice/meanings.js'
import { MountlockError } from '../../errors.js'
import { codeOf } from './bounded.js'

export class Page {
  readonly file: string
  readonly #handle: FileHandle
  /** It was not there before: without a page it goes again. */
  readonly #isNew: boolean
  #isWritten = false

  private constructor(file: string, handle: FileHandle, isNew: boolean) {
    this.file = file
    this.#handle = handle
    this.#isNew = isNew
  }

  /** @throws MountlockError */
  static async open(file: string): Promise<Page> {
    try {
      const made = await open(file, 'ax').catch((error) => {
        if (codeOf(error) !== 'EEXIST') throw error
        return null
      })
      return new Page(file, made ?? (await openThere(file)), made !== null)
    } catch (error) {
      throw notWritten(file, error)
    }
  }

  /** @throws MountlockError */
  async write(html: string): Promise<void> {
    try {
      // A pipe or a terminal has nothing that could be in the way.
      if ((await this.#handle.stat()).isFile()) await this.#handle.truncate(0)
      await this.#handle.writeFile(html)
      this.#isWritten = true
    } catch (error) {
      throw notWritten(this.file, error)
    }
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {})
    if (this.#isNew && !this.#isWritten) await unlink(this.file).catch(() => {})
  }
}

/**
 * What is there already. The open of a pipe waits until a program reads it, which may be never; without the wait it is refused
 * then. Once one reads it, there is nothing to wait for.
 */
async function openThere(file: string): Promise<FileHandle> {
  const asked = await open(file, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK)
  try {
    return await open(file, 'a')
  } finally {
    await asked.close()
  }
}

/** It is a file of the user's, and has nothing to do with the lock. */
function notWritten(file: string, error: unknown): unknown {
  const errno = codeOf(error)
  if (errno === null) return error
  const { code } = meaningOf({ action: 'write', errno })
  return new MountlockError('The file cannot be written', { code, path: file, advice: ADVICE[errno] ?? OTHERWISE, cause: error })
}

const OTHERWISE = 'Name another file.'
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'Its directory is not there: create it, or name another file.',
  ENOTDIR: 'A part of its path is no directory: name another file.',
  EISDIR: 'It is a directory: name a file in it.',
  EACCES: 'This user may not write there: name another file.',
  EPERM: 'This user may not write there: name another file.',
  ENXIO: 'It is a pipe or a device that nothing reads: start what reads it first, or name another file.',
  EROFS: 'The file system is read-only there: name another file.',
  ENOSPC: 'The file system is full there: free some space, or name another file.',
  EDQUOT: 'A quota is exceeded there: free some space, or name another file.',
}
