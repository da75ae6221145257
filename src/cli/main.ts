/** The program: which command, with which options. Each command is a file or folder of its own. */

import { printable } from '../log/printable.js'
import { MountlockError } from '../errors.js'
import { mayBlockToStartThreads } from '../mounts/mount.js'
import { UsageError } from './shared/command.js'
import { complaintOf, helpFor, readCommandLine } from './command-line.js'
import { EXIT } from './shared/exit-codes.js'
import { answerShell } from './completion.js'
import { helpText } from './help.js'
import { messageOf, writeError, writeOut } from './shared/output.js'
import { version } from './shared/program.js'

/** What the shell asks, in words that are no command's. */
const SHELL_TALK = ['completion', '--get-yargs-completions']

/** @param args without the names of the interpreter and the program */
export async function main(args: readonly string[]): Promise<void> {
  mayBlockToStartThreads()
  try {
    await answer(args)
  } catch (error) {
    if (error instanceof UsageError) {
      writeError(`locktester: ${printable(complaintOf(error, args))}\n${helpFor(args)} shows how it is used.`)
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

/** @throws UsageError */
async function answer(args: readonly string[]): Promise<void> {
  if (SHELL_TALK.includes(args[0] ?? '')) return await answerShell(args)
  const choice = readCommandLine(args)
  if (choice.kind === 'version') return writeOut(version())
  if (choice.kind === 'help') return writeOut(helpText(choice.spec))
  await choice.spec.run(choice.spec.read(choice.values) as never)
}
