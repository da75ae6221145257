/** The names of system errors. Node has none for some that matter on shared mounts, such as ESTALE and EDQUOT. */

import { constants } from 'node:os'

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/** `ENOENT`, `ESTALE`, …; `null` for what is not a system error. */
export function systemErrorCode(error: unknown): string | null {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown }
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code
  // "Unknown system error -116"
  return typeof errno === 'number' ? (NAMES.get(Math.abs(errno)) ?? `E${Math.abs(errno)}`) : null
}
