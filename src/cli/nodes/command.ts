/** `locktester nodes`: how it is written, and what its options mean. */

import { present } from '../../assert.js'
import { printable } from '../../log/printable.js'
import { REACH_OPTIONS, readAddresses, readReach } from '../remote/options.js'
import { command, HTML_OPTION, JSON_OPTION, QUIET_OPTION, valued } from '../shared/command.js'
import { KINDS, type Kind, readKind, wordsOf } from '../shared/kinds.js'
import { type Parsed, readFileName, readText, readWords, UsageError } from '../shared/usage.js'
import type { NodesOptions } from './run.js'

const USAGE = 'locktester nodes HOST… DIR [options]'

export const NODES_COMMAND = command<NodesOptions>({
  command: 'nodes',
  describe: 'proves over ssh which locks exclude between nodes, and says what to configure',
  usage: `${USAGE}\nor:    locktester nodes HOST:DIR… [options]`,
  about: `Holds each kind of lock on one node while the others try it, hands it over, kills the holder and times the takeover; each node has its turn as the holder. HOST is a node as ssh knows it, or local, a process here. Needs ssh (keys, no password), and Node, this package and DIR on the nodes. Everything happens in a subdirectory of DIR that is removed.`,
  options: {
    kinds: valued('Only these kinds of lock', { defaultDescription: wordsOf(KINDS).join(',') }),
    config: valued('Take the intervals from this file-locks FILE', { defaultDescription: '1 and 3 seconds' }),
    ...REACH_OPTIONS,
    html: HTML_OPTION,
    json: JSON_OPTION,
    quiet: QUIET_OPTION,
  },
  examples: [
    ['two nodes, over ssh', 'locktester nodes node1 node2 /shared/ann'],
    ['this machine is one of them', 'locktester nodes local node2 node3 /shared/ann'],
    ['the same directory at different places', 'locktester nodes node1:/mnt/ann node2:/shared/ann'],
    ['tried on one machine', 'locktester nodes local local /tmp'],
    ['a page for people, an object for programs', 'locktester nodes --html report.html --json node1 node2 /shared/ann'],
    ['with options of ssh', 'locktester nodes --ssh-command "ssh -p 2222 -l ann" node1 node2 /shared'],
  ],
  notes: '--json: docs/schema/nodes.json',
  read: readNodesOptions,
  run: async (options) => (await import('./run.js')).runNodes(options),
})

/** @throws UsageError */
function readNodesOptions(parsed: Parsed): NodesOptions {
  const words = readWords(parsed, { least: 1, usage: USAGE })
  const last = present(words.at(-1), 'a word')
  // Where every node has a place of its own, none is left for the end.
  const common = last.includes(':/') ? undefined : readText('the name of a directory', last)
  const hosts = common === undefined ? words : words.slice(0, -1)
  if (hosts.length < 2) {
    const got = `got ${words.length === 1 ? 'one word' : 'one host and one directory'} (${words.map(printable).join(' ')})`
    throw new UsageError(`Expected at least two hosts and a directory, ${got}: locktester nodes HOST… DIR`)
  }
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
  const wanted = words.split(',').map((word) => readKind('--kinds', word, KINDS))
  return KINDS.filter((kind) => wanted.includes(kind))
}
