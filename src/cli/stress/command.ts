/** `locktester stress`: how it is written, and what its options mean. */

import { LOCAL, type NodeAddress, REACH_OPTIONS, readAddresses, readReach } from '../remote/options.js'
import { command, flag, HTML_OPTION, JSON_OPTION, QUIET_OPTION, valued } from '../shared/command.js'
import { KINDS, type Kind, readKind, wordsOf } from '../shared/kinds.js'
import { type Parsed, readFileName, readNumber, readSeconds, readText, readWords, UsageError } from '../shared/usage.js'
import type { StressOptions } from './run.js'

const USAGE = 'locktester stress DIR [--nodes HOST…] [options]'
const DURATION_S = 20
/** Everything is remembered until it is judged. */
const DURATION_S_MAX = 3600
const PROCESSES = 4
/** What `lock-type=advisory` takes is one as well, since it is one lock that all go for. */
const KINDS_TO_CHOOSE: readonly Kind[] = [...KINDS, 'advisory']
const PROCESSES_MAX = 64

export const STRESS_COMMAND = command<StressOptions>({
  command: 'stress',
  describe: 'many processes on many nodes go for one lock; every moment is checked, and drawn',
  usage: USAGE,
  about: `Each process acquires the lock, increments a counter that is kept here, and releases it, again and again. With --chaos some of them are killed (SIGKILL) and stalled (SIGSTOP), so that others must take over. A checker that shares no code with the locks then judges the log: were two sure to hold it at once, was a token given twice or too late, an increment lost, a loss not told? Everything happens in a subdirectory of DIR that is removed. Ctrl+C ends it early, and what was seen until then is judged.`,
  options: {
    nodes: {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: 'The nodes, as ssh knows them, or HOST:DIR for each; blanks or commas between them',
      defaultDescription: 'local, processes here',
    },
    procs: valued('Processes on each node', { defaultDescription: String(PROCESSES) }),
    duration: valued(`SECONDS, at most ${DURATION_S_MAX}`, { defaultDescription: String(DURATION_S) }),
    chaos: flag('Kill and stall processes of its own'),
    kind: valued(`The kind of lock: ${wordsOf(KINDS_TO_CHOOSE).join(', ')}`, { defaultDescription: 'as configured' }),
    config: valued('Take kind and intervals from this file-locks FILE', { defaultDescription: '1 and 3 seconds' }),
    ...REACH_OPTIONS,
    html: HTML_OPTION,
    json: JSON_OPTION,
    quiet: QUIET_OPTION,
  },
  examples: [
    ['processes of this machine', 'locktester stress /shared/ann'],
    ['of three nodes, over ssh', 'locktester stress /shared/ann --nodes local node2 node3'],
    ['with crashes, and a picture', 'locktester stress /shared/ann --nodes node1 node2 --chaos --html s.html'],
    ['the same directory at different places', 'locktester stress --nodes node1:/mnt/ann node2:/shared/ann'],
  ],
  notes: '--json: docs/schema/stress.json',
  read: readStressOptions,
  run: async (options) => (await import('./run.js')).runStress(options),
})

/** @throws UsageError */
function readStressOptions(parsed: Parsed): StressOptions {
  const durationMs = readSeconds('duration', parsed.duration, { max: DURATION_S_MAX, isAboveZero: true })
  return {
    nodes: readNodes(parsed),
    kind: parsed.kind === undefined ? undefined : readKind('--kind', parsed.kind as string, KINDS_TO_CHOOSE),
    durationMs: durationMs ?? DURATION_S * 1000,
    processes: readNumber('procs', parsed.procs, { min: 1, max: PROCESSES_MAX, byDefault: PROCESSES }),
    chaos: parsed.chaos === true,
    config: readFileName('config', parsed),
    ...readReach(parsed),
    html: readFileName('html', parsed),
    json: parsed.json === true,
    quiet: parsed.quiet === true,
  }
}

function readNodes(parsed: Parsed): NodeAddress[] {
  const { nodes } = parsed
  const [directory] = readWords(parsed, { most: 1, usage: USAGE })
  const words = ((nodes as string[] | undefined) ?? [LOCAL]).flatMap((word) => word.split(','))
  // Behind --nodes, the directory is taken for one of them.
  const isLastDirectory = directory === undefined && words.length > 1 && words.at(-1)?.startsWith('/') === true
  const common = readText('the name of a directory', isLastDirectory ? words.at(-1) : directory)
  const hosts = isLastDirectory ? words.slice(0, -1) : words
  if (common === undefined && hosts.every((host) => !host.includes(':/'))) {
    throw new UsageError('Expected a directory: locktester stress DIR [--nodes HOST…]')
  }
  return readAddresses(hosts, common)
}
