/** Counts what a process asks of the file system, with strace(1): the calls that concern one directory, between two marks. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { markPath } from './requests.js'

/** All that can be asked about files. With a question mark: not every processor knows all of them. */
const CALLS = [
  ...['open', 'openat', 'creat', 'close', 'read', 'pread64', 'write', 'pwrite64', 'fsync', 'fdatasync', 'flock', 'fcntl'],
  ...['stat', 'lstat', 'fstat', 'newfstatat', 'statx', 'statfs', 'access', 'faccessat', 'faccessat2', 'getdents', 'getdents64'],
  ...[
    'link',
    'linkat',
    'symlink',
    'symlinkat',
    'readlink',
    'readlinkat',
    'rename',
    'renameat',
    'renameat2',
    'unlink',
    'unlinkat',
  ],
  ...['mkdir', 'mkdirat', 'rmdir', 'chmod', 'fchmod', 'fchmodat', 'utime', 'utimes', 'utimensat', 'inotify_add_watch'],
]

/** Each of them is a request to a file server. */
const OF_DIRECTORIES = ['link', 'symlink', 'rename', 'unlink', 'mkdir', 'rmdir']

/** @throws if it cannot be used */
function strace(...options: string[]): string[] {
  if (spawnSync('strace', ['-V']).status !== 0) throw new Error('strace(1) is not installed')
  return ['strace', '-f', '-qq', '--seccomp-bpf', ...options]
}

/** The command in front of a process that is to be counted. `-y` shows to which file a descriptor belongs. */
export const tracing = (output: string): string[] =>
  strace('-y', '-s', '0', '-e', 'signal=none', '-o', output, '-e', `trace=${CALLS.map((call) => `?${call}`).join(',')}`)

/** The command in front of a process whose changes of directories each take this long, as on a slow mount. */
export const slowedDown = (delayMs: number): string[] => {
  const slow = [...OF_DIRECTORIES, ...OF_DIRECTORIES.map((call) => `${call}at`), 'renameat2', 'getdents64']
  const calls = slow.map((call) => `?${call}`).join(',')
  return strace('-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:delay_enter=${delayMs * 1000}`)
}

export interface Counted {
  /** System calls. */
  calls: number
  /** Those that name a file: each is an operation on the file system; what is done through a descriptor belongs to its `open`. */
  operations: number
  byName: Record<string, number>
}

/** What a trace says about a directory between the marks `begin` and `end`. */
export function countBetweenMarks(output: string, directory: string): Counted {
  const counted: Counted = { calls: 0, operations: 0, byName: {} }
  let inside = false
  for (const line of readFileSync(output, 'utf8').split('\n')) {
    if (line.includes(markPath('begin'))) inside = true
    if (line.includes(markPath('end'))) inside = false
    if (!inside || !line.includes(directory)) continue
    // The second half of a call that another thread interrupted was counted with its first.
    const name = /^\d+ +(\w+)\(/.exec(line)?.[1]
    if (name === undefined) continue
    counted.calls++
    counted.byName[name] = (counted.byName[name] ?? 0) + 1
    if (namesFile(name, line)) counted.operations++
  }
  return counted
}

const THROUGH_DESCRIPTOR = new Set([
  'close',
  'read',
  'pread64',
  'write',
  'pwrite64',
  'fsync',
  'fdatasync',
  'fstat',
  'fchmod',
  'fcntl',
  'flock',
])

function namesFile(name: string, line: string): boolean {
  if (THROUGH_DESCRIPTOR.has(name) || name.startsWith('getdents')) return false
  // fstat(fd) is written as newfstatat(fd, "", …).
  return !line.includes(', "", ')
}
