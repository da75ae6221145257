/** Runs the tools of the host, and says which Debian package to install when one is missing. */

import { execFileSync, spawnSync } from 'node:child_process'

/** A lab that cannot be built or booted; the message says what to do. */
export class LabError extends Error {
  override readonly name = 'LabError'
}

const PACKAGE_OF: Readonly<Record<string, string>> = {
  'apt-cache': 'apt',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  ldd: 'libc-bin',
  mke2fs: 'e2fsprogs',
  tar: 'tar',
  setpriv: 'util-linux',
  sshfs: 'sshfs',
  fusermount3: 'fuse3',
  '/usr/lib/openssh/sftp-server': 'openssh-sftp-server',
}

/** Tools in `sbin` are not on the PATH of every user. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' }

/** @throws LabError if one is missing, naming all that are */
export function requireTools(...tools: string[]): void {
  const missing = tools.filter((tool) => spawnSync('which', [tool], { env: ENVIRONMENT }).status !== 0)
  if (missing.length === 0) return
  const packages = missing.map((tool) => PACKAGE_OF[tool] ?? tool).join(' ')
  throw new LabError(`The lab needs ${missing.join(', ')}. On Debian: apt-get install ${packages}`)
}

/** Runs a tool to its end and returns its standard output. @throws LabError with what it wrote */
export function runTool(tool: string, args: readonly string[], { cwd = '/', env = {} as Record<string, string> } = {}): string {
  try {
    return execFileSync(tool, args, {
      cwd,
      env: { ...ENVIRONMENT, ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 1024 * 1024,
    })
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string }
    throw new LabError(`${tool} ${args.join(' ')} failed: ${stderr || stdout || (error as Error).message}`.trim())
  }
}
