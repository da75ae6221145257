/** What `locktester stress --json` prints: see docs/schema/stress.json. */

import type { Outcome } from './outcome.js'

export function reportOf({ verdict, gap, facts, counts, nodes, violations, takeovers, failures, exitCode }: Outcome): object {
  const { kind, settings, processesPerNode, chaos, fromMs, toMs } = facts
  const after = (atMs: number) => atMs - fromMs
  return {
    version: 1,
    kind,
    settings,
    processesPerNode,
    chaos,
    durationMs: toMs - fromMs,
    verdict,
    gap,
    counts,
    nodes: facts.nodes.map(({ name, directory, facts: about, mount, clockSlackMs }, index) => ({
      ...about,
      name,
      directory,
      fileSystem: mount,
      clockSlackMs,
      ...nodes[index],
    })),
    takeovers: takeovers.map(({ from, to, afterMs }) => ({
      from: from.process,
      to: to.process,
      atMs: after(to.acquiredMs),
      afterMs,
    })),
    violations: violations.map(({ rule, atMs, text }) => ({ rule, atMs: after(atMs), text })),
    failures,
    exitCode,
  }
}
