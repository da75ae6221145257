/**
 * Our locks that Workbench respects, at random against specimens of both of its protocols, link-based and advisory. Goal: no two
 * of ours hold at once, whatever theirs do; ours take no live lock of theirs away; and their own races show, as theirs. The same
 * lives must find what is wrong with theirs: otherwise they would prove nothing of ours.
 */

import { describe, expect, test } from 'vitest'
import { NO_FAULTS, type Faults } from './faults.js'
import { Random } from './random.js'
import type { Form } from './specimens/workbench.js'
import { form2026 } from './specimens/workbench-2026.js'
import { advisory2026, legacyAdvisory } from './specimens/workbench-advisory.js'
import { legacy } from './specimens/workbench-legacy.js'
import { type Finding, type LivesReport, runLives } from './specimens/workbench-lives.js'

const LIVES = process.env.MOUNTLOCK_SOAK === undefined ? 60 : 2000
const FORMS: Record<'linkbased' | 'advisory', Record<'legacy' | '2026', Form>> = {
  linkbased: { legacy, 2026: form2026 },
  advisory: { legacy: legacyAdvisory, 2026: advisory2026 },
}

interface Set {
  type: keyof typeof FORMS
  form: 'legacy' | '2026'
  /** Ours by symbolic links; theirs too, where they are link-based. */
  useSymlinks: boolean
}
const SETS: Set[] = (['linkbased', 'advisory'] as const).flatMap((type) =>
  (['legacy', '2026'] as const).flatMap((form) => [false, true].map((useSymlinks) => ({ type, form, useSymlinks }))),
)

const crashes: Faults = { ...NO_FAULTS, crash: 0.001 }
const stalls = (seed: number): Faults => ({
  ...crashes,
  stoppedProcess: new Random(seed).logarithmic(0.002, 0.05),
  stalledCall: 0.01,
})

function live({ type, form, useSymlinks }: Set, faultsOf: (seed: number) => Faults): LivesReport {
  const total: LivesReport = { findings: [], acquired: { ours: 0, theirs: 0 } }
  const isAdvisory = type === 'advisory'
  for (let seed = 1; seed <= LIVES; seed++) {
    // Blocking calls take no fcntl lock, and keep link-based sessions out.
    const advisory = isAdvisory || seed % 3 > 0
    const { findings, acquired } = runLives({
      seed,
      faults: faultsOf(seed),
      form: FORMS[type][form],
      useSymlinks,
      isAdvisory,
      advisory,
    })
    total.findings.push(...findings)
    total.acquired.ours += acquired.ours
    total.acquired.theirs += acquired.theirs
  }
  return total
}

const isOverlapOfOurs = ({ what }: Finding) => /^Ours.* acquired while Ours/.test(what)

describe.each(SETS)('among sessions of the form of $form, $type, symbolic links: $useSymlinks', (set) => {
  test('with crashes no two of ours hold at once, and ours leave live locks of theirs alone', { timeout: 600_000 }, () => {
    const { findings, acquired } = live(set, () => crashes)
    expect(acquired.ours).toBeGreaterThan(LIVES)
    expect(acquired.theirs).toBeGreaterThan(LIVES)
    expect(findings.filter(({ by, isPutBack }) => by === 'ours' && !isPutBack)).toEqual([])
    // The claims of the 2026 form close its races, as long as nothing stalls; legacy has none.
    if (set.form === '2026') expect(findings).toEqual([])
    else if (set.type === 'advisory') expect(findings.some(({ by }) => by === 'theirs')).toBe(true)
  })

  test('with stalls no two of ours hold at once, and their races show as theirs', { timeout: 600_000 }, () => {
    const { findings } = live(set, stalls)
    expect(findings.filter(isOverlapOfOurs)).toEqual([])
    if (set.form === 'legacy') expect(findings.some(({ by }) => by === 'theirs')).toBe(true)
  })
})
