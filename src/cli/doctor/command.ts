/** `locktester doctor`: how it is written, and what its options mean. */

import { CONFIG_OPTION, command, JSON_OPTION, valued } from '../shared/command.js'
import { readFileName, readText, readWords } from '../shared/usage.js'
import type { DoctorOptions } from './run.js'

const USAGE = 'locktester doctor [DIR] [options]'

export const DOCTOR_COMMAND = command<DoctorOptions>({
  command: 'doctor',
  describe: 'what one node alone can tell about locks on a file system',
  usage: USAGE,
  about: `Looks at the mount, tries every primitive and every kind of lock in a temporary subdirectory of DIR, and recommends a lock-type. Without DIR it is your client-state directory, as for the test; if it is not there, it is created, and removed in the end. One node alone cannot tell whether locks exclude between nodes: locktester nodes does that.`,
  options: {
    config: CONFIG_OPTION,
    report: valued('Write what can be sent in with an issue to FILE: no names, addresses or paths'),
    json: JSON_OPTION,
  },
  examples: [
    ['everything about the file system of a directory', 'locktester doctor /shared/ann'],
    ['the errors only', `locktester doctor --json DIR | jq '.findings[] | select(.severity=="error")'`],
  ],
  notes: '--json: docs/schema/doctor.json; each file system, and what to do when one is not trusted: docs/file-systems.md',
  read(parsed) {
    const [directory] = readWords(parsed, { most: 1, usage: USAGE })
    return {
      directory: readText('the name of a directory', directory),
      config: readFileName('config', parsed),
      report: readFileName('report', parsed),
      json: parsed.json === true,
    }
  },
  run: async (options) => (await import('./run.js')).runDoctor(options),
})
