/**
 * Command lines, one by one: what the program takes each for, and what it says of those that it refuses. Method: each line goes through
 * the program's own parser; only what the command would then do is left out.
 */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { chosenBy } from './record-command.js'

const said: string[] = []
beforeEach(() => {
  said.length = 0
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = 0
})

/** `''` is an empty word, `␣` within a word a blank. */
const wordsOf = (line: string) =>
  line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word.replaceAll('␣', ' ')))

/** The command and its options, or `help` or `version`. */
async function read(line: string): Promise<readonly [string, unknown]> {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
  const chosen = await chosenBy(wordsOf(line))
  if (chosen !== null) return [chosen.command, chosen.options]
  const text = String(printed.mock.calls[0]?.[0] ?? said.join(''))
  return [text.startsWith('Usage: ') ? 'help' : /^\d+\.\d+\.\d+$/.test(text) ? 'version' : text, null]
}

const TEST = { directory: undefined, config: undefined, all: false, json: false, quiet: false, holdMs: undefined }
const RUN = {
  path: '/l',
  command: ['cmd'],
  config: undefined,
  lockType: undefined,
  useSymlinks: undefined,
  shared: false,
  unlock: false,
  close: false,
  verbose: false,
  label: undefined,
  waitMs: null,
  conflictExitCode: 75,
  onLoss: 'terminate',
  killAfterMs: 10_000,
}
const STATUS = { paths: ['/a'], depthMax: 4, json: false, verbose: false, watchMs: null }
const PRUNE = { directories: ['/a'], olderThanMs: 86_400_000, dryRun: false }
const DOCTOR = { directory: undefined, config: undefined, report: undefined, json: false }
const REACH = { sshCommand: 'ssh -o BatchMode=yes -o ConnectTimeout=15', remoteCommand: undefined }
const on = (directory: string, ...hosts: string[]) => hosts.map((host) => ({ host, directory }))
const NODES = {
  ...REACH,
  nodes: on('/x', 'a', 'b'),
  kinds: ['hard link', 'symlink', 'rename', 'flock', 'fcntl'],
  config: undefined,
  html: undefined,
  json: false,
  quiet: false,
}
const STRESS = {
  ...REACH,
  nodes: on('/x', 'local'),
  kind: undefined,
  durationMs: 20_000,
  processes: 4,
  chaos: false,
  config: undefined,
  html: undefined,
  json: false,
  quiet: false,
}

