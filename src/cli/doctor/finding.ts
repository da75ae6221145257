/** What the doctor finds: always what was seen, and where something is wrong with it, what that breaks and what to do. */

import type { FineCode, TroubleCode } from '../shared/verdicts.js'

export type Section = 'node' | 'configuration' | 'mount' | 'directory' | 'primitives' | 'locks'

export interface Finding {
  /** Stable, for programs. */
  code: FineCode | TroubleCode
  severity: 'ok' | 'note' | 'warning' | 'error'
  seen: string
  /** What it breaks, or means; `null` where nothing. */
  breaks: string | null
  /** What to do; `null` where there is nothing to be done. */
  remedy: string | null
}

/** What the report says of it: also where it belongs. */
export interface PlacedFinding extends Finding {
  section: Section
}

export function fine(code: FineCode | TroubleCode, seen: string): Finding {
  return { code, severity: 'ok', seen, breaks: null, remedy: null }
}

/** What it breaks is always said, and what to do where something can be done. */
interface Trouble {
  seen: string
  breaks: string
  remedy?: string | null
}

export function trouble(severity: 'note' | 'warning' | 'error', code: TroubleCode, { remedy = null, ...what }: Trouble): Finding {
  return { code, severity, ...what, remedy }
}
