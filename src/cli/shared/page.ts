/** Writes a page where the user wants it: after minutes of work, a failure to do so must say what it is and lose nothing else. */

import { writeFile } from 'node:fs/promises'
import { asLockError } from './bounded.js'

/** @throws LockFileSystemError */
export async function writePage(file: string, html: string): Promise<void> {
  try {
    await writeFile(file, html)
  } catch (error) {
    throw asLockError(error, file)
  }
}
