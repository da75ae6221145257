/** The names of system errors, also of those that Node has none for. */

import { errnoName } from '../advice/errno-names.js'

/** `ENOENT`, `ESTALE`, …; `null` for what is not a system error. */
export function systemErrorCode(error: unknown): string | null {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown }
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code
  // "Unknown system error -116"
  return typeof errno === 'number' ? errnoName(errno) : null
}
