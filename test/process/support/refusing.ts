/** Processes of which system calls are answered with errors, and which see the mount that a test describes: fixtures/refuse.c. */

import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deviceName } from '../../../build/drivers/mount-info.js'
import { FIXTURES } from './agent.js'
import { temporaryFolder } from './folder.js'

export interface Refusing {
  env: Record<string, string>
  /** There until the refusal has come. */
  plan: string
  /** `part`: of the path, and behind it how, as fixtures/refuse.c says. */
  refuse(call: string, errno: number, part: string): void
}

export async function refusing(): Promise<Refusing> {
  const folder = await temporaryFolder()
  const library = join(folder, 'refuse.so')
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, join(FIXTURES, 'refuse.c'), '-ldl'])
  const plan = join(folder, 'refusal')
  const env = { LD_PRELOAD: library, REFUSAL: plan }
  return {
    env,
    plan,
    refuse: (call, errno, part) => writeFileSync(plan, `${call} ${errno} ${part}`),
  }
}

export interface MountedAs {
  type: string
  source: string
  options?: readonly string[]
}

/** For {@link Refusing.env}: this directory, which is a local one, is shown as the root of that mount. */
export function shownAs(directory: string, { type, source, options = [] }: MountedAs): { MOUNTS: string } {
  const device = deviceName(statSync(directory).dev)
  const line = `9999 1 ${device} / ${directory} rw,relatime - ${type} ${source} ${['rw', ...options].join(',')}\n`
  const file = `${directory}.mounts`
  writeFileSync(file, readFileSync('/proc/self/mountinfo', 'utf8') + line)
  return { MOUNTS: file }
}
