/**
 * Invariants: what this package takes for certain about itself. A broken one is a defect of ours and nothing that a user did;
 * going on would guess, so the work stops here.
 */

import { MountlockError } from './errors.js'

/** A defect of this package. `code` is `INTERNAL_ERROR`. */
export class InternalError extends MountlockError {
  override readonly name = 'InternalError'
  constructor(expected: string, got: unknown) {
    super(`Internal error: expected ${expected}, got ${describe(got)}`, {
      code: 'INTERNAL_ERROR',
      advice: 'This is a defect of mountlock: please report it with this message and its stack.',
    })
  }
}

/**
 * Throws an {@link InternalError} unless the condition holds. `expected`: what must be so, in words; `got`: what was
 * there instead.
 */
export function assert(condition: boolean, expected: string, got: unknown): asserts condition {
  if (!condition) throw new InternalError(expected, got)
}

/** The value, where it is certain to be there. `expected`: what it is, in words. */
export function present<Value>(value: Value | null | undefined, expected: string): Value {
  assert(value !== null && value !== undefined, expected, value)
  return value
}

const GOT_LENGTH_MAX = 200

/**
 * A value in a message: told apart from what looks like it (`"5000"` is not `5000`), and cut where it is long. Never throws,
 * whatever it is given.
 */
export function describe(got: unknown): string {
  const text = spell(got)
  return text.length > GOT_LENGTH_MAX ? `${text.slice(0, GOT_LENGTH_MAX)}…` : text
}

function spell(got: unknown): string {
  if (typeof got === 'bigint') return `${got}n`
  if (typeof got === 'function') return 'a function'
  if (typeof got !== 'object' || got === null) return typeof got === 'string' ? JSON.stringify(got) : String(got)
  try {
    // Records have bigints in them, which JSON does not know.
    return JSON.stringify(got, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)) ?? 'an object'
  } catch {
    return Object.prototype.toString.call(got)
  }
}