describe('a command line that is right is a command with options', () => {
  test.each<[line: string, command: string, options: unknown]>([
    ['', '$0', TEST],
    ['/a', '$0', { ...TEST, directory: '/a' }],
    ['--all /a', '$0', { ...TEST, all: true, directory: '/a' }],
    ['/a --all', '$0', { ...TEST, all: true, directory: '/a' }],
    ['--hold 1.5', '$0', { ...TEST, holdMs: 1500 }],
    ['--hold=60 /a', '$0', { ...TEST, holdMs: 60_000, directory: '/a' }],
    ['--no-hold --json --quiet .', '$0', { ...TEST, holdMs: 0, json: true, quiet: true, directory: '.' }],
    ['--json --json', '$0', { ...TEST, json: true }],
    ['--config status /a', '$0', { ...TEST, config: 'status', directory: '/a' }],
    ['--config=a=b', '$0', { ...TEST, config: 'a=b' }],
    ['-- status', '$0', { ...TEST, directory: 'status' }],
    ['-- -odd', '$0', { ...TEST, directory: '-odd' }],
    ['12', '$0', { ...TEST, directory: '12' }],
    ['0x10', '$0', { ...TEST, directory: '0x10' }],
    ['a␣b', '$0', { ...TEST, directory: 'a b' }],
    ['-', '$0', { ...TEST, directory: '-' }],
    ['__proto__', '$0', { ...TEST, directory: '__proto__' }],
    ['constructor', '$0', { ...TEST, directory: 'constructor' }],

    ['demo', 'demo', null],

    ['run /l -- cmd', 'run', RUN],
    ['run /l -- cmd -n --json -- x', 'run', { ...RUN, command: ['cmd', '-n', '--json', '--', 'x'] }],
    ['run /l -- --help', 'run', { ...RUN, command: ['--help'] }],
    ["run /l -- cmd ''", 'run', { ...RUN, command: ['cmd', ''] }],
    ['run --no-wait /l -- cmd', 'run', { ...RUN, waitMs: 0 }],
    ['run /l -n -- cmd', 'run', { ...RUN, waitMs: 0 }],
    ['run -w 60 -E 0 /l -- cmd', 'run', { ...RUN, waitMs: 60_000, conflictExitCode: 0 }],
    ['run -w .007 /l -- cmd', 'run', { ...RUN, waitMs: 7 }],
    ['run -w 1. /l -- cmd', 'run', { ...RUN, waitMs: 1000 }],
    ['run -w +1.5 /l -- cmd', 'run', { ...RUN, waitMs: 1500 }],
    ['run -w60 -E0 /l -- cmd', 'run', { ...RUN, waitMs: 60_000, conflictExitCode: 0 }],
    ['run -nE 3 /l -- cmd', 'run', { ...RUN, waitMs: 0, conflictExitCode: 3 }],
    ['run -sn /l -- cmd', 'run', { ...RUN, shared: true, waitMs: 0 }],
    ['run --shared --lock-type advisory /l -- cmd', 'run', { ...RUN, shared: true, lockType: 'advisory' }],
    ['run --use-symlinks 1 /l -- cmd', 'run', { ...RUN, useSymlinks: true }],
    ['run --use-symlinks=0 /l -- cmd', 'run', { ...RUN, useSymlinks: false }],
    ['run --on-loss=ignore --kill-after 0 /l -- cmd', 'run', { ...RUN, onLoss: 'ignore', killAfterMs: 0 }],
    ['run -k 1.5 --label me --config f /l -- cmd', 'run', { ...RUN, killAfterMs: 1500, label: 'me', config: 'f' }],
    ["run --label '' /l -- cmd", 'run', { ...RUN, label: '' }],
    ['--no-wait run /l -- cmd', 'run', { ...RUN, waitMs: 0 }],
    // Without -- the command begins with the first word behind PATH that is no option.
    ['run /l cmd', 'run', RUN],
    ['run /l cmd -n --json help', 'run', { ...RUN, command: ['cmd', '-n', '--json', 'help'] }],
    ['run -n /l -E 3 cmd -w 5', 'run', { ...RUN, waitMs: 0, conflictExitCode: 3, command: ['cmd', '-w', '5'] }],
    ['run /l -n true', 'run', { ...RUN, waitMs: 0, command: ['true'] }],
    ['run /l --label a cmd --help', 'run', { ...RUN, label: 'a', command: ['cmd', '--help'] }],
    ['run /l run /l cmd', 'run', { ...RUN, command: ['run', '/l', 'cmd'] }],
    ['--no-wait run /l cmd', 'run', { ...RUN, waitMs: 0 }],
    ['run -w=60 /l cmd', 'run', { ...RUN, waitMs: 60_000 }],

    ['status /a', 'status', STATUS],
    ['ls /a', 'status', STATUS],
    ['status /a b 3', 'status', { ...STATUS, paths: ['/a', 'b', '3'] }],
    ['status --json /a --depth 0', 'status', { ...STATUS, json: true, depthMax: 0 }],
    ['--json status /a', 'status', { ...STATUS, json: true }],
    ['--depth 2 status /a', 'status', { ...STATUS, depthMax: 2 }],
    ['status --watch /a', 'status', { ...STATUS, watchMs: 2000 }],
    ['status /a --interval 0.5', 'status', { ...STATUS, watchMs: 500 }],
    ['status /a -- --json', 'status', { ...STATUS, paths: ['/a', '--json'] }],
    ['status status', 'status', { ...STATUS, paths: ['status'] }],

    ['doctor', 'doctor', DOCTOR],
    ['doctor --report r.json /d', 'doctor', { ...DOCTOR, directory: '/d', report: 'r.json' }],
    ['doctor --json --config f /a', 'doctor', { directory: '/a', config: 'f', json: true }],

    ['nodes a b /x', 'nodes', NODES],
    ['nodes a:/x b:/x', 'nodes', NODES],
    ['nodes a:/y b /x', 'nodes', { ...NODES, nodes: [...on('/y', 'a'), ...on('/x', 'b')] }],
    ['nodes --kinds flock,rename a b /x', 'nodes', { ...NODES, kinds: ['rename', 'flock'] }],
    ['nodes --html p.html --json --quiet a b /x', 'nodes', { ...NODES, html: 'p.html', json: true, quiet: true }],
    ['nodes --ssh-command ssh␣-p␣2222 a b /x', 'nodes', { ...NODES, sshCommand: 'ssh -p 2222' }],
    ['nodes --remote-command=/opt/locktester a b /x', 'nodes', { ...NODES, remoteCommand: '/opt/locktester' }],

    ['stress /x', 'stress', STRESS],
    ['stress /x --nodes a b,c --json', 'stress', { ...STRESS, nodes: on('/x', 'a', 'b', 'c'), json: true }],
    ['stress --nodes a b c /x', 'stress', { ...STRESS, nodes: on('/x', 'a', 'b', 'c') }],
    ['stress --nodes a --nodes=b,c /x', 'stress', { ...STRESS, nodes: on('/x', 'a', 'b', 'c') }],
    ['stress --nodes a:/x b:/x', 'stress', { ...STRESS, nodes: on('/x', 'a', 'b') }],
    ['stress /x --procs 2 --duration 0.5 --chaos', 'stress', { ...STRESS, processes: 2, durationMs: 500, chaos: true }],
    ['stress --kind hard-link /x', 'stress', { ...STRESS, kind: 'hard link' }],

    ['break /l --token 12345678901234567890', 'break', { path: '/l', token: 12345678901234567890n, json: false }],
    ['break --token=007 /l --json', 'break', { path: '/l', token: 7n, json: true }],

    ['prune /a', 'prune', PRUNE],
    ['prune --dry-run --older-than 0 /a /b', 'prune', { directories: ['/a', '/b'], olderThanMs: 0, dryRun: true }],

    ['config check', 'config', { action: 'check', file: undefined, json: false }],
    ['config show f --json', 'config', { action: 'show', file: 'f', json: true }],

    ['agent', 'agent', { worker: undefined }],
    ['agent --worker hammer', 'agent', { worker: 'hammer' }],

    ['--help', 'help', null],
    ['-h', 'help', null],
    ['status --help', 'help', null],
    ['run -h', 'help', null],
    ['--xyzzy --help', 'help', null],
    ['run /l --help -- cmd', 'help', null],
    ['help', 'help', null],
    ['help run', 'help', null],
    ['run help', 'help', null],
    ['config check --help', 'help', null],
    ['help config check', 'help', null],
    ['help ls', 'help', null],
    ['--version', 'version', null],
    ['status --version', 'version', null],
  ])('%s', async (line, command, options) => {
    expect(await read(line)).toEqual([command, options])
  })
})

