/** `locktester config …`: how it is written, and what its options mean. */

import { type CommandSpec, JSON_OPTION, readText } from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'
import type { ConfigOptions } from './run.js'

const WHICH = `Without FILE it is $RSTUDIO_CONFIG_DIR/file-locks, the first of $XDG_CONFIG_DIRS that has rstudio/file-locks, or
/etc/rstudio/file-locks.`
const TAIL = `Exit codes:
${exitCodeLines([EXIT.ok, EXIT.usage, EXIT.configuration])}
Warnings do not count.`

const common = {
  positionals: { file: { type: 'string', describe: 'The file-locks file' } },
  options: { json: JSON_OPTION },
} as const

export const CONFIG_COMMANDS: readonly CommandSpec[] = [
  {
    usage: 'config <action> [file]',
    summary: 'checks a file-locks file, or shows the settings in force and where each came from',
    head: `Examples:
  locktester config check ./file-locks   what is wrong with it, line by line, as compilers say it
  locktester config show                 the settings in force here, and where each came from
  locktester config show --json

Usage: locktester config check [FILE]
       locktester config show [FILE]

${WHICH}`,
    tail: `${TAIL}

--json: docs/schema/config.json`,
    positionals: { ...common.positionals, action: { choices: ['check', 'show'], describe: 'What to do' } },
    options: common.options,
    read({ action, file, json }) {
      const options = { action: action as 'check' | 'show', file: readText('the name of a file', file), json: json === true }
      return options satisfies ConfigOptions
    },
    run: async (options: ConfigOptions) => (await import('./run.js')).runConfig(options),
  },
]
