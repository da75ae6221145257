/** The program: which command, with which options. Each command has a folder of its own. */

import { MountlockError } from '../errors.js'
import { printable } from '../log/printable.js'
import { mayBlockToStartThreads } from '../mounts/mount.js'
import { COMMANDS } from './commands.js'
import { runCommandLine, WrongCommandLineError } from './parser.js'
import { EXIT } from './shared/exit-codes.js'
import { messageOf, writeError } from './shared/output.js'

/** @param args without the names of the interpreter and the program */
export async function main(args: readonly string[], commands = COMMANDS): Promise<void> {
  mayBlockToStartThreads()
  try {
    await runCommandLine(args, commands)
  } catch (error) {
    if (error instanceof WrongCommandLineError) {
      const help = `locktester ${error.command === null ? '' : `${error.command} `}--help`
      writeError(`locktester: ${printable(error.message)}\n${help} shows how it is used.`)
      process.exitCode = EXIT.usage
    } else if (error instanceof MountlockError) {
      writeError(`locktester: ${messageOf(error)}`)
      process.exitCode = EXIT.cannotLock
    } else if ((error as NodeJS.ErrnoException).syscall === 'uv_cwd') {
      writeError('locktester: the current directory is gone: write paths in full, from the root')
      process.exitCode = EXIT.usage
    } else {
      writeError(`locktester: ${(error as Error).stack}`)
      process.exitCode = EXIT.internal
    }
  }
}
