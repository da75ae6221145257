/** The program's own parser, with what the commands would do left out. */

import { COMMANDS } from '../../build/cli/commands.js'
import { main } from '../../build/cli/main.js'
import type { Command } from '../../build/cli/shared/command.js'

export interface Chosen {
  command: string
  options: unknown
}

/** @returns the command that `args` name and what its options mean; `null` where something was printed instead */
export async function chosenBy(args: readonly string[]): Promise<Chosen | null> {
  let chosen: Chosen | null = null
  const commands = COMMANDS.map((command) => recorded(command, (options) => (chosen = { command: command.command, options })))
  await main(args, commands)
  return chosen
}

function recorded(command: Command, record: (options: unknown) => void): Command {
  const { read, commands } = command
  const handler: Command['handler'] = (parsed) => record(read(parsed))
  return { ...command, commands: commands.map((inner) => recorded(inner, record)), handler }
}
