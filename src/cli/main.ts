/** The program: which command, with which options. Each command has a folder of its own. */

import { printable } from '../log/printable.js'
import { mayBlockToStartThreads } from '../mounts/mount.js'
import { COMMANDS } from './commands.js'
import { runCommandLine, WrongCommandLineError } from './parser.js'
import { EXIT } from './shared/exit-codes.js'
import { writeComplaint } from './shared/output.js'
import { guardStreams } from './shared/streams.js'
import { explainUnexpected, guardProcess } from './shared/unexpected.js'

/** @param args without the names of the interpreter and the program */
export async function main(args: readonly string[], commands = COMMANDS): Promise<void> {
  guardStreams()
  guardProcess()
  mayBlockToStartThreads()
  try {
    await runCommandLine(args, commands)
  } catch (error) {
    if (error instanceof WrongCommandLineError) {
      const help = `locktester ${error.command === null ? '' : `${error.command} `}--help`
      writeComplaint('error', `${printable(error.message)}\n${help} shows how it is used.`)
      process.exitCode = EXIT.usage
    } else if ((error as NodeJS.ErrnoException).syscall === 'uv_cwd') {
      writeComplaint('error', 'the current directory is gone: write paths in full, from the root')
      process.exitCode = EXIT.usage
    } else process.exitCode = explainUnexpected(error)
  }
}
