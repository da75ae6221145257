/** A program on this machine, with the same handle as one in a guest. */

import { spawn } from 'node:child_process'
import { GuestProgram } from './lab/guest-program.js'
import { killGroup } from './lab/processes.js'

export function startOnHost([file = '', ...args]: readonly string[], env: Record<string, string> = {}): GuestProgram {
  const child = spawn(file, args, { env: { ...process.env, ...env }, detached: true })
  const isRunning = () => child.exitCode === null && child.signalCode === null
  child.stdin.on('error', () => {}) // it need not read its input
  const program = new GuestProgram(`${file} ${args.join(' ')}`, (input) => {
    if (input.op === 'stdin') child.stdin.write(Buffer.from(input.data, 'base64'))
    else if (input.op === 'stdin-end') child.stdin.end()
    // Once it has ended, its number may be that of another group.
    else if (input.op === 'signal' && child.pid !== undefined && isRunning()) killGroup(child.pid, input.signal)
  })
  child.stdout.on('data', (data: Buffer) => program.hear({ stdout: data.toString('base64') }))
  child.stderr.on('data', (data: Buffer) => program.hear({ stderr: data.toString('base64') }))
  child.on('error', ({ message }) => program.hear({ error: message }))
  child.on('close', (code, signal) => program.hear({ exit: { code, signal } }))
  return program
}