describe('a command line that is wrong ends with 64, one complaint, and where to read on', () => {
  test.each<[line: string, complaint: string, help?: string]>([
    ['--xyzzy', 'Unknown argument: xyzzy (there is no option --xyzzy here)'],
    ['-x', 'Unknown argument: x (there is no option -x here)'],
    ['--hodl 3', 'Unknown argument: hodl. Did you mean --hold?'],
    ['--quite', 'Unknown argument: quite. Did you mean --quiet?'],
    ['--hold', 'Expected a value after --hold'],
    ['--hold --json', 'Expected a value after --hold'],
    ['--hold long', 'Expected a number of seconds, at most 2147483, after --hold, got "long"'],
    ['--hold=', 'Expected a number of seconds, at most 2147483, after --hold, got ""'],
    ['--hold=-1', 'Expected a number of seconds, at most 2147483, after --hold, got "-1"'],
    ['--hold 1e9', 'Expected a number of seconds, at most 2147483, after --hold, got "1e9"'],
    ['--hold 0x10', 'Expected a number of seconds, at most 2147483, after --hold, got "0x10"'],
    ['--hold 1 --no-hold', '--hold and --no-hold exclude each other'],
    ['--hold 1 --hold 2', '--hold was given 2 times: give it once'],
    ['run -w 1 --wait 2 /l cmd', '-w was given 2 times: give it once', 'run'],
    ['run -n=1 /l cmd', '-n takes no value: leave it out', 'run'],
    ['run /l -w', 'Expected a value after -w', 'run'],
    ['run /l a -- b', 'Expected one PATH before --, and then the command: locktester run /l -- a', 'run'],
    ['-1', 'Unknown argument: -1. A name that begins with a dash: ./-1'],
    ['--json true x', 'Unknown argument: x'],
    ['--json=false', '--json takes no value'],
    ['--json=true', '--json takes no value'],
    ['--json=', '--json takes no value'],
    ['--no-json', 'Unknown argument: no-json. Leave --json out instead'],
    ['--no-no-hold', 'Unknown argument: no-no-hold'],
    ['--a.b', 'Unknown argument: a.b'],
    ['--json.x=1', 'Unknown argument: json.x. Did you mean --json?'],
    ['--directory /a', 'Unknown argument: directory'],
    ['--_=x', 'Unknown argument: _'],
    ['--$0=x', 'Unknown argument: $0'],
    ['--constructor', 'Unknown argument: constructor'],
    ['--toString=1', 'Unknown argument: toString'],
    ["--config ''", 'Expected the name of a file after --config, got nothing'],
    ["''", 'Expected the name of a directory, got nothing'],
    ['one two', 'Unknown argument: two'],
    ['dmeo x', 'Unknown argument: x. Did you mean the command: locktester demo'],
    ['doctr share', 'doctr is no command. Unknown argument: share. Did you mean the command: locktester doctor?'],
    ['--config doctor a b', 'locktester: error: Unknown argument: b. Did you mean the command: locktester doctor?'],
    ['completion fish', 'Expected bash or zsh behind completion, got "fish"'],
    ['completion bash zsh', 'Unknown argument: zsh'],
    ['-json', 'Unknown argument: '],
    ['---', 'Unknown argument: '],

    ['demo extra', 'Unknown argument: extra', 'demo'],
    ['demo --json', 'Unknown argument: json', 'demo'],

    ['run', 'Expected: locktester run PATH', 'run'],
    ['run /l', 'Expected a command behind /l: locktester run PATH', 'run'],
    ['run --config /l true', 'What stands behind --config is its value: "/l"', 'run'],
    ['run --label true /l', 'Expected a command behind /l: locktester run PATH', 'run'],
    ['run -n 9', 'a descriptor of the shell cannot be locked', 'run'],
    ['run /l /m -- true', 'several only with --workbench', 'run'],
    ['run /l --', 'Expected a command behind /l: locktester run PATH', 'run'],
    ["run /l -- ''", 'Expected a command behind /l: locktester run PATH', 'run'],
    ["run '' -- cmd", 'Expected the path of a lock, got nothing', 'run'],
    ['run -- cmd', 'Expected: locktester run PATH', 'run'],
    ['run --wait 1 -n /l -- cmd', '--wait and --no-wait exclude each other', 'run'],
    ['run -w x /l -- cmd', 'Expected a number of seconds, at most 2147483, after --wait, got "x"', 'run'],
    ['run -E 256 /l -- cmd', 'Expected a number from 0 to 255 after --conflict-exit-code, got "256"', 'run'],
    ['run --on-loss=die /l -- cmd', 'Expected terminate or ignore after --on-loss, got "die"', 'run'],
    ['run --lock-type linkbasde /l -- cmd', 'after --lock-type, got "linkbasde". Did you mean linkbased?', 'run'],
    ['run --use-symlinks yes /l -- cmd', 'Expected 0 or 1 after --use-symlinks, got "yes"', 'run'],
    ['run --shared=yes /l -- cmd', '--shared takes no value', 'run'],
    ['run --jsno /l -- cmd', 'Unknown argument: jsno', 'run'],
    ['rnu /l cmd', 'Did you mean the command: locktester run'],

    ['status', 'Expected: locktester status PATH… [options]', 'status'],
    ["status ''", 'Expected a path, got nothing', 'status'],
    ['status /a --interval 0', 'Expected a number of seconds above 0 after --interval, got "0"', 'status'],
    ['status /a --depth 1e1', 'Expected a number from 0 to 99 after --depth, got "1e1"', 'status'],
    ['status /a --depth ten', 'Expected a number from 0 to 99 after --depth, got "ten"', 'status'],
    ['status /a --wacth', 'Unknown argument: wacth. Did you mean --watch?', 'status'],
    ['ls', 'Expected: locktester status PATH… [options]', 'status'],

    ['doctor /a /b', 'Unknown argument: /b', 'doctor'],

    ['nodes', 'Expected: locktester nodes HOST… DIR [options]', 'nodes'],
    [
      'nodes a /x',
      'Expected at least two hosts and a directory, got one host and one directory (a /x): locktester nodes HOST… DIR',
      'nodes',
    ],
    ['nodes a', 'Expected at least two hosts and a directory, got one word (a): locktester nodes HOST… DIR', 'nodes'],
    ['nodes a b c', 'Expected an absolute path, for all nodes, got "c"', 'nodes'],
    ['nodes a/b c /x', 'Expected the name of a host, got "a/b"; the directory comes last', 'nodes'],
    ['nodes --kinds flok a b /x', 'after --kinds, got "flok"', 'nodes'],

    ['stress', 'Expected a directory: locktester stress DIR [--nodes HOST…]', 'stress'],
    ['stress /x --nodes', 'Expected a value after --nodes', 'stress'],
    ['stress /x --nodes a -- /y', 'Unknown argument: /y', 'stress'],
    ['stress /x --procs 0', 'Expected a number from 1 to 64 after --procs, got "0"', 'stress'],
    ['stress /x --duration 0', 'Expected a number of seconds above 0 after --duration, got "0"', 'stress'],
    ['stress /x --duration 3601', 'above 0, at most 3600, after --duration, got "3601"', 'stress'],
    ['stress /x --duration 9999999', 'above 0, at most 3600, after --duration, got "9999999"', 'stress'],
    ['stress /x --duration long', 'above 0, at most 3600, after --duration, got "long"', 'stress'],
    ['stress /x --kind flok', 'after --kind, got "flok"', 'stress'],

    ['break /l', 'Expected --token TOKEN: locktester status --long shows the token of the holder', 'break'],
    ['break --token 1', 'Expected: locktester break PATH --token TOKEN', 'break'],
    ['break /l --token x', 'Expected a whole number after --token, got "x"', 'break'],
    ['break /l --token=-1', 'Expected a whole number after --token, got "-1"', 'break'],

    ['help frob', 'There is no command frob'],
    ['help rnu', 'There is no command rnu to tell of. Did you mean run?'],
    ['help config frob', 'There is no command frob'],

    ['prune', 'Expected: locktester prune DIR… [options]', 'prune'],
    ["prune ''", 'Expected the name of a directory, got nothing', 'prune'],

    ['config', 'Expected: locktester config check [FILE]', 'config'],
    ['config chekc', 'Expected check or show behind config, got "chekc". Did you mean check?', 'config'],
    ['config check a b', 'Unknown argument: b', 'config'],
    ['agent --worker x', 'Expected holder or hammer after --worker, got "x"', 'agent'],
  ])('%s', async (line, complaint, help) => {
    expect(await chosenBy(wordsOf(line))).toBeNull()
    expect(said).toEqual([expect.stringMatching(`^locktester${help === undefined ? '' : ` ${help}`}: error: `)])
    expect(said[0]).toContain(complaint)
    expect(said[0]).toMatch(new RegExp(`\nlocktester ${help === undefined ? '' : `${help} `}--help shows how it is used\\.\n$`))
    expect(process.exitCode).toBe(64)
  })
})
