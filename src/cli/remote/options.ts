/** How nodes are named on the command line and reached, for every command that reaches some. */

import { resolve } from 'node:path'
import type { Options } from 'yargs'
import { valued } from '../shared/command.js'
import { readRequiredText, readText, UsageError } from '../shared/usage.js'
import { destinationOf, readUri } from './host.js'

/** One node, and where the directory is there: nodes may have mounted a share at different places. */
export interface NodeAddress {
  /** As ssh knows it, or {@link LOCAL}. */
  host: string
  directory: string
}

/** A process here instead of one behind ssh. */
export const LOCAL = 'local'

export interface ReachOptions {
  sshCommand: string
  /** `undefined`: locktester in the PATH there, or this very file. */
  remoteCommand: string | undefined
}

const SSH_COMMAND = 'ssh -o BatchMode=yes -o ConnectTimeout=15'

export const REACH_OPTIONS = {
  'ssh-command': valued('How to reach a host', { defaultDescription: SSH_COMMAND }),
  'remote-command': valued('How locktester is started there', { defaultDescription: 'by the PATH, or as here' }),
} as const satisfies Record<string, Options>

/** @throws UsageError */
export function readReach(parsed: Record<string, unknown>): ReachOptions {
  return {
    sshCommand: readText('a command after --ssh-command', parsed['ssh-command']) ?? SSH_COMMAND,
    remoteCommand: readText('a command after --remote-command', parsed['remote-command']),
  }
}

/**
 * Each word is `node1` (see host.ts), or `node1:/mnt/share` where the directory is somewhere else than on the others.
 * @param common the directory of those that name none @throws UsageError
 */
export function readAddresses(words: readonly string[], common: string | undefined): NodeAddress[] {
  // Here, and nowhere else, it is known what a relative path means.
  const isHere = words.every((word) => word === LOCAL)
  const directory = common !== undefined && isHere ? resolve(common) : common
  return words.map((word) => readAddress(word, directory))
}

function readAddress(word: string, common: string | undefined): NodeAddress {
  const { host, place } = readHost(readRequiredText('the name of a host', word))
  const directory = place ?? common
  if (directory === undefined) {
    throw new UsageError(`Expected a directory for ${host}: write ${host}:/its/directory, or one directory for all`)
  }
  if (!directory.startsWith('/')) {
    throw new UsageError(`Expected an absolute path, for all nodes, got "${directory}"`)
  }
  return { host, directory }
}

/** `place`: the directory that is named with the host. @throws UsageError */
function readHost(word: string): { host: string; place: string | undefined } {
  const uri = readUri(word)
  if (uri !== null) return { host: uri.destination, place: uri.directory ?? undefined }
  const colon = word.indexOf(':/')
  const name = readRequiredText('the name of a host', colon === -1 ? word : word.slice(0, colon))
  return { host: destinationOf(name), place: colon === -1 ? undefined : word.slice(colon + 1) }
}
