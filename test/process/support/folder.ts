/** Temporary folders that live as long as the test. */

import { chmod, readdir } from 'node:fs/promises'
import { dir } from 'tmp-promise'
import { onTestFinished, vi } from 'vitest'
import type { LockerOptions } from '../../../dist/index.js'

/** Its path. Readable by every user, like the directory of a share. */
export async function temporaryFolder(mode = 0o755): Promise<string> {
  const { path, cleanup } = await dir({ unsafeCleanup: true, prefix: 'mountlock' })
  onTestFinished(() => cleanup())
  await chmod(path, mode)
  return path
}

/** Resolves when a lock has no more than its marker and its last generation: those below go in the background. */
export async function cleared(lock: string): Promise<void> {
  await vi.waitUntil(async () => (await readdir(lock)).length === 2, { timeout: 20_000, interval: 5 })
}

/** How a generation is claimed: everything that is true of one is true of all. */
export const KINDS = [
  { kind: 'hard link', locker: { useSymlinks: false } },
  { kind: 'symlink', locker: { useSymlinks: true } },
  { kind: 'rename', locker: { lockType: 'renamebased' } },
] as const satisfies readonly { kind: string; locker: LockerOptions }[]
