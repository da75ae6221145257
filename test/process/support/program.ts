/** Runs a small program of its own, given as text: what it prints as JSON is the answer. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const LIBRARY = new URL('../../../dist/index.js', import.meta.url).href

export interface ProgramOptions {
  cwd?: string
  /** Commands of the shell before it starts, such as `ulimit -n 64`. */
  before?: string
  args?: readonly string[]
}

/** `createLocker` is there, and a locker with short intervals; `tell` prints. Rejects unless it ends with 0. */
export async function program(text: string, { cwd = '/', before = ':', args = [] }: ProgramOptions = {}): Promise<unknown[]> {
  const whole = `import { createLocker } from ${JSON.stringify(LIBRARY)}
const locker = createLocker({ refreshRateMs: 500, timeoutIntervalMs: 2000 })
const tell = (value) => process.stdout.write(JSON.stringify(value) + '\\n')
const describe = ({ name, code, message, reason }) => ({ name, code, message, reason })
${text}`
  const node = [process.execPath, '--input-type=module', '-e', whole, '--', ...args]
  const { stdout } = await promisify(execFile)('bash', ['-c', `${before}; exec "$@"`, 'bash', ...node], { cwd, encoding: 'utf8' })
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}
