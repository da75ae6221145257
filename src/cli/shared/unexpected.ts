/**
 * The last guard. An error that no other code has dealt with is said in one sentence, with what to do next, and never as a
 * raw stack.
 */

import { getSystemErrorMap } from 'node:util'
import { MountlockError } from '../../errors.js'
import { printable } from '../../log/printable.js'
import { codeOf, endsWithin } from './bounded.js'
import { EXIT } from './exit-codes.js'
import { endProcess } from './interrupt.js'
import { messageOf, writeComplaint, writeError } from './output.js'
import { version } from './program.js'

/** Asks for the stack, for a report. */
const STACK_VARIABLE = 'LOCKTESTER_STACK'

/**
 * What Node calls a refusal of the machine besides the names of the system: no thread, no memory, no entry in the user
 * database, no permission (`node --permission`).
 */
const REFUSALS = [
  'ERR_SYSTEM_ERROR',
  'ERR_WORKER_INIT_FAILED',
  'ERR_WORKER_OUT_OF_MEMORY',
  'ERR_MEMORY_ALLOCATION_FAILED',
  'ERR_ACCESS_DENIED',
]
const ERRNOS = new Set([...getSystemErrorMap().values()].map(([name]) => name))

const CLEAN_UP_LIMIT_MS = 5000
const cleanUps = new Set<() => Promise<unknown>>()
let isEnding = false

/** What is to be done before the last guard ends the process; it has five seconds for that. */
export function cleanUpAtLast(cleanUp: () => Promise<unknown>): void {
  cleanUps.add(cleanUp)
}

/** From now on nothing that happens in the process ends it by a raw stack, and warnings of the library are said as our own. */
export function guardProcess(): void {
  sayWarnings()
  // A rejection that no code handles arrives here as well.
  process.on('uncaughtException', (error: unknown) => {
    if (!isEnding) void endUnexpectedly(error) // what goes wrong on the way out follows from the first error
    isEnding = true
  })
}

/** Node would print them with its own name and process id. What Node itself warns of is left to it. */
function sayWarnings(): void {
  const printers = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name.startsWith('Mountlock')) writeComplaint('warning', messageOf(warning))
    else for (const print of printers) print(warning)
  })
}

async function endUnexpectedly(error: unknown): Promise<void> {
  const code = explainUnexpected(error)
  const all = [...cleanUps].map(async (cleanUp) => await cleanUp())
  const isClean = await endsWithin(CLEAN_UP_LIMIT_MS, Promise.allSettled(all))
  await endProcess(code, !isClean)
}

/** Says what happened. @returns the exit code */
export function explainUnexpected(error: unknown): number {
  const { text, code } = describeUnexpected(error)
  writeComplaint('error', text)
  if (process.env[STACK_VARIABLE] && error instanceof Error) {
    writeError((error.stack ?? '').split('\n').map(printable).join('\n'))
  }
  return code
}

/** In one sentence, and with the exit code. */
export function describeUnexpected(error: unknown): { text: string; code: number } {
  const message = messageOf(error)
  if (error instanceof MountlockError) return { text: message, code: EXIT.cannotLock }
  const errno = codeOf(error ?? {})
  if (errno !== null && (ERRNOS.has(errno) || REFUSALS.includes(errno))) {
    return { text: `The system refused what is needed here (${message}), so nothing more was done.`, code: EXIT.cannotLock }
  }
  const name = error instanceof Error ? printable(error.name) : 'Error'
  return {
    text:
      `This is a defect of locktester ${version()} (${name}: ${message}): please report it where you got it from, ` +
      `with what it says when ${STACK_VARIABLE}=1 is set in its environment.`,
    code: EXIT.internal,
  }
}
