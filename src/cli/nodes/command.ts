/** `locktester nodes`: how it is written, and what its options mean. */

import {
  type CommandSpec,
  CONFIG_OPTION,
  HTML_OPTION,
  JSON_OPTION,
  QUIET_OPTION,
  readFileName,
  readText,
  UsageError,
  valued,
} from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'
import { KIND_WORDS, KINDS, type Kind, readKind } from '../shared/kinds.js'
import { REACH_OPTIONS, readAddresses, readReach } from '../remote/options.js'
import type { NodesOptions } from './run.js'

export const NODES_COMMAND: CommandSpec = {
  usage: 'nodes <hosts..>',
  summary: 'proves over ssh which locks exclude between nodes, and says what to configure',
  head: `Examples:
  locktester nodes node1 node2 /shared/ann                 two nodes, over ssh
  locktester nodes local node2 node3 /shared/ann           this machine is one of them
  locktester nodes node1:/mnt/ann node2:/shared/ann        the same directory at different places
  locktester nodes local local /tmp                        tried on one machine
  locktester nodes --html report.html --json node1 node2 /shared/ann
  locktester nodes --ssh-command "ssh -p 2222 -l ann" node1 node2 /shared/ann

Usage: locktester nodes HOST… DIR [options]
       locktester nodes HOST:DIR… [options]

Holds each kind of lock on one node while the others try it, hands it over, kills the holder and times the takeover; each node has
its turn as the holder. Needs ssh (keys, no password), and Node, this package and DIR on the nodes. Everything happens in a
subdirectory of DIR that is removed.`,
  tail: `Exit codes:
${exitCodeLines([EXIT.ok, EXIT.usage, EXIT.cannotLock, EXIT.notSafe, EXIT.configuration])}
  (${EXIT.ok} a kind of lock passed on all nodes; ${EXIT.notSafe} none did, and two nodes held one at once; ${EXIT.cannotLock} also when a node cannot be
  reached, or does not see the same directory)

--json: docs/schema/nodes.json`,
  positionals: {
    hosts: {
      type: 'string',
      array: true,
      describe: 'The nodes, as ssh knows them (local: a process here), then DIR; or HOST:DIR of each',
    },
  },
  options: {
    kinds: valued(`Only these kinds of lock [default: ${KIND_WORDS.join(',')}]`),
    config: {
      ...CONFIG_OPTION,
      describe: 'Take the intervals from this file-locks file [default: 1 and 3 seconds]',
    },
    ...REACH_OPTIONS,
    html: HTML_OPTION,
    json: JSON_OPTION,
    quiet: QUIET_OPTION,
  },
  read: readNodesOptions,
  run: async (options: NodesOptions) => (await import('./run.js')).runNodes(options),
}

/** @throws UsageError */
function readNodesOptions(parsed: Record<string, unknown>): NodesOptions {
  const words = parsed.hosts as string[]
  const last = words.at(-1) as string
  // Where every node has a place of its own, none is left for the end.
  const common = last.includes(':/') ? undefined : readText('the name of a directory', last)
  const hosts = common === undefined ? words : words.slice(0, -1)
  if (hosts.length < 2) throw new UsageError('Expected at least two hosts and a directory: locktester nodes HOST… DIR')
  const nodes = readAddresses(hosts, common)
  return {
    nodes,
    ...readReach(parsed),
    kinds: readKinds(parsed.kinds as string | undefined),
    config: readFileName('config', parsed),
    html: readFileName('html', parsed),
    json: parsed.json === true,
    quiet: parsed.quiet === true,
  }
}

function readKinds(words: string | undefined): readonly Kind[] {
  if (words === undefined) return KINDS
  const wanted = words.split(',').map((word) => readKind('--kinds', word))
  return KINDS.filter((kind) => wanted.includes(kind))
}
