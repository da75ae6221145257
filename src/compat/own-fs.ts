/**
 * Is an object that was handed over as `fs` Node's own? Code hands it over in many forms: a namespace, a copy, an
 * interop object.
 */

import defaultFs, * as namespace from 'node:fs'

/**
 * What `proper-lockfile` makes, keeps and removes its locks with. (`stat` and `realpath` only look; graceful-fs wraps
 * some of them.)
 */
const FUNCTIONS = ['mkdir', 'rmdir', 'utimes'] as const

/** A copy may be older than a function that a program (a tracer, say) has put in the place of Node's own since. */
const loaded = { ...defaultFs }

export function isOwnFs(handedOver: unknown): boolean {
  if (typeof handedOver !== 'object' || handedOver === null) return false
  const functions = handedOver as Record<string, unknown>
  // They differ where a program has replaced functions of Node's own fs since.
  const isOwn = (name: (typeof FUNCTIONS)[number]) => [loaded, defaultFs, namespace].some((own) => functions[name] === own[name])
  return FUNCTIONS.every(isOwn)
}
