/** `locktester nodes` and the agent that it starts: how they are written, and what their options mean. */

import { CONFIG_OPTION, type CommandSpec, QUIET_OPTION, readText, UsageError } from '../command.js'
import { EXIT, exitCodeLines } from '../exit-codes.js'
import { KINDS, type Kind } from '../kinds.js'

export interface NodesOptions {
  hosts: readonly string[]
  directory: string
  kinds: readonly Kind[]
  config: string | undefined
  sshCommand: string
  /** `undefined`: locktester in the PATH there, or this very file. */
  remoteCommand: string | undefined
  html: string | undefined
  json: boolean
  quiet: boolean
}

/** On a command line without blanks. */
const KIND_WORDS = KINDS.map((kind) => kind.replace(' ', '-'))
const SSH_COMMAND = 'ssh -o BatchMode=yes -o ConnectTimeout=15'

export const NODES_COMMAND: CommandSpec = {
  usage: 'nodes <hosts..>',
  summary: 'proves over ssh which locks exclude between nodes, and says what to configure',
  head: `Examples:
  locktester nodes node1 node2 /shared/ann                 two nodes, over ssh
  locktester nodes local node2 node3 /shared/ann           this machine is one of them
  locktester nodes local local /tmp                        tried on one machine
  locktester nodes --html report.html --json node1 node2 /shared/ann
  locktester nodes --ssh-command "ssh -p 2222 -l ann" node1 node2 /shared/ann

Usage: locktester nodes HOST… DIR [options]

Does with each kind of lock what one would do in terminals on two or more nodes: hold it on one and try it on the others, release it,
hand it over, kill the holder and time the takeover; each node has its turn as the holder. Needs ssh here (keys, no password),
Node and this package on the nodes, and DIR on all of them at the same place. Everything happens in a subdirectory of DIR that is removed.`,
  tail: `Exit codes:
${exitCodeLines([EXIT.ok, EXIT.usage, EXIT.cannotLock, EXIT.notSafe, EXIT.configuration])}
  (${EXIT.ok} at least one kind of lock passed on all nodes; ${EXIT.notSafe} none did, and two nodes held one at the same time; ${EXIT.cannotLock} also when a node
  cannot be reached, or does not see the same directory)

--json: docs/schema/nodes.json`,
  positionals: {
    hosts: { type: 'string', array: true, describe: 'The nodes, as ssh knows them (local: a process here), then the directory' },
  },
  options: {
    kinds: { type: 'string', requiresArg: true, describe: `Only these kinds of lock [default: ${KIND_WORDS.join(',')}]` },
    config: {
      ...CONFIG_OPTION,
      describe: 'Take refresh-rate and timeout-interval from this file-locks file [default: 1 and 3 seconds]',
    },
    'ssh-command': { type: 'string', requiresArg: true, describe: `How to reach a host [default: ${SSH_COMMAND}]` },
    'remote-command': {
      type: 'string',
      requiresArg: true,
      describe: 'How locktester is started there [default: from the PATH, or the same file as here]',
    },
    html: { type: 'string', requiresArg: true, describe: 'Write a page with the matrix and the evidence to FILE' },
    json: { type: 'boolean', describe: 'Print one JSON object instead of the matrix' },
    quiet: QUIET_OPTION,
  },
  read(parsed) {
    const options = readNodesOptions(parsed)
    return async () => (await import('./nodes.js')).runNodes(options)
  },
}

export const AGENT_COMMAND: CommandSpec = {
  usage: 'agent',
  summary: false,
  head: 'Usage: locktester agent\n\nThe other end of locktester nodes: lines of JSON on standard input and output.',
  tail: '',
  options: { worker: { type: 'boolean', hidden: true } },
  read: (parsed) => async () => (await import('./agent.js')).runAgent(parsed.worker === true),
}

/** @throws UsageError */
function readNodesOptions(parsed: Record<string, unknown>): NodesOptions {
  const words = parsed.hosts as string[]
  const hosts = words.slice(0, -1).map((host) => readText('the name of a host', host) as string)
  const directory = readText('the name of a directory', words.at(-1)) as string
  if (hosts.length < 2) throw new UsageError('Expected at least two hosts and a directory: locktester nodes HOST… DIR')
  const strange = hosts.find((host) => host.startsWith('-') || host.includes('/'))
  if (strange !== undefined) throw new UsageError(`Expected the name of a host, got "${strange}"; the directory comes last`)
  if (!directory.startsWith('/')) throw new UsageError(`Expected an absolute path, the same on all nodes, got "${directory}"`)
  return {
    hosts,
    directory,
    kinds: readKinds(parsed.kinds as string | undefined),
    config: readText('the name of a file after --config', parsed.config),
    sshCommand: readText('a command after --ssh-command', parsed['ssh-command']) ?? SSH_COMMAND,
    remoteCommand: readText('a command after --remote-command', parsed['remote-command']),
    html: readText('the name of a file after --html', parsed.html),
    json: parsed.json === true,
    quiet: parsed.quiet === true,
  }
}

function readKinds(words: string | undefined): readonly Kind[] {
  if (words === undefined) return KINDS
  const wanted = words.split(',')
  const unknown = wanted.find((word) => !KIND_WORDS.includes(word))
  if (unknown !== undefined) throw new UsageError(`Expected some of ${KIND_WORDS.join(',')} after --kinds, got "${unknown}"`)
  return KINDS.filter((_, index) => wanted.includes(KIND_WORDS[index] as string))
}
