/** Processes on both nodes that contend for one lock: see programs/contend.mjs. */

import { expect } from 'vitest'
import type { GuestProgram } from './lab/guest-program.js'

/** Starts a program of the folder `programs` where the contender lives. */
export type Start = (name: string, options: object) => GuestProgram

export interface Contender {
  start: Start
  /** Where this process finds the lock's directory. */
  directory: string
  /** The settings of its locker. */
  locker: object
  /** The code of an error with which it may be refused now and then. */
  mayRefuse?: string
}

export interface Report {
  acquired: number
  refused: number
  overlaps: number
  outOfOrder: number
  lost: number
  waitMsMax: number
  firstToken: string
  lastToken: string
}

/** The shell command that prepares a directory. */
export const prepare = (directory: string): string => `mkdir ${directory}/witness && touch ${directory}/witness/last-0`

/** Lets them contend, in a directory that was prepared with {@link prepare}, and returns the report of each. */
export async function contend(contenders: readonly Contender[], durationMs: number): Promise<Report[]> {
  const runs = contenders.map(({ start, directory, ...options }) =>
    start('contend.mjs', { lock: `${directory}/lock`, witness: `${directory}/witness`, ...options, durationMs }),
  )
  await Promise.all(runs.map((run) => run.sees(({ stdout }) => stdout.includes('ready') || undefined, { what: 'start' })))
  for (const run of runs) run.write('go\n')
  return await Promise.all(
    runs.map(async (run) => {
      const { code } = await run.end
      expect(code, run.stderr).toBe(0)
      return JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '')
    }),
  )
}

/** What must be zero. */
export function violations(reports: readonly Report[]): { overlaps: number; outOfOrder: number; lost: number } {
  const sum = (key: 'overlaps' | 'outOfOrder' | 'lost') => reports.reduce((total, report) => total + report[key], 0)
  return { overlaps: sum('overlaps'), outOfOrder: sum('outOfOrder'), lost: sum('lost') }
}

export const NO_VIOLATIONS = { overlaps: 0, outOfOrder: 0, lost: 0 }

export const acquiredBy = (reports: readonly Report[]): number => reports.reduce((total, { acquired }) => total + acquired, 0)
