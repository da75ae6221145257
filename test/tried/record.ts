/** What a test has tried on a file system, for the table of docs/file-systems.md: written by `npm run tried`. */

import type { TestContext } from 'vitest'

export interface Tried {
  /** Its `id` in the table of file systems. */
  fileSystem: string
  what: string
  /** How it was mounted, where it was tried in several ways. */
  place?: string
  /** The kind of lock, where it was tried for several. */
  kind: string
  /** A real one, or a local file system that answers as this one is said to. */
  how?: 'real' | 'stand-in'
}

export function tried({ task }: Pick<TestContext, 'task'>, what: Tried): void {
  const meta = task.meta as { tried?: Tried[] }
  meta.tried = [...(meta.tried ?? []), what]
}
