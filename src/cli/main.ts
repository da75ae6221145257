/** The program: which command, with which options. Parsing only; each command is a file of its own. */

import { readFileSync } from 'node:fs'
import type { Argv } from 'yargs'
import { EXIT, EXIT_TABLE } from './exit-codes.js'
import { readTestOptions, TEST_OPTIONS, UsageError, wordMeant } from './options.js'
import { messageOf, writeError, writeOut } from './print.js'

type Command = () => Promise<void>

const WORDS = [...Object.keys(TEST_OPTIONS), 'help', 'version']

const HEAD = `Examples:
  locktester                     the test, in your client-state directory: run it on two nodes, as the same user
  locktester /shared/ann         the test, in another directory on the shared mount
  locktester --all /shared/ann   every variant of both types
  locktester --no-hold --json .  for scripts
  locktester demo                two terminals, played in a temporary directory

Usage: locktester [DIR] [options]
       locktester demo

Acquires an advisory and a link-based lock in DIR and, having got both, holds them until Ctrl+C. On the next node the same
locks must be refused: the types that are, your file system appears to support. DIR must exist; without it, it is
$RSTUDIO_DATA_HOME, else $XDG_DATA_HOME/rstudio, else ~/.local/share/rstudio, which is created.
(A directory that is called like a command: ./demo)`

const TAIL = `Exit codes:
${EXIT_TABLE.map(([code, meaning]) => `  ${String(code).padEnd(4)}${meaning}`).join('\n')}
Cut short by a signal, it ends by that signal.

--json: { version: 1, directory, fileSystem: { type, source, mountPoint, options, reach: shared|local|unknown } | null,
  configuration: { file, found, settings, diagnostics }, self: { host, pid, uid, user },
  locks: [{ lockType: advisory|linkbased, variant, path, result: acquired|excluded|failed, heldBy, alsoHeldBy, error }],
  supported: [type or variant], others: [who], warnings: [{ code, message }],
  verdict: acquired|excluded|failed|unsafe, holds, exitCode }
  Nothing is printed where it ends before a lock was tried.`

/** @param args without the names of the interpreter and the program */
export async function main(args: readonly string[]): Promise<void> {
  try {
    // The parser takes longer to load than this to answer.
    if (args.length === 1 && args[0] === '--version') writeOut(version())
    else await (await chooseCommand(args))?.()
  } catch (error) {
    if (error instanceof UsageError) {
      writeError(`locktester: ${messageOf(error)}\nlocktester --help shows how it is used.`)
      process.exitCode = EXIT.usage
    } else {
      writeError(`locktester: ${(error as Error).stack}`)
      process.exitCode = EXIT.internal
    }
  }
}

/** `null` when the parser has said it all (--help). @throws UsageError */
async function chooseCommand(args: readonly string[]): Promise<Command | null> {
  const { default: yargs } = await import('yargs')
  let chosen: Command | null = null
  const parser = yargs([...args])
    .scriptName('locktester')
    .usage(HEAD)
    .epilogue(TAIL)
    .wrap(null)
    .detectLocale(false)
    .version(version())
    .help()
    .alias('help', 'h')
    .strict()
    .exitProcess(false)
    // --no-hold is an option of its own; a repeated option counts with its last value, as users of aliases expect.
    .parserConfiguration({ 'boolean-negation': false, 'duplicate-arguments-array': false })
    .fail((message, error) => {
      throw error instanceof UsageError ? error : new UsageError(withSuggestion(message ?? error.message))
    })
    .command('$0 [directory]', false, describeTest, (parsed) => {
      const options = readTestOptions(parsed)
      chosen = async () => (await import('./test.js')).runTest(options)
    })
    .command('demo', false, {}, () => {
      chosen = async () => (await import('./demo.js')).runDemo()
    })
  await parser.parseAsync()
  return chosen
}

function describeTest(yargs: Argv): Argv {
  return yargs.positional('directory', { type: 'string', describe: 'The directory under test' }).options(TEST_OPTIONS)
}

/** "Unknown argument: hodl" says what is wrong; this adds what was probably meant. */
function withSuggestion(message: string): string {
  const [, unknown] = /^Unknown arguments?: (\S+?),?(?: |$)/.exec(message) ?? []
  const meant = unknown === undefined ? null : wordMeant(unknown, WORDS)
  return meant === null ? message : `${message}. Did you mean --${meant}?`
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
