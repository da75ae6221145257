/**
 * Our locks that Workbench respects, at random against specimens of both of its protocols. Goal: no two of ours hold at once,
 * whatever theirs do; ours take no live lock of theirs away; and their own races show, as theirs. The same lives must find what is
 * wrong with theirs: otherwise they would prove nothing of ours.
 */

import { describe, expect, test } from 'vitest'
import { NO_FAULTS, type Faults } from './faults.js'
import { Random } from './random.js'
import type { Form } from './specimens/workbench.js'
import { form2026 } from './specimens/workbench-2026.js'
import { legacy } from './specimens/workbench-legacy.js'
import { type Finding, type LivesReport, runLives } from './specimens/workbench-lives.js'

const LIVES = process.env.MOUNTLOCK_SOAK === undefined ? 60 : 2000
const FORMS: Record<'legacy' | '2026', Form> = { legacy, 2026: form2026 }
const SETS = (['legacy', '2026'] as const).flatMap((form) => [false, true].map((useSymlinks) => ({ form, useSymlinks })))

const crashes: Faults = { ...NO_FAULTS, crash: 0.001 }
const stalls = (seed: number): Faults => ({
  ...crashes,
  stoppedProcess: new Random(seed).logarithmic(0.002, 0.05),
  stalledCall: 0.01,
})

function live(form: keyof typeof FORMS, useSymlinks: boolean, faultsOf: (seed: number) => Faults): LivesReport {
  const total: LivesReport = { findings: [], acquired: { ours: 0, theirs: 0 } }
  for (let seed = 1; seed <= LIVES; seed++) {
    const { findings, acquired } = runLives({ seed, faults: faultsOf(seed), form: FORMS[form], useSymlinks })
    total.findings.push(...findings)
    total.acquired.ours += acquired.ours
    total.acquired.theirs += acquired.theirs
  }
  return total
}

const isOverlap = ({ what }: Finding) => what.includes(' acquired while ')

describe.each(SETS)('among sessions of the form of $form, symbolic links: $useSymlinks', ({ form, useSymlinks }) => {
  test('with crashes no two of ours hold at once, and ours leave live locks of theirs alone', { timeout: 600_000 }, () => {
    const { findings, acquired } = live(form, useSymlinks, () => crashes)
    expect(acquired.ours).toBeGreaterThan(LIVES)
    expect(acquired.theirs).toBeGreaterThan(LIVES)
    expect(findings.filter(({ by, isPutBack }) => by === 'ours' && !isPutBack)).toEqual([])
    // The claims of the 2026 form close its races, as long as nothing stalls; legacy has none.
    if (form === '2026') expect(findings).toEqual([])
  })

  test('with stalls no two of ours hold at once, and their races show as theirs', { timeout: 600_000 }, () => {
    const { findings } = live(form, useSymlinks, stalls)
    expect(findings.filter(isOverlap)).toEqual([])
    if (form === 'legacy') expect(findings.some(({ by }) => by === 'theirs')).toBe(true)
  })
})
