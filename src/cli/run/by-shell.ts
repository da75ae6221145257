/**
 * A command that is started and waited for by a shell. Why a shell: one that waits tells also a real-time signal by its exit
 * status, 128 + the number, where `spawn` gives the exit code of a success (see command-thread.ts). It needs no thread, and no
 * /proc, since the command says its own number before it becomes what it is to be.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { codeOf } from '../shared/bounded.js'
import { started } from '../shared/started.js'
import type { CommandEnd, StartOrder } from './command-thread.js'

/** A shell understands numbers of one digit only, in front of `>` and behind `>&`. */
const PLACES = [9, 8, 7, 6, 5, 4, 3]

/** Signals of the terminal reach the shell as well, and it is not to end before the command. */
const scriptFor = (place: number) =>
  `trap : INT QUIT; /bin/sh -c 'echo $$ >&${place}; exec ${place}>&-; exec "$@"' sh "$@"; exit $?`

/** @param onStarted is told the pid of the command */
export async function runByShell(order: StartOrder, onStarted: (pid: number) => void): Promise<CommandEnd> {
  const place = PLACES.find((each) => typeof order.stdio[each] !== 'number')
  if (place === undefined) return refused('EMFILE')
  const stdio: (number | 'ignore' | 'pipe')[] = [...order.stdio]
  while (stdio.length <= place) stdio.push('ignore')
  stdio[place] = 'pipe'
  try {
    const shell = spawn('/bin/sh', ['-c', scriptFor(place), 'sh', ...order.command], { env: order.env, stdio })
    await started(shell)
    hearNumber(shell, place, onStarted)
    const [code, signal] = await once(shell, 'exit')
    return { errno: null, code: signal === null ? code : null, signal }
  } catch (error) {
    return refused(codeOf(error) ?? 'EINVAL')
  }
}

const refused = (errno: string): CommandEnd => ({ errno, code: null, signal: null })

function hearNumber(shell: ChildProcess, place: number, onStarted: (pid: number) => void): void {
  let said = ''
  const teller = shell.stdio[place] as Readable | null
  teller
    ?.setEncoding('latin1')
    .on('error', () => {}) // then there is no number, and no command to signal
    .on('data', (text: string) => {
      said += text
      if (!said.endsWith('\n')) return
      onStarted(Number(said))
      teller.destroy()
    })
}
