/** `locktester config …`: how it is written, and what its options mean. */

import { type Command, command, JSON_OPTION } from '../shared/command.js'
import { checkChoice, readText, readWords, UsageError } from '../shared/usage.js'
import type { ConfigOptions } from './run.js'

type Action = ConfigOptions['action']

const ABOUT = `Without FILE it is $RSTUDIO_CONFIG_DIR/file-locks, the first of $XDG_CONFIG_DIRS that has rstudio/file-locks, or /etc/rstudio/file-locks.`
const USAGE = 'locktester config check [FILE]\nor:    locktester config show [FILE]'

const ACTIONS: Record<Action, { describe: string; examples: readonly [string, string][] }> = {
  check: {
    describe: 'what is wrong with a file-locks file, line by line',
    examples: [['as compilers say it, so that editors jump there', 'locktester config check ./file-locks']],
  },
  show: {
    describe: 'the settings in force here, and where each came from',
    examples: [['for programs', 'locktester config show --json']],
  },
}

export const CONFIG_COMMAND = command<ConfigOptions>({
  command: 'config',
  describe: 'checks a file-locks file, or shows the settings in force',
  usage: USAGE,
  about: ABOUT,
  options: { json: JSON_OPTION },
  examples: [],
  notes: '--json: docs/schema/config.json',
  commands: [actionCommand('check'), actionCommand('show')],
  read(parsed) {
    // One of the two, and yargs would have chosen it.
    const [action] = readWords(parsed, { usage: USAGE })
    if (action === undefined) throw new UsageError(`Too few arguments. Expected: ${USAGE.replace(/\nor: +/, ', or ')}`)
    checkChoice('behind config', action, Object.keys(ACTIONS))
    return readConfigOptions(action as Action, parsed)
  },
  run: runConfigCommand,
})

function actionCommand(action: Action): Command {
  return command<ConfigOptions>({
    ...ACTIONS[action],
    command: action,
    usage: `locktester config ${action} [FILE]`,
    about: ABOUT,
    options: { json: JSON_OPTION },
    notes: '--json: docs/schema/config.json',
    read: (parsed) => readConfigOptions(action, parsed),
    run: runConfigCommand,
  })
}

function readConfigOptions(action: Action, parsed: Record<string, unknown>): ConfigOptions {
  const [file] = readWords(parsed, { name: 2, most: 1, usage: USAGE })
  return { action, file: readText('the name of a file', file), json: parsed.json === true }
}

async function runConfigCommand(options: ConfigOptions): Promise<void> {
  await (await import('./run.js')).runConfig(options)
}
