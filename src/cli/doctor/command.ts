/** `locktester doctor`: how it is written, and what its options mean. */

import { type CommandSpec, CONFIG_OPTION, JSON_OPTION, readFileName, readText } from '../shared/command.js'
import { EXIT, exitCodeLines } from '../shared/exit-codes.js'
import type { DoctorOptions } from './run.js'

export const DOCTOR_COMMAND: CommandSpec = {
  usage: 'doctor [directory]',
  summary: 'what one node alone can tell about locks on a file system',
  head: `Examples:
  locktester doctor /shared/ann
  locktester doctor --json /shared/ann | jq '.findings[] | select(.severity == "error")'

Usage: locktester doctor [DIR] [options]

Looks at the mount, tries every primitive and every kind of lock in a temporary subdirectory of DIR, and recommends a lock-type.
Whether locks exclude between nodes no node can tell alone: locktester nodes.`,
  tail: `Exit codes:
${exitCodeLines([EXIT.ok, EXIT.usage, EXIT.cannotLock, EXIT.notSafe, EXIT.configuration])}
  (${EXIT.cannotLock} no lock works, or not the configured one; ${EXIT.notSafe} that one would not exclude other nodes; warnings do not count)

--json: docs/schema/doctor.json`,
  positionals: { directory: { type: 'string', describe: 'A directory on the file system in question' } },
  options: { config: CONFIG_OPTION, json: JSON_OPTION },
  read(parsed) {
    return {
      directory: readText('the name of a directory', parsed.directory),
      config: readFileName('config', parsed),
      json: parsed.json === true,
    } satisfies DoctorOptions
  },
  run: async (options: DoctorOptions) => (await import('./run.js')).runDoctor(options),
}
