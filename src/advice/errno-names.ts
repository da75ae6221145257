/** The names of system errors. Node has none for some that mounts answer with, and calls them "Unknown system error -121". */

import { constants } from 'node:os'

/** Linux numbers, errno(3). The last group never leaves the kernel by rights; NFS and FUSE let some of it through. */
const NAMELESS_ON_LINUX: Readonly<Record<number, string>> = {
  44: 'ECHRNG',
  52: 'EBADE',
  53: 'EBADR',
  54: 'EXFULL',
  64: 'ENONET',
  65: 'ENOPKG',
  66: 'EREMOTE',
  68: 'EADV',
  69: 'ESRMNT',
  70: 'ECOMM',
  73: 'EDOTDOT',
  76: 'ENOTUNIQ',
  77: 'EBADFD',
  78: 'EREMCHG',
  85: 'ERESTART',
  86: 'ESTRPIPE',
  87: 'EUSERS',
  94: 'ESOCKTNOSUPPORT',
  96: 'EPFNOSUPPORT',
  108: 'ESHUTDOWN',
  109: 'ETOOMANYREFS',
  112: 'EHOSTDOWN',
  116: 'ESTALE',
  117: 'EUCLEAN',
  118: 'ENOTNAM',
  119: 'ENAVAIL',
  120: 'EISNAM',
  121: 'EREMOTEIO',
  122: 'EDQUOT',
  123: 'ENOMEDIUM',
  124: 'EMEDIUMTYPE',
  126: 'ENOKEY',
  127: 'EKEYEXPIRED',
  128: 'EKEYREVOKED',
  129: 'EKEYREJECTED',
  130: 'EOWNERDEAD',
  131: 'ENOTRECOVERABLE',
  132: 'ERFKILL',
  133: 'EHWPOISON',

  512: 'ERESTARTSYS',
  521: 'EBADHANDLE',
  522: 'ENOTSYNC',
  523: 'EBADCOOKIE',
  524: 'ENOTSUPP',
  525: 'ETOOSMALL',
  526: 'ESERVERFAULT',
  527: 'EBADTYPE',
  528: 'EJUKEBOX',
  530: 'ERECALLCONFLICT',
}

const NAMES = new Map([
  ...(process.platform === 'linux'
    ? Object.entries(NAMELESS_ON_LINUX).map(([number, name]) => [Number(number), name] as const)
    : []),
  // Of two names the last one counts, and Node says the first: EAGAIN, not EWOULDBLOCK.
  ...Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name] as const),
])

/** Of a number with either sign. What has no name anywhere is called by its number: `E531`. */
export const errnoName = (errno: number): string => NAMES.get(Math.abs(errno)) ?? `E${Math.abs(errno)}`

/** As a system error is called. Node says "Unknown system error -121" of one without a name, and `fs-ext` nothing. */
const NAME = /^E[A-Z0-9]+$/

/** A system error that has no name gets it, in its code and its message. Others stay as they are. */
export function withName(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, errno } = error as NodeJS.ErrnoException
  if (typeof errno !== 'number' || (typeof code === 'string' && NAME.test(code))) return error
  const name = errnoName(errno)
  error.message = error.message
    .replaceAll(`Unknown system error ${-Math.abs(errno)}`, name)
    .replace(`${name}: ${name}`, name)
    .replace(/^(?=,)/, name)
  return Object.assign(error, { code: name })
}
