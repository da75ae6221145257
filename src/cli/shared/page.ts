/**
 * A page in the file that the user named. It is opened before the work, so that a name that cannot be written is told at once
 * and not after an hour; what was in the file stays until there is a page to replace it.
 */

import { type FileHandle, open, unlink } from 'node:fs/promises'
import { asLockError, codeOf } from './bounded.js'

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

  /** @throws LockFileSystemError */
  static async open(file: string): Promise<Page> {
    try {
      const made = await open(file, 'ax').catch((error) => {
        if (codeOf(error) !== 'EEXIST') throw error
        return null
      })
      return new Page(file, made ?? (await open(file, 'a')), made !== null)
    } catch (error) {
      throw asLockError(error, file)
    }
  }

  /** @throws LockFileSystemError */
  async write(html: string): Promise<void> {
    try {
      // A pipe or a terminal has nothing that could be in the way.
      if ((await this.#handle.stat()).isFile()) await this.#handle.truncate(0)
      await this.#handle.writeFile(html)
      this.#isWritten = true
    } catch (error) {
      throw asLockError(error, this.file)
    }
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {})
    if (this.#isNew && !this.#isWritten) await unlink(this.file).catch(() => {})
  }
}
