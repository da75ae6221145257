/** What the doctor finds: always what was seen, and where something is wrong with it, what that breaks and what to do. */

export type Section = 'node' | 'configuration' | 'mount' | 'directory' | 'primitives' | 'locks'

export interface Finding {
  /** Stable, for programs. */
  code: string
  section: Section
  severity: 'ok' | 'note' | 'warning' | 'error'
  seen: string
  /** What it breaks, or means; `null` where nothing. */
  breaks: string | null
  /** What to do; `null` where there is nothing to be done. */
  remedy: string | null
}

type Trouble = 'note' | 'warning' | 'error'

export function fine(section: Section, code: string, seen: string): Finding {
  return { code, section, severity: 'ok', seen, breaks: null, remedy: null }
}

export function trouble(
  section: Section,
  severity: Trouble,
  code: string,
  [seen, breaks, remedy]: readonly [seen: string, breaks: string, remedy: string | null],
): Finding {
  return { code, section, severity, seen, breaks, remedy }
}
