/** Sessions of Workbench as processes: see fixtures/workbench-session.ts for what they do. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { FIXTURES } from './agent.js'

export interface SessionOptions {
  form: 'legacy' | '2026'
  kind: 'link' | 'symlink' | 'advisory'
  path: string
  timeoutMs: number
  refreshMs: number
  isLoadBalanced?: boolean
  clockOffsetMs?: number
  dieAt?: number
}

export interface WorkbenchSession {
  pid: number
  /** Did it get the lock? */
  acquire(): Promise<boolean>
  release(): Promise<void>
  kill(): Promise<void>
  /** Resolves when it has ended itself. */
  ended: Promise<unknown>
}

export async function workbenchSession(options: SessionOptions): Promise<WorkbenchSession> {
  const program = [`${FIXTURES}workbench-session.ts`, JSON.stringify(options)]
  const child = spawn(process.execPath, ['--import', 'tsx', ...program], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // it may end itself while it is asked
  const ended = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const hear = async () => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('The session ended before it answered')
    return JSON.parse(value as string) as unknown
  }
  const ask = (command: string) => {
    child.stdin.write(`${command}\n`)
    return hear()
  }
  await hear()
  return {
    pid: child.pid as number,
    acquire: async () => (await ask('acquire')) === true,
    release: async () => void (await ask('release')),
    kill,
    ended,
  }
}
