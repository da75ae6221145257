/**
 * The real `proper-lockfile`, on the same path: its lock is an empty directory. Looked for before anything else is tried,
 * and only by listing: a file of ours that is in it for a moment would make its `rmdir` fail, and so its release. One name
 * is enough to know: others may put any number into a lock directory.
 */

import { opendir, opendirSync } from 'node:fs'

/** Nothing there, or no directory, is no lock. Other errors are told by what does more than look. */
export function isProperLockfileSync(lockfilePath: string): boolean {
  return lookAt(lockfilePath) === 'its lock'
}

export function isProperLockfile(lockfilePath: string): Promise<boolean> {
  return new Promise((resolve) => {
    opendir(lockfilePath, ONE_NAME, (failure, directory) => {
      if (failure !== null) return resolve(false)
      directory.read((error, entry) => directory.close(() => resolve(error === null && entry === null)))
    })
  })
}

/** What is at the path now. */
export function lookAt(lockfilePath: string): 'its lock' | 'nothing' | 'something' {
  try {
    const directory = opendirSync(lockfilePath, ONE_NAME)
    try {
      return directory.readSync() === null ? 'its lock' : 'something'
    } finally {
      directory.closeSync()
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'nothing' : 'something'
  }
}

const ONE_NAME = { bufferSize: 1 }
