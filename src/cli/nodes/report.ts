/** What `locktester nodes --json` prints, and the page shows: see docs/schema/nodes.json. */

import type { ConfigSettings } from '../../config/settings.js'
import { type Kind, type Recommendation, settingLines } from '../shared/kinds.js'
import { type Cell, cellOf, exitCodeOf, type Findings, type Mark, markOf, recommend, resultOf, verdictText } from './judgement.js'
import type { Result } from '../shared/verdicts.js'
import type { Facts, Node } from '../remote/node.js'
import type { Sight } from '../remote/cluster.js'
import type { Round } from './study.js'

export interface NodesReport {
  version: 1
  /** Of the first node. */
  directory: string
  settings: { refreshRateMs: number; timeoutIntervalMs: number }
  nodes: (Facts & { name: string; directory: string; fileSystem: Node['mount'] })[]
  sights: Sight[]
  kinds: { kind: Kind; mark: Mark; rounds: (Round & Pick<Cell, 'mark' | 'evidence'>)[] }[]
  result: Result
  /** For people. */
  verdict: string
  recommendation: Recommendation | null
  /** The text of the file to install. */
  fileLocks: string | null
  exitCode: number
}

export function reportOf(facts: {
  nodes: readonly Node[]
  settings: ConfigSettings
  sights: readonly Sight[]
  findings: Findings
}): NodesReport {
  const { nodes, settings, sights, findings } = facts
  const { results } = findings
  const recommendation = recommend(findings)
  return {
    version: 1,
    directory: nodes[0]?.directory ?? '',
    settings: { refreshRateMs: settings.refreshRateMs, timeoutIntervalMs: settings.timeoutIntervalMs },
    nodes: nodes.map((node) => ({
      name: node.name,
      directory: node.directory,
      ...node.facts,
      fileSystem: node.mount,
    })),
    sights: [...sights],
    kinds: results.map((result) => ({
      kind: result.kind,
      mark: markOf(result),
      rounds: result.rounds.map((round) => {
        const { mark, evidence } = cellOf(result.kind, round)
        return { ...round, mark, evidence }
      }),
    })),
    result: resultOf(findings),
    verdict: verdictText(findings),
    recommendation,
    fileLocks: recommendation === null ? null : `${settingLines(recommendation).join('\n')}\n`,
    exitCode: exitCodeOf(results),
  }
}
