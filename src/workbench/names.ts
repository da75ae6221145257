/** Where what belongs to one lock of ours at a public path lies, and what it is called. */

import { basename, dirname, join } from 'node:path'
import { asideName, CLAIMS_DIRECTORY, claimName, ownerName, parseTheirName } from './format.js'
import { hiddenDirectory } from './places.js'

/** The second half of each random name of ours: so a holder of our own lock recognises what a dead one left. */
const OURS = '6d6f756e746c6f63'

export interface Names {
  /** The public path, whose directory is reached through no link. */
  readonly path: string
  readonly directory: string
  /** The directory that all of it lies below. */
  readonly base: string
  /** All of ours lies in it, unless it is there for a moment, or has the public name. */
  readonly hidden: string
  /** Our own lock. */
  readonly inner: string
  /** The file that both claims are names of. */
  readonly claim: string
  readonly firstClaim: string
  readonly claims: string
  readonly secondClaim: string
}

export function namesOf(path: string): Names {
  const [directory, base] = [dirname(path), basename(path)]
  const hidden = hiddenDirectory(path)
  const claims = join(directory, CLAIMS_DIRECTORY)
  return {
    path,
    directory,
    base: dirname(hidden),
    hidden,
    inner: join(hidden, 'lock'),
    claim: join(hidden, 'claim'),
    firstClaim: join(directory, claimName(base)),
    claims,
    secondClaim: join(claims, base),
  }
}

/** `random`: 16 hexadecimal digits. */
export const ownOwner = ({ hidden }: Names, random: string) => join(hidden, ownerName(random + OURS))

/** Beside what is set aside, as the sweeps of Workbench expect it. */
export const ownAside = (path: string, pid: number, random: string) => join(dirname(path), asideName(pid, random + OURS))

const isOurs = (name: string) => name.endsWith(OURS)
export const isOwnAside = (name: string) => isOurs(name) && parseTheirName(name)?.kind === 'aside'
export const isOwnOwner = (name: string) => isOurs(name) && parseTheirName(name)?.kind === 'owner'
