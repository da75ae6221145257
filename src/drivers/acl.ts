/**
 * Access control lists of directories, by the programs `getfacl` and `setfacl`: Node has no call for them. Used once for each
 * directory or lock file that is made in a directory that a group may write to: a list shows in the bits of the group, and
 * only there.
 */

import { spawn, spawnSync } from 'node:child_process'

/** A mount that hangs must not hang us through another program. */
const LIMIT_MS = 5000
/** How the program names the descriptor that it is given. */
const INHERITED = '/proc/self/fd/3'
const GET = ['--numeric', '--absolute-names', '--omit-header', '--no-effective', INHERITED]
const SET = ['--set-file=-', INHERITED]

type Done = (error: Error | null, text?: string | null) => void

/** The list of what is open, as text; `null` where there is none to be had: no such program, no such right. */
export const getAclSync = (fd: number): string | null => run('getfacl', GET, { fd, input: '' })
export const getAcl = (fd: number, done: Done): void => start('getfacl', GET, { fd, input: '' }, done)

/** `null`: it was not set. */
export const setAclSync = (fd: number, text: string): string | null => run('setfacl', SET, { fd, input: text })
export const setAcl = (fd: number, text: string, done: Done): void => start('setfacl', SET, { fd, input: text }, done)

/** The file is its descriptor 3. */
interface Given {
  fd: number
  input: string
}

function run(program: string, args: readonly string[], { fd, input }: Given): string | null {
  const { status, stdout } = spawnSync(program, args, {
    input,
    stdio: ['pipe', 'pipe', 'ignore', fd],
    timeout: LIMIT_MS,
    encoding: 'utf8',
  })
  return status === 0 ? stdout : null
}

function start(program: string, args: readonly string[], { fd, input }: Given, done: Done): void {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore', fd], timeout: LIMIT_MS })
  let text = ''
  // A program that is not there has no streams to speak to.
  child.stdin?.on('error', () => {}).end(input)
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  let isTold = false
  const tell = (answer: string | null) => {
    if (!isTold) done(null, answer)
    isTold = true
  }
  child.once('error', () => tell(null))
  child.once('close', (status) => tell(status === 0 ? text : null))
}

interface Entry {
  tag: string
  /** A number, or empty: the owner or the group of the file itself. */
  id: string
  permissions: string
}

/** Whose the new file or directory is, and whose the directory around it. */
export interface Owners {
  uid: number
  gid: number
  around: { uid: number; gid: number }
}

/**
 * The list of what is made in a directory with this list: each user and each group gets there what the directory gives it,
 * and no more. `null`: the directory has no list, or one of its own for what is made in it. `permit`: what permissions on the
 * directory mean for what is made.
 */
export function inheritedAcl(list: string, { uid, gid, around }: Owners, permit: (permissions: string) => string): string | null {
  const entries = list.split('\n').flatMap(parse)
  const mask = entries.find(({ tag }) => tag === 'mask')
  if (mask === undefined || entries.some(({ tag }) => tag === 'default')) return null
  // With the mask applied, since the mask of the new list has to be a wider one: the owner of the directory is a named
  // user in it.
  const masked = (permissions: string) =>
    [...permissions].map((right) => (mask.permissions.includes(right) ? right : '-')).join('')
  const named = entries
    .filter(({ tag, id }) => (tag === 'user' || tag === 'group') && id !== '')
    .map((entry) => ({ ...entry, permissions: masked(entry.permissions) }))
  const of = (wanted: string) => entries.find(({ tag, id }) => tag === wanted && id === '')?.permissions ?? '---'
  const isNamed = (tag: string, id: number) => named.some((entry) => entry.tag === tag && entry.id === String(id))
  if (uid !== around.uid && !isNamed('user', around.uid))
    named.push({ tag: 'user', id: String(around.uid), permissions: of('user') })
  if (gid !== around.gid && !isNamed('group', around.gid))
    named.push({ tag: 'group', id: String(around.gid), permissions: masked(of('group')) })
  const group = gid === around.gid ? masked(of('group')) : of('other')
  const lines = [
    `user::${permit('rwx')}`,
    ...named.map(({ tag, id, permissions }) => `${tag}:${id}:${permit(permissions)}`),
    `group::${permit(group)}`,
    `other::${permit(of('other'))}`,
  ]
  return `${lines.join('\n')}\n`
}

function parse(line: string): Entry[] {
  const [tag, id, permissions] = line.trim().split(':')
  if (tag === 'default') return [{ tag, id: '', permissions: '' }]
  return tag === undefined || id === undefined || permissions === undefined ? [] : [{ tag, id, permissions }]
}
