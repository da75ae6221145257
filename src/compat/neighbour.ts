/**
 * The real `proper-lockfile`, on the same path: its lock is an empty directory. Looked for before anything else is tried,
 * and only by listing: a file of ours that is in it for a moment would make its `rmdir` fail, and so its release.
 */

import { readdir, readdirSync } from 'node:fs'

/** `null`: nothing is there, or no directory. Other errors are told by what does more than look. */
function namesIn(path: string): string[] | null {
  try {
    return readdirSync(path)
  } catch {
    return null
  }
}

export function isProperLockfileSync(lockfilePath: string): boolean {
  return isEmpty(namesIn(lockfilePath))
}

export function isProperLockfile(lockfilePath: string): Promise<boolean> {
  return new Promise((resolve) => readdir(lockfilePath, (error, names) => resolve(isEmpty(error === null ? names : null))))
}

const isEmpty = (names: string[] | null) => names !== null && names.length === 0

/** What is at the path now. */
export function lookAt(lockfilePath: string): 'its lock' | 'nothing' | 'something' {
  try {
    return isEmpty(readdirSync(lockfilePath)) ? 'its lock' : 'something'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'nothing' : 'something'
  }
}
