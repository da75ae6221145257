/** Hosts as users of ssh, scp and rsync write them, and as ssh is told of them: pure. */

import { isIPv6 } from 'node:net'
import { UsageError } from '../shared/usage.js'

/** ssh is told nothing that it, or a shell on the way, could take for something else than a name. */
const ODD = /[\s\p{C}/'"`$;&<>|(){}*?!#,[\]]/u
const PORT_MAX = 65_535

/**
 * `node1`, `ann@node1`, `node1:2222`, `::1`, `[::1]:2222`: what may stand before the directory.
 * @returns what ssh is told @throws UsageError
 */
export function destinationOf(word: string): string {
  const at = word.lastIndexOf('@')
  return spell(at === -1 ? null : word.slice(0, at), word.slice(at + 1), word)
}

/**
 * `ssh://ann@node1:2222`, with the directory behind it or without.
 * @returns `null` for what does not begin like that @throws UsageError
 */
export function readUri(word: string): { destination: string; directory: string | null } | null {
  const [, authority, directory = ''] = /^(?:ssh|scp|sftp):\/\/([^/]*)(\/.*)?$/s.exec(word) ?? []
  if (authority === undefined) return null
  const at = authority.lastIndexOf('@')
  const user = at === -1 ? null : decoded(authority.slice(0, at), word)
  // As rsync and scp write it, a colon may stand before the directory.
  const hostAndPort = authority.slice(at + 1).replace(/:$/, '')
  return { destination: spell(user, hostAndPort, word), directory: directory === '' ? null : directory }
}

function spell(user: string | null, hostAndPort: string, word: string): string {
  const { host, port } = partsOf(hostAndPort)
  const isName = isIPv6(host) || (host !== '' && !ODD.test(host) && !/[:\\]/.test(host))
  const isUser = user === null || (user !== '' && !ODD.test(user))
  // An option, for ssh or for what --ssh-command starts.
  const isOption = host.startsWith('-') || user?.startsWith('-') === true
  if (!isName || !isUser || isOption || port > PORT_MAX || port === 0) {
    throw new UsageError(`Expected the name of a host, got "${word}"; the directory comes last`)
  }
  if (Number.isNaN(port)) return user === null ? host : `${user}@${host}`
  return `ssh://${user === null ? '' : `${encodeURIComponent(user)}@`}${isIPv6(host) ? `[${host}]` : host}:${port}`
}

/** `port`: NaN where there is none. */
function partsOf(text: string): { host: string; port: number } {
  if (isIPv6(text)) return { host: text, port: Number.NaN }
  const [, bracketed, port] = /^\[(.*)\](?::(\d{1,6}))?$/s.exec(text) ?? []
  if (bracketed !== undefined && isIPv6(bracketed)) return { host: bracketed, port: Number(port ?? Number.NaN) }
  const [, host = text, number] = /^(.*):(\d{1,6})$/s.exec(text) ?? []
  return { host, port: Number(number ?? Number.NaN) }
}

function decoded(user: string, word: string): string {
  try {
    return decodeURIComponent(user)
  } catch {
    throw new UsageError(`Expected the name of a user before @, got "${word}"`)
  }
}
