/** Finds and loads the optional native addon `fs-ext`, or says exactly why it cannot be used and which command mends it. */

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { assert } from '../assert.js'
import { AdvisoryUnavailableError, type ErrorCode, UnsupportedPlatformError } from '../errors.js'
import { loadAddonInWorker } from './fs-ext-in-worker.js'

type Callback = (error: Error | null) => void

/**
 * The part of `fs-ext` 2.1.1 that is sound. Its `fcntlSync` is not: it hands the kernel a number where a struct is due
 * (`EFAULT`).
 */
export interface FsExt {
  /** Main thread only, like every asynchronous call of `fs-ext`: from a worker thread it aborts the whole process. */
  flock(fd: number, operation: number, callback: Callback): void
  flockSync(fd: number, operation: number): void
  fcntl(fd: number, command: number, argument: number, callback: Callback): void
  readonly constants: Readonly<Record<'LOCK_SH' | 'LOCK_EX' | 'LOCK_NB' | 'LOCK_UN' | 'F_SETLK' | 'F_RDLCK' | 'F_WRLCK', number>>
}

/** How a dynamic linker, or Node itself, says that an addon expects another Node. */
const WRONG_NODE = /NODE_MODULE_VERSION|undefined symbol|did not self-register/

/**
 * A native addon cannot be part of a bundle, and an absent one is no fault until it is used: so it is required, not imported.
 * From where it is looked for: from this file, or from the bundle that it has become part of, which may be CommonJS.
 */
const requireFromHere = () => createRequire((import.meta.url as string | undefined) ?? __filename)
let loaded: FsExt | undefined

/**
 * Only success is kept: a process that runs on while an administrator rebuilds the addon needs no restart.
 * @throws AdvisoryUnavailableError
 */
export function loadFsExt(): FsExt {
  if (loaded) return loaded
  try {
    loaded = namingCalls(isMainThread ? (requireFromHere()('fs-ext') as FsExt) : inWorker())
    return loaded
  } catch (error) {
    throw error instanceof UnsupportedPlatformError ? error : explain(error)
  }
}

/** Its asynchronous calls are left out: from a worker thread they would abort the whole process. */
function inWorker(): FsExt {
  const addon = loadAddonInWorker(requireFromHere().resolve('fs-ext/build/Release/fs_ext.node'))
  const refuse = () => assert(false, 'an asynchronous call of fs-ext from the main thread', 'one from a worker thread')
  return {
    constants: addon.constants as FsExt['constants'],
    flock: refuse,
    fcntl: refuse,
    flockSync: (fd, operation) => addon.flock(fd, operation),
  }
}

/** `fs-ext` calls the system call that failed by names of its own functions: `EIO_After`, `Flock`. */
function namingCalls(fsExt: FsExt): FsExt {
  return {
    constants: fsExt.constants,
    flock: (fd, operation, callback) => fsExt.flock(fd, operation, (error) => callback(named('flock', error))),
    fcntl: (fd, command, argument, callback) => fsExt.fcntl(fd, command, argument, (error) => callback(named('fcntl', error))),
    flockSync(fd, operation) {
      try {
        fsExt.flockSync(fd, operation)
      } catch (error) {
        throw named('flock', error as Error)
      }
    },
  }
}

const OWN_NAMES = /\b(EIO_After|Flock|Fcntl)\b/g

function named<Failure extends Error | null>(syscall: string, error: Failure): Failure {
  if (error === null || error === undefined || !('syscall' in error)) return error
  error.message = error.message.replace(OWN_NAMES, syscall)
  return Object.assign(error, { syscall })
}

const OR_GLOBALLY = ' (with -g where it was installed so)'
/** npm downloads the headers, and where it cannot, it says so only in its log. */
const withHeadersOf = (command: string) =>
  `Node's headers, which npm downloads (without internet, where there is /usr/include/node: \`npm_config_nodedir=/usr ${command}\`)`
const BUILDING_NEEDS = "python3, make and g++, and Node's headers"

/**
 * What each case leaves on disk, seen with npm 11:
 *
 * - not installed, or installed and *failed to build*: no package at all. npm removes an optional dependency whose script
 *   failed, and exits with 0, so the two cannot be told apart here, and the advice has to name both.
 * - script never ran (npm >= 12 without approval, `--ignore-scripts`): the package without any `build/`.
 * - `npm rebuild` failed later: npm leaves the package, and node-gyp its `build/` with a Makefile but no addon. (Without
 *   python it fails before that and leaves no `build/`: `npm rebuild`, which the advice names, then says so itself.)
 */
function explain(error: unknown): AdvisoryUnavailableError {
  let folder: string
  try {
    folder = dirname(requireFromHere().resolve('fs-ext/package.json'))
  } catch {
    return unavailable(
      'FS_EXT_NOT_INSTALLED',
      'the optional dependency fs-ext is not installed',
      `Run \`npm install fs-ext\`${OR_GLOBALLY}: it needs python3, make and g++, and ${withHeadersOf('npm install fs-ext')}.`,
      error,
    )
  }
  if (!existsSync(join(folder, 'build'))) {
    return unavailable(
      'FS_EXT_SCRIPT_BLOCKED',
      'the install script of fs-ext never ran, so its addon is missing (npm >= 12 blocks such scripts by default)',
      `Run \`npm install-scripts approve fs-ext && npm rebuild fs-ext\`, or where it was installed with -g \`npm rebuild -g --allow-scripts=fs-ext fs-ext\` (both need ${BUILDING_NEEDS}).`,
      error,
    )
  }
  if (!existsSync(join(folder, 'build', 'Release', 'fs_ext.node'))) {
    return unavailable(
      'FS_EXT_NOT_BUILT',
      'fs-ext is installed but its addon could not be built',
      `Install python3, make and g++, then run \`npm rebuild fs-ext\`${OR_GLOBALLY}. It also needs ${withHeadersOf('npm rebuild fs-ext')}.`,
      error,
    )
  }
  return explainUnloadable(error)
}

function explainUnloadable(error: unknown): AdvisoryUnavailableError {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code === 'ERR_DLOPEN_DISABLED') {
    return unavailable(
      'FS_EXT_ADDONS_DISABLED',
      'this process does not load native addons',
      'Start Node without --no-addons.',
      error,
    )
  }
  if (WRONG_NODE.test(String(message))) {
    return unavailable(
      'FS_EXT_WRONG_NODE',
      'fs-ext was built for another version of Node',
      `Run \`npm rebuild fs-ext\`${OR_GLOBALLY}.`,
      error,
    )
  }
  return unavailable(
    'FS_EXT_NOT_BUILT',
    'the addon of fs-ext is damaged or was built for another system',
    `Run \`npm rebuild fs-ext\`${OR_GLOBALLY} on this machine (it needs ${BUILDING_NEEDS}).`,
    error,
  )
}

function unavailable(code: ErrorCode, what: string, advice: string, cause: unknown): AdvisoryUnavailableError {
  return new AdvisoryUnavailableError(`Advisory locks cannot be used: ${what}`, { code, advice, cause })
}
